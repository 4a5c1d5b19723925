"""Audio that a container does not support, converted to a codec that it does."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction

import av
import av.error
from av.container import OutputContainer
from av.stream import Stream

from ...core.options import AudioCodec

_ENCODERS: dict[str, str] = {"aac": "aac", "flac": "flac", "opus": "libopus"}
# Transparent for nearly everybody, in bits a second for each channel.
_BITS = {"aac": 96_000, "opus": 80_000}
# Seconds; less is a container's rounding.
_LEAST_GAP = 0.1
# Samples a frame where the encoder takes any number.
_FRAME = 1024
_USUAL = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


class Conversion:
    """An audio stream that is decoded and encoded.

    Args:
        target: The container that is written.
        template: The source's stream.
        codec: "aac", "flac" or "opus".

    Attributes:
        stream: The written stream.
    """

    def __init__(self, target: OutputContainer, template: av.AudioStream, codec: AudioCodec):
        self.stream = _add_stream(target, template, codec)
        context = self.stream.codec_context
        self._rate = context.sample_rate
        self._resampler = av.AudioResampler(context.format, context.layout, self._rate)
        # What waits until the encoder's frame is full.
        self._waiting = av.AudioFifo()
        # Of the next sample to be encoded, and of the next to be decoded; None before the first.
        self._encoded: int | None = None
        self._decoded: int | None = None

    def packets(self, packet: av.Packet) -> Iterator[av.Packet]:
        """Yield what the encoder gives for a packet of the source.

        Raises:
            FFmpegError: The packet can't be decoded.
        """
        for frame in packet.decode():
            assert isinstance(frame, av.AudioFrame)
            self._fill_gap(frame)
            for part in self._resampler.resample(frame):
                self._add(part)
        yield from self._full_frames()

    def rest(self) -> Iterator[av.Packet]:
        """Yield what is left at the end."""
        for part in self._resampler.resample(None):
            self._add(part)
        yield from self._full_frames()
        if (last := self._waiting.read(partial=True)) is not None:
            yield from self._encode(last)
        yield from self.stream.encode(None)

    def _fill_gap(self, frame: av.AudioFrame) -> None:
        """Put silence where the source has none, so that what follows keeps its time."""
        if frame.time is None:
            return
        time = round(frame.time * self._rate)
        if self._decoded is None:
            self._encoded = self._decoded = time
        gap = time - self._decoded
        if gap > _LEAST_GAP * self._rate:
            context = self.stream.codec_context
            silence = av.AudioFrame(context.format.name, context.layout.name, gap)
            silence.sample_rate = self._rate
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            self._add(silence)

    def _add(self, part: av.AudioFrame) -> None:
        self._decoded = (self._decoded or 0) + part.samples
        part.pts = None  # they are counted here
        self._waiting.write(part)

    def _full_frames(self) -> Iterator[av.Packet]:
        size = self.stream.codec_context.frame_size or _FRAME
        while (frame := self._waiting.read(size)) is not None:
            yield from self._encode(frame)

    def _encode(self, frame: av.AudioFrame) -> Iterator[av.Packet]:
        frame.pts, frame.time_base = self._encoded or 0, Fraction(1, self._rate)
        self._encoded = frame.pts + frame.samples
        yield from self.stream.encode(frame)


def can_convert(muxer: str, template: Stream, codec: AudioCodec) -> bool:
    """Return whether a stream can be converted for a container, found out by beginning one."""
    if codec == "copy" or not isinstance(template, av.AudioStream):
        return False
    with av.open(io.BytesIO(), "w", format=muxer) as trial:
        try:
            _add_stream(trial, template, codec)
            trial.start_encoding()
        except (ValueError, av.error.FFmpegError):
            return False
    return True


def _add_stream(
    target: OutputContainer, template: av.AudioStream, codec: AudioCodec
) -> av.AudioStream:
    source, encoder = template.codec_context, av.Codec(_ENCODERS[codec], "w")
    stream = target.add_stream(_ENCODERS[codec], rate=_rate(encoder, source.sample_rate))
    assert isinstance(stream, av.AudioStream)
    channels = source.layout.nb_channels
    named = source.layout.name if not source.layout.name.endswith(" channels") else None
    stream.codec_context.layout = named or _USUAL.get(channels, source.layout.name)
    stream.codec_context.format = _sample_format(encoder, source.format.bytes)
    if codec in _BITS:
        stream.codec_context.bit_rate = _BITS[codec] * channels
    return stream


def _rate(encoder: av.Codec, wanted: int) -> int:
    """Return the nearest rate that an encoder takes, rather a higher one."""
    rates = encoder.audio_rates
    if not rates:
        return wanted
    return min((rate for rate in rates if rate >= wanted), default=max(rates))


def _sample_format(encoder: av.Codec, least_bytes: int) -> str:
    """Return the smallest sample format of an encoder that loses nothing, else its largest."""
    formats = sorted(encoder.audio_formats or (), key=lambda form: form.bytes)
    return next((form.name for form in formats if form.bytes >= least_bytes), formats[-1].name)
