"""A bound on the gain of instance normalisation, so that it does not amplify noise on flat areas.

On a frame without texture, a clear sky or a grey title card, all that varies is noise, and whatever
instance normalisation divides by its own deviation becomes as strong as a scene's texture. The
epsilon next to the variance limits that gain, as long as it is no smaller than the variance that
frames usually have. But with a small epsilon a network learns faster, and while it learns its
weights grow, and that variance with them. So a run trains with a small one, and the gain is bounded
in what it writes.

This is for networks that normalise inside the residual branches: where everything is normalised,
as in the paper, usual frames differ so much in their variance that they would come out differently.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn

from ..core.network import ConvBlock, StylizingNetwork

MOST_VARIANCE = 2.0
"""The variance that usual frames have at most where the gain is bounded."""
EPSILON = 3.0
"""The epsilon there: more, so that a flat frame is amplified little more than usual ones."""


@torch.no_grad()
def bound_gain(network: StylizingNetwork, frames: Iterable[Tensor]) -> None:
    """Bring what is normalised down to `MOST_VARIANCE`, and set the epsilon to `EPSILON`.

    Args:
        network: Changed in place; its output for usual frames hardly changes.
        frames: Usual frames, (N, 3, H, W) RGB in [0, 1] each.
    """
    for conv, norm, variance in _usual_variances(network, frames):
        scale = (variance / MOST_VARIANCE).clamp(min=1).sqrt()
        conv.weight.div_(scale[:, None, None, None])
        assert conv.bias is not None
        conv.bias.div_(scale)
        # The output keeps the deviation that the old epsilon gave it.
        scaled = variance / scale.square()
        norm.weight.mul_((variance / (variance + norm.eps) * (scaled + EPSILON) / scaled).sqrt())
        norm.eps = EPSILON


@torch.no_grad()
def set_epsilon(network: StylizingNetwork, epsilon: float, frames: Iterable[Tensor]) -> None:
    """Set the epsilon of every instance normalisation; the output for usual frames stays the same.

    Args:
        network: Changed in place.
        epsilon: The new epsilon.
        frames: Usual frames, (N, 3, H, W) RGB in [0, 1] each.
    """
    for _, norm, variance in _usual_variances(network, frames):
        norm.weight.mul_(((variance + epsilon) / (variance + norm.eps)).sqrt())
        norm.eps = epsilon


def _usual_variances(
    network: StylizingNetwork, frames: Iterable[Tensor]
) -> list[tuple[nn.Conv2d, nn.InstanceNorm2d, Tensor]]:
    """Return convolution, normalisation and, (C,), the mean variance of what is normalised."""
    seen: dict[nn.Module, list[Tensor]] = defaultdict(list)
    blocks = [block for block in network.modules() if isinstance(block, ConvBlock)]
    pairs = [(b.conv, b.norm) for b in blocks if isinstance(b.norm, nn.InstanceNorm2d)]
    hooks = [norm.register_forward_pre_hook(partial(_record_variance, seen)) for _, norm in pairs]
    for batch in frames:
        network(batch)
    for hook in hooks:
        hook.remove()
    return [(conv, norm, torch.cat(seen[norm]).mean(0)) for conv, norm in pairs]


def _record_variance(
    seen: dict[nn.Module, list[Tensor]], norm: nn.Module, inputs: tuple[Tensor]
) -> None:
    seen[norm].append(inputs[0].float().var((2, 3), correction=0).clamp(min=1e-12))
