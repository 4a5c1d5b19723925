"""`Reader` of a clip: native planes, exact rational times, other streams as packets."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import av
import av.error
from av.stream import Stream

from ..errors import MediaError
from ..file_identity import clip_identity
from ..frames.av_frame import from_av
from ..frames.crop import cropped_frame
from ..frames.fields import Deinterlacer
from ..frames.frame import Frame
from ..frames.recolour import recoloured
from ..human import counted
from ..options import Interlaced, Timestamps
from .clip_info import (
    BESIDE,
    ClipInfo,
    beside_pixels,
)
from .first_look import clip_info_of, cropped_info
from .frame_colours import FrameColours
from .next_to_video import (
    chapters_of,
    from_origin,
    other_packets,
    timecode_of,
    video_metadata_of,
)
from .opening import open_clip, video_decoder, video_stream
from .range import FrameRange
from .reader import FIRST_NUMBER, ClosedAtExit, NumberedFrame
from .rising_times import RisingTimes, place
from .survey import Disorder, OtherHeader, survey
from .timecode import Timecode
from .trim import Trim
from .truncation import check_whole

if TYPE_CHECKING:
    from av.container.core import Chapter


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
    # Of a range, frames around it are decoded, too.
    _counting = True

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
        self._cropped = cropped
        self._beside: set[str] = set()
        self._announced: set[str] = set()
        self.recoloured_frames = 0
        self.foreseen: frozenset[str] = frozenset()
        self.damaged_frames = self.interlaced_frames = 0
        self._interlaced: Interlaced = interlaced
        self.container = open_clip(path)
        try:
            check_whole(self.container, path)
            self._start()
            self.info = self._look()
            self._times = self._rising_times()
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
        self._times.check(found, whole=self.range is None)
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
                own = self._colours.of(self._colours.comparable(frame), pts, self._stream)
            except MediaError as error:
                error.path = self.path
                raise
            if own != video.colour:
                self.foreseen |= {"recoloured_frames"}
                yield (
                    f"states another matrix or range from {place(pts, video.time_base)} on: such "
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
    def repaired_frames(self) -> int:
        """Frames so far whose times did not rise."""
        return self._times.repaired

    def _rising_times(self) -> RisingTimes:
        return RisingTimes(self.path, self.info.video.time_base, self._timestamps)

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
        self.recoloured_frames = 0
        self._times = self._rising_times()
        try:
            for item in self._progressive():
                if isinstance(item, av.Packet):
                    yield from_origin(item, self.info.origin)
                    continue
                yield self._frame(item)
        except MediaError as error:
            error.path = self.path
            raise
        except (av.error.FFmpegError, OSError) as error:
            where = place(self._times.last, self.info.video.time_base)
            raise MediaError.because(
                error, f"can't be read beyond {where}", path=self.path
            ) from error

    def _progressive(self) -> Iterator[av.VideoFrame | av.Packet]:
        for item in self._decoded():
            if isinstance(item, av.Packet):
                yield item
                continue
            self._check(item)
            if self._counting:
                self.damaged_frames += item.is_corrupt
                self.interlaced_frames += item.interlaced_frame
            if self._interlaced == "deinterlace":
                yield from self._deinterlacer(self._colours.comparable(item))
            else:
                yield item
        yield from self._deinterlacer.flush()

    @property
    def beside(self) -> set[str]:
        """Names of what later frames carry beside their pixels, see `Reader`."""
        return self._beside - set(self.info.video.beside) - self._announced

    def _check(self, decoded: av.VideoFrame) -> None:
        video, pts = self.info.video, self._pts(decoded)
        width, height = video.decoded_size
        self._beside |= beside_pixels(decoded)
        where = "" if pts is None else f" at {place(pts, video.time_base)}"
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
            info = clip_info_of(self.path, self.container, self._stream, first)
            packed = self._interlaced == "deinterlace"
            self._colours = FrameColours(info, first, packed=packed)
            self._check_fields(first, "")
        except MediaError as error:
            error.path = self.path
            raise
        return cropped_info(info, fields=self._interlaced == "keep") if self._cropped else info

    def _frame(self, decoded: av.VideoFrame) -> Frame:
        video = self.info.video
        step = decoded.duration or self._usual_duration()
        pts = self._times.next(self._pts(decoded), step)
        frame = from_av(
            decoded,
            pixel_format=video.pixel_format,
            colour=self._colours.of(decoded, pts, self._stream),
            pts=pts,
            duration=step,
            time_base=video.time_base,
        )
        if frame.colour != video.colour:
            self.recoloured_frames += 1
            frame = recoloured(frame, video.colour)
        return cropped_frame(frame, video.crop)

    def _pts(self, decoded: av.VideoFrame) -> int | None:
        if decoded.pts is None:
            return None
        return decoded.pts - int(self.info.origin / self.info.video.time_base)

    def _usual_duration(self) -> int:
        video = self.info.video
        return round(1 / (video.frame_rate or 25) / video.time_base)
