"""The painting: a picture file to a tensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..core.errors import TrainingError


def load_painting(path: Path, size: int) -> Tensor:
    """The painting as (1, 3, H, W) float32 RGB in [0, 1], its shorter side scaled to `size`.

    Raises:
        TrainingError: It can't be read, has transparency, or is too small.
    """
    try:
        from PIL import Image, ImageOps  # noqa: PLC0415  an extra: only training needs it
    except ImportError as error:
        raise TrainingError(
            "reading paintings needs Pillow", hint="pip install 'housestyle[train]'"
        ) from error
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)
            picture.load()
    except (OSError, Image.DecompressionBombError) as error:
        raise TrainingError(f"can't be read as a picture: {error}", path=path) from error
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
    scale = size / min(picture.size)
    shape = (round(picture.width * scale), round(picture.height * scale))
    if picture.mode.startswith("I"):
        # Pillow clips 16 bit grey to 8 bit instead of scaling it.
        picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    pixels = np.asarray(picture.convert("RGB").resize(shape, Image.Resampling.LANCZOS))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
