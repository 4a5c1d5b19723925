"""Frames to image files, as plain values for another process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ....core.clips.clip_info import VideoInfo
from ....core.clips.reader import FIRST_NUMBER, NumberedFrame
from ....core.clips.timecode import Timecode
from ....core.frames.frame import Colour, Frame, Matrix, PixelFormat, Range
from ....core.frames.orientation import oriented
from ....core.pictures.metadata import ImageMetadata
from ....core.pictures.picture import (
    as_grey,
    as_linear,
    check_written,
    encode_picture,
    written_format,
)
from ..piece import Made, Piece
from ..pipeline import in_order
from ..segment import fingerprint

WRITERS = max(1, min(4, (os.cpu_count() or 1) - 1))
"""Images that are encoded at a time: compression takes more time than anything else."""


@dataclass(frozen=True)
class ImageMaker:
    """`PieceMaker` of images.

    Attributes:
        kind: "png", "tiff" or "exr".
        video: The source's video stream.
        timecode: Timecode of the source's first frame; None where images can't state it.
        numbers: Number of every image that is read; empty where the source is a clip.
    """

    kind: str
    video: VideoInfo
    timecode: Timecode | None
    numbers: tuple[int, ...]

    def number(self, index: int) -> int:
        """Return the number of the image of a frame.

        Args:
            index: The frame, counted from the first that is read.
        """
        return self.numbers[index] if self.numbers else index + FIRST_NUMBER

    def form(self, item: NumberedFrame) -> tuple[PixelFormat, Colour]:
        """Return the form of the image; display signals become linear light after that."""
        return _target(item, self.kind)

    def encoded(self, item: NumberedFrame) -> tuple[bytes, Callable[[Path], None]]:
        """Return the content of a frame's image file, and what checks the written file.

        Args:
            item: A stylized frame with the number of its image.

        Raises:
            OutputError: It can't be encoded.
        """
        _, frame, image = item
        frame = _upright(frame, self.video.display_matrix)
        frame = as_grey(frame) if image is not None and image.grey else frame
        frame = as_linear(frame) if self.kind == "exr" else frame
        content = encode_picture(frame, self.kind, image, self._metadata(item))
        return content, partial(check_written, kind=self.kind, frame=frame, like=image)

    def make(self, folder: Path, piece: Piece, frames: Iterator[NumberedFrame]) -> Iterator[Made]:
        """Yield the images of a run, see `PieceMaker`."""
        del piece
        with closing(in_order(frames, partial(self._made, folder), WRITERS)) as images:
            yield from images

    def _made(self, folder: Path, item: NumberedFrame) -> Made:
        item = item._replace(number=self.number(item.number))
        content, check = self.encoded(item)
        path = folder / f"{item.number}.partial"
        try:
            path.write_bytes(content)
            check(path)
        finally:
            path.unlink(missing_ok=True)
        return Made(item.number, content, fingerprint(content).hexdigest())

    def _metadata(self, item: NumberedFrame) -> ImageMetadata:
        aspect = self.video.sample_aspect_ratio
        if aspect is not None and self.video.rotation % 180:
            aspect = 1 / aspect
        return ImageMetadata(aspect, self.video.frame_rate, self._timecode(item))

    def _timecode(self, item: NumberedFrame) -> Timecode | None:
        """Return the timecode of a clip's frame; an image keeps its own with its other metadata."""
        rate = self.video.frame_rate
        if item.image is not None or self.timecode is None or rate is None:
            return None
        return self.timecode.later(item.number - FIRST_NUMBER, rate)


def _target(item: NumberedFrame, kind: str) -> tuple[PixelFormat, Colour]:
    frame = item.frame
    if frame.pixel_format.floating:
        return frame.pixel_format, frame.colour
    form = written_format(frame.pixel_format, "png")
    if kind == "exr" and form.depth == 8:
        form = written_format(replace(form, depth=16), "png")
    if item.image is not None and form == frame.pixel_format:
        return form, frame.colour
    matrix = frame.colour.matrix if form.family == "gray" else Matrix.RGB
    return form, Colour(matrix, Range.FULL, frame.colour.primaries, frame.colour.transfer)


def _upright(frame: Frame, matrix: tuple[int, ...] | None) -> Frame:
    """Rotate a frame as it is to be displayed: images can't state a rotation."""
    if matrix is None:
        return frame
    planes = tuple(np.ascontiguousarray(oriented(plane, matrix)) for plane in frame.planes)
    height, width = planes[0].shape
    return replace(frame, planes=planes, width=width, height=height)
