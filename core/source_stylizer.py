"""A stylizer for the frames of one source: it knows their sample aspect ratio and their bars."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import numpy as np

from .clips.clip_info import VideoInfo
from .frames.bars import Bars
from .frames.colour import from_rgb, to_rgb
from .frames.frame import Colour, Frame, PixelFormat
from .frames.stroke_size import believable_aspect
from .stylizer import Stylizer


class SourceStylizer:
    """A stylizer that is made for the frames of one source.

    The size of strokes goes by the active picture as shown; bars pass through untouched.

    Args:
        stylizer: The style.
        video: The source's video stream.
        bars: The source's bars; none to stylize whole frames.

    Raises:
        UsageError: The stroke size is too small for this source.
    """

    def __init__(self, stylizer: Stylizer, video: VideoInfo, bars: Bars):
        self._stylizer = stylizer
        self._bars = bars
        self._aspect = believable_aspect(video.sample_aspect_ratio)
        width, height = bars.active_size(video.width, video.height)
        self._size = height, width, self._aspect
        stylizer.working_size(*self._size)

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides about the pixels of a frame, as plain values."""
        return {
            "style": self._stylizer.style.digest,
            "stylizer": {
                **self._stylizer.settings(),
                "device": self._stylizer.device.type,
                "runtime": self._stylizer.identity(*self._size),
                "bars": astuple(self._bars),
            },
        }

    @property
    def parallel(self) -> int:
        """Number of threads that should stylize frames at a time."""
        return self._stylizer.parallel(*self._size)

    def __call__(
        self,
        frame: Frame,
        *,
        pixel_format: PixelFormat | None = None,
        colour: Colour | None = None,
    ) -> Frame:
        """Stylize a frame, see `Stylizer.stylize`."""
        active = self._bars.inside(frame) if self._bars else frame
        stylized = self._stylizer.stylize(
            active, pixel_format=pixel_format, colour=colour, sample_aspect_ratio=self._aspect
        )
        if active is frame or stylized is active:
            return frame if stylized is active else stylized
        return self._bars.around(self._converted(frame, stylized), stylized)

    def _converted(self, frame: Frame, like: Frame) -> Frame:
        """Return a frame's bars in the pixel format and colour of another frame."""
        if (frame.pixel_format, frame.colour) == (like.pixel_format, like.colour):
            return frame
        # Chroma is interpolated: what lies between the bars would colour their edges.
        corner = 0 if self._bars.top or self._bars.left else -1
        black = [np.full_like(plane, plane[corner, corner]) for plane in frame.planes]
        bars = self._bars.around(frame, self._bars.inside(replace(frame, planes=tuple(black))))
        return from_rgb(to_rgb(bars), frame, pixel_format=like.pixel_format, colour=like.colour)
