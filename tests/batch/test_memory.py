"""Memory does not grow with a clip's length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "batch" / "memory.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs wait4")
def test_ten_minutes_take_as_much_as_ten_seconds():
    table = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, check=True)
    *_, ratio, _ = table.stdout.splitlines()[-1].split("|")
    assert 0.9 < float(ratio) < 1.1
