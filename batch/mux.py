"""Every track but the picture, copied packet for packet."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from fractions import Fraction

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from ..core.errors import OutputError
from ..core.media import ClipInfo, StreamInfo

# Written by the muxer itself, or true only of the file they came from.
_OWN_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
_ADTS_SYNC = 0xFFF
_MOVIE_TIMESCALE_LIMIT = 2**31


class TrackDigest:
    """Fingerprint of a track's packets.

    Attributes:
        packets: How many.
        start: Seconds at which the first one plays; None before it came.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.start: Fraction | None = None
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, packet: av.Packet) -> None:
        """Count one packet in."""
        time = packet.dts if packet.pts is None else packet.pts
        if self.start is None and time is not None:
            self.start = time * Fraction(packet.time_base)
        self.packets += 1
        self._hash.update(payload(packet))

    def same_content(self, other: TrackDigest) -> bool:
        """Whether both hold the same packets, byte for byte."""
        return (self.packets, self._hash.digest()) == (other.packets, other._hash.digest())


def payload(packet: av.Packet) -> memoryview:
    """A packet's content; AAC without the ADTS header that only streams need.

    MP4, MOV and Matroska say once for the track what ADTS (ISO/IEC 14496-3, 1.A.2.2) repeats in
    7 or 9 bytes before every packet, and their muxers take it off.
    """
    content = memoryview(packet)
    codec = packet.stream.codec_context
    is_aac = codec is not None and codec.name.startswith("aac")
    if is_aac and len(content) >= 7 and int.from_bytes(content[:2]) >> 4 == _ADTS_SYNC:
        return content[7 if content[1] & 1 else 9 :]
    return content


class CopiedTracks:
    """The tracks that go from one clip to the other as they are.

    Attributes:
        left_out: One line for each track that the container can't hold; never sound.
        sound: What was written of each sound track, in their order.

    Raises:
        OutputError: The container can't hold a sound track.
    """

    def __init__(self, source: InputContainer, info: ClipInfo, target: OutputContainer):
        self.left_out: list[str] = []
        self.sound: list[TrackDigest] = []
        self._target = target
        self._tracks: dict[int, Stream] = {}
        self._digests: dict[int, TrackDigest] = {}
        for stream in info.others:
            self._add(source.streams[stream.index], stream)

    def _add(self, template: Stream, about: StreamInfo) -> None:
        if "timecode" in template.metadata and about.type == "data":
            return  # QuickTime's timecode track is written anew from the picture's metadata.
        try:
            if about.type not in ("audio", "subtitle", "video"):
                raise ValueError(about.type)
            copy = self._target.add_stream_from_template(template)
        except ValueError as error:
            self._refuse(about, error)
            return
        copy.metadata.update(template.metadata)
        copy.disposition = template.disposition
        self._tracks[about.index] = copy
        if about.type == "audio":
            self._digests[about.index] = TrackDigest()
            self.sound.append(self._digests[about.index])

    def _refuse(self, about: StreamInfo, error: ValueError) -> None:
        if about.type == "audio":
            raise OutputError(
                f"sound track {about.index} ({about.codec}) can't be held by "
                f"{self._target.format.name}",
                hint="--container mov or --container mkv may hold it",
            ) from error
        self.left_out.append(
            f"track {about.index} ({about.type}, {about.codec}) is left out: "
            f"{self._target.format.name} can't hold it as it is"
        )

    def mux(self, packet: av.Packet) -> None:
        """Write a packet of any track of the source, if its track is copied."""
        copy = self._tracks.get(packet.stream.index)
        if copy is None:
            return
        if packet.stream.index in self._digests:
            self._digests[packet.stream.index].add(packet)
        if packet.dts is None:
            # A cover picture has no time at all; muxers want one.
            packet.pts = packet.dts = packet.pts or 0
        packet.stream = copy
        self._target.mux(packet)


def copy_metadata(source: InputContainer, info: ClipInfo, target: OutputContainer) -> None:
    """Title, dates, chapters and the start timecode."""
    kept = {key: value for key, value in source.metadata.items() if key not in _OWN_TAGS}
    target.metadata.update(kept)
    if not info.origin:
        target.set_chapters(source.chapters())
    picture = target.streams.video[0]
    picture.metadata.update(source.streams[info.video.index].metadata)
    for stream in source.streams:
        if "timecode" in stream.metadata:
            picture.metadata.setdefault("timecode", stream.metadata["timecode"])


def movie_timescale(source: InputContainer) -> int:
    """Ticks a second in which MP4 and MOV can write when each track starts, exactly.

    A start later than 0 is written in ticks of the movie, 1/1000 s unless told otherwise, which
    would move sound against picture by up to half a millisecond.
    """
    return _common_scale(
        _track_scale(stream) for stream in source.streams if stream.time_base is not None
    )


def _track_scale(stream: Stream) -> Fraction:
    if isinstance(stream, av.AudioStream) and stream.codec_context.sample_rate:
        return Fraction(1, stream.codec_context.sample_rate)
    return Fraction(stream.time_base or 1)


def _common_scale(time_bases: Iterable[Fraction]) -> int:
    scale = 1000
    for time_base in time_bases:
        wider = math.lcm(scale, time_base.denominator)
        scale = wider if wider < _MOVIE_TIMESCALE_LIMIT else scale
    return scale
