"""An image file as it is read: samples, and the metadata that goes with them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..clips.timecode import Timecode
from ..frames.frame import Frame

# What a picture's frame says of time until it has a place in a sequence.
TICK = Fraction(1, 24)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture file, read.

    Attributes:
        frame: Its samples; of OpenEXR in linear light, over the display and the data window.
        codec: "png", "tiff" or "exr".
        shown: First row and column, height and width of what is shown of the frame.
        sample_aspect_ratio: Width of a pixel over its height; None where not stated (square).
        frame_rate: Pictures a second; None where not stated, as only OpenEXR does.
        timecode: Such as ``01:00:00:00``, from OpenEXR.
        kept: What a picture of the same kind, made of this one, takes over from it.
        warnings: What it does not take over.
        grey: Whether it holds grey with alpha, which a frame can only have as R, G and B alike.
    """

    frame: Frame
    codec: str
    shown: tuple[int, int, int, int]
    sample_aspect_ratio: Fraction | None = None
    frame_rate: Fraction | None = None
    timecode: str | None = None
    kept: Any = None
    warnings: tuple[str, ...] = ()
    grey: bool = False


@dataclass(frozen=True)
class ImageMetadata:
    """What a picture says beside its samples, as far as its kind has a place for it.

    Attributes:
        sample_aspect_ratio: Width of a pixel over its height; None is square.
        frame_rate: Pictures a second.
        timecode: Of the picture.
    """

    sample_aspect_ratio: Fraction | None = None
    frame_rate: Fraction | None = None
    timecode: Timecode | None = None


NOTHING = ImageMetadata()
