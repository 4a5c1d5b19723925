"""The GPU check goes on when a part fails, and its report says which and why."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("size", [(321, 179), (16, 16), (3840, 2160)])
def test_frames_of_any_size(size):
    frame = gpu_check.made_frame(*size)
    assert (frame.width, frame.height) == size
    assert 16 <= frame.planes[0].min() < frame.planes[0].max() <= 235
