"""The network on CPUs with AMX: the fastest there, in bf16.

Low-pass filters and bilinear doublings are merged with the adjacent convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..network import LowPass, sub_pixel
from ..style import Style
from .on_kernels import (
    ACROSS,
    INPUTS,
    OUTPUTS,
    Convolution,
    Layout,
    across,
    open_with,
    rows_of_taps,
    whole_groups,
)
from .runtime import Runtime, Wanted


def open_runtime(style: Style, wanted: Wanted) -> Runtime:
    """Open a style's network, see `runtime.open_runtime`."""
    return open_with(_LAYOUT, style, wanted)


def _convolution(weight: Tensor, bias: Tensor) -> Convolution:
    """Lay out a convolution.

    For every two groups of 16 outputs (the last may be single) and every row of taps, the inputs of
    adjacent taps are split into chunks of 32; each chunk has a tile for each of the groups, 16
    pairs of inputs by 16 outputs, the two of a pair together.

    Args:
        weight: (O, C, K, K) or, for K' - K + 1 adjacent pixels, (O, C, K, K'); C is a multiple of
            16, or 3.
        bias: (O,).
    """
    size, width = weight.shape[2:]
    rows = rows_of_taps(weight)
    rows = F.pad(rows, (0, 0, 0, -rows.shape[1] % INPUTS))
    tiles = rows.reshape(size, -1, INPUTS // 2, 2, rows.shape[2] // OUTPUTS, OUTPUTS)
    tiles = tiles.permute(0, 1, 4, 2, 5, 3)
    pairs = [group.flatten() for group in tiles.split(2, dim=2)]
    weights = torch.cat(pairs).to(torch.bfloat16)
    return Convolution(weights, whole_groups(bias), size, tiles.shape[2], width - size + 1)


def _first(weight: Tensor, bias: Tensor) -> Convolution:
    """Compute the outputs of adjacent pixels at once, in the order of the map that receives them.

    From 3 channels, one pixel leaves most of a tile empty.
    """
    return _convolution(across(weight).flatten(0, 1), bias.repeat(ACROSS))


def _filtered(weight: Tensor, bias: Tensor) -> Convolution:
    """Merge (O, C, 3, 3) with the `network.LowPass` before it into (O, C, 5, 5)."""
    response = F.conv2d(F.pad(LowPass(1).kernel, (2, 2, 2, 2)), weight.reshape(-1, 1, 3, 3))
    return _convolution(response.reshape(*weight.shape[:2], 5, 5).flip(2, 3), bias)


def _doubled(weight: Tensor, bias: Tensor) -> Convolution:
    """Merge with the bilinear doubling before it; outputs are sorted by position."""
    return _convolution(*map(_by_position, sub_pixel(weight, bias)))


def _by_position(values: Tensor) -> Tensor:
    """Sort `pixel_shuffle`'s outputs, grouped by channel, into groups by position."""
    return values.unflatten(0, (-1, 4)).transpose(0, 1).flatten(0, 1)


_LAYOUT = Layout(
    identity="amx 1",
    amx=True,
    first=_first,
    plain=_convolution,
    strided=_filtered,
    doubled=_doubled,
    output=_convolution,
)
