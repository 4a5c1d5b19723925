"""`Reader` of a range of a clip: the same frames that the whole clip gives, found by seeking."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, dropwhile, islice
from pathlib import Path

import av
import av.error

from ..errors import MediaError
from ..frames.frame import Frame
from ..human import counted
from ..options import Interlaced, Timestamps
from .frame_table import FrameTable, frame_table
from .media import ClipReader
from .opening import open_clip
from .range import FrameRange, TimeRange, frames_of
from .trim import Trim

# Key frames that are tried, from the last one back.
_TRIES = 3


class RangeReader(ClipReader):
    """`Reader` of a range of a clip; `info` describes the range.

    The frames' times start at 0 and keep the clip's spacing.

    Args:
        path: The clip.
        part: The range, see `frames_of`.
        interlaced, cropped, timestamps: See `ClipReader`.

    Raises:
        MediaError: As `ClipReader`; or the clip has no such frames.
    """

    _frames: FrameRange

    def __init__(
        self,
        path: Path,
        part: FrameRange | TimeRange,
        *,
        interlaced: Interlaced = "deinterlace",
        cropped: bool = True,
        timestamps: Timestamps = "repair",
    ):
        self._table: FrameTable | None = None
        self._first_pts: int | None = None
        self._sought = False
        super().__init__(path, interlaced=interlaced, cropped=cropped, timestamps=timestamps)
        try:
            self._table = frame_table(self, self._first_pts)
            self._frames = self.range = frames_of(part, self._table.pts, self.info.video, path)
            self._describe(self._table.pts)
            self._seek(self._table)
        except BaseException:
            self.close()
            raise

    @property
    def times(self) -> Sequence[int]:
        """Presentation times of all frames of the whole clip, in units of its time base."""
        assert self._table is not None
        return self._table.pts

    def _describe(self, pts: Sequence[int]) -> None:
        first, end = self._frames.first, self._frames.end
        video = self.info.video
        stop = pts[end] if end < len(pts) else pts[-1] + self._after_last(pts)
        start, stop = pts[first] * video.time_base, stop * video.time_base
        self._trim = Trim(first, start, stop)
        self.info = replace(
            self.info, video=replace(video, frames=end - first, duration=stop - start)
        )

    def _after_last(self, pts: Sequence[int]) -> int:
        return pts[-1] - pts[-2] if len(pts) > 1 else self._usual_duration()

    @property
    def _lead(self) -> int:
        """Index of the first frame that is decoded: deinterlacing looks at the one before."""
        return max(0, self._frames.first - 1)

    def _seek(self, table: FrameTable) -> None:
        """Start at a key frame at or before the lead; else everything is decoded from the start."""
        target = table.pts[self._lead]
        for key in reversed(table.keys[: bisect_right(table.keys, target)][-_TRIES:]):
            if self._lands(key, target):
                self.container.seek(self._of_container(key), stream=self._stream)
                self._sought = True
                return
            self._reopen()

    def _lands(self, key: int, target: int) -> bool:
        """Return whether seeking to a key frame leads to one that is not too late."""
        try:
            self.container.seek(self._of_container(key), stream=self._stream)
            packet = next(self._from_key_frame(), None)
        except (av.error.FFmpegError, OSError):
            return False
        if packet is None or packet.pts is None:
            return False
        return packet.pts <= self._of_container(target)

    def _from_key_frame(self) -> Iterator[av.Packet]:
        """Yield the video's packets; in transport streams, a time is sought and not a key frame."""
        return dropwhile(lambda packet: not packet.is_keyframe, self.container.demux(self._stream))

    def _video_frames(self) -> Iterator[av.VideoFrame]:
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
        """Yield the frames from the lead on, each recognised by its time."""
        frames = self._sought_frames(pts[self._lead]) if self._sought else None
        if frames is None:
            frames = islice(self._video_frames(), self._lead, None)
        for number, frame in enumerate(frames, self._lead):
            self._check_time(frame, number, pts)
            self._counting = self._frames.first <= number < self._frames.end
            yield frame

    def _sought_frames(self, target: int) -> Iterator[av.VideoFrame] | None:
        """Return the frames from `target` on.

        None, and back at the clip's start, if the decoder can't begin at the key frame after all.
        """
        frames = dropwhile(lambda frame: self._before(frame, target), self._video_frames())
        first = next(frames, None)
        if first is not None and self._pts(first) == target:
            return chain([first], frames)
        self._reopen()
        return None

    def _before(self, frame: av.VideoFrame, target: int) -> bool:
        time = self._pts(frame)
        return time is not None and time < target

    def _check_time(self, frame: av.VideoFrame, number: int, pts: Sequence[int]) -> None:
        time = self._pts(frame)
        repaired = number > 0 and time is not None and time <= pts[number - 1]
        if number < len(pts) and time not in (None, pts[number]) and not repaired:
            raise MediaError(
                f"its frames can't be counted: frame {number} is not at its expected time",
                hint="convert the whole clip, or rewrite it first",
            )

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames of the range."""
        assert self._table is not None
        first, end, number = self._frames.first, self._frames.end, self._lead
        for frame in super().__iter__():
            if number >= first:
                yield replace(frame, pts=frame.pts - self._table.pts[first])
            number += 1
            if number == end:
                return
        raise MediaError(f"ends after {counted(number, 'frame')} instead of {end}", path=self.path)
