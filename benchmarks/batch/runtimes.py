"""Measure the network alone in every runtime and precision of this CPU, on one thread.

    python benchmarks/batch/runtimes.py [--style wave] [--sizes 768x432 1036x432] [--tries 12]

Prints a Markdown table: milliseconds of processor time a frame, the least of several tries, in
turns, so that other load on the machine matters little; GFLOP/s, two for each multiplication of the
network's convolutions as OpenVINO is given them (`speed.work`; own kernels do fewer or more); the
PSNR against PyTorch in fp32 on a smooth frame.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from speed import work
from torch import Tensor

from brushreel.core.library import load_style
from brushreel.core.runtimes.runtime import KINDS, Wanted, able, open_runtime

_CPU = torch.device("cpu")
_Key = tuple[str, str]
_PRECISIONS = ("fp32", "bf16", "int8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--style", default="wave")
    parser.add_argument("--sizes", nargs="*", default=["768x432", "1036x432"])
    parser.add_argument("--tries", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    style = load_style(options.style)
    runtimes = {
        (name, precision): open_runtime(name, style, Wanted(_CPU, precision))
        for precision in _PRECISIONS
        for name in able(Wanted(_CPU, precision))
        if precision in KINDS[name].precisions
    }
    heads = ["size", "runtime", "precision", "ms", "GFLOP/s", "PSNR dB"]
    print("|", " | ".join(heads), "|")
    print("|", " | ".join("---" for _ in heads), "|")
    for size in options.sizes:
        width, height = map(int, size.split("x"))
        frame = smooth(height, width)
        right = style.network()(frame)
        operations = 2 * work(style, frame)[0]
        for (name, precision), ms in in_turns(runtimes, frame, options.tries).items():
            error = (runtimes[name, precision](frame) - right).square().mean().clamp(min=1e-12)
            rate, psnr = operations / ms / 1e6, -10 * error.log10()
            print(f"| {size} | {name} | {precision} | {ms:.1f} | {rate:.0f} | {psnr:.1f} |")


def smooth(height: int, width: int) -> Tensor:
    """Return a frame of soft blobs, (1, 3, H, W)."""
    coarse = torch.rand(1, 3, height // 8, width // 8, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def in_turns(
    runtimes: dict[_Key, Callable[[Tensor], Tensor]], frame: Tensor, tries: int
) -> dict[_Key, float]:
    """Return the least milliseconds of processor time of each, after a warm-up."""
    least = dict.fromkeys(runtimes, float("inf"))
    for index in range(tries + 1):
        for key, runtime in runtimes.items():
            since = time.process_time()
            runtime(frame)
            if index:
                least[key] = min(least[key], (time.process_time() - since) * 1000)
    return least


if __name__ == "__main__":
    main()
