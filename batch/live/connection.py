"""An input from its opening to its end: its facts, its frames, its audio."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from time import monotonic

import av
import av.error
from av.container import InputContainer

from ...core.clips.clip_info import ClipInfo, VideoInfo, stream_info, video_info
from ...core.clips.first_look import CLOCKED_CONTAINERS, clip_info_of, cropped_info
from ...core.clips.frame_colours import FrameColours
from ...core.clips.opening import video_decoder, video_stream
from ...core.errors import MediaError
from ...core.frames.av_frame import from_av
from ...core.frames.crop import cropped_frame
from ...core.frames.fields import Deinterlacer
from ...core.frames.frame import Frame
from ...core.frames.recolour import recoloured
from .address import Address
from .opening import failure, open_input
from .settings import InputSettings

# Of an input that does not tell.
_USUAL_RATE = Fraction(25)


@dataclass(frozen=True)
class Sound:
    """A packet of audio as the input has it.

    Attributes:
        track: Number of its stream among the audio streams, from 0.
        packet: The packet; its times are the input's.
    """

    track: int
    packet: av.Packet


class Connection:
    """An open input.

    Attributes:
        video: Facts of its video; frames are progressive.
        audio: Its audio streams.
        is_endless: Whether it states no length: who sends it goes on until he stops.

    Args:
        address: The input.
        settings: How it is opened.

    Raises:
        MediaError: It can't be opened, or its first frame can't be decoded.
    """

    def __init__(self, address: Address, settings: InputSettings):
        self._address, self._timeout = address, settings.timeout
        self._opened = open_input(address, settings)
        try:
            # What is decoded until the first frame shows what the video is.
            self._items = self._decoded()
            self._held: list[av.VideoFrame | Sound] = []
            first = self._first()
            info = self._info(first)
            self._colours = FrameColours(info, first, packed=True)
        except BaseException:
            self.close()
            raise
        self.video: VideoInfo = replace(info.video, fields=None, constant_rate=False)
        self._deinterlacer = Deinterlacer()
        self._step = round(1 / (self.video.frame_rate or _USUAL_RATE) / self.video.time_base)

    @property
    def _container(self) -> InputContainer:
        opened = self._opened
        return opened if isinstance(opened, InputContainer) else opened.container

    @property
    def audio(self) -> list[av.AudioStream]:
        """The audio streams whose codec is known."""
        return [stream for stream in self._container.streams.audio if stream.codec_context]

    @property
    def is_endless(self) -> bool:
        """True if it states no length."""
        return self._container.duration is None

    @property
    def is_clocked(self) -> bool:
        """True if its times count from an arbitrary clock."""
        return self._container.format.name in CLOCKED_CONTAINERS

    def close(self) -> None:
        """Close it."""
        with suppress(av.error.FFmpegError, OSError):
            self._opened.close()

    def items(self) -> Iterator[Frame | Sound]:
        """Yield frames in the order of display, and packets of audio where they lie between.

        Raises:
            MediaError: It broke off, or a frame is of another size.
        """
        for item in self._shown():
            yield item if isinstance(item, Sound) else self._frame(item)

    def _shown(self) -> Iterator[av.VideoFrame | Sound]:
        for item in self._all():
            if isinstance(item, Sound):
                yield item
            else:
                self._check(item)
                yield from self._deinterlacer(self._colours.comparable(item))
        yield from self._deinterlacer.flush()

    def _all(self) -> Iterator[av.VideoFrame | Sound]:
        while self._held:
            yield self._held.pop(0)
        yield from self._items

    def _first(self) -> av.VideoFrame:
        for item in self._items:
            self._held.append(item)
            if isinstance(item, av.VideoFrame):
                return item
        raise MediaError(f"{self._address.shown}: has no frame that can be decoded")

    def _info(self, first: av.VideoFrame) -> ClipInfo:
        if self._address.kind == "file":
            info = clip_info_of(self._address.path, self._container, self._stream, first)
            return cropped_info(info, fields=False)
        others = tuple(stream_info(stream) for stream in self.audio)
        video = video_info(self._container, self._stream, first)
        name = self._container.format.name
        return ClipInfo(Path(self._address.shown), name, Fraction(0), video, others)

    def _decoded(self) -> Iterator[av.VideoFrame | Sound]:
        container = self._container
        self._stream = video_stream(container, Path(self._address.shown))
        decoder = video_decoder(self._stream)
        # Several frames at a time would each wait for the next ones.
        decoder.thread_type = "SLICE"
        tracks = {stream.index: number for number, stream in enumerate(self.audio)}
        try:
            for packet in container.demux():
                if packet.stream.index == self._stream.index:
                    yield from self._placed(decoder, packet)
                elif packet.size and packet.stream.index in tracks:
                    yield Sound(tracks[packet.stream.index], packet)
        except (av.error.FFmpegError, OSError) as error:
            raise failure(error, self._address, self._timeout, "breaks off") from error

    def _placed(self, decoder: av.VideoCodecContext, packet: av.Packet) -> Iterator[av.VideoFrame]:
        try:
            yield from decoder.decode(packet)
        except av.error.InvalidDataError:
            # A stream that was joined in its middle, or lost a datagram: the next keyframe heals.
            if self._address.kind == "file":
                raise

    def _check(self, decoded: av.VideoFrame) -> None:
        width, height = self.video.decoded_size
        if (decoded.width, decoded.height) != (width, height):
            raise MediaError(
                f"{self._address.shown}: changes its size from {width}x{height} to "
                f"{decoded.width}x{decoded.height}",
                hint="start again",
            )

    def _frame(self, decoded: av.VideoFrame) -> Frame:
        video = self.video
        pts = decoded.pts
        if pts is None:  # JPEGs one after the other, say
            pts = round(monotonic() / video.time_base)
        frame = from_av(
            decoded,
            pixel_format=video.pixel_format,
            colour=self._colours.of(decoded, pts, self._stream),
            pts=pts,
            duration=decoded.duration or self._step,
            time_base=video.time_base,
        )
        if frame.colour != video.colour:
            frame = recoloured(frame, video.colour)
        return cropped_frame(frame, video.crop)
