"""Check of written segments: each is read from its file and decoded while it is written."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Self

import av
import av.error

from ...core.clips.clip_info import VideoInfo
from ...core.clips.ffmpeg_packet import ffmpeg_packet
from ...core.errors import OutputError
from ...core.frames.frame import Frame
from ..encoding.encode import EncodeSettings
from .segment import (
    FreshEncoder,
    Segment,
    StoredPacket,
    fingerprint,
    stored_packets,
    write_segment,
)


class GrowingFile:
    """File that one thread reads while another writes it; reading waits for what is to come.

    Attributes:
        waited: Seconds that reading has waited.
    """

    def __init__(self) -> None:
        self.waited = 0.0
        self._changed = threading.Condition()
        self._file: BinaryIO | None = None
        self._size, self._read, self._ended = 0, 0, False

    def grown(self, path: Path, size: int) -> None:
        """Note that the file of this name has so many bytes."""
        with self._changed:
            self._file = self._file or path.open("rb")
            self._size = size
            self._changed.notify()

    def end(self) -> None:
        """End the file: no more is to come."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def read(self, size: int) -> bytes:
        """Return the next bytes; less than `size` at the end only."""
        since = monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._size - self._read >= size)
        self.waited += monotonic() - since
        content = b"" if self._file is None else self._file.read(size)
        self._read += len(content)
        return content

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class SegmentCheck:
    """Check of a segment, in a thread of its own.

    Attributes:
        seconds: Time that the thread has worked.

    Args:
        number: Number of the segment.
        decoder: A fresh one of the stream, see `FreshEncoder.decoder`.
    """

    def __init__(self, number: int, decoder: av.VideoCodecContext):
        self.seconds = 0.0
        self._where, self._decoder = f"segment {number}", decoder
        self._file, self._digest = GrowingFile(), fingerprint()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="verify")
        self._frames: Future[int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.end()
        self._thread.shutdown()
        self._file.close()

    def grown(self, path: Path, size: int) -> None:
        """Read on: the segment's file, of this name for now, has so many bytes."""
        self._file.grown(path, size)
        if self._frames is None:
            self._frames = self._thread.submit(self._decode)

    def finish(self, frames: int, digest: str) -> None:
        """Wait until all of the file is decoded, and close it.

        Args:
            frames: Number of frames that it must have.
            digest: Fingerprint of what was written.

        Raises:
            OutputError: The file is not what was written, or does not decode to its frames.
        """
        self._file.end()
        try:
            found = 0 if self._frames is None else self._frames.result()
            if self._digest.hexdigest() != digest:
                raise OutputError(f"did not read back: {self._where} is not what was written")
            if found != frames:
                raise OutputError(
                    f"did not read back: {self._where} has {found} frames instead of {frames}"
                )
        except OutputError as error:
            error.hint = "the same command writes it again"
            raise
        finally:
            self._file.close()

    def _decode(self) -> int:
        since = monotonic()
        try:
            return decoded_frames(
                stored_packets(self._file, self._digest), self._decoder, self._where
            )
        finally:
            self.seconds += monotonic() - since - self._file.waited


@dataclass(frozen=True)
class SegmentStream:
    """Video stream that segments are made for, as plain values for another process.

    Attributes:
        video: The source's video as it is read.
        encode: Codec and quality.
        muxer: FFmpeg's name of the container that the segments are joined in.
    """

    video: VideoInfo
    encode: EncodeSettings
    muxer: str

    def make(self, folder: Path, number: int, frames: Iterable[Frame]) -> tuple[Segment, float]:
        """Encode frames with a fresh encoder into a new segment file, which is checked.

        Args:
            folder: Folder of the segments.
            number: Number of the segment.
            frames: Stylized frames, one or more, in the order of display.

        Returns:
            The segment, and the seconds that the check has worked.

        Raises:
            OutputError, OSError: As `write_segment`.
        """
        with (
            FreshEncoder(self.video, self.encode, self.muxer) as encoder,
            SegmentCheck(number, encoder.decoder()) as check,
        ):
            return write_segment(folder, number, frames, encoder, check), check.seconds


def decoded_frames(
    packets: Iterable[StoredPacket], decoder: av.VideoCodecContext, where: str
) -> int:
    """Decode a segment's packets; every frame must be undamaged and in its place.

    Returns:
        Number of frames.

    Raises:
        OutputError: They can't be read, or do not decode.
    """
    size, count = (decoder.width, decoder.height), 0
    try:
        for frame in _decoded(packets, decoder):
            if frame.is_corrupt:
                raise OutputError(f"did not read back: frame {count} of {where} is damaged")
            if (frame.width, frame.height) != size:
                raise OutputError(
                    f"did not read back: frame {count} of {where} has {frame.width}x{frame.height} "
                    f"pixels instead of {size[0]}x{size[1]}"
                )
            if frame.pts != count:
                raise OutputError(
                    f"did not read back: {where} shows frame {frame.pts} instead of frame {count}"
                )
            count += 1
    except (av.error.FFmpegError, ValueError) as error:
        raise OutputError.because(
            error, f"did not read back: {where}", otherwise="it is damaged"
        ) from error
    finally:
        # For the next ones.
        decoder.flush_buffers()
    return count


def _decoded(
    packets: Iterable[StoredPacket], decoder: av.VideoCodecContext
) -> Iterator[av.VideoFrame]:
    for stored in packets:
        packet = ffmpeg_packet(stored.content)
        packet.pts, packet.is_keyframe = stored.frame, stored.keyframe
        yield from decoder.decode(packet)
    yield from decoder.decode(None)
