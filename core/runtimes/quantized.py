"""8-bit integers where the network tolerates them: twice bf16's rate on CPUs with VNNI."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UsageError
from ..network import StylizingNetwork

LEAST_PSNR = 40.0
"""Least PSNR in dB against fp32; below, the error would begin to show."""

_UNTOUCHED = 1
_SIZE = (256, 448)


@torch.no_grad()
def quantized(network: StylizingNetwork) -> StylizingNetwork:
    """Copy a network and round input and weights of its tolerant convolutions to 8 bits.

    These are all except the encoder's and the first residual one: five sixths of the work. Instance
    normalisation would amplify the errors of those on frames of low contrast (snow, fog, skies).

    Inputs are rounded to 256 steps over the range seen on synthetic images of every scale and
    contrast, weights to 255 steps for each output channel (Jacob et al. 2018).

    Raises:
        UsageError: The result's PSNR against the network is below `LEAST_PSNR`.
    """
    rounded = copy.deepcopy(network).eval()
    images = list(_images())
    holders = _tolerant_blocks(rounded)
    spans = _spans(rounded, [holder.conv for holder in holders], images)
    for holder, span in zip(holders, spans, strict=True):
        holder.conv = _Rounded(holder.conv, span)
    worst = min(_psnr(rounded(image), network(image)) for image in images)
    if worst < LEAST_PSNR:
        raise UsageError(
            f"int8 degrades this style too much ({worst:.1f} dB against fp32)",
            hint="use --precision auto",
        )
    return rounded


def _tolerant_blocks(network: StylizingNetwork) -> list[Any]:
    """List the blocks whose `conv` tolerates rounding."""
    residual = [block for pair in network.residuals for block in pair.children()]
    return [*residual[_UNTOUCHED:], *network.decoder, network.output]


class _Rounded(nn.Module):
    """A convolution whose operands are rounded to 8-bit grids, like an integer kernel's."""

    def __init__(self, conv: nn.Conv2d, span: tuple[float, float]):
        super().__init__()
        low, high = span
        self.step = (high - low) / 255
        self.zero = round(-low / self.step)
        self.weight, self.bias, self.stride = conv.weight, conv.bias, conv.stride
        self.steps = conv.weight.detach().abs().amax((1, 2, 3)).clamp(min=1e-12) / 127
        self.zeros = torch.zeros(len(self.steps), dtype=torch.int32)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the convolution."""
        x = torch.fake_quantize_per_tensor_affine(x, self.step, self.zero, 0, 255)
        weight = torch.fake_quantize_per_channel_affine(
            self.weight, self.steps, self.zeros, 0, -127, 127
        )
        return F.conv2d(x, weight, self.bias, self.stride)


def _spans(
    network: nn.Module, convs: list[nn.Conv2d], images: list[Tensor]
) -> list[tuple[float, float]]:
    """Measure the least and largest input of each convolution, including 0."""
    ends: list[list[float]] = [[0.0] for _ in convs]

    def observe(seen: list[float], _module: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.extend((given[0].min().item(), given[0].max().item()))

    hooks = [
        conv.register_forward_pre_hook(partial(observe, seen))
        for conv, seen in zip(convs, ends, strict=True)
    ]
    for image in images:
        network(image)
    for hook in hooks:
        hook.remove()
    return [(min(seen), max(*seen, min(seen) + 1e-6)) for seen in ends]


def _images() -> Iterator[Tensor]:
    """Yield colour noise of several scales, a mix of them, grey noise, hard edges, a clear sky."""
    generator = torch.Generator().manual_seed(1)
    for scale in (2, 4, 8, 16, 64):
        yield _noise(scale, generator)
    grain = torch.rand(1, 3, *_SIZE, generator=generator)
    coarse, middle, fine = (_noise(scale, generator) for scale in (64, 16, 4))
    yield 0.5 * coarse + 0.25 * middle + 0.15 * fine + 0.1 * grain
    yield _noise(32, generator).mean(1, keepdim=True).expand(-1, 3, -1, -1)
    yield (_noise(32, generator) > 0.5).float()
    yield torch.linspace(0.4, 0.6, _SIZE[1]).expand(1, 3, *_SIZE)


def _noise(scale: int, generator: torch.Generator) -> Tensor:
    grid = torch.rand(1, 3, _SIZE[0] // scale, _SIZE[1] // scale, generator=generator)
    return F.interpolate(grid, _SIZE, mode="bicubic").clamp(0, 1)


def _psnr(image: Tensor, reference: Tensor) -> float:
    """Compute the PSNR in dB of images in [0, 1]."""
    error = F.mse_loss(image, reference).item()
    return math.inf if error == 0 else -10 * math.log10(error)
