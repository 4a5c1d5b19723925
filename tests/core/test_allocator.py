from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from housestyle.core.allocator import keep_freed_memory

# Page faults of filling 8 MiB a hundred times over: mapped anew, 2048 pages every time.
FAULTS = """
import resource
import numpy as np
from housestyle.core.allocator import keep_freed_memory
if {kept}:
    keep_freed_memory()
np.ones(2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    np.ones(2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, kept: bool) -> int:
    command = [sys.executable, "-c", FAULTS.format(kept=kept)]
    # NumPy asks for huge pages, which would hide how often memory is mapped.
    environment = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
def test_freed_memory_is_used_again():
    assert faults(kept=True) < 0.1 * faults(kept=False)


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_elsewhere_nothing_happens(monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("ctypes.CDLL", None)
    keep_freed_memory()


def test_c_library_without_such_settings(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    keep_freed_memory()
