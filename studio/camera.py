"""Frames of the browser's camera or screen, stylized one by one as they come."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from ..core.errors import MediaError, UsageError
from ..core.frames.stroke_size import Size
from .look import Look, Stylizers
from .pictures import jpeg
from .player import packed, told, words_of

MOST_PIXELS = 1920 * 1080
"""Pixels of a frame."""
LONGEST = 4 << 20
"""Bytes of a message."""


class Camera:
    """A camera of one page.

    Args:
        stylizers: Networks that are kept ready.
    """

    def __init__(self, stylizers: Stylizers):
        self._stylizers = stylizers

    def answer(self, message: str | bytes) -> bytes:
        """Return a frame stylized, or what is wrong with it.

        Args:
            message: Length of a header (4 bytes, big endian), the header in JSON with `id` and
                `look`, the frame as JPEG.
        """
        number = 0
        try:
            header, content = _parts(message)
            number = int(header["id"])
            look = Look.read(words_of(header["look"]))
            frame = _frame(content)
            stylizer = self._stylizers(look)
            with self._stylizers.network:
                stylized = stylizer(frame)
            after = jpeg(stylized)
            return packed({"id": number, "before": 0, "after": len(after)}, after)
        except Exception as error:  # noqa: BLE001  the next frame may be fine
            return told(number, error)


def still(content: bytes, stylizers: Stylizers, look: Look, lines: int) -> bytes:
    """Return a camera's frame as a small JPEG in a style, in the look of the whole frame.

    Args:
        content: The frame as JPEG.
        stylizers: Networks that are kept ready.
        look: Style and settings.
        lines: Height of the result.

    Raises:
        BrushreelError: It is no frame, or the style was removed.
    """
    frame = _frame(content)
    height, width = frame.shape[-2:]
    scale = min(1.0, lines / height)
    size = [max(2, round(height * scale)), max(2, round(width * scale))]
    small = functional.interpolate(frame, size=size, mode="bilinear", antialias=True)
    stylizer = stylizers(look)
    with stylizers.network:
        return jpeg(stylizer(small.clamp(0, 1), full_size=Size(height, width)))


def _parts(message: str | bytes) -> tuple[dict, bytes]:
    try:
        assert isinstance(message, bytes)
        (length,) = struct.unpack_from(">I", message)
        header = json.loads(message[4 : 4 + length])
        return {"id": header["id"], "look": header["look"]}, message[4 + length :]
    except (AssertionError, ValueError, KeyError, TypeError, struct.error) as error:
        raise UsageError("the page sent no valid frame") from error


def _frame(content: bytes) -> Tensor:
    """Return a JPEG as (1, 3, H, W) in [0, 1].

    Raises:
        MediaError: It is none, or too large.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise MediaError(f"a frame of {image.width}x{image.height} is too large")
            codes = np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise MediaError.because(error, "the camera's frame can't be decoded") from error
    return torch.from_numpy(codes).permute(2, 0, 1)[None].float() / 255
