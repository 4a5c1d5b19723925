"""Finished file: the video from its segments, every other stream from the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import numpy as np
from av.container import OutputContainer

from ...core.clips.clip_info import VideoInfo
from ...core.clips.reader import Reader
from ...core.errors import OutputError
from ...core.frames.av_frame import to_av
from ...core.frames.fields import FieldOrder, flagged
from ...core.frames.frame import Frame
from ..encoding.encode import MATROSKA, Picture, add_video_stream, choose, start_encoding
from .mux import CopiedTracks, movie_timescale
from .output_tags import copy_metadata, has_own_names
from .segment import Segment, header_of, read_segment
from .settings import WriteSettings
from .verify import Expectation, ExpectedVideo

# Matroska as FFmpeg writes it counts in milliseconds.
_MATROSKA_TICK = Fraction(1, 1000)
# Packets come in order; waiting longer for a stream that pauses would only fill the memory.
_INTERLEAVE_MICROSECONDS = 1_000_000


@contextmanager
def open_output(file: Path | BinaryIO, muxer: str, reader: Reader) -> Iterator[OutputContainer]:
    """Open a container with the options that the source's times need.

    Raises:
        OSError, FFmpegError: It can't be written; an MP4's index is written at the end.
    """
    options = {"max_interleave_delta": str(_INTERLEAVE_MICROSECONDS)}
    if muxer in MATROSKA:
        # Audio may start a little before zero; Matroska can state it without moving everything.
        options["avoid_negative_ts"] = "disabled"
    else:
        options["movie_timescale"] = str(movie_timescale(reader))
        if has_own_names(reader.metadata):
            options["movflags"] = "use_metadata_tags"
    container = av.open(
        f"file:{file}" if isinstance(file, Path) else file,
        "w",
        format=muxer,
        container_options=options,
        metadata_errors="replace",
    )
    try:
        yield container
    except BaseException:
        # The trailer of a file that is thrown away may fail as well.
        with suppress(av.error.FFmpegError, OSError):
            container.close()
        raise
    container.close()


class FinishedFile:
    """Streams of the finished file, described and not yet filled.

    Attributes:
        picture: Pixel format and colour of the video stream.
        tracks: The streams that are copied.
        warnings: What the container can't keep.
        tolerance: Seconds by which a time may be rounded.

    Raises:
        OutputError: The container or the encoder refuses something.
    """

    def __init__(
        self,
        container: OutputContainer,
        reader: Reader,
        video: VideoInfo,
        settings: WriteSettings,
    ):
        self._container = container
        self._reader = reader
        self._video = video
        self._stream, self.picture = add_video_stream(container, video, settings.encode)
        self._fields: FieldOrder | None = choose(
            video, settings.encode, container.format.name
        ).fields
        self.tracks = CopiedTracks(
            reader,
            container,
            audio=settings.audio,
            drop_unsupported=settings.drop_unsupported,
        )
        copy_metadata(reader, container)
        self.warnings = [*self.tracks.converted]
        self.tolerance = Fraction(0)
        if container.format.name in MATROSKA and (video.time_base / _MATROSKA_TICK) % 1:
            self.tolerance = _MATROSKA_TICK / 2
            self.warnings.append(
                "Matroska counts in milliseconds: times are rounded to the nearest"
            )
        # Whatever the container or the encoder refuses, it refuses here.
        try:
            start_encoding(container)
        except OSError:  # of the disk
            raise
        except (av.error.FFmpegError, ValueError) as error:
            raise OutputError(
                f"the encoder or the container refuses {video.width}x{video.height}",
                hint="choose another --codec",
            ) from error

    def write_trial(self) -> None:
        """Write a black frame and the first packets of the other streams, in place of them all.

        Raises:
            FFmpegError: The container or the encoder refuses.
        """
        image = to_av(_black(self._video, self.picture))
        image = image if self._fields is None else flagged(image, self._fields)
        for packet in [*self._stream.encode(image), *self._stream.encode(None)]:
            # libx265 states any decoding time for a frame that has none before it.
            packet.pts = packet.dts = 0
            packet.stream = self._stream
            self._container.mux(packet)
        for packet in self.tracks.first_packets(self._reader.packets()):
            self.tracks.mux(packet)
        # What is damaged from its beginning is found when the whole is written.
        with suppress(OutputError):
            self.tracks.finish()

    def write(self, folder: Path, segments: Sequence[Segment], expected: Expectation) -> None:
        """Write all streams, in the order of their decoding times.

        Args:
            folder: Folder of the segments.
            segments: All of them, in their order.
            expected: Times of the frames; what is written of every stream is added to it.

        Raises:
            OutputError: A segment is not what was written, or not of this stream.
            MediaError: The source can't be read.
        """
        for segment in segments:
            if segment.header != header_of(self._stream):
                raise OutputError("the encoder gave another header than before", path=folder)
        expected.tolerance, expected.tracks = self.tolerance, self.tracks.tracks
        expected.video = written = ExpectedVideo.of(self._stream)
        video = video_packets(folder, segments, expected)
        for packet in interleaved(video, self._reader.packets()):
            if packet.stream is None:
                written.add(packet)
                packet.stream = self._stream
                self._container.mux(packet)
            else:
                self.tracks.mux(packet)
        self.tracks.finish()


def _black(video: VideoInfo, picture: Picture) -> Frame:
    form = picture.pixel_format
    planes = (
        np.zeros(form.plane_shape(index, video.width, video.height), form.dtype)
        for index in range(form.plane_count)
    )
    return Frame(
        planes=tuple(planes),
        pixel_format=form,
        width=video.width,
        height=video.height,
        pts=0,
        duration=1,
        time_base=video.time_base,
        colour=picture.colour,
    )


def interleaved(video: Iterator[av.Packet], others: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """Yield both in the order of their decoding times; a packet without a time comes at once."""
    held = next(video, None)
    for packet in others:
        time = _decoding_time(packet)
        while held is not None and time is not None and (_decoding_time(held) or 0) <= time:
            yield held
            held = next(video, None)
        yield packet
    if held is not None:
        yield held
        yield from video


def _decoding_time(packet: av.Packet) -> Fraction | None:
    ticks = packet.pts if packet.dts is None else packet.dts
    return None if ticks is None else ticks * Fraction(packet.time_base)


def video_packets(
    folder: Path, segments: Sequence[Segment], expected: Expectation
) -> Iterator[av.Packet]:
    """Yield the segments' packets as those of one stream, in the order of decoding.

    Args:
        folder: Folder of the segments.
        segments: All of them, in their order.
        expected: Times of the frames.

    Raises:
        OutputError: A segment is not what was written.
    """
    pts = expected.pts
    delay = max(segment.delay for segment in segments)
    start = order = 0
    for segment in segments:
        for stored in read_segment(folder, segment):
            number = start + stored.frame
            after = pts[number + 1] if number + 1 < len(pts) else expected.last_end
            packet = av.Packet(stored.content)
            packet.time_base = expected.time_base
            packet.pts, packet.dts = pts[number], decoding_time(order, pts, delay)
            packet.duration = after - pts[number]
            packet.is_keyframe = stored.keyframe
            order += 1
            yield packet
        start += segment.frames


def decoding_time(order: int, pts: Sequence[int], delay: int) -> int:
    """Return when a packet is decoded: `delay` frames before the frame of that index is shown.

    Before the first frame is shown, time passes as fast as after it. No packet is decoded after
    it is shown if it lags at most `delay` places behind its place in the order of display.
    """
    if order >= delay:
        return pts[order - delay]
    return pts[order] - (pts[delay] - pts[0])
