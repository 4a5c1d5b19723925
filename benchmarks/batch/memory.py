"""Peak memory of a long clip against that of a short one, or of a large picture.

    python benchmarks/batch/memory.py [--seconds 10 600] [--size 64 48] [--strength 1]
    python benchmarks/batch/memory.py --picture 7680 4320 [--tile 1024] [--precision auto]

Clips of 25 frames a second with a sound track are made and painted by a small random network, each
by one `housestyle stylize`. The last column is the peak over the first clip's. A picture is painted
by a style that ships.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import kills
import numpy as np


def make_clip(path: Path, seconds: int, size: tuple[int, int]) -> None:
    """As the kill test's, of another length and size."""
    kills.FRAMES, kills.SIZE = seconds * kills.RATE, size
    kills.make_clip(path)


def peak(source: Path, output: Path, style: Path | str, *options: str) -> float:
    """Convert; the most memory that was resident, in MiB."""
    command = [sys.executable, "-m", "housestyle", "stylize", str(source), "-o", str(output)]
    command += ["-s", str(style), "--device", "cpu", "--json", *options]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"the conversion of {source.name} failed")
    return usage.ru_maxrss / 1024


def make_picture(path: Path, width: int, height: int) -> None:
    """Colour noise, coarse enough for a PNG of a usual size."""
    size = (height // 16, width // 16, 3)
    coarse = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    cv2.imwrite(str(path), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def of_picture(width: int, height: int, *options: str) -> None:
    """Print one line."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "large.png"
        make_picture(source, width, height)
        memory = peak(source, source.with_stem("out"), "wave", *options)
    print(f"{width}x{height} {' '.join(options)}: {memory:.0f} MiB")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int, nargs="+", default=[10, 600])
    parser.add_argument("--size", type=int, nargs=2, default=[64, 48])
    parser.add_argument("--strength", default="1")
    parser.add_argument("--picture", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--tile", default="1024")
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    if options.picture:
        of_picture(*options.picture, "--tile", options.tile, "--precision", options.precision)
        return
    print("| seconds | frames | peak memory | over the first |\n| --- | --- | --- | --- |")
    first = None
    with tempfile.TemporaryDirectory() as folder:
        style = Path(folder) / "random.safetensors"
        kills.random_style().save(style)
        for seconds in options.seconds:
            source = Path(folder) / f"{seconds}.mp4"
            make_clip(source, seconds, tuple(options.size))
            memory = peak(source, source.with_stem("out"), style, "--strength", options.strength)
            first = first or memory
            cells = [str(seconds), str(seconds * kills.RATE), f"{memory:.0f} MiB"]
            print("| " + " | ".join([*cells, f"{memory / first:.3f}"]) + " |", flush=True)
            source.with_stem("out").unlink()


if __name__ == "__main__":
    main()
