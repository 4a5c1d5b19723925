"""Ranges of a clip, by frame or by time."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ..errors import MediaError, UsageError
from ..human import counted
from .clip_info import VideoInfo
from .timecode import Timecode, nominal_rate

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)")

Position = Fraction | Timecode
"""A moment of a clip counted from its first frame: seconds, or hours to frames."""


def parse_position(text: str) -> Position:
    """Parse seconds (``12.5``), a clock (``1:30``, ``00:01:30.5``) or timecode (``00:00:12:12``).

    A comma is a decimal point here, though some write drop-frame timecode with it: that takes a
    semicolon (``00:00:12;12``).

    Raises:
        UsageError: It is none of them.
    """
    text = text.strip().replace(",", ".")
    if "." not in text and (timecode := Timecode.parse(text)) is not None:
        return timecode
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is not a valid time", hint="such as 12.5, 1:30, 00:00:12.5 or 00:00:12:12"
        )
    hours, minutes, seconds = int(match[1] or 0), int(match[2] or 0), Fraction(match[3])
    if (match[1] and minutes > 59) or (match[2] and seconds >= 60):
        raise UsageError(f"{text!r} is not a valid time", hint="a part after a colon is below 60")
    return 3600 * hours + 60 * minutes + seconds


@dataclass(frozen=True)
class FrameRange:
    """Frames of a clip, counted from 0, `end` exclusive.

    Raises:
        UsageError: It contains no frame.
    """

    first: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.end:
            raise UsageError(f"empty frame range: {self.first} to {self.end}")


@dataclass(frozen=True)
class TimeRange:
    """A range from one moment of a clip to another; None is the clip's start or end."""

    start: Position | None = None
    end: Position | None = None


def frames_of(
    part: FrameRange | TimeRange, pts: Sequence[int], video: VideoInfo, path: Path
) -> FrameRange:
    """Return the frames of a range.

    Args:
        part: Frames or times; a time is that of the nearest frame, and an end after the clip's is
            the clip's end.
        pts: Presentation times of all frames of the clip, in units of its time base.
        video: The clip's video stream.
        path: The clip, for errors.

    Raises:
        MediaError: The clip has no such frames.
        UsageError: The range ends before it starts, or a timecode has more frames than a second.
    """
    count = len(pts)
    length = counted(count, "frame")
    if isinstance(part, FrameRange):
        first, end = part.first, part.end
    else:
        length = _length(part.start, pts, video)
        first = 0 if part.start is None else _nearest(part.start, pts, video, path)
        end = count if part.end is None else min(count, _nearest(part.end, pts, video, path))
    if first >= count or end > count:
        raise MediaError(f"ends after {length}, before the range does", path=path)
    if end <= first:
        raise UsageError("the end does not come after the start", path=path)
    return FrameRange(first, end)


def _length(start: Position | None, pts: Sequence[int], video: VideoInfo) -> str:
    """Return the length of a clip in the notation of the start that was asked for."""
    rate = video.frame_rate
    if isinstance(start, Timecode):
        zero = Timecode(0, 0, 0, 0, drop=start.drop)
        return str(zero.later(len(pts), rate or Fraction(25)))
    last = 1 / rate if rate else Fraction(0)
    return f"{round(float((pts[-1] - pts[0]) * video.time_base + last), 3):.7g} s"


def _nearest(position: Position, pts: Sequence[int], video: VideoInfo, path: Path) -> int:
    """Return the index of a moment's nearest frame; the clip's end counts as one more frame."""
    if isinstance(position, Timecode):
        return _number(position, video.frame_rate or Fraction(25), path)
    time = position / video.time_base + pts[0]
    after = bisect_left(pts, time)
    if after == len(pts):
        last = Fraction(pts[-1] - pts[0], max(1, len(pts) - 1)) or 1
        return after if time - pts[-1] > last / 2 else after - 1
    nearer_before = after > 0 and time - pts[after - 1] < pts[after] - time
    return after - 1 if nearer_before else after


def _number(timecode: Timecode, rate: Fraction, path: Path) -> int:
    base = nominal_rate(rate)
    if timecode.frames >= base:
        raise UsageError(
            f"{timecode} is not a valid timecode: a second has {base} frames", path=path
        )
    return timecode.number(rate)
