"""Output by PyAV: a file, a folder of HLS, a stream of the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import OutputContainer
from av.video.frame import PictureType

from ...core.clips.clip_info import VideoInfo
from ...core.errors import OutputError, UsageError
from ...core.frames.av_frame import to_av
from ...core.frames.frame import Frame
from ..clips.destination import FileDestination
from ..clips.mux import BOXED
from ..encoding.encode import add_encoded_stream, start_encoding
from .address import OUTPUT_SUFFIXES, Address, muxer_of
from .connection import Sound
from .constant_rate import ConstantRate
from .encoding import KEYFRAME_SECONDS, live_encoding
from .relay import OutputRelay, needs_relay
from .settings import OutputSettings
from .sounds import Sounds, is_framed

# Audio waits for a frame that is late, but not longer.
_INTERLEAVE_MICROSECONDS = "1000000"
_OPTIONS = {
    "matroska": {"avoid_negative_ts": "disabled"},
    "hls": {
        "hls_time": str(KEYFRAME_SECONDS),
        "hls_list_size": "10",
        "hls_flags": "delete_segments+independent_segments+temp_file",
    },
    # What is in no file needs no duration.
    "flv": {"flvflags": "no_duration_filesize"},
}


class StreamSink:
    """`LiveSink` of a file or a stream.

    Args:
        address: Where it goes.
        settings: How it is written.
        video: Facts of the input's video.
        audio: The input's audio streams.
        timeout: Seconds that a stream may take to answer.

    Raises:
        UsageError, OutputError: The output is refused, or refuses.
        DeviceError: The encoder that was asked for does not work here.
    """

    def __init__(
        self,
        address: Address,
        settings: OutputSettings,
        video: VideoInfo,
        audio: Sequence[av.AudioStream],
        timeout: float,
    ):
        self._address, self._muxer = address, muxer_of(address)
        self._constant = None if settings.rate is None else ConstantRate(settings.rate)
        if settings.rate is not None:
            video = replace(video, frame_rate=settings.rate, time_base=1 / settings.rate)
        encoding = live_encoding(
            video, settings, self._muxer, streamed=address.kind == "stream" or self._is_hls
        )
        self.pixel_format, self.colour = encoding.picture.pixel_format, encoding.picture.colour
        self._destination: FileDestination | None = None
        self._relay: OutputRelay | None = None
        self._next_keyframe = Fraction(0)
        self._written = 0
        try:
            self._container = self._opened(settings, audio, timeout)
            self._stream = add_encoded_stream(self._container, video, encoding)
            self._sounds = Sounds(self._container, self._muxer, audio)
            start_encoding(self._container)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._leave()
            raise self._failure(error, "can't be opened") from error
        rotated = video.rotation and self._muxer not in ("mp4", "mov", "matroska")
        turned = ("is rotated, which the output does not state",) if rotated else ()
        self.warnings = (*turned, *self._sounds.warnings)

    @property
    def _is_hls(self) -> bool:
        return self._muxer == "hls"

    @property
    def audio_tracks(self) -> int:
        """Number of audio streams that it takes."""
        return self._sounds.count

    @property
    def repeated(self) -> int:
        """Frames repeated so far."""
        return 0 if self._constant is None else self._constant.repeated

    @property
    def left_out(self) -> int:
        """Frames so far that had no place at a constant rate."""
        return 0 if self._constant is None else self._constant.left_out

    def _opened(
        self, settings: OutputSettings, audio: Sequence[av.AudioStream], timeout: float
    ) -> OutputContainer:
        file: Any = self._address.text
        if needs_relay(self._address):
            self._relay = OutputRelay(self._address, timeout)
            file = self._relay.pipe
        elif self._address.kind == "file":
            self._destination = FileDestination(
                self._address.path, overwrite=settings.overwrite, suffixes=tuple(OUTPUT_SUFFIXES)
            )
            self._destination.check_free()
            self._address.path.parent.mkdir(parents=True, exist_ok=True)
            # A list that is read while it grows has its name from the start.
            file = str(self._address.path.resolve() if self._is_hls else f"file:{self._hidden}")
        options = {"max_interleave_delta": _INTERLEAVE_MICROSECONDS, "flush_packets": "1"}
        options |= _OPTIONS.get(self._muxer, {})
        if self._muxer in BOXED:
            options["movflags"] = _movflags(audio)
        if self._address.scheme.startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
        return av.open(
            file, "w", format=self._muxer, container_options=options, metadata_errors="replace"
        )

    @property
    def _hidden(self) -> Path:
        assert self._destination is not None
        return self._destination.hidden

    def write(self, frame: Frame) -> None:
        """Encode a frame and write it at once, see `LiveSink`."""
        self._encode([frame] if self._constant is None else self._constant.frames(frame))

    def idle(self, time: float) -> None:
        """Repeat the latest frame where the rate is constant, see `LiveSink`."""
        if self._constant is not None:
            self._encode(self._constant.idle(time))

    def _encode(self, frames: Iterable[Frame]) -> None:
        try:
            for frame in frames:
                image = to_av(frame)
                time = frame.pts * frame.time_base
                if time >= self._next_keyframe:
                    image.pict_type = PictureType.I
                    self._next_keyframe = time + KEYFRAME_SECONDS
                self._container.mux(self._stream.encode(image))
                self._written += 1
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error, "can't be written") from error

    def sound(self, sound: Sound) -> None:
        """Write a packet of audio, see `LiveSink`."""
        try:
            self._sounds.write(sound)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error, "can't be written") from error

    def finish(self) -> None:
        """Write what the encoders have kept, close it, and give a file its name."""
        try:
            self._container.mux(self._stream.encode(None))
            self._sounds.finish()
            self._container.close()
            if self._destination is not None and not self._is_hls:
                self._destination.check_free()
                self._destination.give_name(self._hidden)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error, "can't be written") from error
        finally:
            if self._relay is not None:
                self._relay.close()

    def abandon(self) -> str | None:
        """Close it; a file stays under its hidden name, for it can't be filmed again."""
        self._leave()
        if self._destination is None or self._is_hls or not self._hidden.exists():
            return None
        if not self._written:
            self._hidden.unlink(missing_ok=True)
            return None
        return f"what was written until then is in {self._hidden}"

    def _leave(self) -> None:
        with suppress(av.error.FFmpegError, OSError, AttributeError):
            self._container.close()
        if self._relay is not None:
            self._relay.close()
        if self._destination is not None and not self._written and not self._is_hls:
            with suppress(OSError):
                self._hidden.unlink(missing_ok=True)

    def _failure(self, error: BaseException, what: str) -> OutputError | UsageError:
        if isinstance(error, av.error.ProtocolNotFoundError):
            shown, scheme = self._address.shown, self._address.scheme
            return OutputError(f"{shown}: FFmpeg as PyAV brings it has no {scheme}")
        refuses = "the other side, or the encoder, refuses it"
        return OutputError.because(error, f"{self._address.shown}: {what}", otherwise=refuses)


def _movflags(audio: Sequence[av.AudioStream]) -> str:
    """Return how MP4 and MOV are written: so that a crash leaves a file up to its last keyframe."""
    # Where the header waits for the first packets, it states audio that begins before zero. What
    # FFmpeg makes of AAC from transport streams has to know its header before.
    waits = not any(is_framed(stream) for stream in audio)
    return "hybrid_fragmented" + ("+delay_moov" if waits else "")
