"""Picture files, as training reads them: paintings, stills, frames of a clip."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import MediaError, TrainingError, extra_hint

if TYPE_CHECKING:
    from PIL import Image


def open_picture(path: Path) -> Image.Image:
    """A picture, decoded, upright, 8 bit a channel; its transparency is still there.

    Raises:
        MediaError: It can't be read as a picture.
        TrainingError: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageOps  # noqa: PLC0415  an extra: only training needs it
    except ImportError as error:
        raise TrainingError("reading pictures needs Pillow", hint=extra_hint("train")) from error
    # What damage makes Pillow raise; the latter ones in EXIF, which it writes anew as it turns.
    damage = (
        OSError,
        ValueError,
        SyntaxError,
        struct.error,
        AttributeError,
        TypeError,
        LookupError,
    )
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)
            picture.load()
    except (*damage, Image.DecompressionBombError) as error:
        raise MediaError(f"can't be read as a picture: {error}", path=path) from error
    if picture.mode.startswith("I"):
        # Pillow clips 16 bit grey to 8 bit instead of scaling it.
        return Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    return picture
