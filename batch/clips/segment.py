"""Segments: encoded packets of consecutive frames, a file each.

No container holds every codec's packets with exact times and as the encoder made them: MP4 and
Matroska rewrite those of H.264 and HEVC, NUT knows neither ProRes nor DNxHR. A segment file is
therefore a plain list: `_MAGIC`, then each packet in decoding order, with `_RECORD` before it.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import av
import av.error

from ...core.atomic import atomic_write
from ...core.clips.clip_info import VideoInfo
from ...core.errors import OutputError
from ...core.frames.av_frame import to_av
from ...core.frames.fields import FieldOrder, flagged
from ...core.frames.frame import Frame
from ..encoding.encode import EncodeSettings, add_video_stream, choose, start_encoding

SUFFIX = ".segment"
_MAGIC = b"brushreel segment 1\n"
# Bytes of the packet; the frame it shows, counted from the segment's first; whether a decoder can
# start here.
_RECORD = struct.Struct("<II?")
# Bytes of a packet, more than any is likely to have.
_LARGEST = 1 << 30
# FFmpeg's decoder of the codec's own name needs hardware.
_DECODERS = {"av1": "libdav1d"}


@dataclass(frozen=True)
class Segment:
    """Facts of a segment file.

    Attributes:
        number: 0 for the first of the clip.
        frames: Number of frames.
        first, last: Pts of its first and last frame, in the source's time base.
        delay: Frames by which the order of decoding lags behind that of display at most.
        header: Fingerprint of what the codec stores once for the whole stream.
        digest: Fingerprint of the file.
    """

    number: int
    frames: int
    first: int
    last: int
    delay: int
    header: str
    digest: str

    @property
    def name(self) -> str:
        """Name of the file."""
        return f"{self.number:06}{SUFFIX}"


@dataclass(frozen=True)
class StoredPacket:
    """Packet of a segment; `frame` is counted from the segment's first."""

    frame: int
    keyframe: bool
    content: bytes


class FreshEncoder:
    """Encoder set up as for the finished file, whose packets are stored in a segment.

    Raises:
        OutputError: See `add_video_stream`.
    """

    def __init__(self, video: VideoInfo, settings: EncodeSettings, muxer: str):
        # An encoder learns what it must know of its container only by being in one.
        self._container = av.open(io.BytesIO(), "w", format=muxer)
        self._stream, _ = add_video_stream(self._container, video, settings)
        self._fields: FieldOrder | None = choose(video, settings, muxer).fields
        start_encoding(self._container)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Nobody needs the empty file.
        with suppress(av.error.FFmpegError, OSError):
            self._container.close()

    @property
    def header(self) -> str:
        """Fingerprint of what the codec stores once for the whole stream."""
        return header_of(self._stream)

    def decoder(self) -> av.VideoCodecContext:
        """Return a fresh decoder of the packets, told what a container would tell it."""
        encoder = self._stream.codec_context
        codec = encoder.codec.canonical_name
        decoder = av.CodecContext.create(_DECODERS.get(codec, codec), "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.width, decoder.height = encoder.width, encoder.height
        decoder.codec_tag = encoder.codec_tag
        decoder.extradata = encoder.extradata
        # With several, FFmpeg conceals what a slice of H.264 lacks; libx264 writes one a frame.
        decoder.thread_type, decoder.thread_count = "SLICE", 1 if codec == "h264" else 0
        # What a player conceals is an error here.
        decoder.options = {"err_detect": "explode"}
        return decoder

    def encode(self, frame: Frame | None) -> list[av.Packet]:
        """Return the packets that the encoder gives for a frame; None makes it give the rest."""
        if frame is None:
            return self._stream.encode(None)
        image = to_av(frame)
        if self._fields is not None:
            image = flagged(image, self._fields)
        return self._stream.encode(image)


def header_of(stream: av.VideoStream) -> str:
    """Return a fingerprint of what the codec stores once for the whole stream."""
    return fingerprint(stream.codec_context.extradata or b"").hexdigest()


def fingerprint(content: bytes = b"") -> hashlib.blake2b:
    """Begin a fingerprint."""
    return hashlib.blake2b(content, digest_size=16)


class Check(Protocol):
    """Somebody who reads a segment while it is written."""

    def grown(self, path: Path, size: int) -> None:
        """Note that the segment's file, of this name for now, has so many bytes."""
        ...

    def finish(self, frames: int, digest: str) -> None:
        """Read the rest, and close the file.

        Raises:
            OutputError: It is not what was written, or does not have so many frames.
        """
        ...


def write_segment(
    folder: Path, number: int, frames: Iterable[Frame], encoder: FreshEncoder, check: Check
) -> Segment:
    """Encode frames into a new file; it gets its name when it is complete, checked and on the disk.

    Args:
        folder: Folder of the segments.
        number: Number of the segment.
        frames: One or more, in the order of display.
        encoder: A fresh one; it is at its end afterwards.
        check: Reads the file.

    Raises:
        OutputError: The encoder did not give one packet for each frame, or the check failed.
        OSError: The file can't be written.
    """
    pts: list[int] = []
    digest, delay, count = fingerprint(_MAGIC), 0, 0
    with atomic_write(folder / f"{number:06}{SUFFIX}") as file:
        file.write(_MAGIC)
        for packet in _encoded(frames, encoder, pts):
            record = _RECORD.pack(len(packet.content), packet.frame, packet.keyframe)
            for part in (record, packet.content):
                file.write(part)
                digest.update(part)
            file.flush()
            check.grown(Path(file.name), file.tell())
            delay = max(delay, count - packet.frame)
            count += 1
        if count != len(pts):
            raise OutputError(f"the encoder gave {count} packets for {len(pts)} frames")
        check.finish(count, digest.hexdigest())
    return Segment(
        number, count, pts[0], pts[-1], delay, header=encoder.header, digest=digest.hexdigest()
    )


def _encoded(
    frames: Iterable[Frame], encoder: FreshEncoder, pts: list[int]
) -> Iterator[StoredPacket]:
    places: dict[int, int] = {}
    for frame in itertools.chain(frames, [None]):
        if frame is not None:
            places[frame.pts] = len(pts)
            pts.append(frame.pts)
        for packet in encoder.encode(frame):
            assert packet.pts is not None
            yield StoredPacket(places.pop(packet.pts), packet.is_keyframe, bytes(packet))


def read_segment(folder: Path, segment: Segment) -> Iterator[StoredPacket]:
    """Yield the packets of a segment, in the order of decoding.

    Raises:
        OutputError: The file is not what was written; known at the end only.
    """
    path = folder / segment.name
    digest, count = fingerprint(), 0
    try:
        with path.open("rb") as file:
            for packet in stored_packets(file, digest, path.stat().st_size):
                count += 1
                yield packet
    except (OSError, ValueError) as error:
        raise OutputError.because(
            error, "can't be read back", path=path, otherwise="it is damaged"
        ) from error
    if (count, digest.hexdigest()) != (segment.frames, segment.digest):
        raise OutputError("is not what was written", path=path)


class Readable(Protocol):
    """Source of bytes: a file, or one that is still written."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes; less than `size` at the end only."""
        ...


def stored_packets(
    file: Readable, digest: hashlib.blake2b, size: int = _LARGEST
) -> Iterator[StoredPacket]:
    """Yield the packets of a segment's file, in the order of decoding.

    Args:
        file: The file from its start.
        digest: An empty fingerprint, to which is added what is read.
        size: Bytes of the file.

    Raises:
        ValueError: It is not a segment, or is damaged.
    """
    magic = file.read(len(_MAGIC))
    if magic != _MAGIC:
        raise ValueError("is not a segment")
    digest.update(magic)
    while record := file.read(_RECORD.size):
        if len(record) < _RECORD.size:
            raise ValueError("is cut short")
        length, frame, keyframe = _RECORD.unpack(record)
        # A length read from a damaged file must not become an allocation.
        if length > size:
            raise ValueError("is damaged")
        content = file.read(length)
        digest.update(record)
        digest.update(content)
        yield StoredPacket(frame, keyframe, content)


def intact(folder: Path, segment: Segment) -> bool:
    """Return whether a segment's file is whole, found out by reading all of it."""
    try:
        return sum(1 for _ in read_segment(folder, segment)) == segment.frames
    except OutputError:
        return False
