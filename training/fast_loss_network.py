"""The loss network by hand on a CPU: bfloat16, channels last, its slope as convolutions.

Autograd computes a convolution's slope with kernels that are slower than those for the convolution
itself, and Gram matrices in float32. Here all of it is products in bfloat16, and what is not a
product happens in place. The same losses come out, within what bfloat16 rounds: see the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from .loss_network import LAYERS, STYLE_LAYERS, LossNetwork

# Partial sums of a Gram matrix, added up in float32: one product would round their sum to 8 bits.
PARTS = 4


@dataclass(frozen=True, eq=False)
class _Conv:
    """A convolution's weights for both directions, bfloat16."""

    weight: Tensor
    bias: Tensor
    back: Tensor

    @classmethod
    def of(cls, conv: nn.Module) -> _Conv:
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        # The slope of a convolution is a convolution with the kernels turned round.
        back = conv.weight.flip(2, 3).transpose(0, 1)
        weight, back = (
            w.detach().to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
            for w in (conv.weight, back)
        )
        return cls(weight, conv.bias.detach().to(torch.bfloat16), back)


class FastLossNetwork(nn.Module):
    """Content and style loss of frames, and their slope, on a CPU.

    Args:
        network: The loss network, rescaled; later changes to it are not seen.
    """

    def __init__(self, network: LossNetwork):
        super().__init__()
        self.convs = {name: _Conv.of(conv) for name, conv in network.convs.items()}
        self.mean, self.std = network.mean, network.std

    def forward(
        self,
        frames: Tensor,
        clean: Tensor | None,
        grams: dict[str, Tensor],
        shares: dict[str, float],
    ) -> tuple[Tensor, Tensor]:
        """Return content and style loss, as `losses` has them.

        Args:
            frames: (N, 3, H, W) RGB in [0, 1], float32, with a slope.
            clean: (N, 3, H, W), what the content is compared with; its loss is 0 without.
            grams: The painting's.
            shares: How much each style layer counts.
        """
        with torch.autocast("cpu", enabled=False):
            with torch.no_grad():
                wanted = None if clean is None else self.activations(clean)[-1][-1]
            return _Losses.apply(frames, wanted, self, grams, shares)  # type: ignore[return-value]

    def activations(self, frames: Tensor) -> list[tuple[Tensor, ...]]:
        """Return what came out, layer by layer; of a pooling also the places of the largest."""
        x = ((frames - self.mean) / self.std).to(torch.bfloat16)
        x = x.contiguous(memory_format=torch.channels_last)
        out: list[tuple[Tensor, ...]] = []
        for layer in LAYERS:
            if layer is None:
                x, places = F.max_pool2d(x, 2, return_indices=True)
                out.append((places, x))
            else:
                conv = self.convs[layer[1]]
                x = F.conv2d(x, conv.weight, conv.bias, padding=1).relu_()
                out.append((x,))
        return out


class _Losses(torch.autograd.Function):
    """Content and style loss of frames, and the gradient of the frames."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        frames: Tensor,
        wanted: Tensor | None,
        network: FastLossNetwork,
        grams: dict[str, Tensor],
        shares: dict[str, float],
    ) -> tuple[Tensor, Tensor]:
        out = network.activations(frames)
        by_layer = {layer[1]: x[-1] for layer, x in zip(LAYERS, out, strict=True) if layer}
        distances = {name: _gram(by_layer[name]) - grams[name] for name in STYLE_LAYERS}
        style = sum(shares[name] * d.square().mean((1, 2)).sum() for name, d in distances.items())
        last = out[-1][-1]
        difference = (last - (last if wanted is None else wanted)).float()
        ctx.kept = network, out, difference, distances, shares  # type: ignore[attr-defined]
        return difference.square().mean((1, 2, 3)).sum(), torch.as_tensor(style)

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: FunctionCtx, of_content: Tensor, of_style: Tensor
    ) -> tuple[Tensor | None, ...]:
        network, out, difference, distances, shares = ctx.kept  # type: ignore[attr-defined]
        slope = (difference * (2 * of_content / difference[0].numel())).to(torch.bfloat16)
        for index in range(len(LAYERS) - 1, -1, -1):
            layer, x = LAYERS[index], out[index][-1]
            if layer is None:
                slope = _unpooled(slope, out[index - 1][-1], out[index][0])
                continue
            name = layer[1]
            if name in distances:
                factor = (
                    4 * shares[name] * of_style / (distances[name][0].numel() * x[0, 0].numel())
                )
                _add_style(slope, x, distances[name] * factor)
            slope = torch.ops.aten.threshold_backward.grad_input(slope, x, 0, grad_input=slope)
            slope = F.conv2d(slope, network.convs[name].back, padding=1)
        return slope.float() / network.std, None, None, None, None


def _places(features: Tensor) -> Tensor:
    """Return (N, C, H, W) in channels_last as (N, H W, C), without a copy."""
    return features.movedim(1, -1).flatten(1, 2)


def _gram(features: Tensor) -> Tensor:
    """Return (N, C, C) in float32."""
    places = _places(features)
    count, pixels, channels = places.shape
    parts = PARTS if pixels % PARTS == 0 else 1
    split = places.reshape(count * parts, pixels // parts, channels)
    products = (split.transpose(1, 2) @ split).float()
    return products.unflatten(0, (count, parts)).sum(1) / pixels


def _add_style(slope: Tensor, features: Tensor, distance: Tensor) -> None:
    """Add the style's slope in place; a Gram matrix is symmetric, and so is its distance."""
    _places(slope).baddbmm_(_places(features), distance.to(torch.bfloat16))


def _unpooled(slope: Tensor, before: Tensor, places: Tensor) -> Tensor:
    size, one = [2, 2], [1, 1]
    return torch.ops.aten.max_pool2d_with_indices_backward(
        slope, before, size, size, [0, 0], one, False, places
    )
