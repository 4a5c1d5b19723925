"""What goes with an excerpt: packets, chapters and timecode of that part of the clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition

from ...core.clips.clip_info import VideoInfo
from ...core.clips.range import Cut
from ...core.clips.timecode import Timecode, has_timecode

if TYPE_CHECKING:
    from av.container.core import Chapter

# Files lay tracks beside each other with less than this between what belongs together.
_INTERLEAVING = Fraction(10)


def seek_before(container: InputContainer, cut: Cut, origin: Fraction) -> None:
    """Not to read all that comes before an excerpt; subtitles may last any time."""
    start = cut.start + origin - _INTERLEAVING
    if start <= 0 or container.streams.subtitles:
        return
    try:
        container.seek(int(start * av.time_base))
    except av.error.FFmpegError:
        # What can't seek is read from its start, where it still is.
        return


def cut_packets(
    packets: Iterable[av.Packet], cut: Cut, tracks: Iterable[int]
) -> Iterator[av.Packet]:
    """The packets that play within an excerpt, in its time: whole ones, shifted to the tick.

    Args:
        packets: In the file's order, in which one track may lie far behind another.
        cut: The excerpt.
        tracks: Indices of those that are read to the excerpt's end, all of them.
    """
    waited_for = set(tracks)
    for packet in packets:
        stream, start = packet.stream, _start(packet)
        if start is None or stream.disposition & Disposition.attached_pic:
            yield packet
            continue
        if start > cut.end + _INTERLEAVING:
            waited_for.discard(stream.index)
            if not waited_for:
                return
        if start < cut.end and start + _length(packet) > cut.start:
            yield _shifted(packet, cut.start)


def _start(packet: av.Packet) -> Fraction | None:
    ticks = packet.dts if packet.pts is None else packet.pts
    return None if ticks is None or not packet.time_base else ticks * Fraction(packet.time_base)


def _length(packet: av.Packet) -> Fraction:
    # What does not say how long it lasts is there at its moment.
    return max(1, packet.duration or 0) * Fraction(packet.time_base)


def _shifted(packet: av.Packet, start: Fraction) -> av.Packet:
    shift = round(start / packet.time_base)
    packet.pts = None if packet.pts is None else packet.pts - shift
    packet.dts = None if packet.dts is None else packet.dts - shift
    if packet.stream.type == "subtitle" and packet.pts is not None and packet.pts < 0:
        # It is on screen already when the excerpt begins.
        packet.duration = (packet.duration or 0) + packet.pts
        packet.pts = packet.dts = 0
    return packet


def cut_chapters(chapters: Iterable[Chapter], cut: Cut) -> list[Chapter]:
    """The chapters that reach into an excerpt, in its time."""
    kept: list[Chapter] = []
    for chapter in chapters:
        tick = chapter["time_base"]
        if tick is None:
            continue
        start = max(chapter["start"] * tick, cut.start) - cut.start
        end = min(chapter["end"] * tick, cut.end) - cut.start
        if start < end:
            moved = chapter.copy()
            moved["start"], moved["end"] = round(start / tick), round(end / tick)
            kept.append(moved)
    return kept


def cut_timecode(metadata: MutableMapping[str, str], video: VideoInfo, cut: Cut) -> None:
    """The timecode of an excerpt's first frame; a clip without counts from zero, as editors do."""
    rate = video.frame_rate
    if rate is None or not has_timecode(rate):
        return
    start = Timecode.parse(metadata.get("timecode", "00:00:00:00"))
    if start is not None:
        metadata["timecode"] = str(start.later(cut.first, rate))
