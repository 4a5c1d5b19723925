"""JPEG files, which are read and not written: decoding once loses nothing, coding again does."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps

from ..errors import MediaError
from ..frames.av_frame import from_av, working_format
from ..frames.frame import Colour, Matrix, Range
from .metadata import TICK, Picture

_ORIENTATION = 0x0112
# EXIF orientations in which rows and columns change places.
_TURNED = (5, 6, 7, 8)
# What Pillow raises on damaged files, and on some of EXIF.
_DAMAGE = (
    *(OSError, ValueError, SyntaxError, TypeError, LookupError, struct.error, AttributeError),
    Image.DecompressionBombError,
)
# By Pillow's names.
_METADATA = {
    **{"ICC profile": "icc_profile", "EXIF": "exif", "XMP": "xmp", "comment": "comment"},
    "Photoshop's resources": "photoshop",
}
_MODES = {"L": "gray", "RGB": "rgb24"}


def jpeg_size(path: Path) -> tuple[int, int, int]:
    """Return width and height as the image is shown, and the samples of a pixel.

    Raises:
        MediaError: It is not a JPEG file, or not of grey or RGB.
    """
    with _opened(path) as image:
        width, height = image.size
        if image.getexif().get(_ORIENTATION) in _TURNED:
            width, height = height, width
        return width, height, len(image.getbands())


def read_jpeg(path: Path) -> Picture:
    """Read a JPEG file, upright.

    Raises:
        MediaError: It is damaged, cut short, or not of grey or RGB.
    """
    with _opened(path) as image:
        alone = [name for name, key in _METADATA.items() if image.info.get(key)]
        try:
            upright = ImageOps.exif_transpose(image)
            samples = np.asarray(upright)
        except _DAMAGE as error:
            raise MediaError.because(
                error, "can't be decoded", otherwise="it is damaged, or cut short"
            ) from error
        name = _MODES[image.mode]
    native = av.VideoFrame.from_ndarray(np.ascontiguousarray(samples), name)
    form = working_format(native.format)
    matrix = Matrix.BT709 if form.family == "gray" else Matrix.RGB
    frame = from_av(
        native,
        pixel_format=form,
        colour=Colour(matrix, Range.FULL, native.color_primaries, native.color_trc),
        pts=0,
        duration=1,
        time_base=TICK,
    )
    return Picture(
        frame=frame, codec="jpeg", shown=(0, 0, frame.height, frame.width), alone=tuple(alone)
    )


def _opened(path: Path) -> Image.Image:
    try:
        image = Image.open(path, formats=["JPEG", "MPO"])
    except _DAMAGE as error:
        raise MediaError.because(error, "can't be read", otherwise="it is no JPEG file") from error
    if image.mode not in _MODES:
        image.close()
        raise MediaError(f"has {image.mode} samples", hint="write it as RGB or grey")
    return image
