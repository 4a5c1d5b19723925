"""Verification of a written clip: it is read back and compared with what was meant."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import av.error
from av.stream import AttachmentStream

from ...core.clips.clip_info import ClipInfo
from ...core.clips.media import ClipReader
from ...core.errors import BrushreelError, MediaError, OutputError
from ...core.frames.frame import Frame
from ...core.options import VerifyLevel
from .inventory import take
from .mux import CopiedTrack
from .not_kept import Losses, Lost
from .packet_units import VideoDigest, header_units
from .track_digest import TrackDigest

# Matroska counts in milliseconds; MP4 starts a track to the tick, but in ticks of its own.
_AUDIO_START_TOLERANCE = Fraction(1, 1000)
# Enough to prove that container and header are those of the packets.
_DECODED_PACKETS = 24


@dataclass
class ExpectedVideo:
    """Video stream as it was written, noted packet by packet; 8 bytes a frame.

    Attributes:
        codec: FFmpeg's name of the codec.
        size: Width and height in pixels.
        header: The encoder's extradata.
        digest: Fingerprint of the packets.
        pts: Times of the packets, in decoding order, in units of `Expectation.time_base`.
    """

    codec: str
    size: tuple[int, int]
    header: bytes
    digest: VideoDigest
    pts: array[int] = field(default_factory=lambda: array("q"))

    @classmethod
    def of(cls, stream: av.VideoStream) -> Self:
        """Return the expectation of a stream that has no packets yet."""
        context = stream.codec_context
        codec, header = context.codec.canonical_name, bytes(context.extradata or b"")
        return cls(codec, (context.width, context.height), header, VideoDigest(codec, header))

    def add(self, packet: av.Packet) -> None:
        """Note a packet."""
        assert packet.pts is not None
        self.pts.append(packet.pts)
        self.digest.add(bytes(packet))


@dataclass
class Expectation:
    """Expected content of a clip, noted while it is written; 8 bytes a frame.

    Attributes:
        time_base: Seconds; the unit of the times.
        tolerance: Seconds by which a time may be rounded; 0 where the container is exact.
        pts: Presentation time of every frame.
        last_end: End of the last frame, in units of `time_base`.
        tracks: Every stream but the video, in order, with a digest of what was written.
        video: The video stream; None until something was written of it.
        losses: Inventory of the source; None where it is not compared.
        announced: Losses that were announced.
    """

    time_base: Fraction
    tolerance: Fraction = Fraction(0)
    pts: array[int] = field(default_factory=lambda: array("q"))
    last_end: int = 0
    tracks: Sequence[CopiedTrack] = ()
    video: ExpectedVideo | None = None
    losses: Losses | None = None
    announced: Lost = field(default_factory=dict)

    def add(self, frame: Frame) -> None:
        """Note a frame."""
        self.pts.append(frame.pts)
        self.last_end = frame.pts + frame.duration


def verify(
    path: Path, expected: Expectation, name: Path, level: VerifyLevel = "standard"
) -> Sequence[str]:
    """Read a written clip back; every packet, time and stream must be there.

    The packets of the video stream have been decoded before, segment by segment. Here they must be
    the same bytes at the right times, under a header with which the first of them decode. Then the
    inventories of source and output are compared.

    Args:
        path: The written file.
        expected: Its intended content.
        name: Name of the file in errors: the one that it was going to get.
        level: "full" compares the packets of every copied stream, not those of audio alone.

    Returns:
        Texts and marks that were lost without having been announced, a line each.

    Raises:
        OutputError: Something else differs; it says what.
    """
    video = expected.video
    assert video is not None
    try:
        with ClipReader(path, interlaced="keep", cropped=False) as reader:
            found = _read_back(reader)
            _check_times(found.pts, found.time_base, expected, video)
            _check_header(reader, video)
    except MediaError as error:
        raise OutputError(f"did not read back: {error.what}", path=name) from error
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise OutputError.because(
            error, "did not read back", path=name, otherwise="its packets are damaged"
        ) from error
    except OutputError as error:
        error.path = name
        raise
    if not found.video.same_content(video.digest):
        raise OutputError("did not read back: its video differs from what was encoded", path=name)
    _check_duration(reader.info, expected, name)
    for kind in sorted({track.about.type for track in expected.tracks} | {"audio"}):
        wanted = [track.digest for track in expected.tracks if track.about.type == kind]
        _check_tracks(kind, found.others.get(kind, []), wanted, name, level)
    return _unannounced(path, expected, name)


def _unannounced(path: Path, expected: Expectation, name: Path) -> Sequence[str]:
    """Compare the inventories of source and output."""
    if expected.losses is None:
        return ()
    try:
        lost = expected.losses.found_in(take(path), expected.tracks)
        return expected.losses.unannounced(lost, expected.announced)
    except BrushreelError as error:
        error.path = name
        raise


@dataclass
class _Found:
    """Content of a written clip.

    Attributes:
        time_base: Seconds; the unit of `pts`.
        pts: Times of the video packets that are shown, in decoding order.
        video: Fingerprint of the video packets.
        others: Content of the other streams by type, in their order.
    """

    time_base: Fraction
    pts: list[int]
    video: VideoDigest
    others: dict[str, list[TrackDigest]]


def _read_back(reader: ClipReader) -> _Found:
    """Read every packet, and decode the first ones of the video stream."""
    stream = _video_stream(reader)
    digests = {other.index: TrackDigest() for other in reader.info.others}
    codec = stream.codec_context
    video = VideoDigest(codec.codec.canonical_name, bytes(codec.extradata or b""))
    pts: list[int] = []
    shown = 0
    for packet in reader.container.demux():
        if not packet.size:
            continue  # the last packet of each stream flushes decoders
        if packet.stream.index != stream.index:
            digests[packet.stream.index].add(packet)
            continue
        video.add(bytes(packet))
        if packet.pts is None:
            raise MediaError(f"packet {video.packets - 1} of its video has no time")
        # An edit list may hide what is there.
        if not packet.is_discard:
            pts.append(packet.pts)
        if video.packets <= _DECODED_PACKETS:
            shown += len(codec.decode(packet))
    shown += len(codec.decode(None))
    if shown != min(len(pts), _DECODED_PACKETS):
        raise MediaError(f"its first {_DECODED_PACKETS} packets hold {shown} frames")
    for about in reader.info.others:
        other = reader.container.streams[about.index]
        if isinstance(other, AttachmentStream):
            digests[about.index].add_content(other.data)
    others: dict[str, list[TrackDigest]] = {}
    for about in reader.info.others:
        others.setdefault(about.type, []).append(digests[about.index])
    return _Found(reader.info.video.time_base, pts, video, others)


def _video_stream(reader: ClipReader) -> av.VideoStream:
    stream = reader.container.streams[reader.info.video.index]
    assert isinstance(stream, av.VideoStream)
    return stream


def _check_header(reader: ClipReader, video: ExpectedVideo) -> None:
    """Compare codec, size and parameter sets with the encoder's."""
    context = _video_stream(reader).codec_context
    codec, size = context.codec.canonical_name, (context.width, context.height)
    if (codec, size) != (video.codec, video.size):
        (width, height), (wide, high) = size, video.size
        raise OutputError(f"is {codec} {width}x{height} instead of {video.codec} {wide}x{high}")
    extradata = bytes(context.extradata or b"")
    if not all(unit in extradata for unit in header_units(codec, video.header)):
        raise OutputError("did not read back: its header differs from the encoder's")


def _check_times(
    pts: Sequence[int], time_base: Fraction, expected: Expectation, video: ExpectedVideo
) -> None:
    if len(pts) != len(expected.pts):
        raise OutputError(f"has {len(pts)} frames instead of {len(expected.pts)}")
    for found, written in zip(pts, video.pts, strict=True):
        time, wanted = found * time_base, written * expected.time_base
        if abs(time - wanted) > expected.tolerance:
            index = bisect_left(expected.pts, written)
            raise MediaError(
                f"frame {index} is at {float(time):.6f} s instead of {float(wanted):.6f} s"
            )


def _check_duration(info: ClipInfo, expected: Expectation, name: Path) -> None:
    """Check that the video ends with its last frame, to a tick; Matroska does not state it."""
    if info.video.duration is None:
        return
    end = expected.pts[0] * expected.time_base + info.video.duration
    wanted = expected.last_end * expected.time_base
    if abs(end - wanted) > max(expected.tolerance, info.video.time_base):
        raise OutputError(f"ends at {float(end):.6f} s instead of {float(wanted):.6f} s", path=name)


def _check_tracks(
    kind: str, found: list[TrackDigest], expected: list[TrackDigest], name: Path, level: VerifyLevel
) -> None:
    if kind != "audio":
        # MP4 drops a track that stayed empty.
        found, expected = _filled(found), _filled(expected)
    if kind == "data":
        # MP4 and MOV add tracks of their own, for timecode and chapters, after these.
        found = found[: len(expected)]
    if len(found) != len(expected):
        raise OutputError(f"has {len(found)} {kind} tracks instead of {len(expected)}", path=name)
    for index, (track, wanted) in enumerate(zip(found, expected, strict=True)):
        if (kind == "audio" or level == "full") and not track.same_content(wanted):
            raise OutputError(f"{kind} track {index} differs from the source's", path=name)
        if kind == "audio" and _starts_apart(track, wanted):
            raise OutputError(f"audio track {index} starts at another time", path=name)


def _filled(tracks: list[TrackDigest]) -> list[TrackDigest]:
    return [track for track in tracks if track.packets]


def _starts_apart(one: TrackDigest, other: TrackDigest) -> bool:
    return abs((one.start or 0) - (other.start or 0)) > _AUDIO_START_TOLERANCE
