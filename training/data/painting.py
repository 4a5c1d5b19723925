"""The painting as a tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL.Image import Resampling
from torch import Tensor

from ...core.errors import MediaError, TrainingError
from .images import open_image

# Of 8-bit codes, in any channel: a flat sheet photographed or compressed has less.
_LEAST_DEVIATION = 2.0
_OPAQUE = 255


def load_painting(path: Path, size: int) -> Tensor:
    """Return the painting as (1, 3, H, W) float32 RGB in [0, 1], its shorter side scaled to `size`.

    Raises:
        TrainingError: It can't be read, has transparency, is too small or one flat colour.
    """
    try:
        image = open_image(path)
    except MediaError as error:
        raise TrainingError(error.what, path=path) from error
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    least = alpha.getextrema()[0] if alpha else _OPAQUE
    if isinstance(least, int | float) and least < _OPAQUE:
        raise TrainingError(
            "the painting has transparent pixels",
            path=path,
            hint="save it without an alpha channel",
        )
    if min(image.size) < size / 2:
        raise TrainingError(
            f"the painting is too small: {image.width}x{image.height}",
            path=path,
            hint=f"its shorter side should have at least {size} pixels",
        )
    scale = size / min(image.size)
    shape = (round(image.width * scale), round(image.height * scale))
    pixels = np.asarray(image.convert("RGB").resize(shape, Resampling.LANCZOS))
    if pixels.std(axis=(0, 1)).max() < _LEAST_DEVIATION:
        raise TrainingError(
            "the painting is one flat colour", path=path, hint="a style needs strokes to learn"
        )
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
