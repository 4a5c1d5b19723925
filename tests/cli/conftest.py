"""Clips to call the command with."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from brushreel.batch.demo.clip import make_demo_clip
from brushreel.cli import main


@pytest.fixture
def clip(tmp_path) -> Path:
    """Half a second with sound."""
    folder = tmp_path / "in"
    folder.mkdir()
    return make_demo_clip(folder / "a.mp4", seconds=0.5, width=96, height=64)


@pytest.fixture
def long_clip(tmp_path) -> Path:
    """Takes some seconds to stylize."""
    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(600):
            picture = np.full((360, 320), number % 200, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def options(style_file, tmp_path) -> list[str]:
    """Options of every ``brushreel stylize`` here."""
    device = ["--device", "cpu", "--precision", "fp32"]
    return ["-s", str(style_file), "-o", str(tmp_path / "out"), *device]


@pytest.fixture
def printed(capsys) -> Callable[..., tuple[int, list[dict], str]]:
    """Runs a command that prints JSON lines, in this process."""

    def run(*arguments: str) -> tuple[int, list[dict], str]:
        status = main(list(arguments))
        out, err = capsys.readouterr()
        return status, [json.loads(line) for line in out.splitlines()], err

    return run
