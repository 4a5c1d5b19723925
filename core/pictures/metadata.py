"""Image files as they are read: samples and metadata."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..clips.timecode import Timecode
from ..frames.frame import Frame

# Time base of an image's frame until it has an index in a sequence.
TICK = Fraction(1, 24)


@dataclass(frozen=True, eq=False)
class Picture:
    """An image file, read.

    Attributes:
        frame: Its samples; OpenEXR in linear light, covering the display and the data window.
        codec: "png", "tiff" or "exr".
        shown: First row and column, height and width of the visible part of the frame.
        sample_aspect_ratio: Width of a pixel over its height; None where not stated (square).
        frame_rate: Frames per second; None where not stated, as only OpenEXR does.
        timecode: Such as ``01:00:00:00``, from OpenEXR.
        kept: Metadata that passes through to an image of the same kind made from this one.
        warnings: Losses of that image.
        alone: What an image of another kind, or a clip, can't hold of it: channels, a profile.
        grey: True for grey with alpha, which a frame can only have as equal R, G and B.
    """

    frame: Frame
    codec: str
    shown: tuple[int, int, int, int]
    sample_aspect_ratio: Fraction | None = None
    frame_rate: Fraction | None = None
    timecode: str | None = None
    kept: Any = None
    warnings: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    grey: bool = False


@dataclass(frozen=True)
class ImageMetadata:
    """Metadata of an image file, written where its kind supports it.

    Attributes:
        sample_aspect_ratio: Width of a pixel over its height; None is square.
        frame_rate: Frames per second.
        timecode: Timecode of the image.
    """

    sample_aspect_ratio: Fraction | None = None
    frame_rate: Fraction | None = None
    timecode: Timecode | None = None


NOTHING = ImageMetadata()
