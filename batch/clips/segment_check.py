"""Check of written segments: each is read from the disk and decoded while the next is encoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from time import monotonic
from typing import Self

import av
import av.error

from ...core.errors import OutputError
from .resume import Work
from .segment import Segment, StoredPacket, read_segment


class SegmentChecks:
    """Thread that decodes written segments, one at a time, and notes those that are whole.

    Attributes:
        seconds: Time that the thread has worked.

    Args:
        work: Folder of the segments.
        output: Name of the output in errors.
    """

    def __init__(self, work: Work, output: Path):
        self.seconds = 0.0
        self._work, self._output = work, output
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="verify")
        self._under_way: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def start(self, segment: Segment, decoder: av.VideoCodecContext) -> None:
        """Start to check a segment, after the one before it; raise what that one's check raised.

        Args:
            segment: A complete file of the folder.
            decoder: A fresh one of the stream, see `FreshEncoder.decoder`.

        Raises:
            OutputError: The segment before it is not what it should be.
            OSError: It can't be noted.
        """
        self.finish()
        self._under_way = self._thread.submit(self._check, segment, decoder)

    def finish(self) -> None:
        """Wait for the check under way; raises as `start`."""
        if self._under_way is not None:
            self._under_way.result()
            self._under_way = None

    def settle(self) -> None:
        """Wait for the check under way, whatever comes of it."""
        if self._under_way is not None:
            wait([self._under_way])

    def _check(self, segment: Segment, decoder: av.VideoCodecContext) -> None:
        since = monotonic()
        try:
            check_segment(self._work.folder, segment, decoder)
        except OutputError as error:
            error.path = self._output
            error.hint = error.hint or "the same command writes it again"
            raise
        finally:
            self.seconds += monotonic() - since
        self._work.add(segment)


def check_segment(folder: Path, segment: Segment, decoder: av.VideoCodecContext) -> None:
    """Decode a segment's file; every frame must be there, undamaged and in its place.

    Raises:
        OutputError: The file is not what was written, or does not decode to its frames.
    """
    size, count, where = (decoder.width, decoder.height), 0, f"segment {segment.number}"
    try:
        for frame in _decoded(read_segment(folder, segment), decoder):
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
    except av.error.FFmpegError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"did not read back: {where}: {reason}") from error
    finally:
        # Its threads hold packets of ours, and freeing those takes the lock that the garbage
        # collector would hold while it waits for the threads.
        decoder.flush_buffers()
    if count != segment.frames:
        raise OutputError(
            f"did not read back: {where} has {count} frames instead of {segment.frames}"
        )


def _decoded(
    packets: Iterable[StoredPacket], decoder: av.VideoCodecContext
) -> Iterator[av.VideoFrame]:
    for stored in packets:
        packet = av.Packet(stored.content)
        packet.pts, packet.is_keyframe = stored.frame, stored.keyframe
        yield from decoder.decode(packet)
    yield from decoder.decode(None)
