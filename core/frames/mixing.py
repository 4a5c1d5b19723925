"""Mixture of a stylized frame with its source."""

from __future__ import annotations

import torch
from torch import Tensor

from .colour import BT709_LUMA


def mixed(source: Tensor, stylized: Tensor, *, strength: float, keep_colors: bool) -> Tensor:
    """Mix the stylized frame with its source.

    Args:
        source: (N, 3, H, W) RGB in [0, 1].
        stylized: (N, 3, H, W) RGB in [0, 1].
        strength: From 0, the source, to 1, the stylized frame.
        keep_colors: Take only luma from the stylized frame.

    Returns:
        (N, 3, H, W) RGB in [0, 1].
    """
    if keep_colors:
        stylized = with_chroma_of(source, stylized)
    if strength < 1:
        stylized = torch.lerp(source, stylized, strength)
    return stylized


def with_chroma_of(source: Tensor, stylized: Tensor) -> Tensor:
    """Put the stylized luma and the source's chroma together, exactly, and inside the gamut.

    A pixel is luma Y plus an offset (R - Y, G - Y, B - Y) that is its chroma. Keeping the
    source's offset, the lumas that stay in [0, 1] in all three channels form an interval that
    holds the source's own; the stylized luma is limited to it, so that nothing needs to be
    clipped and no colour shifts. Where the source itself goes beyond 1, as HLG may, it may stay.

    Args:
        source: (N, 3, H, W) RGB in [0, 1].
        stylized: (N, 3, H, W) RGB in [0, 1].

    Returns:
        (N, 3, H, W) RGB in [0, 1].
    """
    # Which matrix splits lightness from colour makes no visible difference here.
    weights = torch.tensor(BT709_LUMA, device=source.device, dtype=source.dtype).view(1, 3, 1, 1)
    offset = source - (source * weights).sum(1, keepdim=True)
    luma = (stylized * weights).sum(1, keepdim=True)
    least = -offset.amin(1, keepdim=True)
    top = source.amax(1, keepdim=True).clamp(min=1)
    most = top - offset.amax(1, keepdim=True)
    kept = torch.minimum(torch.maximum(luma, least), most) + offset
    return torch.minimum(kept.clamp(min=0), top)
