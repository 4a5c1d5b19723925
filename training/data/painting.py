"""The painting: a picture file to a tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...core.errors import MediaError, TrainingError
from .pictures import open_picture


def load_painting(path: Path, size: int) -> Tensor:
    """The painting as (1, 3, H, W) float32 RGB in [0, 1], its shorter side scaled to `size`.

    Raises:
        TrainingError: It can't be read, has transparency, or is too small.
    """
    try:
        picture = open_picture(path)
    except MediaError as error:
        raise TrainingError(error.what, path=path) from error
    if picture.has_transparency_data:
        raise TrainingError(
            "the painting has transparent parts", path=path, hint="save it without alpha"
        )
    if min(picture.size) < size / 2:
        raise TrainingError(
            f"the painting is too small: {picture.width}x{picture.height}",
            path=path,
            hint=f"its shorter side should have {size} pixels",
        )
    from PIL.Image import Resampling  # noqa: PLC0415  an extra, there since open_picture

    scale = size / min(picture.size)
    shape = (round(picture.width * scale), round(picture.height * scale))
    pixels = np.asarray(picture.convert("RGB").resize(shape, Resampling.LANCZOS))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
