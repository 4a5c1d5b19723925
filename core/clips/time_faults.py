"""Faults at a clip's start and in its times, found before the first frame is converted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.stream import Discard, Stream

# Larger files would take too long, though packets are not decoded.
_READ_AT_ONCE = 1 << 30
# Packets tell equal times; only frames tell swapped ones.
_DECODED = 24
# One packet holds one frame.
_FRAMEWISE = frozenset(
    {"h264", "hevc", "mpeg2video", "mpeg4", "vp9", "av1", "prores", "dnxhd", "mjpeg", "ffv1"}
)


def count_time_faults(path: Path, index: int) -> int:
    """Count the frames that do not come after the one before them.

    Args:
        path: The clip.
        index: Index of its video stream.

    Returns:
        Their number, as far as it is known without decoding the clip; 0 where it can't be read.
    """
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            shown = _first_times(container, index)
        faults = sum(after <= before for before, after in pairwise(shown))
        if path.stat().st_size <= _READ_AT_ONCE:
            with av.open(f"file:{path}", metadata_errors="replace") as container:
                faults = max(faults, _equal_times(container, index))
    except (av.error.FFmpegError, OSError, ValueError):
        # Whoever reads the clip reports it.
        return 0
    return faults


def count_missing_at_start(path: Path, index: int) -> int:
    """Count the frames that come before the first one that can be decoded.

    A stream that was cut out of a broadcast begins between keyframes: what depends on frames before
    the cut is lost.

    Args:
        path: The clip.
        index: Index of its video stream.
    """
    times: list[int | None] = []
    first: int | None = None
    decoded = 0
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            stream = container.streams[index]
            for packet in container.demux(stream) if _is_framewise(stream) else ():
                if packet.size and not packet.is_discard:
                    times.append(packet.pts)
                for frame in _frames(packet):
                    first = frame.pts if decoded == 0 else first
                    decoded += 1
                if decoded >= _DECODED:
                    break
    except (av.error.FFmpegError, OSError, ValueError):
        return 0
    return 0 if first is None else sum(time is not None and time < first for time in times)


def _is_framewise(stream: Stream) -> bool:
    codec = stream.codec_context
    return codec is not None and codec.codec.canonical_name in _FRAMEWISE


def _frames(packet: av.Packet) -> list[av.VideoFrame]:
    return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]


def _first_times(container: InputContainer, index: int) -> list[int]:
    stream = container.streams[index]
    frames = (frame for packet in container.demux(stream) for frame in _frames(packet))
    return [frame.pts for frame in islice(frames, _DECODED) if frame.pts is not None]


def _equal_times(container: InputContainer, index: int) -> int:
    # AVI counts packets, and has no times.
    if not _is_framewise(container.streams[index]) or container.format.name == "avi":
        return 0
    times = sorted(
        packet.pts
        for packet in video_packets(container, index)
        if packet.pts is not None and not packet.is_discard
    )
    return sum(before == after for before, after in pairwise(times))


def video_packets(container: InputContainer, index: int) -> Iterator[av.Packet]:
    """Yield the packets of one stream that hold something; the others are not even read."""
    for stream in container.streams:
        if stream.index != index:
            stream.discard = Discard.all
    for packet in container.demux(container.streams[index]):
        if packet.size:
            yield packet
