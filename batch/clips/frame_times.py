"""Times and frames of a source, each to be had without reading all that comes before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...core.clips.range import FrameRange
from ...core.clips.range_reader import RangeReader
from ...core.clips.reader import NumberedFrame, Reader
from .settings import ReadSettings
from .source import open_reader


def frame_times(reader: Reader, settings: ReadSettings) -> Sequence[int]:
    """Return the times of all frames that a reader yields, in units of its time base.

    Clips whose packets tell them are not decoded, see `frame_table`.

    Args:
        reader: The source.
        settings: How it is read.

    Raises:
        MediaError: The source can't be read.
    """
    if reader.images:
        return range(len(reader.images))
    whole = RangeReader(reader.path, FrameRange(0, 1), timestamps=settings.timestamps)
    with whole:
        pts = whole.times
    if reader.range is None:
        return pts
    first, end = reader.range.first, reader.range.end
    return [time - pts[first] for time in pts[first:end]]


def frames_from(
    reader: Reader, settings: ReadSettings, output: Path, part: FrameRange, times: Sequence[int]
) -> Iterator[NumberedFrame]:
    """Yield some frames of a source exactly as reading all of it would, found by seeking.

    Args:
        reader: The source.
        settings: How it is read.
        output: The file that is written of it.
        part: Frames to yield, counted from the reader's first.
        times: As `frame_times` returns them.

    Raises:
        MediaError: The source can't be read.
    """
    before = 0 if reader.range is None else reader.range.first
    own = FrameRange(before + part.first, before + part.end)
    with open_reader(reader.path, replace(settings, range=own), output) as found:
        yield from placed(found, part, times)


def placed(found: Reader, part: FrameRange, times: Sequence[int]) -> Iterator[NumberedFrame]:
    """Yield the frames of a range with the numbers and times that they have in the whole source.

    Args:
        found: Reader of the range.
        part: The range, counted from the first frame that is read of the source.
        times: As `frame_times` returns them.
    """
    for number, item in enumerate(found.numbered(), part.first):
        yield NumberedFrame(number, replace(item.frame, pts=times[number]), item.image)
