"""Measure peak memory and speed over a long clip, and peak memory of a large image.

    python benchmarks/batch/memory.py [--seconds 10 600] [--size 64 48] [--style STYLE]
    python benchmarks/batch/memory.py --image 7680 4320 [--tile 1024] [--precision auto]

Clips of 25 frames per second with audio are made and stylized, by a small random network or by a
style, each by one `brushreel stylize`. Peak memory is also given as a ratio to the first clip's;
frames per second are given for the first and the last minute of a run of two or more. An image is
stylized by `wave` or another style that ships.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import kills
import numpy as np

_MINUTE = 60.0


def make_clip(path: Path, seconds: int, size: tuple[int, int]) -> None:
    """Write the clip of kills.py with another length and size."""
    kills.FRAMES, kills.SIZE = seconds * kills.RATE, size
    kills.make_clip(path)


def converted(
    source: Path, output: Path, style: Path | str, *options: str
) -> tuple[float, list[tuple[float, int]]]:
    """Convert; return peak resident memory in MiB, and the frames done at each time."""
    command = [sys.executable, "-m", "brushreel", "stylize", str(source), "-o", str(output)]
    command += ["-s", str(style), "--device", "cpu", "--json", *options]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    events = [(time.monotonic(), json.loads(line)) for line in child.stdout]
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"the conversion of {source.name} failed")
    done = [(now, event["frames"]) for now, event in events if event["event"] == "clip_progress"]
    return usage.ru_maxrss / 1024, done


def first_and_last_minute(done: list[tuple[float, int]]) -> tuple[float, float] | None:
    """Compute frames per second of both; return None where they would overlap."""
    (began, _), (ended, _) = done[0], done[-1]
    if ended - began < 2 * _MINUTE:
        return None
    first = [moment for moment in done if moment[0] <= began + _MINUTE]
    last = [moment for moment in done if moment[0] >= ended - _MINUTE]
    rates = [(part[-1][1] - part[0][1]) / (part[-1][0] - part[0][0]) for part in (first, last)]
    return rates[0], rates[1]


def make_image(path: Path, width: int, height: int) -> None:
    """Write color noise, coarse enough for a PNG of usual size."""
    size = (height // 16, width // 16, 3)
    coarse = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    cv2.imwrite(str(path), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def image_memory(width: int, height: int, style: str, *options: str) -> float:
    """Return the peak memory, MiB, of a process that stylizes an image."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "large.png"
        make_image(source, width, height)
        return converted(source, source.with_stem("out"), style, *options)[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int, nargs="+", default=[10, 600])
    parser.add_argument("--size", type=int, nargs=2, default=[64, 48])
    parser.add_argument("--strength", default="1")
    parser.add_argument("--style", help="Name or file of a style. Default: a small random network.")
    parser.add_argument("--image", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--tile", default="1024")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    if options.image:
        given = ("--tile", options.tile, "--precision", options.precision)
        width, height = options.image
        taken = image_memory(width, height, options.style or "wave", *given)
        print(f"{width}x{height} {' '.join(given)}: {taken:.0f} MiB")
        return
    print("| seconds | frames | peak memory | over the first | fps, first minute | last | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    first = None
    with tempfile.TemporaryDirectory() as folder:
        style = options.style
        if style is None:
            style = Path(folder) / "random.safetensors"
            kills.random_style().save(style)
        for seconds in options.seconds:
            source = Path(folder) / f"{seconds}.mp4"
            make_clip(source, seconds, tuple(options.size))
            output = source.with_stem("out")
            memory, done = converted(source, output, style, "--strength", options.strength)
            first = first or memory
            cells = [str(seconds), str(seconds * kills.RATE), f"{memory:.0f} MiB"]
            cells += [f"{memory / first:.3f}"]
            if rates := first_and_last_minute(done):
                cells += [f"{rates[0]:.1f}", f"{rates[1]:.1f}", f"{rates[1] / rates[0]:.3f}"]
            print("| " + " | ".join([*cells, *["-"] * (7 - len(cells))]) + " |", flush=True)
            output.unlink()


if __name__ == "__main__":
    main()
