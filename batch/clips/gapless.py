"""Samples that an audio encoder adds at both ends, stated in Matroska as in MP4.

Without that a decoder plays them: a few hundredths of a second of silence, audible where tracks
follow each other.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.packet import PacketSideData
from av.stream import Stream

from ...core.clips.opening import open_clip

_SKIPPED = "skip_samples"
# Matroska's element numbers (RFC 9559): those that hold others down to a track, and the delay.
_DOWN_TO_TRACK = (0x18538067, 0x1654AE6B, 0xAE)
_CODEC_DELAY = b"\x56\xaa\x88"
_NANOSECONDS = 1_000_000_000


@dataclass
class Padding:
    """Samples of an audio stream that are not to be heard.

    Attributes:
        start: Samples at its start.
        rate: Samples a second.
        frame: Samples of a packet.
        note: Note of FFmpeg's in which a packet states them.
        first: Content of the first packet.
    """

    start: int
    rate: int
    frame: int
    note: PacketSideData
    first: bytes

    def state_end(self, packet: av.Packet) -> None:
        """State in a packet that lasts less than its samples how many are to be cut off."""
        shown = round((packet.duration or 0) * Fraction(packet.time_base) * self.rate)
        if 0 < shown < self.frame:
            # Samples to skip at the start, at the end, and two reasons (libavcodec/packet.h).
            self.note.update(struct.pack("<IIBB", 0, self.frame - shown, 0, 0))
            packet.set_sidedata(self.note)


def padding_of(path: Path, index: int) -> Padding | None:
    """Return the padding that an MP4 or MOV file states; None where there is none."""
    try:
        with open_clip(path) as container:
            stream = container.streams[index]
            if "mp4" not in container.format.name or not isinstance(stream, av.AudioStream):
                return None
            packet = next((own for own in container.demux(stream) if own.size), None)
            if packet is None or not packet.has_sidedata(_SKIPPED):
                return None
            note, context = packet.get_sidedata(_SKIPPED), stream.codec_context
            (start,) = struct.unpack_from("<I", bytes(note))
    except (av.error.FFmpegError, OSError, struct.error):
        return None
    if not (start and context.sample_rate and context.frame_size):
        return None
    return Padding(start, context.sample_rate, context.frame_size, note, bytes(packet))


def with_delay(template: Stream, padding: Padding) -> InputContainer:
    """Return a file of one stream like another, whose header states the padding at its start.

    PyAV has no other way to state it: the muxer copies it from this stream.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        # A file without a packet is none.
        packet = av.Packet(padding.first)
        packet.stream = container.add_stream_from_template(template)
        packet.time_base = Fraction(1, padding.rate)
        packet.pts = packet.dts = 0
        container.mux(packet)
    delay = round(padding.start * _NANOSECONDS / padding.rate)
    told = _inserted(file.getvalue(), _CODEC_DELAY + delay.to_bytes(8))
    return av.open(io.BytesIO(told), "r")


def _inserted(text: bytes, element: bytes) -> bytes:
    """Insert an element at the end of the first track's entry."""
    content, start, end = bytearray(text), 0, len(text)
    for wanted in _DOWN_TO_TRACK:
        place, length, size = _found(content, start, wanted)
        start, end = place + length, place + length + size
        content[place:start] = (size + len(element) | 1 << 7 * length).to_bytes(length)
    content[end:end] = element
    return bytes(content)


def _found(content: bytearray, start: int, wanted: int) -> tuple[int, int, int]:
    """Return where the size of an element is written, in how many bytes, and the size."""
    while True:
        width = 9 - content[start].bit_length()
        number = int.from_bytes(content[start : start + width])
        place = start + width
        length = 9 - content[place].bit_length()
        size = int.from_bytes(content[place : place + length]) ^ 1 << 7 * length
        if number == wanted:
            return place, length, size
        start = place + length + size
