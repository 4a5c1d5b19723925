"""Every track but the picture, copied packet for packet."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.container import InputContainer, OutputContainer
from av.stream import AttachmentStream, Discard, Stream

from ..core.errors import MediaError, OutputError
from ..core.excerpt import Cut
from ..core.media import ClipInfo, StreamInfo, open_clip
from .cut import cut_chapters, cut_packets, cut_timecode, seek_before

MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
# A post house can do without a data track, not without what is heard or read.
_REFUSED_TYPES = ("audio", "subtitle")
# Written by the muxer itself, or true only of the file they came from.
_OWN_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
_OF_TIMECODE_TRACKS = frozenset({"timecode", "reel_name"})
_ADTS_SYNC = 0xFFF
# Length of a text of no characters (3GPP TS 26.245).
_NO_TEXT = b"\0\0"
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
        self.add_content(payload(packet))

    def add_content(self, content: bytes | memoryview) -> None:
        """Count what a packet says in; nothing where it says nothing."""
        if content:
            self.packets += 1
            self._hash.update(content)

    def same_content(self, other: TrackDigest) -> bool:
        """Whether both hold the same packets, byte for byte."""
        return (self.packets, self._hash.digest()) == (other.packets, other._hash.digest())


def payload(packet: av.Packet) -> memoryview:
    """A packet's content; AAC without the ADTS header that only streams need.

    MP4, MOV and Matroska say once for the track what ADTS (ISO/IEC 14496-3, 1.A.2.2) repeats in
    7 or 9 bytes before every packet, and their muxers take it off. Of MP4's subtitles the packets
    that show nothing count for nothing: the muxer puts them where it needs them.
    """
    content = memoryview(packet)
    codec = packet.stream.codec_context
    if codec is not None and codec.name == "mov_text" and content == _NO_TEXT:
        return content[:0]
    is_aac = codec is not None and codec.name.startswith("aac")
    if is_aac and len(content) >= 7 and int.from_bytes(content[:2]) >> 4 == _ADTS_SYNC:
        return content[7 if content[1] & 1 else 9 :]
    return content


@dataclass(frozen=True)
class CopiedTrack:
    """A track that goes over as it is.

    Attributes:
        about: What the source says of it.
        stream: Where it goes.
        digest: What was written of it.
    """

    about: StreamInfo
    stream: Stream
    digest: TrackDigest


class CopiedTracks:
    """The tracks that go from one clip to the other as they are.

    Sound and subtitles that the container can't hold are refused, unless `drop_unsupported`;
    other tracks are left out, and named.

    Attributes:
        left_out: One line for each track that the container can't hold.
        tracks: What is copied, in the order of the source.

    Raises:
        OutputError: The container can't hold a sound or subtitle track.
    """

    def __init__(
        self,
        source: InputContainer,
        info: ClipInfo,
        target: OutputContainer,
        *,
        drop_unsupported: bool = False,
    ):
        self.left_out: list[str] = []
        self.tracks: list[CopiedTrack] = []
        self._target = target
        self._by_index: dict[int, CopiedTrack] = {}
        for about in info.others:
            template = source.streams[about.index]
            if _written_anew(template):
                continue
            if holds(target.format.name, template):
                self._add(template, about)
            elif about.type in _REFUSED_TYPES and not drop_unsupported:
                raise _refusal(template, about, target.format.name)
            else:
                self.left_out.append(
                    f"track {about.index} ({about.type}, {about.codec}) is left out: "
                    f"{target.format.name} can't hold it as it is"
                )

    @property
    def sound(self) -> list[CopiedTrack]:
        """The sound tracks among them."""
        return [track for track in self.tracks if track.about.type == "audio"]

    def _add(self, template: Stream, about: StreamInfo) -> None:
        copy = self._target.add_stream_from_template(template)
        copy.metadata.update(template.metadata)
        copy.disposition = template.disposition
        track = CopiedTrack(about, copy, TrackDigest())
        if isinstance(template, AttachmentStream):
            # It lies in the header: there are no packets.
            track.digest.add_content(template.data)
        self.tracks.append(track)
        self._by_index[about.index] = track

    def mux(self, packet: av.Packet) -> None:
        """Write a packet of any track of the source, if its track is copied."""
        track = self._by_index.get(packet.stream.index)
        if track is None:
            return
        track.digest.add(packet)
        if packet.dts is None:
            # A cover picture has no time at all; muxers want one.
            packet.pts = packet.dts = packet.pts or 0
        packet.stream = track.stream
        self._target.mux(packet)


def _written_anew(template: Stream) -> bool:
    """Tracks of QuickTime that its muxer makes itself, from the picture's metadata and chapters."""
    timecode = "timecode" in template.metadata
    # FFmpeg reads a chapter track on its own account, and says that nobody else should.
    chapters = template.discard == Discard.all
    return template.type == "data" and (timecode or chapters)


def holds(muxer: str, template: Stream) -> bool:
    """Whether a container takes a track as it is, found out by writing one's beginning."""
    with av.open(io.BytesIO(), "w", format=muxer) as trial:
        try:
            trial.add_stream_from_template(template)
            trial.start_encoding()
        except (ValueError, av.error.FFmpegError):
            return False
    return True


def _refusal(template: Stream, about: StreamInfo, muxer: str) -> OutputError:
    kind = "sound" if about.type == "audio" else about.type
    ways = [
        f"--container {suffix[1:]}" for suffix, other in MUXERS.items() if holds(other, template)
    ]
    return OutputError(
        f"{kind} track {about.index} ({about.codec}) can't be held by {muxer}",
        hint=" or ".join([*ways, "--drop-unsupported"]) + " gets it done",
    )


def copied_packets(path: Path, info: ClipInfo, cut: Cut | None = None) -> Iterator[av.Packet]:
    """The packets of every track but the picture, read from the source once more.

    Args:
        path: The source.
        info: What its first reading has found.
        cut: The part of the source that is wanted; None is all of it.

    Raises:
        MediaError: It can't be read.
    """
    if not info.others:
        return
    with open_clip(path) as container:
        try:
            if cut is None:
                yield from _other_packets(container, info)
            else:
                seek_before(container, cut, info.origin)
                yield from cut_packets(_other_packets(container, info), cut)
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError(f"can't be read on: {error}", path=path) from error


def _other_packets(container: InputContainer, info: ClipInfo) -> Iterator[av.Packet]:
    for packet in container.demux():
        # The last packet of each track is empty: it flushes decoders.
        if packet.stream.index != info.video.index and packet.size:
            yield _from_origin(packet, info.origin)


def _from_origin(packet: av.Packet, origin: Fraction) -> av.Packet:
    """As `ClipReader` does it."""
    if origin and packet.time_base:
        shift = round(origin / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
    return packet


def copy_metadata(
    source: InputContainer, info: ClipInfo, target: OutputContainer, cut: Cut | None = None
) -> None:
    """Title, dates, chapters, the start timecode and the reel's name; those of a part of it."""
    kept = {key: value for key, value in source.metadata.items() if key not in _OWN_TAGS}
    target.metadata.update(kept)
    if not info.origin:
        chapters = source.chapters()
        target.set_chapters(chapters if cut is None else cut_chapters(chapters, cut))
    picture = target.streams.video[0]
    picture.metadata.update(source.streams[info.video.index].metadata)
    for stream in source.streams:
        for key in _OF_TIMECODE_TRACKS & set(stream.metadata):
            picture.metadata.setdefault(key, stream.metadata[key])
    if cut is not None:
        cut_timecode(picture.metadata, info.video, cut)


def movie_timescale(source: InputContainer) -> int:
    """Ticks a second in which MP4 and MOV can write when each track starts, exactly.

    A start later than 0 is written in ticks of the movie, 1/1000 s unless told otherwise, which
    would move sound against picture by up to half a millisecond.
    """
    return _common_scale(
        _track_scale(stream) for stream in source.streams if stream.time_base is not None
    )


def _track_scale(stream: Stream) -> Fraction:
    context = stream.codec_context
    # A codec that FFmpeg does not know has none.
    if isinstance(stream, av.AudioStream) and context is not None and context.sample_rate:
        return Fraction(1, context.sample_rate)
    return Fraction(stream.time_base or 1)


def _common_scale(time_bases: Iterable[Fraction]) -> int:
    scale = 1000
    for time_base in time_bases:
        wider = math.lcm(scale, time_base.denominator)
        scale = wider if wider < _MOVIE_TIMESCALE_LIMIT else scale
    return scale
