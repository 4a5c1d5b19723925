"""`Reader` of a range whose packets were cut out of a clip: the same frames, without the file."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import SimpleNamespace
from typing import Any, NoReturn, Self

import av
from av.codec.context import Flags

from ..errors import MediaError
from ..frames.fields import Deinterlacer
from ..frames.frame import Frame
from ..options import Interlaced
from .clip_info import ClipInfo
from .ffmpeg_packet import ffmpeg_packet
from .frame_colours import FrameColours
from .frame_table import FrameTable
from .range import FrameRange
from .range_reader import RangeReader

# Frames after a range that are needed: one for the last one's duration, and what deinterlacing
# looks at.
_AFTER = 3
# What a container tells a decoder before the first packet.
_TOLD = (
    *("extradata", "codec_tag", "width", "height", "pix_fmt", "bits_per_coded_sample"),
    *("color_range", "color_primaries", "color_trc", "colorspace"),
)
# Side data of packets that no decoder reads.
_HARMLESS = frozenset({"mpegts_stream_id", "cpb_properties", "skip_samples"})


@dataclass(frozen=True)
class CutPacket:
    """Packet of a clip, with its times in units of the stream's time base."""

    content: bytes
    pts: int
    dts: int | None
    duration: int | None
    keyframe: bool


@dataclass(frozen=True)
class Packets:
    """Packets of a range of a clip, and what is needed to decode them.

    Attributes:
        info: Facts of the range.
        interlaced: How interlaced frames are handled.
        decoder: Name of the decoder.
        told: What the container has told the decoder.
        colours: Colours of the clip's first frame.
        pts: Times of the frames that are decoded.
        frames: The range, counted from the first of these.
        last_duration: Duration of the clip's last frame, where the range has it.
        packets: In the order of decoding, from a key frame on.
    """

    info: ClipInfo
    interlaced: Interlaced
    decoder: str
    told: dict[str, Any]
    colours: FrameColours
    pts: Sequence[int]
    frames: FrameRange
    last_duration: int
    packets: tuple[CutPacket, ...]

    @property
    def size(self) -> int:
        """Bytes of all packets."""
        return sum(len(packet.content) for packet in self.packets)


def cut(reader: RangeReader) -> Packets | None:
    """Return the packets that a range is decoded from, without decoding them.

    Args:
        reader: Reader of the range, from which nothing was read yet.

    Returns:
        The packets; None where a decoder needs more than these.
    """
    if not reader._sought:
        return None
    pts, part = reader.times, reader._frames
    lead = reader._lead
    times = pts[lead : part.end + _AFTER]
    found: list[CutPacket] = []
    missing = {reader._of_container(time) for time in times}
    for packet in reader._from_key_frame():
        if not missing:
            break
        if not packet.size:
            continue
        if packet.pts is None or not _HARMLESS.issuperset(_side_data(packet)):
            return None
        found.append(
            CutPacket(bytes(packet), packet.pts, packet.dts, packet.duration, packet.is_keyframe)
        )
        missing.discard(packet.pts)
    if missing:
        return None
    decoder = reader._decoder
    return Packets(
        info=reader.info,
        interlaced=reader._interlaced,
        decoder=decoder.codec.name,
        told={name: getattr(decoder, name) for name in _TOLD},
        colours=reader._colours,
        pts=array("q", times),
        frames=FrameRange(part.first - lead, part.end - lead),
        last_duration=_duration_of_last(reader) if part.end == len(pts) else 0,
        packets=tuple(found),
    )


def _side_data(packet: av.Packet) -> Iterator[str]:
    return (item.data_type for item in packet.iter_sidedata())


def _duration_of_last(reader: RangeReader) -> int:
    """Return the duration of the clip's last frame, decoded to know it."""
    assert reader.range is not None
    last = FrameRange(reader.range.end - 1, reader.range.end)
    with RangeReader(
        reader.path,
        last,
        interlaced=reader._interlaced,
        cropped=reader._cropped,
        timestamps=reader._timestamps,
    ) as own:
        return next(iter(own)).duration


class PacketReader(RangeReader):
    """`Reader` of a range of a clip from its packets alone; it has no other streams.

    Args:
        packets: From `cut`.
    """

    def __init__(self, packets: Packets):
        info = packets.info
        self.path, self.info = info.path, info
        self._packets = packets
        self._timestamps, self._interlaced = "repair", packets.interlaced
        self._beside, self._announced = set(), set()
        self.recoloured_frames = self.damaged_frames = self.interlaced_frames = 0
        self.foreseen = frozenset()
        self._table = FrameTable(packets.pts)
        self._first_pts, self._sought = None, True
        self._frames = self.range = packets.frames
        self._colours, self._times = packets.colours, self._rising_times()
        self._decoder = _decoder(packets)
        # Colours are all that is asked of it.
        self._stream: Any = SimpleNamespace(codec_context=self._decoder)
        self._deinterlacer, self._places = Deinterlacer(), deque()

    def close(self) -> None:
        """Do nothing: no file is open."""

    def __enter__(self) -> Self:
        return self

    def _from_key_frame(self) -> Iterator[Any]:
        for own in self._packets.packets:
            packet = ffmpeg_packet(own.content)
            packet.pts, packet.dts, packet.duration = own.pts, own.dts, own.duration
            packet.time_base = self.info.video.time_base
            packet.is_keyframe = own.keyframe
            yield packet
        # It makes the decoder give the rest.
        yield None

    def _reopen(self) -> NoReturn:
        raise MediaError(
            "can't be decoded from this range's packets alone",
            path=self.path,
            hint="let the nodes see the source",
        )

    def _last_duration(self, last: Frame) -> int:
        del last
        return self._packets.last_duration


def _decoder(packets: Packets) -> av.VideoCodecContext:
    """Return a decoder set up as `video_decoder` does for a file."""
    decoder = av.CodecContext.create(packets.decoder, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    for name, value in packets.told.items():
        if value is not None:
            setattr(decoder, name, value)
    decoder.thread_type = "AUTO"
    decoder.flags |= Flags.unaligned
    return decoder


def decodes_alike(reader: RangeReader, packets: Packets) -> bool:
    """Return whether the first frame of a range comes out of its packets as out of the file."""
    try:
        ours = next(iter(PacketReader(packets)))
    except (MediaError, ValueError, AttributeError):
        return False
    theirs = next(islice(reader, 1))
    return (ours.pixel_format, ours.colour, ours.duration) == (
        theirs.pixel_format,
        theirs.colour,
        theirs.duration,
    ) and all((one == other).all() for one, other in zip(ours.planes, theirs.planes, strict=True))
