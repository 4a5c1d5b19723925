"""Probe and read a clip: native planes, exact rational times, everything else as packets."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition, Stream

from .av_frame import from_av, working_format
from .errors import MediaError
from .frame import ChromaLocation, Colour, Frame, PixelFormat
from .truncation import check_whole

CLIP_SUFFIXES = frozenset(
    f".{kind}"
    for kind in (
        *("3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4"),
        *("mpeg", "mpg", "mts", "mxf", "ogv", "ts", "webm", "wmv"),
    )
)
# Transport and program streams count from an arbitrary clock; their zero means nothing.
CLOCKED_CONTAINERS = frozenset({"mpegts", "mpeg"})
# Codecs of the MPEG-1 school, which site chroma between the luma samples (H.262, annex; JFIF).
_CENTRED_CHROMA = frozenset({"mjpeg", "mpeg1video", "h263"})
_HDR_TRANSFERS = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class VideoInfo:
    """The picture track of a clip.

    Attributes:
        index: Stream index in the container.
        codec: FFmpeg's name of the codec.
        width, height: Coded size in pixels, before rotation.
        native_format: FFmpeg's name of the decoder's pixel format.
        pixel_format: The format in which frames are handed out; holds what the native one holds,
            except alpha and more than 12 bit.
        colour: Facts of the colour, unspecified ones filled as players do.
        frame_rate: Average frames per second, exact; None where the container does not say.
        constant_rate: Whether all frames are known for certain to last equally many ticks.
        time_base: Seconds; the unit of every frame's pts and duration.
        duration: Seconds; None where the container does not say.
        frames: Expected number of frames, a guess from the header: never a promise.
        sample_aspect_ratio: Width of a pixel over its height; None where not stated (square).
        display_matrix: Rotation and mirroring for display, 9 integers as FFmpeg has them.
        rotation: The same in degrees counter-clockwise, without mirroring.
        interlaced: Whether the first frame is made of two fields.
        has_alpha: Whether the native format holds transparency.
    """

    index: int
    codec: str
    width: int
    height: int
    native_format: str
    pixel_format: PixelFormat
    colour: Colour
    frame_rate: Fraction | None
    constant_rate: bool
    time_base: Fraction
    duration: Fraction | None
    frames: int | None
    sample_aspect_ratio: Fraction | None
    display_matrix: tuple[int, ...] | None
    rotation: int
    interlaced: bool
    has_alpha: bool

    @property
    def hdr(self) -> str | None:
        """PQ or HLG where the transfer says so (H.273: 16, 18), else None."""
        return _HDR_TRANSFERS.get(self.colour.transfer)


@dataclass(frozen=True)
class StreamInfo:
    """A track that is not the picture."""

    index: int
    type: str
    codec: str
    language: str | None


@dataclass(frozen=True)
class ClipInfo:
    """What `probe` finds.

    Attributes:
        path: The file.
        container: FFmpeg's name of the format, e.g. "mov,mp4,m4a,3gp,3g2,mj2".
        origin: Seconds that the reader takes off every timestamp; 0 except for transport and
            program streams, which count from an arbitrary clock.
        video: The picture track.
        others: Every other track, in the container's order.
    """

    path: Path
    container: str
    origin: Fraction
    video: VideoInfo
    others: tuple[StreamInfo, ...]

    @property
    def audio(self) -> tuple[StreamInfo, ...]:
        """The sound tracks."""
        return tuple(stream for stream in self.others if stream.type == "audio")


def find_clips(folder: Path, *, recursive: bool) -> list[Path]:
    """The clips of a folder by their suffix, sorted by path; hidden files are left out.

    Raises:
        MediaError: There is no such folder.
    """
    if not folder.is_dir():
        raise MediaError("no such folder", path=folder)
    files = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(
        path
        for path in files
        if path.suffix.lower() in CLIP_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def probe(path: Path) -> ClipInfo:
    """Look at a clip; decodes its first frame.

    Raises:
        MediaError: Missing, empty, not a clip, without picture, cut short, or its first frame
            can't be decoded.
        ColourError: Its colours have no conversion here.
    """
    with ClipReader(path) as reader:
        return reader.info


def read(path: Path) -> Iterator[Frame]:
    """The frames of a clip in presentation order.

    Raises:
        MediaError: As `probe`, and when a frame can't be decoded.
    """
    with ClipReader(path) as reader:
        for item in reader:
            if isinstance(item, Frame):
                yield item


class ClipReader:
    """One pass over a clip; iterate to get `Frame`s and, of every other track, packets.

    Frames come in presentation order, packets as they lie in the file between them. Packets
    whose stream is the picture's are decoded and not handed out.

    Attributes:
        container: PyAV's container, the templates for copied streams.
        info: As `probe` returns it.
        damaged_frames: Frames so far in which the decoder had to conceal errors.

    Raises:
        MediaError: See `probe` and `read`.
    """

    def __init__(self, path: Path):
        self.path = path
        self.damaged_frames = 0
        self.container = open_clip(path)
        try:
            self._stream = picture_stream(self.container, path)
            check_whole(self.container, path)
            self._stream.thread_type = "AUTO"
            self.info = self._look()
            # Back to the beginning, by opening anew: not every format can seek.
            self.container.close()
            self.container = open_clip(path)
            self._stream = self.container.streams[self.info.video.index]
            self._stream.codec_context.thread_type = "AUTO"
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def __iter__(self) -> Iterator[Frame | av.Packet]:
        """A frame lasts until the next one: decoders know durations in decoding order only."""
        held: Frame | None = None
        for item in self._items():
            if not isinstance(item, Frame):
                yield item
                continue
            if held is not None:
                yield replace(held, duration=item.pts - held.pts)
            held = item
        if held is not None:
            yield replace(held, duration=self._last_duration(held))

    def _items(self) -> Iterator[Frame | av.Packet]:
        last_pts: int | None = None
        try:
            for packet in self.container.demux():
                if packet.stream.index != self._stream.index:
                    # The last packet of each track is empty: it flushes decoders.
                    if packet.size:
                        yield self._from_origin(packet)
                    continue
                for picture in packet.decode():
                    assert isinstance(picture, av.VideoFrame)
                    self.damaged_frames += picture.is_corrupt
                    frame = self._frame(picture, last_pts)
                    last_pts = frame.pts
                    yield frame
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError(
                f"can't be read on after {_at(last_pts, self.info.video.time_base)}: "
                f"{_reason(error)}",
                path=self.path,
            ) from error

    def _last_duration(self, last: Frame) -> int:
        """MP4 and MOV say when the track ends; elsewhere the packet's own duration must do."""
        start, duration = self._stream.start_time, self._stream.duration
        if "mp4" not in self.info.container or start is None or duration is None:
            return last.duration
        return max(1, start + duration - last.pts)

    def _look(self) -> ClipInfo:
        try:
            first = next(self.container.decode(self._stream), None)
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError(
                f"its first frame can't be decoded: {_reason(error)}", path=self.path
            ) from error
        if first is None:
            raise MediaError("holds no picture that can be decoded", path=self.path)
        try:
            assert isinstance(self._stream, av.VideoStream)
            assert isinstance(first, av.VideoFrame)
            video = _video_info(self.container, self._stream, first)
        except MediaError as error:
            error.path = self.path
            raise
        others = tuple(
            _stream_info(stream)
            for stream in self.container.streams
            if stream.index != self._stream.index
        )
        name = self.container.format.name
        origin = _origin(self.container) if name in CLOCKED_CONTAINERS else Fraction(0)
        return ClipInfo(self.path, name, origin, video, others)

    def _frame(self, picture: av.VideoFrame, last_pts: int | None) -> Frame:
        video = self.info.video
        if (picture.width, picture.height) != (video.width, video.height):
            raise MediaError(
                f"changes its size from {video.width}x{video.height} to "
                f"{picture.width}x{picture.height} after {_at(last_pts, video.time_base)}",
                path=self.path,
                hint="cut it there and convert the parts",
            )
        step = picture.duration or self._usual_duration()
        pts = self._pts(picture, last_pts, step)
        if last_pts is not None and pts <= last_pts:
            raise MediaError(
                f"has a frame at {_at(pts, video.time_base)} that does not come after the one "
                f"before it, at {_at(last_pts, video.time_base)}",
                path=self.path,
                hint="rewrite its timestamps first, e.g. with ffmpeg -fflags +genpts",
            )
        return from_av(
            picture,
            pixel_format=video.pixel_format,
            colour=video.colour,
            pts=pts,
            duration=step,
            time_base=video.time_base,
        )

    def _pts(self, picture: av.VideoFrame, last_pts: int | None, step: int) -> int:
        video = self.info.video
        if picture.pts is None:
            return 0 if last_pts is None else last_pts + step
        return picture.pts - int(self.info.origin / video.time_base)

    def _usual_duration(self) -> int:
        video = self.info.video
        return round(1 / (video.frame_rate or 25) / video.time_base)

    def _from_origin(self, packet: av.Packet) -> av.Packet:
        if self.info.origin and packet.time_base:
            shift = round(self.info.origin / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
        return packet


def open_clip(path: Path) -> InputContainer:
    """Open a clip with PyAV.

    Raises:
        MediaError: Missing, empty, or not a clip.
    """
    if not path.exists():
        raise MediaError("no such file", path=path)
    if not path.is_file():
        raise MediaError("is not a file", path=path)
    try:
        if path.stat().st_size == 0:
            raise MediaError("is empty (0 bytes)", path=path)
        # "file:" keeps names with a colon or a percent sign from being read as something else.
        return av.open(f"file:{path}", metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(
            f"can't be opened as a clip: {_reason(error)}",
            path=path,
            hint="it is damaged, cut short, or not a video",
        ) from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def picture_stream(container: InputContainer, path: Path) -> av.VideoStream:
    """The first video track that is not a cover picture.

    Raises:
        MediaError: There is none.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            return stream
    raise MediaError("holds no moving picture", path=path)


def _origin(container: InputContainer) -> Fraction:
    starts = [
        stream.start_time * stream.time_base
        for stream in container.streams
        if stream.start_time is not None and stream.time_base
    ]
    return min(starts, default=Fraction(0))


def _at(pts: int | None, time_base: Fraction) -> str:
    return "its start" if pts is None else f"{float(pts * time_base):.3f} s"


def _stream_info(stream: Stream) -> StreamInfo:
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
    return StreamInfo(stream.index, stream.type, codec, stream.language)


def _video_info(
    container: InputContainer, stream: av.VideoStream, first: av.VideoFrame
) -> VideoInfo:
    native, form = first.format.name, working_format(first.format)
    colour = Colour.resolve(
        matrix=first.colorspace,
        range=first.color_range,
        primaries=first.color_primaries,
        transfer=first.color_trc,
        pixel_format=form,
        width=first.width,
        height=first.height,
        full_range_format=native.startswith("yuvj"),
    )
    if stream.codec_context.name in _CENTRED_CHROMA:
        colour = replace(colour, chroma_location=ChromaLocation.CENTER)
    assert stream.time_base is not None
    duration = None if stream.duration is None else stream.duration * stream.time_base
    if "matroska" in container.format.name:
        # Matroska has none for a track; FFmpeg sometimes fills in the whole file's.
        duration = None
    rate = stream.average_rate
    length = duration or Fraction(container.duration or 0, av.time_base)
    return VideoInfo(
        index=stream.index,
        codec=stream.codec_context.name,
        width=first.width,
        height=first.height,
        native_format=native,
        pixel_format=form,
        colour=colour,
        frame_rate=rate,
        constant_rate=_constant_rate(container, stream),
        time_base=stream.time_base,
        duration=duration,
        frames=stream.frames or (round(length * rate) if length and rate else None),
        sample_aspect_ratio=stream.sample_aspect_ratio or None,
        display_matrix=display_matrix(first),
        rotation=first.rotation,
        interlaced=first.interlaced_frame,
        has_alpha=any(component.is_alpha for component in first.format.components),
    )


def _constant_rate(container: InputContainer, stream: av.VideoStream) -> bool:
    """Known for certain from a table of all samples only; stated rates are often wrong."""
    if "mp4" not in container.format.name or len(stream.index_entries) < 2:
        return False
    times = [entry.timestamp for entry in stream.index_entries]
    return len({after - before for before, after in pairwise(times)}) == 1


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """How a frame is to be shown, turned or mirrored: 9 integers as FFmpeg has them."""
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV can't list side data of a kind that it doesn't know.
        return _rotation_matrix(frame.rotation) if frame.rotation else None
    return None if data is None else struct.unpack("=9i", bytes(data))


def _rotation_matrix(degrees: int) -> tuple[int, ...]:
    """A quarter turn counter-clockwise as FFmpeg writes it (16.16 fixed point, last row 2.30)."""
    one = 1 << 16
    cosine, sine = {0: (one, 0), 90: (0, one), -90: (0, -one)}.get(degrees, (-one, 0))
    return (cosine, -sine, 0, sine, cosine, 0, 0, 0, 1 << 30)
