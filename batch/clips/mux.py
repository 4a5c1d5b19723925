"""Streams next to the video, copied packet for packet."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeGuard

import av
import av.error
from av.container import OutputContainer
from av.stream import AttachmentStream, Disposition, Stream

from ...core.clips.clip_info import StreamInfo
from ...core.clips.next_to_video import PLAYED_TYPES
from ...core.clips.opening import open_clip
from ...core.clips.reader import Reader
from ...core.errors import OutputError
from ...core.human import counted
from ...core.options import AudioCodec
from ..encoding.codecs import container_hint
from ..encoding.encode import MATROSKA
from .audio_conversion import Conversion, can_convert
from .gapless import Padding, padding_of, with_delay
from .inventory import is_made_by_muxer
from .output_tags import language_tag
from .track_digest import PacketFacts, TrackDigest

MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
BOXED = frozenset({"mp4", "mov"})
"""Containers that are made of boxes."""

_IMAGES = {
    "mjpeg": ("jpg", "image/jpeg"),
    "png": ("png", "image/png"),
    "bmp": ("bmp", "image/bmp"),
    "gif": ("gif", "image/gif"),
    "webp": ("webp", "image/webp"),
    "tiff": ("tif", "image/tiff"),
}
_USUAL_LAYOUTS = {1: "mono", 2: "stereo"}
_MOVIE_TIMESCALE_LIMIT = 2**31
# Seconds of the other streams that are read to find the first packet of each.
_NEAR_START = 10


@dataclass(frozen=True)
class CopiedTrack:
    """Stream that is passed through, or audio that is converted.

    Attributes:
        about: Facts of the source's stream.
        stream: The written stream.
        digest: Digest of what was written.
        conversion: What converts it; None where it is passed through.
        padding: What Matroska states of the samples at its ends; None where it states nothing.
    """

    about: StreamInfo
    stream: Stream
    digest: TrackDigest
    conversion: Conversion | None = None
    padding: Padding | None = None


class CopiedTracks:
    """Streams that are passed through from one clip to the other.

    Audio that the container does not support is converted to the codec `audio`. Other audio and
    subtitles that it does not support are refused, unless `drop_unsupported`; other streams are
    left out, see `Losses`.

    Attributes:
        converted: One line for each stream that is converted.
        damaged: Number of packets, by the index of their stream, that are so damaged that no
            container takes them: of transport streams with holes, say.
        tracks: The copied streams, in the order of the source.

    Raises:
        OutputError: The container does not support an audio or subtitle stream.
    """

    def __init__(
        self,
        source: Reader,
        target: OutputContainer,
        *,
        audio: AudioCodec = "copy",
        drop_unsupported: bool = False,
    ):
        self.converted: list[str] = []
        self.damaged: Counter[int] = Counter()
        self.tracks: list[CopiedTrack] = []
        self._target = target
        self._by_index: dict[int, CopiedTrack] = {}
        for about, template in zip(source.info.others, source.streams, strict=True):
            if is_made_by_muxer(template):
                continue
            if target.format.name in MATROSKA and _is_cover(template):
                self._attach(template, about, attached_image(source.path, about.index))
            elif supports(target.format.name, template):
                self._add(template, about, self._padding(source, template, about))
            elif can_convert(target.format.name, template, audio):
                self._add_converted(template, about, audio)
            elif about.type in PLAYED_TYPES and not drop_unsupported:
                raise _refusal(template, about, target.format.name)

    @property
    def audio(self) -> list[CopiedTrack]:
        """The audio streams among them."""
        return [track for track in self.tracks if track.about.type == "audio"]

    def _padding(self, source: Reader, template: Stream, about: StreamInfo) -> Padding | None:
        """Return what Matroska is to be told of an audio stream that is copied from its start."""
        begins = source.range is None or source.range.first == 0
        audio = isinstance(template, av.AudioStream) and begins
        if self._target.format.name not in MATROSKA or not audio:
            return None
        return padding_of(source.path, about.index)

    def _add(self, template: Stream, about: StreamInfo, padding: Padding | None) -> None:
        if padding is None:
            copy = self._target.add_stream_from_template(template)
        else:
            with with_delay(template, padding) as delayed:
                copy = self._target.add_stream_from_template(delayed.streams[0])
        copy.metadata.update(_named(template.metadata))
        copy.metadata.update(language_tag(template.metadata, self._target))
        copy.disposition = template.disposition
        _name_channels(copy)
        track = CopiedTrack(about, copy, TrackDigest(), padding=padding)
        if isinstance(template, AttachmentStream):
            # It is stored in the header: there are no packets.
            track.digest.add_content(template.data)
        self.tracks.append(track)
        self._by_index[about.index] = track

    def _attach(self, template: Stream, about: StreamInfo, content: bytes) -> None:
        """Store a cover as Matroska does: as an attachment, which demuxers show as a stream."""
        tags = {name.lower(): value for name, value in template.metadata.items()}
        suffix, kind = _IMAGES.get(about.codec, (about.codec, f"image/{about.codec}"))
        name, kind = tags.get("filename", f"cover.{suffix}"), tags.get("mimetype", kind)
        copy = self._target.add_attachment(name, kind, content)
        copy.metadata.update(template.metadata)
        track = CopiedTrack(about, copy, TrackDigest())
        track.digest.add_content(content)
        self.tracks.append(track)

    def _add_converted(self, template: Stream, about: StreamInfo, codec: AudioCodec) -> None:
        assert isinstance(template, av.AudioStream)
        conversion = Conversion(self._target, template, codec)
        conversion.stream.metadata.update(_named(template.metadata))
        conversion.stream.metadata.update(language_tag(template.metadata, self._target))
        conversion.stream.disposition = template.disposition
        track = CopiedTrack(about, conversion.stream, TrackDigest(), conversion)
        self.tracks.append(track)
        self._by_index[about.index] = track
        self.converted.append(
            f"track {about.index} ({about.codec}) is converted to {codec}: "
            f"{self._target.format.name} does not support it"
        )

    def first_packets(self, packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
        """Yield the first packet of every copied stream that begins near the start."""
        waiting = set(self._by_index)
        start: Fraction | None = None
        for packet in packets if waiting else ():
            index, facts = packet.stream.index, PacketFacts.of(packet)
            if facts.time is not None:
                start = facts.time if start is None else start
                if facts.time - start > _NEAR_START:
                    return
            if index in waiting and facts.content:
                yield packet
                waiting.discard(index)
            if not waiting:
                return

    def mux(self, packet: av.Packet) -> None:
        """Write a packet of any stream of the source, if its stream is copied."""
        track = self._by_index.get(packet.stream.index)
        if track is None:
            return
        if track.conversion is not None:
            self._mux_converted(track, packet)
            return
        facts = PacketFacts.of(packet)
        if track.padding is not None:
            track.padding.state_end(packet)
        if packet.dts is None:
            # A cover image has no time at all; muxers want one.
            packet.pts = packet.dts = packet.pts or 0
        packet.stream = track.stream
        try:
            self._target.mux(packet)
        except (av.error.ArgumentError, av.error.InvalidDataError, av.error.PatchWelcomeError):
            # Its time goes back, or its bytes are not valid; what edit lists cut away is no loss.
            self.damaged[track.about.index] += not packet.is_discard
        else:
            track.digest.add_facts(facts)

    def _mux_converted(self, track: CopiedTrack, packet: av.Packet | None) -> None:
        """Write what is encoded of a packet, or of the end."""
        conversion = track.conversion
        assert conversion is not None
        made = conversion.rest() if packet is None else conversion.packets(packet)
        try:
            for encoded in made:
                facts = PacketFacts.of(encoded)
                self._target.mux(encoded)
                track.digest.add_facts(facts)
        except av.error.InvalidDataError:
            self.damaged[track.about.index] += 1

    @property
    def damage(self) -> list[str]:
        """Lines for streams of which packets were left out, or that have none at all."""
        lines = [
            f"track {index}: left out, {counted(count, 'damaged packet')}"
            for index, count in self.damaged.items()
        ]
        empty = [track.about for track in self.tracks if not track.digest.packets]
        return lines + [
            f"track {about.index} ({about.codec}) has no packet here" for about in empty
        ]

    def finish(self) -> None:
        """Write what encoders have kept, and refuse a stream of which no packet could be written.

        Raises:
            OutputError: There is one.
        """
        for track in self.tracks:
            if track.conversion is not None:
                self._mux_converted(track, None)
            if self.damaged[track.about.index] and not track.digest.packets:
                raise OutputError(
                    f"no packet of track {track.about.index} ({track.about.codec}) can be written",
                    hint="convert its audio first",
                )


def _is_cover(template: Stream) -> bool:
    return bool(template.disposition & Disposition.attached_pic)


def attached_image(path: Path, index: int) -> bytes:
    """Return the content of a cover, which demuxers give as a stream of one packet.

    Raises:
        OutputError: There is none.
    """
    with open_clip(path) as container:
        for packet in container.demux(container.streams[index]):
            if packet.size:
                return bytes(packet)
    raise OutputError(f"cover image {index} has no content", path=path)


def _named(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return a stream's metadata with its name as its title, as which FFmpeg's muxers write it."""
    name = metadata.get("name")
    return dict(metadata) if name is None else {"title": name, **metadata}


def _name_channels(copy: Stream) -> None:
    """Name one channel or two; MP4 takes no PCM whose channels have no names."""
    if _has_nameless_channels(copy):
        channels = copy.codec_context.layout.nb_channels
        copy.codec_context.layout = _USUAL_LAYOUTS.get(channels, copy.codec_context.layout)


def _has_nameless_channels(stream: Stream) -> TypeGuard[av.AudioStream]:
    return (
        isinstance(stream, av.AudioStream)
        and stream.codec_context is not None
        and stream.codec_context.layout.name.endswith(" channels")
    )


def supports(muxer: str, template: Stream) -> bool:
    """Return whether a container takes a stream as it is, found out by beginning one."""
    if muxer == "mov" and _is_cover(template):
        # It would become a second video track.
        return False
    if muxer == "mp4" and _has_nameless_channels(template):
        # It would refuse it only when the whole file is written.
        context = template.codec_context
        many = context.layout.nb_channels not in _USUAL_LAYOUTS
        if many and context.name.startswith("pcm_"):
            return False
    with av.open(io.BytesIO(), "w", format=muxer) as trial:
        try:
            trial.add_stream_from_template(template)
            trial.start_encoding()
        except (ValueError, av.error.FFmpegError):
            return False
    return True


def _refusal(template: Stream, about: StreamInfo, muxer: str) -> OutputError:
    ways = [suffix[1:] for suffix, other in MUXERS.items() if supports(other, template)]
    use = f"{container_hint(ways)}; " if ways else ""
    codec = next((name for name in ("aac", "opus") if can_convert(muxer, template, name)), None)
    convert = f"--audio {codec} converts it; " if codec else ""
    return OutputError(
        f"{muxer} does not support {about.type} track {about.index} ({about.codec})",
        hint=f"{use}{convert}--drop-unsupported leaves it out",
    )


def muxer_of(path: Path) -> str:
    """Return FFmpeg's name of a file's container; a GIF is made of a Matroska file."""
    suffix = path.suffix.lower()
    return "matroska" if suffix == ".gif" else MUXERS[suffix]


def movie_timescale(source: Reader) -> int:
    """Return the ticks a second in which MP4 and MOV can write each stream's start exactly.

    A start later than 0 is written in ticks of the movie, 1/1000 s by default, which would move
    audio against video by up to half a millisecond.
    """
    others = [_track_scale(stream) for stream in source.streams if stream.time_base is not None]
    return _common_scale([source.info.video.time_base, *others])


def _track_scale(stream: Stream) -> Fraction:
    context = stream.codec_context
    # A codec that FFmpeg does not know has none.
    if isinstance(context, av.AudioCodecContext) and context.sample_rate:
        return Fraction(1, context.sample_rate)
    return Fraction(stream.time_base or 1)


def _common_scale(time_bases: Iterable[Fraction]) -> int:
    scale = 1000
    for time_base in time_bases:
        wider = math.lcm(scale, time_base.denominator)
        scale = wider if wider < _MOVIE_TIMESCALE_LIMIT else scale
    return scale
