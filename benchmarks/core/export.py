"""Measure what the scaling inside an exported model costs in ONNX Runtime on a CPU.

    python benchmarks/core/export.py [--style wave] [--threads N] [--tries 5] [--sizes 1080p 2160p]

Prints milliseconds for the network alone at 768x432 (`--stroke-size native`), then, for each layout
of frames and each size, those of the whole model, and as a multiple of the network's; the least of
several tries, taken in turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnxruntime

from brushreel.core.export import export_onnx
from brushreel.core.frames.stroke_size import NATURAL, StrokeSize
from brushreel.core.library import load_style
from brushreel.core.options import PixelLayout

SIZES = {"1080p": (1080, 1920), "2160p": (2160, 3840)}
WORKING = (432, 768)


def frame_of(pixels: PixelLayout, height: int, width: int) -> dict[str, np.ndarray]:
    """Make the inputs of a model: legal noise."""
    random = np.random.default_rng(0)
    if pixels == "float":
        return {"frames": random.random((1, 3, height, width), np.float32)}
    if pixels == "rgb8":
        return {"frames": random.integers(0, 256, (1, height, width, 3)).astype(np.uint8)}
    chroma = (1, height // 2, width // 2, 2)
    return {
        "luma": random.integers(16, 236, (1, height, width)).astype(np.uint8),
        "chroma": random.integers(16, 241, chroma).astype(np.uint8),
    }


def model(
    options: argparse.Namespace, pixels: PixelLayout, stroke_size: StrokeSize
) -> onnxruntime.InferenceSession:
    """Export a style and load the model."""
    about: Any = onnxruntime.SessionOptions()
    about.intra_op_num_threads = options.threads
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        export_onnx(load_style(options.style), path, pixels=pixels, stroke_size=stroke_size)
        return onnxruntime.InferenceSession(path, about, providers=["CPUExecutionProvider"])


def least(tries: int, *works: Callable[[], object]) -> list[float]:
    """Return the least time of each in milliseconds, all of them tried in turns."""
    times = [[] for _ in works]
    for _ in range(tries + 1):
        for work, taken in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
    return [1000 * min(taken[1:]) for taken in times]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--style", default="wave")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    options = parser.parse_args()
    network = model(options, "float", "native")
    alone = partial(network.run, None, frame_of("float", *WORKING))
    print("| frame | layout | network ms | model ms | model / network |\n|" + " --- |" * 5)
    for pixels in get_args(PixelLayout):
        whole = model(options, pixels, NATURAL)
        for size in options.sizes:
            run = partial(whole.run, None, frame_of(pixels, *SIZES[size]))
            first, second = least(options.tries, alone, run)
            values = f"{first:.0f} | {second:.0f} | {second / first:.2f}"
            print(f"| {size} | {pixels} | {values} |", flush=True)


if __name__ == "__main__":
    main()
