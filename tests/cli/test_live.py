"""`brushreel live` as a program."""

from __future__ import annotations

import signal
import subprocess
import sys

import av
import pytest

from .called import COMMAND, PATIENCE, validated


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a child")
def test_ctrl_c_ends_it_with_a_finished_file(clip, style_file, tmp_path):
    output = tmp_path / "out" / "live.mp4"
    command = [*COMMAND, "live", str(clip), "--loop", "-s", str(style_file), "-o", str(output)]
    command += ["--json", "--device", "cpu", "--precision", "fp32"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    events = validated("".join(lines) + rest)
    assert [event["event"] for event in events[:2]] == ["live_started", "live_status"]
    assert events[-1]["event"] == "live_done"
    assert events[-1]["frames"] > 0
    assert [path.name for path in output.parent.iterdir()] == ["live.mp4"]
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.decode(video=0)) == events[-1]["frames"]
