from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from brushreel.core.allocator import give_back_large_blocks, keep_freed_memory

# Page faults of filling 8 MiB a hundred times over: mapped anew, 2048 pages every time.
FAULTS = """
import resource
import numpy as np
from brushreel.core.allocator import keep_freed_memory
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


# What stays resident, in MiB, of 256 that were freed under a block that is still used; and, once
# they are given back, of twice as much.
LEFT = """
import numpy as np
from pathlib import Path
from brushreel.core.allocator import give_back_large_blocks, keep_freed_memory
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
def use(numbers):
    frame, used = np.ones(numbers), bytearray(2**20)
    del frame
    return used
keep_freed_memory()
before = resident()
first = use(2**25)
print(resident() - before)
give_back_large_blocks()
second = use(2**26)
print(resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
def test_large_blocks_are_given_back():
    command = [sys.executable, "-c", LEFT]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kept, given_back = map(float, done.stdout.split())
    assert kept > 200
    assert given_back < 50


# How many arenas glibc has made after four threads have asked for memory at once.
ARENAS = """
import ctypes, threading
from brushreel.core.allocator import keep_freed_memory
if {kept}:
    keep_freed_memory()
together = threading.Barrier(4)
def work():
    together.wait()
    for _ in range(100):
        bytearray(10_000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def arenas(*, kept: bool) -> int:
    command = [sys.executable, "-c", ARENAS.format(kept=kept)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")
def test_threads_share_what_is_freed():
    assert arenas(kept=True) == 1 < arenas(kept=False)


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_elsewhere_nothing_happens(monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("ctypes.CDLL", None)
    keep_freed_memory()
    give_back_large_blocks()


def test_c_library_without_such_settings(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    keep_freed_memory()
    give_back_large_blocks()
