"""A part of a clip, to the frame: the same frames that the whole clip gives, found by seeking."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, dropwhile, islice
from pathlib import Path

import av
import av.error

from ..errors import MediaError, UsageError
from ..frames.frame import Frame
from ..options import Interlaced
from .frame_table import FrameTable, frame_table
from .media import ClipReader, open_clip
from .timecode import Timecode, nominal_rate

_CLOCK = re.compile(r"(?:(\d+):(\d{2}):)?(\d+(?:\.\d*)?)")
_TRIES = 3

Position = Fraction | Timecode
"""A moment of a clip counted from its first frame: seconds, or hours to frames."""


def parse_position(text: str) -> Position:
    """Seconds (``12.5``), a clock (``00:00:12.5``) or timecode (``00:00:12:12``).

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
        raise UsageError(f"{text!r} is no time", hint="such as 12.5, 00:00:12.5 or 00:00:12:12")
    hours, minutes = int(match[1] or 0), int(match[2] or 0)
    return 3600 * hours + 60 * minutes + Fraction(match[3])


@dataclass(frozen=True)
class FrameRange:
    """Frames of a clip, counted from 0, `end` exclusive.

    Raises:
        UsageError: It holds no frame.
    """

    first: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.end:
            raise UsageError(f"frames {self.first} to {self.end} hold nothing")


@dataclass(frozen=True)
class TimeRange:
    """From one moment of a clip to another; None is its start or its end."""

    start: Position | None = None
    end: Position | None = None


@dataclass(frozen=True)
class Cut:
    """Where an excerpt lies in its clip.

    Attributes:
        first: Number of its first frame.
        start, end: Seconds, of the clip's own times.
    """

    first: int
    start: Fraction
    end: Fraction


class RangeReader(ClipReader):
    """`ClipReader` for a part of a clip; `info` tells of the part.

    The frames' times start at 0 and keep the clip's spacing. No packets of other tracks come.

    Attributes:
        excerpt: The frames.
        cut: Where they lie in the clip.

    Args:
        path: The clip.
        part: Frames, or moments; each moment is that of the nearest frame, and an end after the
            clip's is the clip's end.
        interlaced: See `ClipReader`.

    Raises:
        MediaError: As `ClipReader`; or the clip has no such frames.
    """

    excerpt: FrameRange
    cut: Cut

    def __init__(
        self, path: Path, part: FrameRange | TimeRange, *, interlaced: Interlaced = "deinterlace"
    ):
        self._table: FrameTable | None = None
        self._first_pts: int | None = None
        self._sought = False
        super().__init__(path, interlaced=interlaced)
        try:
            self._table = frame_table(self, self._first_pts)
            self.excerpt = frames_of(part, self._table.pts, self)
            self._describe(self._table.pts)
            self._seek(self._table)
        except BaseException:
            self.close()
            raise

    @property
    def times(self) -> Sequence[int]:
        """Of every frame of the whole clip, in units of its time base."""
        assert self._table is not None
        return self._table.pts

    def _describe(self, pts: Sequence[int]) -> None:
        first, end = self.excerpt.first, self.excerpt.end
        video = self.info.video
        stop = pts[end] if end < len(pts) else pts[-1] + self._after_last(pts)
        start, stop = pts[first] * video.time_base, stop * video.time_base
        self.cut = Cut(first, start, stop)
        self.info = replace(
            self.info, video=replace(video, frames=end - first, duration=stop - start)
        )

    def _after_last(self, pts: Sequence[int]) -> int:
        return pts[-1] - pts[-2] if len(pts) > 1 else self._usual_duration()

    @property
    def _lead(self) -> int:
        """The first frame that is decoded to the end: deinterlacing looks at the one before."""
        return max(0, self.excerpt.first - 1)

    def _seek(self, table: FrameTable) -> None:
        """To a key frame at or before the lead; else everything is decoded from the start."""
        target = table.pts[self._lead]
        for key in reversed(table.keys[: bisect_right(table.keys, target)][-_TRIES:]):
            if self._lands(key, target):
                self.container.seek(self._of_container(key), stream=self._stream)
                self._sought = True
                return
            self._reopen()

    def _lands(self, key: int, target: int) -> bool:
        """Whether seeking to a key frame comes to one that is not too late."""
        try:
            self.container.seek(self._of_container(key), stream=self._stream)
            packet = next(self._from_key_frame(), None)
        except (av.error.FFmpegError, OSError):
            return False
        if packet is None or packet.pts is None:
            return False
        return packet.pts <= self._of_container(target)

    def _from_key_frame(self) -> Iterator[av.Packet]:
        """The picture's packets; transport streams are sought by time, not by key frame."""
        return dropwhile(lambda packet: not packet.is_keyframe, self.container.demux(self._stream))

    def _pictures(self) -> Iterator[av.VideoFrame]:
        if self._sought:
            for packet in self._from_key_frame():
                yield from self._decoder.decode(packet)
        else:
            for item in super()._decoded():
                if isinstance(item, av.VideoFrame):
                    yield item

    def _of_container(self, pts: int) -> int:
        return pts + int(self.info.origin / self.info.video.time_base)

    def _reopen(self) -> None:
        self._sought = False
        self.container.close()
        self.container = open_clip(self.path)
        self._start()

    def _decoded(self) -> Iterator[av.VideoFrame | av.Packet]:
        if self._table is None:
            yield from self._looked_at()
        else:
            yield from self._from_lead(self._table.pts)

    def _looked_at(self) -> Iterator[av.VideoFrame | av.Packet]:
        for item in super()._decoded():
            if self._first_pts is None and isinstance(item, av.VideoFrame):
                self._first_pts = item.pts
            yield item

    def _from_lead(self, pts: Sequence[int]) -> Iterator[av.VideoFrame]:
        """The frames from the lead on, each known by its time."""
        pictures = self._sought_pictures(pts[self._lead]) if self._sought else None
        if pictures is None:
            pictures = islice(self._pictures(), self._lead, None)
        for number, picture in enumerate(pictures, self._lead):
            self._check_place(picture, number, pts)
            yield picture

    def _sought_pictures(self, target: int) -> Iterator[av.VideoFrame] | None:
        """None, at the clip's start, if the decoder could not start at the key frame after all."""
        pictures = dropwhile(lambda picture: self._before(picture, target), self._pictures())
        first = next(pictures, None)
        if first is not None and self._pts(first) == target:
            return chain([first], pictures)
        self._reopen()
        return None

    def _before(self, picture: av.VideoFrame, target: int) -> bool:
        time = self._pts(picture)
        return time is not None and time < target

    def _check_place(self, picture: av.VideoFrame, number: int, pts: Sequence[int]) -> None:
        time = self._pts(picture)
        if number < len(pts) and time not in (None, pts[number]):
            raise MediaError(
                f"its frames can't be counted: number {number} is not where it should be",
                hint="do the whole clip, or rewrite it first",
            )

    def __iter__(self) -> Iterator[Frame]:
        """The excerpt's frames."""
        assert self._table is not None
        first, end, number = self.excerpt.first, self.excerpt.end, self._lead
        for frame in super().__iter__():
            assert isinstance(frame, Frame)
            if number >= first:
                yield replace(frame, pts=frame.pts - self._table.pts[first])
            number += 1
            if number == end:
                return
        raise MediaError(f"ends after {number} frames instead of {end}", path=self.path)


def frames_of(part: FrameRange | TimeRange, pts: Sequence[int], reader: ClipReader) -> FrameRange:
    """The frames that a part means in a clip whose frames are shown at `pts`.

    Raises:
        MediaError: It has no such frames.
        UsageError: The part ends before it starts, or a timecode has more frames than a second.
    """
    count = len(pts)
    if isinstance(part, FrameRange):
        first, end = part.first, part.end
    else:
        first = 0 if part.start is None else _nearest(part.start, pts, reader)
        end = count if part.end is None else min(count, _nearest(part.end, pts, reader))
    if first >= count or end > count:
        raise MediaError(f"ends after {count} frames, before what is asked for", path=reader.path)
    if end <= first:
        raise UsageError("the end does not come after the start", path=reader.path)
    return FrameRange(first, end)


def _nearest(position: Position, pts: Sequence[int], reader: ClipReader) -> int:
    """The number of a moment's nearest frame; the clip's end counts as one more frame."""
    video = reader.info.video
    if isinstance(position, Timecode):
        return _number(position, video.frame_rate or Fraction(25), reader.path)
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
        raise UsageError(f"{timecode} is no time: a second has {base} frames", path=path)
    return timecode.number(rate)
