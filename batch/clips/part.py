"""Some segments of a clip file, made alone: on several machines, say, that share a folder."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from ...core.clips.range import FrameRange
from ...core.clips.reader import NumberedFrame, Reader
from ...core.errors import UsageError
from ...core.frames.frame import Colour, PixelFormat
from ..encoding.encode import Picture
from .frame_times import frame_times, frames_from
from .resume import PartialWork
from .segment_check import SegmentStream
from .settings import ReadSettings
from .sink import Written


class PartWriter:
    """`Writer` of some segments, which are left for the run that makes the file of them.

    Attributes:
        frames_wanted: Frames of these segments.

    Args:
        work: The shared work folder.
        reader, read: The source, and how it is read.
        stream: The video stream.
        picture: What the encoder is fed.
        size: Frames of every segment but the clip's last.
        output: The file that the segments are for.

    Raises:
        UsageError: The clip has none of these segments.
    """

    def __init__(
        self,
        work: PartialWork,
        reader: Reader,
        read: ReadSettings,
        stream: SegmentStream,
        picture: Picture,
        *,
        size: int,
        output: Path,
    ):
        self._work, self._reader, self._read = work, reader, read
        self._stream, self._picture, self._size, self._output = stream, picture, size, output
        self._times = frame_times(reader, read)
        self._ranges = {number: self._frames_of(number) for number in work.numbers}
        count = -(-len(self._times) // size)
        if work.numbers.start >= count:
            raise UsageError(
                f"has no segment {work.numbers.start}",
                path=reader.path,
                hint=f"it has {count}, from 0 to {count - 1}",
            )
        self.frames_wanted = sum(map(len, self._ranges.values()))
        self._reused = frozenset(work.segments)
        self._seconds = 0.0

    def _frames_of(self, number: int) -> range:
        return range(number * self._size, min((number + 1) * self._size, len(self._times)))

    @property
    def done(self) -> int:
        """Frames of these segments that an earlier run has done."""
        return sum(len(self._ranges[number]) for number in self._reused)

    def look(self) -> Written | None:
        """Find out whether an earlier run has made all of these segments, see `Writer`."""
        return None if self._missing else self.finish()

    @property
    def _missing(self) -> list[int]:
        return [
            number
            for number, frames in self._ranges.items()
            if frames and number not in self._work.segments
        ]

    def missing(self) -> Iterator[NumberedFrame]:
        """Yield the frames of the segments that are missing, and read no others."""
        # Neighbours are read in one go.
        for _, run in groupby(enumerate(self._missing), key=lambda item: item[1] - item[0]):
            numbers = [number for _, number in run]
            part = FrameRange(self._ranges[numbers[0]].start, self._ranges[numbers[-1]].stop)
            yield from frames_from(self._reader, self._read, self._output, part, self._times)

    def form(self, item: NumberedFrame) -> tuple[PixelFormat, Colour]:
        """Return what the encoder is fed."""
        del item
        return self._picture.pixel_format, self._picture.colour

    def write(self, frames: Iterator[NumberedFrame]) -> None:
        """Encode every segment with a fresh encoder into a file of its own, which is checked."""
        for number, group in groupby(frames, key=lambda item: item.number // self._size):
            made, seconds = self._stream.make(
                self._work.folder, number, (item.frame for item in group)
            )
            self._work.add(made)
            self._seconds += seconds

    def finish(self) -> Written:
        """Leave the segments as they are: the file is made by a run for all of them."""
        return Written(
            self.frames_wanted,
            audio_tracks=0,
            segments=sum(map(bool, self._ranges.values())),
            segments_reused=len(self._reused),
            stages={"verify": self._seconds},
        )

    def kept(self) -> tuple[Path, int] | None:
        """Return the work folder and the frames of these segments that are done."""
        return (self._work.folder, self._work.frames) if self._work.segments else None
