"""`Reader` of a clip: native planes, exact rational times, other streams as packets."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import av
import av.error
from av.codec.context import Flags
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.stream import Disposition, Stream

from ..errors import MediaError
from ..file_identity import clip_identity
from ..frames.av_frame import from_av, repacked
from ..frames.crop import cropped_frame
from ..frames.fields import Deinterlacer
from ..frames.frame import Colour, Frame
from ..frames.recolour import recoloured
from ..human import counted
from ..options import Interlaced, Timestamps
from .clip_info import (
    BESIDE,
    ClipInfo,
    StreamInfo,
    VideoInfo,
    beside_pixels,
    colour_of,
    colour_tags,
    display_matrix,
    stream_info,
    video_info,
)
from .container_facts import ContainerFacts, container_facts
from .next_to_video import (
    chapters_of,
    from_origin,
    other_packets,
    timecode_of,
    video_metadata_of,
)
from .range import FrameRange
from .reader import FIRST_NUMBER, ClosedAtExit, NumberedFrame
from .survey import MOST_IN_A_ROW, Disorder, OtherHeader, survey
from .timecode import Timecode
from .trim import Trim
from .truncation import check_whole

if TYPE_CHECKING:
    from av.container.core import Chapter

__all__ = [
    "CLOCKED_CONTAINERS",
    "ClipInfo",
    "ClipReader",
    "StreamInfo",
    "VideoInfo",
    "display_matrix",
    "open_clip",
    "probe",
    "read",
    "video_stream",
]

# Transport and program streams count from an arbitrary clock; their zero means nothing.
CLOCKED_CONTAINERS = frozenset({"mpegts", "mpeg"})
# FFmpeg's own decoders of these leave out the alpha that WebM stores next to the video.
_DECODERS_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def probe(path: Path) -> ClipInfo:
    """Return the facts of a clip; decodes its first frame.

    Raises:
        MediaError: It is missing, empty, not a clip, without video or truncated, or its first
            frame can't be decoded.
        ColourError: Its colours have no conversion here.
    """
    with ClipReader(path) as reader:
        return reader.info


def read(path: Path) -> Iterator[Frame]:
    """Yield the frames of a clip in presentation order.

    Raises:
        MediaError: As `probe`, and when a frame can't be decoded.
    """
    with ClipReader(path) as reader:
        yield from reader


class ClipReader(ClosedAtExit):
    """`Reader` of a clip.

    Attributes:
        path: The clip.
        container: PyAV's container.
        info: Facts of the clip, as `probe` returns them.
        range: Frames that are read; None for all of them.
        images: Empty: a clip consists of no image files.
        damaged_frames: Frames so far in which the decoder had to conceal errors.
        interlaced_frames: Interlaced frames so far.
        repaired_frames: Frames so far whose times did not rise.
        recoloured_frames: Frames so far that state other colours than the first.
        foreseen: Which of these counts `warnings` has announced.

    Args:
        path: The clip.
        interlaced: How interlaced frames are handled, wherever they come: "deinterlace" (see
            `Deinterlacer`), "keep" them as they are, or "refuse" the clip.
        device: A type of hardware decoder, from `working_device`; None for software.
        cropped: Take off what the container says is not to be shown.
        timestamps: How frames are handled that by their times do not come after the one before:
            "repair" puts each a tick after it; "refuse" the clip.

    Raises:
        MediaError: See `probe` and `read`; or it is interlaced and that is refused.
    """

    range: FrameRange | None = None
    images: Mapping[int, Path] = MappingProxyType({})
    _trim: Trim | None = None

    def __init__(
        self,
        path: Path,
        *,
        interlaced: Interlaced = "deinterlace",
        device: str | None = None,
        cropped: bool = True,
        timestamps: Timestamps = "repair",
    ):
        self.path = path
        self._timestamps: Timestamps = timestamps
        self.repaired_frames = self._repaired_in_a_row = 0
        self._cropped = cropped
        self._beside: set[str] = set()
        self._announced: set[str] = set()
        self._tags: tuple[int, ...] = ()
        self.recoloured_frames = 0
        self.foreseen: frozenset[str] = frozenset()
        self.damaged_frames = self.interlaced_frames = 0
        self._interlaced: Interlaced = interlaced
        self.container = open_clip(path)
        try:
            check_whole(self.container, path)
            self._start()
            self.info = self._look()
            # Back to the beginning, by opening it again: not every format can seek.
            self.container.close()
            self.container = open_clip(path, device)
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._stream = video_stream(self.container, self.path)
        self._decoder = video_decoder(self._stream)
        self._deinterlacer = Deinterlacer()
        self._places: deque[int] = deque()

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    @property
    def identity(self) -> dict[str, Any]:
        """Plain values that differ where the clip, or the range of it, differs."""
        part = None if self.range is None else asdict(self.range)
        return {"input": clip_identity(self.path), "excerpt": part, "pictures": None}

    def warnings(self, kind: str | None = None) -> Iterator[str]:
        """Yield what has to be reported before the first frame, see `Reader`.

        Raises:
            MediaError: Times do not rise, and that is refused.
        """
        del kind
        found = survey(self.path, self.info.video.index)
        if found.missing_at_start and self.range is None:
            yield (
                f"begins between keyframes: {counted(found.missing_at_start, 'frame')} before the "
                "first one can't be decoded"
            )
        yield from self._changes(found.headers)
        yield from self._disorder(found.disorder)
        self._announced = {BESIDE[kind] for kind in found.carried}
        for name in sorted(self._announced - set(self.info.video.beside)):
            yield f"{name} of later frames are not kept"

    def _disorder(self, found: Disorder) -> Iterator[str]:
        if found.restart is not None and self.range is None:
            raise self._no_rise(*found.restart, lasting=True)
        if found.frames and self._timestamps == "refuse":
            raise MediaError(
                f"has {counted(found.frames, 'frame')} that by their times do not come after the "
                "one before",
                path=self.path,
                hint="--timestamps repair puts each a tick after it",
            )
        if found.frames:
            self.foreseen |= {"repaired_frames"}
            yield (
                f"{counted(found.frames, 'frame')} would not come after the one before by their "
                "times, and come a tick after it (--timestamps refuse refuses the clip)"
            )

    def _changes(self, headers: Sequence[OtherHeader]) -> Iterator[str]:
        """Refuse or announce what changes with the stream's header, where it is read."""
        video = self.info.video
        for pts, frame in self._within_range(headers):
            if frame is None:
                continue
            try:
                self._check(frame)
                changed = self._colour(self._comparable(frame), pts) != video.colour
            except MediaError as error:
                error.path = self.path
                raise
            if changed:
                self.foreseen |= {"recoloured_frames"}
                yield (
                    f"states another matrix or range from {_at(pts, video.time_base)} on: such "
                    "frames are converted to the first's"
                )
                return

    def _within_range(
        self, headers: Sequence[OtherHeader]
    ) -> Iterator[tuple[int, av.VideoFrame | None]]:
        """Yield the headers that count for what is read, in the time of its frames."""
        base, trim = self.info.video.time_base, self._trim
        ends = [*(header.pts for header in headers[1:]), None]
        for header, end in zip(headers, ends, strict=False):
            start = header.pts * base - self.info.origin
            over = (
                trim is not None and end is not None and end * base - self.info.origin <= trim.start
            )
            if not over and (trim is None or start < trim.end):
                yield round(start / base), header.frame

    @property
    def streams(self) -> Sequence[Stream]:
        """Streams next to the video, in the order of `info.others`."""
        return [self.container.streams[other.index] for other in self.info.others]

    @property
    def metadata(self) -> Mapping[str, str]:
        """Metadata of the container."""
        return self.container.metadata

    @property
    def video_metadata(self) -> Mapping[str, str]:
        """Metadata of the video stream, see `Reader`."""
        return video_metadata_of(self.container, self.info, self._trim)

    @property
    def chapters(self) -> list[Chapter]:
        """Chapters, in the time of the frames that are read."""
        return chapters_of(self.container, self.info, self._trim)

    @property
    def timecode(self) -> Timecode | None:
        """Timecode of the first frame that is read; None where the clip has none."""
        return timecode_of(self.container, self.info, self._trim)

    def packets(self) -> Iterator[av.Packet]:
        """Yield the packets of every stream but the video, see `Reader`.

        Raises:
            MediaError: The clip can't be read.
        """
        if self.info.others:
            with open_clip(self.path) as container:
                yield from other_packets(container, self.info, self._trim)

    def numbered(self, skip: frozenset[int] = frozenset()) -> Iterator[NumberedFrame]:
        """Yield all frames with their numbers: to skip one takes as long as to read it."""
        del skip
        for number, frame in enumerate(self, FIRST_NUMBER):
            yield NumberedFrame(number, frame, None)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in presentation order."""
        for item in self.frames_and_packets():
            if isinstance(item, Frame):
                yield item

    def frames_and_packets(self) -> Iterator[Frame | av.Packet]:
        """Yield the frames and, where they lie in the file between them, all other packets."""
        # A frame lasts until the next one: decoders know durations in decoding order only.
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
        self.repaired_frames = self._repaired_in_a_row = self.recoloured_frames = 0
        last_pts: int | None = None
        try:
            for item in self._progressive():
                if isinstance(item, av.Packet):
                    yield from_origin(item, self.info.origin)
                    continue
                frame = self._frame(item, last_pts)
                last_pts = frame.pts
                yield frame
        except MediaError as error:
            error.path = self.path
            raise
        except (av.error.FFmpegError, OSError) as error:
            where = _at(last_pts, self.info.video.time_base)
            raise MediaError.because(
                error, f"can't be read beyond {where}", path=self.path
            ) from error

    def _progressive(self) -> Iterator[av.VideoFrame | av.Packet]:
        for item in self._decoded():
            if isinstance(item, av.Packet):
                yield item
                continue
            self._check(item)
            self.damaged_frames += item.is_corrupt
            self.interlaced_frames += item.interlaced_frame
            if self._interlaced == "deinterlace":
                yield from self._deinterlacer(self._comparable(item))
            else:
                yield item
        yield from self._deinterlacer.flush()

    def _comparable(self, decoded: av.VideoFrame) -> av.VideoFrame:
        """Return a frame as it is when its colours are compared with the first one's."""
        video = self.info.video
        if self._interlaced != "deinterlace":
            return decoded
        return repacked(decoded, video.pixel_format, video.colour)

    @property
    def beside(self) -> set[str]:
        """Names of what later frames carry beside their pixels, see `Reader`."""
        return self._beside - set(self.info.video.beside) - self._announced

    def _check(self, decoded: av.VideoFrame) -> None:
        video, pts = self.info.video, self._pts(decoded)
        width, height = video.decoded_size
        self._beside |= beside_pixels(decoded)
        where = "" if pts is None else f" at {_at(pts, video.time_base)}"
        if (decoded.width, decoded.height) != (width, height):
            raise MediaError(
                f"changes its size from {width}x{height} to "
                f"{decoded.width}x{decoded.height}{where}",
                hint="split it there and convert the pieces",
            )
        self._check_fields(decoded, where)

    def _check_fields(self, decoded: av.VideoFrame, where: str) -> None:
        if decoded.interlaced_frame and self._interlaced == "refuse":
            raise MediaError(f"is interlaced{where}", hint="--interlaced deinterlace takes it")

    def _decoded(self) -> Iterator[av.VideoFrame | av.Packet]:
        for packet in self.container.demux():
            if packet.stream.index == self._stream.index:
                yield from self._placed(packet)
            elif packet.size:
                # The last packet of each track is empty: it flushes decoders.
                yield packet

    def _placed(self, packet: av.Packet) -> Iterator[av.VideoFrame]:
        """Decode a packet; in AVI, the k-th shown frame gets the k-th packet's time.

        AVI has no presentation times. What FFmpeg makes up instead starts late by the decoder's
        delay, and runs back and forth with B-frames.
        """
        counted = self.container.format.name == "avi"
        if counted and packet.size and packet.dts is not None:
            self._places.append(packet.dts)
        for decoded in self._decoder.decode(packet):
            if counted and self._places:
                decoded.pts = self._places.popleft()
            yield decoded

    def _last_duration(self, last: Frame) -> int:
        """Return the last frame's duration: up to the track's end in MP4 and MOV."""
        start, duration = self._stream.start_time, self._stream.duration
        if "mp4" not in self.info.container or start is None or duration is None:
            return last.duration
        if self.info.video.constant_rate:
            # What the track states may be rounded.
            return last.duration
        return max(1, start + duration - last.pts)

    def _look(self) -> ClipInfo:
        try:
            decoded = (item for item in self._decoded() if isinstance(item, av.VideoFrame))
            first = next(decoded, None)
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError.because(
                error, "its first frame can't be decoded", path=self.path
            ) from error
        if first is None:
            raise MediaError("has no frame that can be decoded", path=self.path)
        try:
            facts = self._facts()
            video = video_info(self.container, self._stream, first, facts)
            # As frames are when they come to be compared.
            form, colour = video.pixel_format, video.colour
            kept = self._interlaced != "deinterlace"
            self._tags = colour_tags(first if kept else repacked(first, form, colour))
            video = self._as_shown(video, facts)
            self._check_fields(first, "")
        except MediaError as error:
            error.path = self.path
            raise
        others = tuple(
            stream_info(stream)
            for stream in self.container.streams
            if stream.index != self._stream.index
        )
        name = self.container.format.name
        origin = _origin(self.container) if name in CLOCKED_CONTAINERS else Fraction(0)
        return ClipInfo(self.path, name, origin, video, others, facts)

    def _facts(self) -> ContainerFacts:
        name, stream = self.container.format.name, self._stream
        number = stream.index if "matroska" in name else stream.id
        facts = container_facts(self.path, name, number)
        if facts.dolby_vision is not None and facts.dolby_vision[1] == 0:
            raise MediaError(
                f"is Dolby Vision profile {facts.dolby_vision[0]}, whose colours (IPT-PQ-C2) only "
                "its own metadata turn into a picture",
                hint="convert it to HDR10 or HLG first",
            )
        return facts

    def _as_shown(self, video: VideoInfo, facts: ContainerFacts) -> VideoInfo:
        """Describe the frames as they are when they are cropped."""
        if not self._cropped:
            return video
        fields = video.interlaced and self._interlaced == "keep"
        crop = facts.crop.aligned(video.pixel_format, fields=fields)
        width, height = crop.size(video.width, video.height)
        return replace(video, width=width, height=height, crop=crop)

    def _frame(self, decoded: av.VideoFrame, last_pts: int | None) -> Frame:
        video = self.info.video
        step = decoded.duration or self._usual_duration()
        pts = self._pts(decoded)
        if pts is None:
            pts = 0 if last_pts is None else last_pts + step
        if last_pts is not None and pts <= last_pts:
            self._repaired_in_a_row += 1
            lasting = self._repaired_in_a_row > MOST_IN_A_ROW
            if self._timestamps == "refuse" or lasting:
                raise self._no_rise(pts, last_pts, lasting=lasting)
            pts = last_pts + 1
            self.repaired_frames += 1
        else:
            self._repaired_in_a_row = 0
        frame = from_av(
            decoded,
            pixel_format=video.pixel_format,
            colour=self._colour(decoded, pts),
            pts=pts,
            duration=step,
            time_base=video.time_base,
        )
        if frame.colour != video.colour:
            self.recoloured_frames += 1
            frame = recoloured(frame, video.colour)
        return cropped_frame(frame, video.crop)

    def _no_rise(self, pts: int, last_pts: int, *, lasting: bool) -> MediaError:
        base, repair = self.info.video.time_base, "--timestamps repair puts it a tick after it"
        return MediaError(
            f"has a frame at {_at(pts, base)} that does not come after the one before it, at "
            f"{_at(last_pts, base)}",
            path=self.path,
            hint="its clock starts again: split it there" if lasting else repair,
        )

    def _colour(self, decoded: av.VideoFrame, pts: int) -> Colour:
        """Return a frame's own colours.

        Raises:
            MediaError: They are HDR and the first frame's are not, or the other way round.
        """
        video, tags = self.info.video, colour_tags(decoded)
        if tags == self._tags:
            return video.colour
        own = colour_of(self._stream, decoded, video.pixel_format, self.info.facts)
        if own.hdr != video.colour.hdr:
            raise MediaError(
                f"changes from {video.colour.hdr or 'SDR'} to {own.hdr or 'SDR'} at "
                f"{_at(pts, video.time_base)}",
                hint="split it there and convert the pieces",
            )
        return own

    def _pts(self, decoded: av.VideoFrame) -> int | None:
        if decoded.pts is None:
            return None
        return decoded.pts - int(self.info.origin / self.info.video.time_base)

    def _usual_duration(self) -> int:
        video = self.info.video
        return round(1 / (video.frame_rate or 25) / video.time_base)


def open_clip(path: Path, device: str | None = None) -> InputContainer:
    """Open a clip with PyAV.

    Args:
        path: The clip.
        device: A kind of hardware that is to decode it.

    Raises:
        MediaError: Missing, empty, or not a clip.
        RuntimeError: The device does not decode it.
    """
    try:
        if not path.exists():
            raise MediaError("no such file", path=path)
        if not path.is_file():
            raise MediaError("is not a file", path=path)
        if path.stat().st_size == 0:
            raise MediaError("is empty (0 bytes)", path=path)
        # "file:" keeps names with a colon or a percent sign from being read as something else.
        hardware = HWAccel(device, allow_software_fallback=False) if device else None
        return av.open(f"file:{path}", metadata_errors="replace", hwaccel=hardware)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError.because(
            error,
            "can't be opened as a clip",
            path=path,
            hint="it is damaged, truncated, or not a video",
        ) from error


def video_stream(container: InputContainer, path: Path) -> av.VideoStream:
    """Return the first video stream that is not a cover image.

    Raises:
        MediaError: There is none.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            return stream
    raise MediaError("has no video stream", path=path)


def video_decoder(stream: av.VideoStream) -> av.VideoCodecContext:
    """Return a decoder of the whole frame: with alpha, and cropped to the very pixel."""
    decoder = stream.codec_context
    with_alpha = _DECODERS_WITH_ALPHA.get(decoder.name)
    tags = {name.lower(): value for name, value in stream.metadata.items()}
    if tags.get("alpha_mode") == "1" and with_alpha in av.codecs_available:
        decoder = av.CodecContext.create(with_alpha, "r")
        assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_type = "AUTO"
    # Else H.264 and HEVC leave pixels that are to be cropped, to keep rows aligned in memory.
    decoder.flags |= Flags.unaligned
    return decoder


def _origin(container: InputContainer) -> Fraction:
    starts = [
        stream.start_time * stream.time_base
        for stream in container.streams
        if stream.start_time is not None and stream.time_base
    ]
    return min(starts, default=Fraction(0))


def _at(pts: int | None, time_base: Fraction) -> str:
    return "its start" if pts is None else f"{float(pts * time_base):.3f} s"
