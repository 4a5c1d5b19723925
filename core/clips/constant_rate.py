"""`Reader` of a range as editing programs count it: at a constant frame rate, exact to the tick."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import MediaError
from ..frames.frame import Frame
from ..options import Interlaced
from .clip_info import VideoInfo
from .range import FrameRange, TimeRange
from .range_reader import RangeReader
from .reader import FIRST_NUMBER, ClosedAtExit, NumberedFrame
from .timecode import Timecode, editing_rate

if TYPE_CHECKING:
    import av
    from av.container.core import Chapter
    from av.stream import Stream


class ConstantRateReader(ClosedAtExit):
    """`Reader` of the video of a range, its frame times exact where the container rounded them.

    Frames have all pixels that are coded, as editing programs count them. No other stream is passed
    through: an editing program has them in its timeline already.

    Args:
        path: The clip.
        part: See `RangeReader`.
        interlaced: See `ClipReader`.

    Raises:
        MediaError: As `RangeReader`; or the frame rate varies, so that no program agrees with
            another on which frame is number 100.
    """

    images: Mapping[int, Path] = MappingProxyType({})
    streams: Sequence[Stream] = ()

    def __init__(
        self, path: Path, part: FrameRange | TimeRange, *, interlaced: Interlaced = "deinterlace"
    ):
        self.path = path
        self._reader = RangeReader(path, part, interlaced=interlaced, cropped=False)
        try:
            rate = _constant_rate(self._reader.info.video, self._reader.times, path)
        except BaseException:
            self.close()
            raise
        self._step, self._time_base = rate.denominator, Fraction(1, rate.numerator)
        self.info = replace(
            self._reader.info,
            others=(),
            video=replace(
                self._reader.info.video,
                frame_rate=rate,
                time_base=self._time_base,
                duration=(self._reader.info.video.frames or 0) / rate,
                constant_rate=True,
            ),
        )

    @property
    def range(self) -> FrameRange | None:
        """Frames of the clip that are read."""
        return self._reader.range

    @property
    def identity(self) -> dict[str, Any]:
        """Plain values that differ where the clip, or the range of it, differs."""
        return self._reader.identity

    def warnings(self, kind: str | None = None) -> Iterator[str]:
        """Yield what has to be reported before the first frame, see `Reader`."""
        return self._reader.warnings(kind)

    @property
    def damaged_frames(self) -> int:
        """Frames so far in which the decoder had to conceal errors."""
        return self._reader.damaged_frames

    @property
    def interlaced_frames(self) -> int:
        """Interlaced frames so far."""
        return self._reader.interlaced_frames

    @property
    def recoloured_frames(self) -> int:
        """Frames so far that state other colours than the first, and were converted."""
        return self._reader.recoloured_frames

    @property
    def repaired_frames(self) -> int:
        """Frames so far whose times did not rise."""
        return self._reader.repaired_frames

    @property
    def foreseen(self) -> frozenset[str]:
        """See `Reader`."""
        return self._reader.foreseen

    @property
    def beside(self) -> set[str]:
        """See `Reader`."""
        return self._reader.beside

    @property
    def metadata(self) -> Mapping[str, str]:
        """Metadata of the container."""
        return self._reader.metadata

    @property
    def video_metadata(self) -> Mapping[str, str]:
        """Metadata of the video stream, see `Reader`."""
        return self._reader.video_metadata

    @property
    def chapters(self) -> list[Chapter]:
        """Chapters, in the time of the range."""
        return self._reader.chapters

    @property
    def timecode(self) -> Timecode | None:
        """Timecode of the first frame that is read; None where the clip has none."""
        return self._reader.timecode

    def packets(self) -> Iterator[av.Packet]:
        """Yield nothing: the video is read alone."""
        yield from ()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames of the range."""
        for index, frame in enumerate(self._reader):
            yield replace(
                frame, pts=index * self._step, duration=self._step, time_base=self._time_base
            )

    def numbered(self, skip: frozenset[int] = frozenset()) -> Iterator[NumberedFrame]:
        """Yield all frames with their numbers: to skip one takes as long as to read it."""
        del skip
        for number, frame in enumerate(self, FIRST_NUMBER):
            yield NumberedFrame(number, frame, None)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def _constant_rate(video: VideoInfo, pts: Sequence[int], path: Path) -> Fraction:
    rate = None if video.frame_rate is None else editing_rate(video.frame_rate)
    places = (round((time - pts[0]) * video.time_base * (rate or 0)) for time in pts)
    if rate is None or any(place != index for index, place in enumerate(places)):
        raise MediaError(
            "its frames are not evenly spaced, as an editing program counts them",
            path=path,
            hint="convert it to a constant frame rate first, and edit with that file",
        )
    return rate
