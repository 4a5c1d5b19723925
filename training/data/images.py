"""Images, as training reads them: paintings, stills, frames of a clip."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ...core.errors import MediaError


def open_image(path: Path) -> Image.Image:
    """Return an image, decoded, upright, 8 bits a channel, with its transparency.

    Raises:
        MediaError: It can't be read as an image.
    """
    # What Pillow raises on damaged files; the latter ones from EXIF, which it writes again when it
    # rotates.
    damage = (
        OSError,
        ValueError,
        SyntaxError,
        struct.error,
        AttributeError,
        TypeError,
        LookupError,
        ArithmeticError,
    )
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            image.load()
    except (*damage, Image.DecompressionBombError) as error:
        raise MediaError.because(
            error,
            "can't be read as an image",
            path=path,
            otherwise="it is damaged, or cut short",
        ) from error
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey to 8 bits instead of scaling it.
        return Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
    return image
