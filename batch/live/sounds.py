"""Audio of the input, passed on to the output."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import av.error
from av.container import OutputContainer

from ...core.human import counted
from ..clips.audio_conversion import Conversion, can_convert
from ..clips.mux import supports
from .connection import Sound

# Containers that hold one audio stream.
_ONE = frozenset({"flv"})
# Packets of these are packets of a transport stream.
_TRANSPORT = frozenset({"hls", "rtp_mpegts", "rtsp"})
# Codecs that players find in one; FFmpeg writes any other as data that nobody reads.
_PLAYED = frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "opus"})


class Sounds:
    """Audio streams of an output.

    Attributes:
        warnings: What is converted or left out, a line each.

    Args:
        target: The container that is written.
        muxer: FFmpeg's name of it.
        streams: The input's audio streams.
    """

    def __init__(self, target: OutputContainer, muxer: str, streams: Sequence[av.AudioStream]):
        self._target = target
        self._written: dict[int, av.AudioStream | Conversion] = {}
        self._ends: dict[int, Fraction] = {}
        self._framed = {track for track, stream in enumerate(streams) if is_framed(stream)}
        self.warnings: list[str] = []
        kept = streams[:1] if muxer in _ONE else streams
        if len(kept) < len(streams):
            left = counted(len(streams) - len(kept), "audio stream")
            self.warnings.append(f"{left} left out: the output takes one")
        form = "mpegts" if muxer in _TRANSPORT else muxer
        for track, stream in enumerate(kept):
            self._add(track, stream, form)

    @property
    def count(self) -> int:
        """Number of audio streams of the output."""
        return len(self._written)

    def _add(self, track: int, stream: av.AudioStream, form: str) -> None:
        name = stream.codec_context.name
        if (form != "mpegts" or name in _PLAYED) and supports(form, stream):
            copy = self._target.add_stream_from_template(stream)
            assert isinstance(copy, av.AudioStream)
            self._written[track] = copy
        elif can_convert(form, stream, "aac"):
            self._written[track] = Conversion(self._target, stream, "aac")
            self.warnings.append(f"audio ({name}) is converted to AAC: the output does not take it")
        else:
            self.warnings.append(f"audio ({name}) is left out: the output does not take it")

    def write(self, sound: Sound) -> None:
        """Write a packet of the input; one whose time does not rise is left out.

        Raises:
            FFmpegError, OSError: The output does not take it.
        """
        written, packet = self._written.get(sound.track), sound.packet
        if written is None:
            return
        if isinstance(written, Conversion):
            try:
                made = list(written.packets(packet))
            except av.error.InvalidDataError:
                return  # damaged on the way
            for encoded in made:
                self._target.mux(encoded)
            return
        time = (packet.dts or 0) * Fraction(packet.time_base)
        if time < 0 and sound.track in self._framed:
            return
        if time <= self._ends.get(sound.track, time - 1):
            return
        self._ends[sound.track] = time
        packet.stream = written
        self._target.mux(packet)

    def finish(self) -> None:
        """Write what encoders have kept."""
        for written in self._written.values():
            if isinstance(written, Conversion):
                for encoded in written.rest():
                    self._target.mux(encoded)


def is_framed(stream: av.AudioStream) -> bool:
    """Return whether it is AAC as transport streams have it, each packet with its own header."""
    context = stream.codec_context
    return context.name == "aac" and not context.extradata
