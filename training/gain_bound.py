"""Keeps instance normalisation from painting noise.

On a frame without texture, a clear sky or a grey title card, all that varies is noise, and whatever
instance normalisation divides by its own deviation becomes as strong as a scene's texture. What
limits that is the epsilon beside the variance, as long as it is no smaller than the variance that
frames usually have. But with a small one a network learns faster, and while it learns its weights
grow, and that variance with them. So a run trains with a small one, and what it writes is settled.

This is for networks that normalise inside the residual branches: where everything is normalised,
as in the paper, usual frames differ so much in their variance that they would be painted otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn

from ..core.network import ConvBlock, StylizingNetwork

EPSILON = 1.0
"""Of settled networks."""


@torch.no_grad()
def settle(network: StylizingNetwork, frames: Iterable[Tensor]) -> None:
    """Bring what is normalised down to a variance of `EPSILON`, and set the epsilon to that.

    Args:
        network: Changed in place; what it makes of usual frames hardly changes.
        frames: Usual frames, (N, 3, H, W) RGB in [0, 1] each.
    """
    for conv, norm, variance in _usual_variances(network, frames):
        scale = (variance / EPSILON).clamp(min=1).sqrt()
        conv.weight.div_(scale[:, None, None, None])
        assert conv.bias is not None
        conv.bias.div_(scale)
        # The same deviation in the end, as far as the old epsilon left one.
        left = variance / scale.square()
        norm.weight.mul_((variance / (variance + norm.eps) * (left + EPSILON) / left).sqrt())
        norm.eps = EPSILON


@torch.no_grad()
def set_epsilon(network: StylizingNetwork, epsilon: float, frames: Iterable[Tensor]) -> None:
    """Set the epsilon of all instance normalisations; usual frames come out as they did.

    Args:
        network: Changed in place.
        epsilon: The new one.
        frames: Usual frames, (N, 3, H, W) RGB in [0, 1] each.
    """
    for _, norm, variance in _usual_variances(network, frames):
        norm.weight.mul_(((variance + epsilon) / (variance + norm.eps)).sqrt())
        norm.eps = epsilon


def _usual_variances(
    network: StylizingNetwork, frames: Iterable[Tensor]
) -> list[tuple[nn.Conv2d, nn.InstanceNorm2d, Tensor]]:
    """Convolution, normalisation and, (C,), the mean variance of what lies between them."""
    seen: dict[nn.Module, list[Tensor]] = defaultdict(list)
    blocks = [block for block in network.modules() if isinstance(block, ConvBlock)]
    pairs = [(b.conv, b.norm) for b in blocks if isinstance(b.norm, nn.InstanceNorm2d)]
    watching = [norm.register_forward_pre_hook(partial(_note, seen)) for _, norm in pairs]
    for batch in frames:
        network(batch)
    for hook in watching:
        hook.remove()
    return [(conv, norm, torch.cat(seen[norm]).mean(0)) for conv, norm in pairs]


def _note(seen: dict[nn.Module, list[Tensor]], norm: nn.Module, inputs: tuple[Tensor]) -> None:
    seen[norm].append(inputs[0].float().var((2, 3), correction=0).clamp(min=1e-12))
