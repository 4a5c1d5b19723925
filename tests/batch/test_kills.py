"""Killed at random moments, a clip comes out as if nothing had happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "batch" / "kills.py"


@pytest.mark.parametrize(
    ("kills", "codec"),
    [
        (5, "h264"),
        pytest.param(50, "h264", marks=pytest.mark.slow),
        pytest.param(50, "hevc", marks=pytest.mark.slow),
        pytest.param(50, "prores", marks=pytest.mark.slow),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_run_ends_as_one_that_was_left_alone(tmp_path, kills, codec):
    report = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, PROGRAM, "--kills", str(kills), "--codec", codec, "--json", report],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(report.read_text())
    assert result["kills"] >= kills
    assert result["identical"] == result["files"] > 0
    assert result["differences"] == []
    # One segment of ten frames, and what lies in the queues between the stages.
    assert result["most_redone"] <= 10 + 2 * 3 + 3
