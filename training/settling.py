"""Keeps instance normalisation from painting noise.

On a frame without texture, a clear sky or a grey title card, all that varies is noise, and whatever
instance normalisation divides by its own deviation becomes as strong as a scene's texture. The
epsilon beside the variance is what limits that, as long as it is no smaller than the variance that
frames usually have. While a network learns, its weights grow and that variance with them; here they
are scaled back, and gains are adapted so that usual frames come out as they did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn

from ..core.network import ConvBlock, StylizingNetwork


@torch.no_grad()
def settle(network: StylizingNetwork, epsilon: float, frames: Iterable[Tensor]) -> None:
    """Bring what is normalised down to a variance of `epsilon`, and set the epsilon to that.

    Args:
        network: Changed in place; what it makes of usual frames hardly changes.
        epsilon: For all instance normalisations.
        frames: Usual frames, (N, 3, H, W) RGB in [0, 1] each.
    """
    seen: dict[nn.Module, list[Tensor]] = defaultdict(list)
    blocks = [block for block in network.modules() if isinstance(block, ConvBlock)]
    normalized = [(b.conv, b.norm) for b in blocks if isinstance(b.norm, nn.InstanceNorm2d)]
    watching = [norm.register_forward_pre_hook(partial(_note, seen)) for _, norm in normalized]
    for batch in frames:
        network(batch)
    for hook in watching:
        hook.remove()
    for conv, norm in normalized:
        variance = torch.cat(seen[norm]).mean(0)
        scale = (variance / epsilon).clamp(min=1).sqrt()
        conv.weight.div_(scale[:, None, None, None])
        assert conv.bias is not None
        conv.bias.div_(scale)
        left = variance / scale.square()
        # What had the usual variance before and after has the same deviation in the end.
        norm.weight.mul_((variance / left * (left + epsilon) / (variance + norm.eps)).sqrt())
        norm.eps = epsilon


def set_epsilon(network: nn.Module, epsilon: float) -> None:
    """Set the epsilon of all instance normalisations, and nothing else."""
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.eps = epsilon


def _note(seen: dict[nn.Module, list[Tensor]], norm: nn.Module, inputs: tuple[Tensor]) -> None:
    seen[norm].append(inputs[0].float().var((2, 3), correction=0))
