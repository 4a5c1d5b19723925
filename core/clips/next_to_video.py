"""Streams, chapters and metadata that a container stores next to its video."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import av.error
from av.container import InputContainer

from ..errors import MediaError
from .clip_info import ClipInfo
from .timecode import Timecode, has_timecode
from .trim import Trim, seek_before, trim_chapters, trim_packets

if TYPE_CHECKING:
    from av.container.core import Chapter

# Streams that are heard or read: those a post house can't do without, and that have packets all
# the way.
PLAYED_TYPES = ("audio", "subtitle")
_OF_TIMECODE_STREAMS = frozenset({"timecode", "reel_name"})


def other_packets(
    container: InputContainer, info: ClipInfo, trim: Trim | None = None
) -> Iterator[av.Packet]:
    """Yield the packets of every stream but the video, in the time of the frames.

    Args:
        container: Open and at its start.
        info: Facts of the clip.
        trim: The range that is wanted; None for the whole clip.

    Raises:
        MediaError: The clip can't be read.
    """
    try:
        if trim is None:
            yield from _other_packets(container, info)
        else:
            # Timecode, say, has a single packet: nobody waits for the next.
            lasting = [about.index for about in info.others if about.type in PLAYED_TYPES]
            seek_before(container, trim, info.origin, lasting)
            yield from trim_packets(_other_packets(container, info), trim, lasting)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError.because(error, "can't be read any further", path=info.path) from error


def _other_packets(container: InputContainer, info: ClipInfo) -> Iterator[av.Packet]:
    for packet in container.demux():
        # The last packet of each stream is empty: it flushes decoders.
        if packet.stream.index != info.video.index and packet.size:
            yield from_origin(packet, info.origin)


def from_origin(packet: av.Packet, origin: Fraction) -> av.Packet:
    """Shift a packet's times so that they count from the clip's origin, as its frames do."""
    if origin and packet.time_base:
        shift = round(origin / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
    return packet


def chapters_of(container: InputContainer, info: ClipInfo, trim: Trim | None) -> list[Chapter]:
    """Return the chapters of a clip or of a range of it; none where the clock is arbitrary."""
    if info.origin:
        return []
    chapters = container.chapters()
    return chapters if trim is None else trim_chapters(chapters, trim)


def video_metadata_of(
    container: InputContainer, info: ClipInfo, trim: Trim | None
) -> dict[str, str]:
    """Return the metadata of the video stream, with timecode and reel name of any stream.

    The timecode is that of the range's first frame; a range of a clip without timecode counts from
    zero, as editors do.
    """
    metadata = dict(container.streams[info.video.index].metadata)
    for stream in container.streams:
        for key in _OF_TIMECODE_STREAMS & set(stream.metadata):
            metadata.setdefault(key, stream.metadata[key])
    rate = info.video.frame_rate
    if trim is not None and rate is not None and has_timecode(rate):
        start = Timecode.parse(metadata.get("timecode", "00:00:00:00"))
        if start is not None:
            metadata["timecode"] = str(start.later(trim.first, rate))
    return metadata


def timecode_of(container: InputContainer, info: ClipInfo, trim: Trim | None) -> Timecode | None:
    """Return the timecode of a clip's first frame, or of a range's; None where it has none."""
    tags = [container.metadata, *(stream.metadata for stream in container.streams)]
    text = next((tag["timecode"] for tag in tags if "timecode" in tag), None)
    start, rate = None if text is None else Timecode.parse(text), info.video.frame_rate
    if start is None or rate is None or not has_timecode(rate):
        return None
    return start if trim is None else start.later(trim.first, rate)
