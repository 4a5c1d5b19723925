"""Frames of a clip by number, as `brushreel stylize` reads them."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..batch.clips.settings import ReadSettings
from ..batch.clips.source import bars_of, open_reader
from ..core.clips.clip_info import ClipInfo
from ..core.clips.range import FrameRange, TimeRange
from ..core.clips.range_reader import RangeReader
from ..core.clips.reader import Reader
from ..core.clips.timecode import Timecode, has_timecode
from ..core.errors import MediaError
from ..core.file_identity import file_identity
from ..core.frames.bars import Bars
from ..core.frames.frame import Frame

# Frames that are decoded on the way to a later one, sooner than a key frame is sought.
_AHEAD = 48
_USUAL_RATE = Fraction(25)


class FrameSource:
    """The frames of a clip or image sequence by number, counted from 0.

    What follows the frame before is read on; any other frame is sought, exactly. It may be used by
    several threads, one after the other.

    Attributes:
        info: Facts of the whole clip.
        times: Time of each frame in seconds from the first one.
        rate: Frames a second, on average.

    Args:
        path: The clip, or the pattern of numbered images.

    Raises:
        BrushreelError: It can't be read.
    """

    def __init__(self, path: Path):
        self.path = path
        with open_reader(path, ReadSettings(range=TimeRange())) as reader:
            self.info: ClipInfo = reader.info
            self.times = _times(reader)
            self._timecode = reader.timecode
        self.rate = self.info.video.frame_rate or _USUAL_RATE
        self._reader: Reader | None = None
        self._frames: Iterator[Frame] = iter(())
        self._next = 0
        self._last: Frame | None = None
        self._bars: Bars | None = None
        self._lock = threading.RLock()

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last."""
        return float(self.times[-1] + 1 / self.rate)

    @property
    def bars(self) -> Bars:
        """The clip's burnt-in bars, which are passed through."""
        with self._lock:
            if self._bars is None:
                with open_reader(self.path, ReadSettings()) as reader:
                    self._bars = bars_of(reader)
            return self._bars

    def number_at(self, time: float) -> int:
        """Return the number of the frame that is shown at a time in seconds."""
        return max(0, bisect_right(self.times, Fraction(time)) - 1)

    def timecode(self, number: int) -> str:
        """Return a frame's timecode, counted from the clip's own or from 0."""
        rate = self.rate if has_timecode(self.rate) else _USUAL_RATE
        first = self._timecode or Timecode(0, 0, 0, 0)
        return str(first.later(number, rate))

    def frame(self, number: int) -> Frame:
        """Return a frame.

        Raises:
            BrushreelError: The clip has no such frame, or it can't be decoded.
        """
        if not 0 <= number < len(self.times):
            raise MediaError(f"has no frame {number}", path=self.path)
        with self._lock:
            if self._last is not None and number == self._next - 1:
                return self._last
            if self._reader is None or not self._next <= number < self._next + _AHEAD:
                self._seek(number)
            while self._next <= number:
                self._last = self._read()
            assert self._last is not None
            return self._last

    def _read(self) -> Frame:
        try:
            frame = next(self._frames)
        except StopIteration:
            self.close()
            raise MediaError(f"ends before frame {self._next}", path=self.path) from None
        except BaseException:
            self.close()
            raise
        self._next += 1
        return frame

    def _seek(self, number: int) -> None:
        self.close()
        wanted = FrameRange(number, len(self.times))
        self._reader = open_reader(self.path, ReadSettings(range=wanted))
        self._frames, self._next = iter(self._reader), number

    def close(self) -> None:
        """Close the file; it is opened again for the next frame."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
            self._reader, self._frames, self._last = None, iter(()), None


def _times(reader: Reader) -> list[Fraction]:
    video = reader.info.video
    if isinstance(reader, RangeReader):
        first = reader.times[0]
        return [(time - first) * video.time_base for time in reader.times]
    rate = video.frame_rate or _USUAL_RATE
    return [number / rate for number in range(len(reader.images))]


class FrameSources:
    """Frame sources that are kept open for requests that may come from any page.

    Args:
        most: Number of clips that are kept open.
    """

    def __init__(self, most: int = 4):
        self._most = most
        self._open: OrderedDict[Any, FrameSource] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, path: Path) -> FrameSource:
        """Return the source of a clip; one that was changed is opened anew.

        Raises:
            BrushreelError: It can't be read.
        """
        key = (path, file_identity(path) if path.exists() else None)
        with self._lock:
            if key not in self._open:
                self._open[key] = FrameSource(path)
                while len(self._open) > self._most:
                    self._open.popitem(last=False)[1].close()
            self._open.move_to_end(key)
            return self._open[key]

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()
