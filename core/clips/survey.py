"""Survey of a clip: what its packets tell before the first frame is converted."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
import av.error
from av.container import InputContainer
from av.stream import Discard

# Larger files would take too long, though packets are not decoded.
_READ_AT_ONCE = 1 << 30
# Packets tell most, but not which times are swapped by B-frames, or which frames can't be decoded.
_DECODED = 24
MOST_IN_A_ROW = 2
"""Frames in a row whose times are repaired: more is no disorder, but another clock."""
# One packet holds one frame; of these, in the order of display.
_IN_ORDER = frozenset({"vp9", "av1", "prores", "dnxhd", "mjpeg", "ffv1"})
_FRAMEWISE = _IN_ORDER | {"h264", "hevc", "mpeg2video", "mpeg4"}
# Frames that H.264 and HEVC decode ahead of display at most.
_LONGEST_DELAY = 16
# Headers and side data come before the samples.
_HEAD = 4096
# Beginnings of what frames carry: user data by country, provider and kind (ITU-T T.35; ATSC A/53,
# part 4; SMPTE ST 2094-40), and of MPEG-2 by start code.
_CARRIED = {
    b"\xb5\x00\x31GA94\x03": "A53_CC",
    b"\0\0\1\xb2GA94\x03": "A53_CC",
    b"\xb5\x00\x31DTG1": "AFD",
    b"\0\0\1\xb2DTG1": "AFD",
    b"\xb5\x00\x3c\x00\x01\x04": "DYNAMIC_HDR_PLUS",
    b"\x26\x00\x04\x00\x05": "DYNAMIC_HDR_VIVID",
}
_OWN_HEADER = {"h264": (31, 0, 7), "hevc": (63, 1, 33)}  # mask, shift and type of a NAL unit
_MOST_HEADERS = 16


class Disorder(NamedTuple):
    """Frames whose times do not rise.

    Attributes:
        frames: Their number.
        restart: Time of the first of several in a row, and of the frame before, in units of the
            stream's time base: its clock starts again; None where it does not.
    """

    frames: int = 0
    restart: tuple[int, int] | None = None


_ORDERLY = Disorder()


class OtherHeader(NamedTuple):
    """A place from which on another header counts.

    Attributes:
        pts: Its time, in units of the stream's time base.
        frame: First frame that was met under this header; None for the stream's first header.
    """

    pts: int
    frame: av.VideoFrame | None


@dataclass(frozen=True)
class Survey:
    """Facts that the packets of a video stream tell.

    Attributes:
        missing_at_start: Frames before the first one that can be decoded: a stream that was cut
            out of a broadcast begins between keyframes.
        disorder: Frames whose times do not rise.
        headers: Changes of the stream's header, where colours, size and fields may change, too.
        carried: FFmpeg's names of side data that frames carry.
    """

    missing_at_start: int = 0
    disorder: Disorder = _ORDERLY
    headers: tuple[OtherHeader, ...] = ()
    carried: frozenset[str] = frozenset()


def survey(path: Path, index: int) -> Survey:
    """Read the packets of a video stream, and decode the first frames.

    Args:
        path: The clip.
        index: Index of the stream.

    Returns:
        What they tell; of large files what the beginning tells, and nothing where the clip can't be
        read: whoever reads it reports that.
    """
    missing, beginning = 0, _ORDERLY
    packets = _Packets()
    try:
        missing, beginning = _beginning(path, index)
        if path.stat().st_size <= _READ_AT_ONCE:
            packets.read(path, index)
    except (av.error.FFmpegError, OSError, ValueError):
        return Survey(missing, beginning)
    # The one that has met more of them.
    disorder = max(
        beginning, packets.disorder(), key=lambda found: (found.restart is not None, *found[:1])
    )
    return Survey(missing, disorder, tuple(packets.headers), frozenset(packets.carried))


def video_packets(container: InputContainer, index: int) -> Iterator[av.Packet]:
    """Yield the packets of one stream that hold something; the others are not even read."""
    for stream in container.streams:
        if stream.index != index:
            stream.discard = Discard.all
    for packet in container.demux(container.streams[index]):
        if packet.size:
            yield packet


def _codec(container: InputContainer, index: int) -> str:
    context = container.streams[index].codec_context
    return "" if context is None else context.codec.canonical_name


def _beginning(path: Path, index: int) -> tuple[int, Disorder]:
    """Count the frames missing at the start, and look at the times of the first ones."""
    times: list[int | None] = []
    shown: list[tuple[int | None, int]] = []
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        framewise = _codec(container, index) in _FRAMEWISE
        stream = container.streams[index]
        if isinstance(stream, av.VideoStream):
            stream.thread_type = "AUTO"
        # AVI has no presentation times: a reader counts its frames.
        timed = container.format.name != "avi"
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                times.append(packet.pts)
            frames = (frame for frame in packet.decode() if isinstance(frame, av.VideoFrame))
            shown += [(frame.pts, frame.duration) for frame in frames]
            if len(shown) >= _DECODED:
                break
    first = shown[0][0] if shown and framewise else None
    missing = 0 if first is None else sum(pts is not None and pts < first for pts in times)
    return missing, _disorder(_filled(shown[:_DECODED] if timed else ()))


def _filled(frames: Iterable[tuple[int | None, int]]) -> Iterator[int]:
    """Yield times from times and durations; a frame without one comes after the one before it."""
    after = 0
    for pts, duration in frames:
        time = after if pts is None else pts
        yield time
        after = time + duration


class _Packets:
    """All packets of a stream, as they are read one after the other.

    Attributes:
        headers: Changes of the header.
        carried: FFmpeg's names of side data.
    """

    def __init__(self) -> None:
        self.headers: list[OtherHeader] = []
        self.carried: set[str] = set()
        self._times: list[int] = []
        self._delay = 0
        self._header: bytes | None = None
        self._frames: dict[bytes, av.VideoFrame | None] = {}

    def read(self, path: Path, index: int) -> None:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            codec = _codec(container, index)
            # AVI counts packets, and has no times.
            timed = codec in _FRAMEWISE and container.format.name != "avi"
            self._delay = 0 if codec in _IN_ORDER else _LONGEST_DELAY
            for packet in video_packets(container, index):
                if timed and packet.pts is not None and not packet.is_discard:
                    self._times.append(packet.pts)
                head = bytes(memoryview(packet)[:_HEAD])
                self.carried |= {name for mark, name in _CARRIED.items() if mark in head}
                self._look_at_header(packet, codec, head)

    def _look_at_header(self, packet: av.Packet, codec: str, head: bytes) -> None:
        """Note a change of the header, with the frame of its first packet."""
        context = packet.stream.codec_context
        assert isinstance(context, av.VideoCodecContext)
        extradata = bytes(context.extradata or b"")
        new = packet.get_sidedata("new_extradata") if packet.has_sidedata("new_extradata") else None
        header = _stated_header(codec, head, extradata) if new is None else bytes(new)
        if not header or header == self._header or len(self._frames) > _MOST_HEADERS:
            return
        if header not in self._frames:
            first = not self._frames or header in extradata
            own = extradata if new is None else header
            self._frames[header] = None if first else _decoded(packet, context, own)
        if self._header is not None:
            self.headers.append(OtherHeader(packet.pts or 0, self._frames[header]))
        self._header = header

    def disorder(self) -> Disorder:
        """Find times that do not rise once frames are in the order of display."""
        return _disorder(_displayed(self._times, self._delay))


def _disorder(times: Iterable[int]) -> Disorder:
    """Find times that do not rise, when each of these is put a tick after the one before."""
    frames = in_a_row = 0
    last: int | None = None
    for pts in times:
        if last is None or pts > last:
            last, in_a_row = pts, 0
            continue
        frames, in_a_row = frames + 1, in_a_row + 1
        if in_a_row > MOST_IN_A_ROW:
            return Disorder(frames, (pts, last))
        last += 1
    return Disorder(frames)


def _decoded(
    packet: av.Packet, context: av.VideoCodecContext, extradata: bytes
) -> av.VideoFrame | None:
    """Return the frame of one packet; None where it can't be decoded alone."""
    decoder = av.CodecContext.create(context.name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = extradata
    try:
        return next(iter([*decoder.decode(packet), *decoder.decode(None)]), None)
    except av.error.FFmpegError:
        return None


def _displayed(times: Iterable[int], delay: int) -> Iterator[int]:
    """Yield times in the order of display, of which frames lag by so many at most."""
    waiting: list[int] = []
    for pts in times:
        heapq.heappush(waiting, pts)
        if len(waiting) > delay:
            yield heapq.heappop(waiting)
    while waiting:
        yield heapq.heappop(waiting)


def _stated_header(codec: str, head: bytes, extradata: bytes) -> bytes:
    """Return what the beginning of a packet states of all frames after it.

    Args:
        codec: FFmpeg's name of the codec.
        head: First bytes of the packet.
        extradata: Header of the stream, as its container stores it.

    Returns:
        Sequence parameter set (H.264, HEVC), sequence header (MPEG-1, MPEG-2, AV1), beginning of
        a keyframe (VP9) or frame header (ProRes); empty where it states nothing.
    """
    if codec in _OWN_HEADER:
        mask, shift, wanted = _OWN_HEADER[codec]
        units = _after_lengths(head) if extradata[:1] == b"\1" else head.split(b"\0\0\1")
        sets = (unit for unit in units if unit and unit[0] >> shift & mask == wanted)
        return next(sets, b"").rstrip(b"\0")
    if codec in ("mpeg1video", "mpeg2video"):
        start = head.find(b"\0\0\1\xb3")
        ends = [head.find(code, start) for code in (b"\0\0\1\xb8", b"\0\0\1\0")]
        return head[start : min((end for end in ends if end > 0), default=start)] if ~start else b""
    if codec == "av1":
        units = head[2:] if head[:2] == b"\x12\0" else head
        return units[2 : 2 + units[1]] if units[:1] == b"\x0a" else b""
    if codec == "vp9":
        # Keyframes have a sync code after their first byte.
        return head[1:8] if head[1:4] == b"\x49\x83\x42" else b""
    return head[8:26] if codec == "prores" else b""


def _after_lengths(head: bytes) -> Iterator[bytes]:
    """Yield the NAL units of a packet's first bytes, each after 4 bytes of length."""
    position = 0
    while position + 4 < len(head):
        size = int.from_bytes(head[position : position + 4])
        yield head[position + 4 : position + 4 + size]
        position += 4 + size
