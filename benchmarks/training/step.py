"""Time a training step on this machine, part by part.

    python benchmarks/training/step.py --loss-weights FILE [--crop 256] [--before] [--rounds 7]

Prints the CPU's milliseconds for each part, the quickest of some rounds; the share of the rate of a
large product that the step's convolutions reach; and judged pixels a second. `--before` times the
step as it was: PyTorch's kernels and autograd throughout, content in every step. Frames and
painting are made up; nothing of the time depends on them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from brushreel.core import channels_last
from brushreel.core.allocator import keep_freed_memory
from brushreel.core.network import StylizingNetwork
from brushreel.training.data.disturbance import Example, disturbed
from brushreel.training.data.sampler import Pair
from brushreel.training.fast_loss_network import FastLossNetwork
from brushreel.training.loss_network import LossNetwork
from brushreel.training.losses import hybrid_loss, style_targets
from brushreel.training.muon import Muon
from brushreel.training.palette import Palette
from brushreel.training.recipe import HOUSE

PRODUCT = 2048


def quickest(rounds: int, function: Callable[[], object]) -> float:
    """Return CPU seconds: what others do on the machine meanwhile does not count."""
    function()
    return min(_timed(function) for _ in range(rounds))


def _timed(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def product_rate(rounds: int) -> float:
    """Return the operations a second of a large product in bfloat16."""
    one = torch.randn(PRODUCT, PRODUCT, dtype=torch.bfloat16)
    return 2 * PRODUCT**3 / quickest(rounds, lambda: one @ one)


def pair(crop: int) -> Pair:
    """Return a pair of smooth frames, moved a little."""
    frames = F.interpolate(torch.rand(2, 3, crop // 8, crop // 8), (crop, crop), mode="bilinear")
    return Pair(frames, torch.ones(1, 2, crop, crop), torch.ones(1, 1, crop, crop))


class Step:
    """A step of the house recipe, cut into its parts."""

    def __init__(self, weights: Path, crop: int, *, before: bool):
        torch.manual_seed(0)
        plain = LossNetwork(weights).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        painting = torch.rand(1, 3, 640, 800)
        self.grams, self.palette = style_targets(plain, painting), Palette(painting)
        self.judge: nn.Module = plain if before else FastLossNetwork(plain)
        self.network = StylizingNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.Adam if before else Muon
        self.optimizer: torch.optim.Optimizer = optimizer(self.network.parameters())
        self.pair = pair(crop)
        self.example = self.data().to(torch.device("cpu"))
        self.painted = self.stylize().detach()

    def data(self) -> Example:
        """Make what a step trains on, after the crop was read."""
        return disturbed([self.pair], HOUSE.disturbances, np.random.default_rng(0))

    def stylize(self) -> Tensor:
        """Run the stylizing network forward."""
        with torch.autocast("cpu", torch.bfloat16):
            return self.network(self.example.seen)

    def stylize_and_back(self) -> None:
        """Run it forward and backward."""
        self.network.zero_grad(set_to_none=True)
        stylized = self.stylize()
        stylized.backward(stylized.detach())

    def loss(self, content: int, *, palette: bool = True) -> tuple[Tensor, Tensor]:
        """Return the frames and the weighted sum of their losses."""
        frames = self.painted.clone().requires_grad_()
        colours = partial(self.palette.distance, random=np.random.default_rng(0))
        with torch.autocast("cpu", torch.bfloat16):
            loss = hybrid_loss(
                self.judge,
                self.example,
                frames,
                self.grams,
                both_judged=False,
                content=content,
                palette=colours if palette else None,
            )
        return frames, loss.total(HOUSE.weights)

    def loss_and_back(self, content: int) -> None:
        """Run it forward and backward."""
        self.loss(content)[1].backward()

    def rest(self) -> None:
        """Move the weights."""
        self.optimizer.step()

    def operations(self, content: int) -> int:
        """Count the operations of all products of a step."""
        counter = FlopCounterMode(display=False)
        with counter:
            self.stylize_and_back()
            self.loss_and_back(content)
        return counter.get_total_flops()


def main() -> None:
    """Print a line for each part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--loss-weights", type=Path, required=True)
    parser.add_argument("--crop", type=int, default=HOUSE.crop)
    parser.add_argument("--before", action="store_true", help="the step as it was")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    every = 1 if options.before else HOUSE.content_every
    if options.before:
        channels_last._trained_on_a_cpu = lambda _: False
    step = Step(options.loss_weights, options.crop, before=options.before)

    def measured(function: Callable[[], object]) -> float:
        return quickest(options.rounds, function)

    forward, network = measured(step.stylize), measured(step.stylize_and_back)
    with_content, without = (measured(lambda c=c: step.loss_and_back(c)) for c in (1, 0))
    loss_forward = measured(lambda: step.loss(0))
    parts = {
        "data": measured(step.data),
        "stylizing network, forward": forward,
        "stylizing network, backward": network - forward,
        "loss network, clean frame": (with_content - without) / every,
        "losses, forward": loss_forward,
        "losses, backward": without - loss_forward,
        "optimizer": measured(step.rest),
    }
    whole = sum(parts.values())
    operations = (step.operations(1) + (every - 1) * step.operations(0)) / every
    rate = product_rate(options.rounds)
    for name, seconds in [*parts.items(), ("step", whole)]:
        print(f"{name:28}{1e3 * seconds:8.1f} ms")
    share = operations / whole / rate
    print(f"{'share of the product rate':28}{share:8.2f} of {rate / 1e9:.0f} GFLOP/s")
    print(f"{'judged pixels a second':28}{options.crop**2 / whole:8.0f}")


if __name__ == "__main__":
    main()
