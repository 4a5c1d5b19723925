"""Packets, chapters and timecode of a range of a clip."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition

if TYPE_CHECKING:
    from av.container.core import Chapter

# Files interleave streams with less than this between packets that belong together.
_INTERLEAVING = Fraction(10)
# So much further back each time.
_FURTHER = 4


@dataclass(frozen=True)
class Trim:
    """Position of a range in its clip.

    Attributes:
        first: Index of its first frame.
        start, end: Seconds, in the clip's own times.
    """

    first: int
    start: Fraction
    end: Fraction


def seek_before(
    container: InputContainer, trim: Trim, origin: Fraction, streams: Collection[int]
) -> None:
    """Skip to the packets of a range, so as not to read all that comes before it.

    A stream may lie any distance before the video in the file: where the first packet that is met
    of one is too late, it is looked for further back. Subtitles may last any time: a container that
    has some stays at its start.

    Args:
        container: Open and at its start.
        trim: The range.
        origin: See `ClipInfo`.
        streams: Indices of the streams that are needed from the range's start on.
    """
    if container.streams.subtitles:
        return
    distance = _INTERLEAVING
    while (start := trim.start + origin - distance) > 0:
        if not _sought(container, start):
            # A container that can't seek is read from its start, where it still is.
            return
        # The index of these leads to the packets of each stream.
        if "mp4" in container.format.name or _in_time(container, trim, origin, streams):
            _sought(container, start)
            return
        distance *= _FURTHER
    if distance > _INTERLEAVING:
        _sought(container, Fraction(container.start_time or 0, av.time_base))


def _sought(container: InputContainer, start: Fraction) -> bool:
    try:
        container.seek(int(start * av.time_base))
    except av.error.FFmpegError:
        return False
    return True


def _in_time(
    container: InputContainer, trim: Trim, origin: Fraction, streams: Collection[int]
) -> bool:
    """Return whether the first packets that come now of all streams are before the range."""
    missing = set(streams)
    for packet in container.demux():
        start = _start(packet)
        if start is None:
            continue
        if packet.stream.index not in missing:
            if start - origin > trim.end + _INTERLEAVING:
                return not missing
        elif start - origin > trim.start:
            return False
        else:
            missing.discard(packet.stream.index)
            if not missing:
                return True
    return not missing


def trim_packets(
    packets: Iterable[av.Packet], trim: Trim, streams: Iterable[int]
) -> Iterator[av.Packet]:
    """Yield the packets that play within a range, in its time: whole ones, shifted to the tick.

    Args:
        packets: In the file's order, in which one stream may lie far behind another.
        trim: The range.
        streams: Indices of those that are read to the range's end, all of them.
    """
    waited_for = set(streams)
    for packet in packets:
        stream, start = packet.stream, _start(packet)
        if start is None or stream.disposition & Disposition.attached_pic:
            yield packet
            continue
        if start > trim.end + _INTERLEAVING:
            waited_for.discard(stream.index)
            if not waited_for:
                return
        if start < trim.end and start + _length(packet) > trim.start:
            yield _shifted(packet, trim.start)


def _start(packet: av.Packet) -> Fraction | None:
    ticks = packet.dts if packet.pts is None else packet.pts
    return None if ticks is None or not packet.time_base else ticks * Fraction(packet.time_base)


def _length(packet: av.Packet) -> Fraction:
    # A packet without a duration counts at its moment.
    return max(1, packet.duration or 0) * Fraction(packet.time_base)


def _shifted(packet: av.Packet, start: Fraction) -> av.Packet:
    shift = round(start / packet.time_base)
    packet.pts = None if packet.pts is None else packet.pts - shift
    packet.dts = None if packet.dts is None else packet.dts - shift
    if packet.stream.type == "subtitle" and packet.pts is not None and packet.pts < 0:
        # It is on screen already when the range begins.
        packet.duration = (packet.duration or 0) + packet.pts
        packet.pts = packet.dts = 0
    return packet


def trim_chapters(chapters: Iterable[Chapter], trim: Trim) -> list[Chapter]:
    """Return the chapters that reach into a range, in its time."""
    kept: list[Chapter] = []
    for chapter in chapters:
        tick = chapter["time_base"]
        if tick is None:
            continue
        start = max(chapter["start"] * tick, trim.start) - trim.start
        end = min(chapter["end"] * tick, trim.end) - trim.start
        if start < end:
            moved = chapter.copy()
            moved["start"], moved["end"] = round(start / tick), round(end / tick)
            kept.append(moved)
    return kept
