"""Conversion between a host's pixels and tensors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .protocol import Render

_TYPES = {
    1: (np.uint8, 255.0),
    2: (np.uint16, 65535.0),
    3: (np.float16, None),
    4: (np.float32, None),
}


def as_array(memory: memoryview, frame: Render) -> NDArray[np.generic]:
    """Return a writable view on the frame's pixels: (height, width, 4) of the host's type."""
    kind, _ = _TYPES[frame.depth]
    return np.frombuffer(memory, kind, frame.width * frame.height * 4).reshape(
        frame.height, frame.width, 4
    )


def read_rgb(pixels: NDArray[np.generic], frame: Render) -> Tensor:
    """Return colour that is not multiplied by alpha: (1, 3, H, W) float32.

    1 is white; floating-point values may be larger. NaN becomes 0.
    """
    _, white = _TYPES[frame.depth]
    rgb = torch.from_numpy(np.ascontiguousarray(pixels[..., :3].transpose(2, 0, 1), np.float32))
    if white:
        rgb /= white
    if frame.premultiplied:
        alpha = _alpha(pixels, white)
        rgb /= torch.where(alpha > 0, alpha, 1.0)
    return rgb.nan_to_num_(nan=0.0, posinf=65504.0, neginf=-65504.0)[None]


def write_rgb(rgb: Tensor, pixels: NDArray[np.generic], frame: Render) -> None:
    """Write colour back in place, the inverse of `read_rgb`; alpha is unchanged."""
    kind, white = _TYPES[frame.depth]
    rgb = rgb[0]
    if frame.premultiplied:
        rgb = rgb * _alpha(pixels, white)
    if white:
        rgb = (rgb * white).round_().clamp_(0, white)
    elif kind is np.float16:
        rgb = rgb.clamp(-65504, 65504)
    pixels[..., :3] = rgb.numpy().transpose(1, 2, 0)


def is_opaque(pixels: NDArray[np.generic], frame: Render) -> NDArray[np.bool_]:
    """Return where alpha is full, (height, width)."""
    _, white = _TYPES[frame.depth]
    return pixels[..., 3].astype(np.float32) >= (white or 1.0)


def _alpha(pixels: NDArray[np.generic], white: float | None) -> Tensor:
    return torch.from_numpy(pixels[..., 3].astype(np.float32)) / (white or 1.0)
