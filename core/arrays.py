"""Frames as NumPy arrays, as OpenCV, Pillow and imageio have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .errors import UsageError

# Values that arithmetic has left a little outside of [0, 1].
_ROUNDING = 1e-3


def as_batch(frame: NDArray[Any]) -> Tensor:
    """Return an array, (H, W, 3) uint8 or floating point in [0, 1], as (1, 3, H, W) in [0, 1]."""
    integer = frame.dtype == np.uint8
    floating = frame.dtype.kind == "f" and frame.dtype.itemsize <= 8
    if frame.ndim != 3 or frame.shape[2] != 3 or not (integer or floating):
        raise UsageError(
            f"an array must be (H, W, 3) RGB, uint8 or floating point, not {frame.shape} "
            f"{frame.dtype}"
        )
    if floating and not (frame.min() >= -_ROUNDING and frame.max() <= 1 + _ROUNDING):
        raise UsageError(
            f"floating point values must lie in [0, 1], not {frame.min():g} to {frame.max():g}",
            hint="divide by 255, or give uint8",
        )
    # Views that are mirrored (BGR to RGB) or can't be written to are copied.
    own = np.require(frame, frame.dtype.newbyteorder("="), ["C", "W"])
    batch = torch.from_numpy(own).permute(2, 0, 1)[None]
    return batch.float() / 255 if integer else batch


def as_array(stylized: Tensor, like: NDArray[Any]) -> NDArray[Any]:
    """Return (1, 3, H, W) in [0, 1] as an array of the dtype of another."""
    array = stylized[0].permute(1, 2, 0).contiguous()
    if like.dtype == np.uint8:
        array = (array.clamp(0, 1) * 255).round().byte()
    return array.numpy()
