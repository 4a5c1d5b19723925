"""Fingerprints of streams, packet by packet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction

import av

_ADTS_SYNC = 0xFFF
# Length of a text of no characters (3GPP TS 26.245).
_NO_TEXT = b"\0\0"


class TrackDigest:
    """Fingerprint of a stream's packets.

    Attributes:
        packets: Their number.
        start: Seconds at which the first one plays; None before it came.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.start: Fraction | None = None
        self._samples = False
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, packet: av.Packet) -> None:
        """Add a packet."""
        self.add_facts(PacketFacts.of(packet))

    def add_facts(self, facts: PacketFacts) -> None:
        """Add a packet of which only the facts are left."""
        if self.start is None:
            self.start = facts.time
        self._samples = self._samples or facts.samples
        self.add_content(facts.content)

    def add_content(self, content: bytes | memoryview) -> None:
        """Add the content of a packet; empty content counts for nothing."""
        if content:
            self.packets += 1
            self._hash.update(content)

    def same_content(self, other: TrackDigest) -> bool:
        """Return whether both are of the same packets, byte for byte."""
        # Containers cut plain samples into packets as they like.
        alike = self._samples or self.packets == other.packets
        return alike and self._hash.digest() == other._hash.digest()


@dataclass(frozen=True)
class PacketFacts:
    """Facts of a packet that are compared.

    Attributes:
        time: Seconds at which it plays; None where it states none.
        content: See `payload`.
        samples: Whether it is plain samples (PCM), which can be split anywhere.
    """

    time: Fraction | None
    content: bytes
    samples: bool

    @classmethod
    def of(cls, packet: av.Packet) -> PacketFacts:
        """Return the facts of a packet."""
        ticks = packet.dts if packet.pts is None else packet.pts
        time = None if ticks is None else ticks * Fraction(packet.time_base)
        codec = packet.stream.codec_context
        samples = codec is not None and codec.name.startswith("pcm_")
        return cls(time, bytes(payload(packet)), samples)


def payload(packet: av.Packet) -> memoryview:
    """Return a packet's content; AAC without the ADTS header that only streams need.

    MP4, MOV and Matroska store once for the track what ADTS (ISO/IEC 14496-3, 1.A.2.2) repeats in
    7 or 9 bytes before every packet, and their muxers remove it. Packets of MP4's subtitles that
    show nothing count as empty: the muxer puts them where it needs them.
    """
    content = memoryview(packet)
    codec = packet.stream.codec_context
    if codec is not None and codec.name == "mov_text" and content == _NO_TEXT:
        return content[:0]
    is_aac = codec is not None and codec.name.startswith("aac")
    if is_aac and len(content) >= 7 and int.from_bytes(content[:2]) >> 4 == _ADTS_SYNC:
        return content[7 if content[1] & 1 else 9 :]
    return content
