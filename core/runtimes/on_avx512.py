"""The network on CPUs with AVX-512's products of bf16, without AMX: the fastest there, in bf16.

Low-pass filters and bilinear doublings are done by themselves (`avx512.c`), which leaves a third
less to multiply than merged with the adjacent convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..style import Style
from .on_kernels import OUTPUTS, Convolution, Layout, open_with, rows_of_taps, whole_groups
from .runtime import Runtime, Wanted

# The kernels filter by whole numbers, 1 2 1 and 1 3 3 1 along both axes; these are what their
# products are to be divided by, and the sum of the second one's.
_LOW_PASS, _DOUBLING, _DOUBLING_SUM = 4 * 4, 4 * 4, 8 * 8


def open_runtime(style: Style, wanted: Wanted) -> Runtime:
    """Open a style's network, see `runtime.open_runtime`."""
    return open_with(_LAYOUT, style, wanted)


def _convolution(weight: Tensor, bias: Tensor) -> Convolution:
    """Lay out (O, C, K, K) or, for K' - K + 1 adjacent pixels, (O, C, K, K')."""
    size, width = weight.shape[2:]
    bias = whole_groups(bias)
    return Convolution(_pairs(weight), bias, size, len(bias) // OUTPUTS, width - size + 1)


def _pairs(weight: Tensor) -> Tensor:
    """Sort weights by the groups of outputs that are multiplied together.

    For each such and every pair of inputs of adjacent taps, there are 16 pairs for each group.
    """
    rows = rows_of_taps(weight)
    groups = rows.reshape(len(rows), -1, 2, rows.shape[2] // OUTPUTS, OUTPUTS)
    groups = groups.permute(0, 1, 3, 4, 2)
    together = groups.split(_together(groups.shape[2]), dim=2)
    return torch.cat([group.flatten() for group in together]).to(torch.bfloat16)


def _together(groups: int) -> list[int]:
    """Return how many groups of outputs are multiplied together, as `avx512.c` does."""
    sizes = []
    while groups:
        sizes.append(2 if groups in {2, 4} else min(groups, 3))
        groups -= sizes[-1]
    return sizes


def _plain(weight: Tensor, bias: Tensor) -> Convolution:
    """Lay out a convolution of which two adjacent outputs are computed at once.

    Weights g h i of a row become g, (g + h + i) / 2, (g - h + i) / 2 and i, one after the other.
    """
    g, h, i = weight.unbind(3)
    parts = (g, (g + h + i) / 2, (g - h + i) / 2, i)
    bias = whole_groups(bias)
    weights = torch.cat([_pairs(part[..., None]) for part in parts])
    return Convolution(weights, bias, size=3, tiles=len(bias) // OUTPUTS)


def _filtered(weight: Tensor, bias: Tensor) -> Convolution:
    """Lay out the convolution of a map that is filtered by 1 2 1 along both axes."""
    laid_out = _convolution(weight / _LOW_PASS, bias)
    return Convolution(laid_out.weights, laid_out.bias, size=5, tiles=laid_out.tiles)


def _doubled(weight: Tensor, bias: Tensor) -> Convolution:
    """Lay out the convolution of a map with zeros between its pixels, which is filtered afterwards.

    By 1 3 3 1 along both axes, as bilinear doubling does. Taps of even and odd rows and columns.
    """
    taps = (slice(1, 2), slice(0, None, 2))
    weights = torch.cat([_pairs(weight[:, :, y, x] / _DOUBLING) for y in taps for x in taps])
    bias = whole_groups(bias / _DOUBLING_SUM)
    return Convolution(weights, bias, size=3, tiles=len(bias) // OUTPUTS)


_LAYOUT = Layout(
    identity="avx512 2",
    amx=False,
    first=_convolution,
    plain=_plain,
    strided=_filtered,
    doubled=_doubled,
    output=_convolution,
)
