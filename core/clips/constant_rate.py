"""Frames as editing programs count them: each exactly one frame rate's distance after the last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from ..errors import MediaError
from ..frames.frame import Frame
from ..options import Interlaced
from .range import FrameRange, RangeReader, TimeRange
from .timecode import editing_rate


class ConstantRateReader(RangeReader):
    """`RangeReader` whose frames come evenly to the tick, where the container had rounded.

    Args:
        path: The clip.
        part: See `RangeReader`.
        interlaced: See `ClipReader`.

    Raises:
        MediaError: As `RangeReader`; or frames come at odd times, so that no program agrees
            with another on which one is number 100.
    """

    def __init__(
        self, path: Path, part: FrameRange | TimeRange, *, interlaced: Interlaced = "deinterlace"
    ):
        self._uneven = reader = RangeReader(path, part, interlaced=interlaced)
        self.path, self.container = path, reader.container
        self.excerpt, self.cut = reader.excerpt, reader.cut
        self.damaged_frames = self.interlaced_frames = 0
        try:
            rate = _rate(reader)
        except BaseException:
            self.close()
            raise
        self._step, self._time_base = rate.denominator, Fraction(1, rate.numerator)
        length = (self.excerpt.end - self.excerpt.first) / rate
        video = replace(
            reader.info.video,
            frame_rate=rate,
            time_base=self._time_base,
            duration=length,
            constant_rate=True,
        )
        self.info = replace(reader.info, video=video)

    def close(self) -> None:
        """Close the file."""
        self._uneven.close()

    def __iter__(self) -> Iterator[Frame]:
        """The excerpt's frames."""
        reader, step = self._uneven, self._step
        try:
            for number, frame in enumerate(reader):
                yield replace(frame, pts=number * step, duration=step, time_base=self._time_base)
        finally:
            self.container = reader.container
            self.damaged_frames = reader.damaged_frames
            self.interlaced_frames = reader.interlaced_frames


def _rate(reader: RangeReader) -> Fraction:
    video, pts = reader.info.video, reader.times
    rate = None if video.frame_rate is None else editing_rate(video.frame_rate)
    places = (round((time - pts[0]) * video.time_base * (rate or 0)) for time in pts)
    if rate is None or any(place != number for number, place in enumerate(places)):
        raise MediaError(
            "its frames are not evenly spaced, as an editing program counts them",
            path=reader.path,
            hint="give it a constant frame rate first, and cut with that file",
        )
    return rate
