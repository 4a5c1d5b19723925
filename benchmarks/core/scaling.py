"""Measure what scaling costs beside the network: down, and up with detail, in planes.

    python benchmarks/core/scaling.py [--style wave] [--device cpu] [--threads N] [--sizes 1080p]

Prints, for each kind of frame, milliseconds of processor time (or of a GPU) for each direction, for
the network at the working size, and the whole as a multiple of the network's time; then, on a CPU,
what PyTorch takes where no compiler was there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch

from brushreel.core.frames import scaling_library
from brushreel.core.frames.frame import Colour, Frame, Matrix, Range, pixel_format
from brushreel.core.frames.strokes import from_working, to_working
from brushreel.core.stylizer import Stylizer

SIZES = {"1080p": (1080, 1920), "2160p": (2160, 3840), "4320p": (4320, 7680)}
FORMATS = ("yuv420p", "yuv422p10le", "gbrp")


class Row(NamedTuple):
    """Milliseconds, the least of several tries."""

    down: float
    up: float
    up_without_detail: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--style", default="wave")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--tries", type=int, default=9)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    stylizer = Stylizer(options.style, device=options.device, stroke_size=1)
    network = network_time(stylizer, options.tries)
    kind = stylizer.runtime_for(432, 768).identity
    print(f"network at 768x432: {network:.1f} ms ({kind}, {options.threads} threads)")
    ways = [True, False] if options.device == "cpu" and scaling_library.library() else [False]
    for with_kernels in ways:
        print("\nfast code" if with_kernels else "\nPyTorch")
        print("frame               down     up  (no detail)  network + scaling / network")
        for lines in options.sizes:
            height, width = SIZES[lines]
            for name in FORMATS:
                frame = picture(name, height, width)
                row = measured(stylizer, frame, options.tries, with_kernels=with_kernels)
                whole = (network + row.down + row.up) / network
                times = f"{row.down:6.1f} {row.up:6.1f}  {row.up_without_detail:8.1f}"
                print(f"{lines} {name:12s} {times}     {whole:6.2f}", flush=True)


def network_time(stylizer: Stylizer, tries: int) -> float:
    """Return milliseconds for a frame of 768x432."""
    runtime = stylizer.runtime_for(432, 768)
    frames = torch.rand(1, 3, 432, 768, device=stylizer.device)
    return best(lambda: runtime(frames), tries, stylizer.device)


def measured(stylizer: Stylizer, frame: Frame, tries: int, *, with_kernels: bool) -> Row:
    """Measure both directions of one kind of frame."""
    size = stylizer.working_size(frame.height, frame.width)
    assert size is not None
    device, library = stylizer.device, scaling_library.library
    if not with_kernels:
        scaling_library.library = lambda: None
    try:
        working = to_working(frame, size, device=device)
        return Row(
            best(lambda: to_working(frame, size, device=device), tries, device),
            best(lambda: from_working(working.rgb, working, frame), tries, device),
            best(lambda: from_working(working.rgb, working, frame, detail=0), tries, device),
        )
    finally:
        scaling_library.library = library


def picture(name: str, height: int, width: int) -> Frame:
    """Make a frame of legal noise."""
    layout = pixel_format(name)
    random = np.random.default_rng(0)
    unit = 2 ** (layout.depth - 8)
    shapes = [layout.plane_shape(index, width, height) for index in range(layout.plane_count)]
    planes = tuple(
        random.integers(16 * unit, 235 * unit, shape).astype(layout.dtype) for shape in shapes
    )
    matrix = Matrix.RGB if layout.family == "rgb" else Matrix.BT709
    colour = Colour(matrix, Range.LIMITED)
    return Frame(planes, layout, width, height, 0, 1, Fraction(1, 25), colour)


def best(work: Callable[[], object], tries: int, device: torch.device) -> float:
    """Return the least time in milliseconds; on a CPU processor time, of all threads together."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    times = []
    work()
    for _ in range(tries):
        start = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(clock() - start)
    return min(times) * 1000


if __name__ == "__main__":
    main()
