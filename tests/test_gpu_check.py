"""The GPU check goes on when a part fails, and its report says which and why."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from brushreel.core.clips.media import read

FILE = Path(__file__).parent.parent / "benchmarks" / "gpu_check.py"
spec = importlib.util.spec_from_file_location("gpu_check", FILE)
assert spec is not None
assert spec.loader is not None
gpu_check = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gpu_check)


def options(tmp_path: Path) -> argparse.Namespace:
    return argparse.Namespace(device="cpu", output=tmp_path, loss_weights=None)


def test_a_part_that_fails_is_a_result(tmp_path, monkeypatch):
    def fail(_device: object, _options: object) -> dict[str, object]:
        raise RuntimeError("the device fell off the bus")

    monkeypatch.setitem(gpu_check.PARTS, "memory", fail)
    result = gpu_check.run_part("memory", options(tmp_path))
    assert result["status"] == "failed"
    assert result["reason"] == "RuntimeError: the device fell off the bus"


def test_parts_that_need_a_gpu_say_so(tmp_path):
    result = gpu_check.run_part("sameness", options(tmp_path))
    assert result == {"status": "left out", "reason": "the CPU is what a GPU is compared with"}


def test_the_report_of_a_whole_run(tmp_path, monkeypatch, capsys):
    arguments = ["--device", "cpu", "--output", str(tmp_path), "--parts", "memory", "network"]
    # So little time that the second part can't end within it.
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", *arguments, "--seconds", "240"])
    monkeypatch.setitem(gpu_check.SHARES, "network", 1)
    assert gpu_check.main() == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["memory"]["status"] == "left out"
    assert "took more than its 1 s" in report["network"]["reason"]
    text = (tmp_path / "report.md").read_text()
    assert "| network | failed |" in text
    assert "| memory | left out |" in text
    assert "network    failed" in capsys.readouterr().out


def test_a_part_that_dies_says_its_last_word():
    code = "import sys; print('first\\nlast', file=sys.stderr); sys.exit(3)"
    assert gpu_check.run_process([sys.executable, "-c", code], 60)["reason"] == "ended with 3: last"


# Holds a lock for as long as it lives, and says so.
HOLDS = """
import fcntl, sys, time
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(600)
"""
# Starts it, and ends when it holds the lock.
STARTS = f"""
import subprocess, sys
command = [sys.executable, "-c", {HOLDS!r}, sys.argv[1]]
print(subprocess.Popen(command, stdout=subprocess.PIPE).stdout.readline())
"""


def test_what_a_part_has_started_ends_with_it(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    gpu_check.run_process([sys.executable, "-c", STARTS, str(tmp_path / "lock")], 60)
    with (tmp_path / "lock").open("r+") as file:
        for _ in range(100):
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.1)
    pytest.fail("it lives on")


def test_a_made_clip_moves(tmp_path):
    gpu_check.make_clip(tmp_path / "clip.mp4", 64, 48, 3)
    first, *others = [frame.planes[0] for frame in read(tmp_path / "clip.mp4")]
    assert len(others) == 2
    assert all((first != other).any() for other in others)


@pytest.mark.parametrize("size", [(321, 179), (16, 16), (3840, 2160)])
def test_frames_of_any_size(size):
    frame = gpu_check.made_frame(*size)
    assert (frame.width, frame.height) == size
    assert 16 <= frame.planes[0].min() < frame.planes[0].max() <= 235
