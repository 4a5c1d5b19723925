"""Comparison of encoded video across containers, which repack what an encoder has made.

MP4, MOV and Matroska store NAL units (H.264, HEVC) behind their lengths where encoders put start
codes (ITU-T H.264, Annex B; ISO/IEC 14496-15), and leave out OBUs of AV1 that only streams need
(AV1 in ISOBMFF, section 2.4). The units themselves are the same bytes everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial

Split = Callable[[bytes], Iterator[bytes]]

_START_CODE = b"\0\0\1"
# The configuration record of a container has version 1 in its first byte, Annex B a zero.
_RECORD_VERSION = 1
_LENGTH_SIZE_AT = {"h264": 4, "hevc": 21}
_PARAMETER_SETS = {"h264": (7, 8), "hevc": (32, 33, 34)}
_SEQUENCE_HEADER, _TEMPORAL_DELIMITER = 1, 2
# Temporal delimiter, redundant frame header, tile list and padding (AV1, section 6.2.2).
_LEFT_OUT_OBUS = frozenset({_TEMPORAL_DELIMITER, 7, 8, 15})


class VideoDigest:
    """Fingerprint of a video stream's packets, the same in every container.

    Attributes:
        packets: Number of packets.

    Args:
        codec: FFmpeg's name of the codec.
        extradata: Header of the stream in the form of its container or encoder.
    """

    def __init__(self, codec: str, extradata: bytes):
        self.packets = 0
        self._split = splitter(codec, extradata)
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, content: bytes) -> None:
        """Add a packet.

        Raises:
            ValueError: It does not consist of whole units.
        """
        self.packets += 1
        self._hash.update(b"packet")
        for unit in self._split(content):
            self._hash.update(len(unit).to_bytes(8, "big"))
            self._hash.update(unit)

    def same_content(self, other: VideoDigest) -> bool:
        """Return whether both streams have the same packets."""
        return (self.packets, self._hash.digest()) == (other.packets, other._hash.digest())


def splitter(codec: str, extradata: bytes) -> Split:
    """Return the function that splits a packet into the units that no container changes."""
    if codec == "av1":
        return _kept_obus
    if codec not in _LENGTH_SIZE_AT:
        return lambda content: iter([content])
    units: Split = _units_after_start_codes
    if extradata[:1] == bytes([_RECORD_VERSION]):
        size = (extradata[_LENGTH_SIZE_AT[codec]] & 3) + 1
        units = partial(_units_after_lengths, size=size)
    # Encoders repeat parameter sets in HDR, and MP4 keeps them in its header alone.
    sets = _PARAMETER_SETS[codec]
    return lambda content: (unit for unit in units(content) if _nal_type(codec, unit) not in sets)


def header_units(codec: str, header: bytes) -> list[bytes]:
    """Split an encoder's header into the units that a container's extradata must contain."""
    if codec == "av1":
        return [unit for unit in _kept_obus(header) if unit[0] >> 3 & 15 == _SEQUENCE_HEADER]
    if codec not in _PARAMETER_SETS:
        return [header]
    units = _units_after_start_codes(header)
    return [unit for unit in units if _nal_type(codec, unit) in _PARAMETER_SETS[codec]]


def _nal_type(codec: str, unit: bytes) -> int:
    return unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63


def _units_after_start_codes(content: bytes) -> Iterator[bytes]:
    for unit in content.split(_START_CODE):
        # No NAL unit ends in a zero: it belongs to the next start code.
        if whole := unit.rstrip(b"\0"):
            yield whole


def _units_after_lengths(content: bytes, size: int) -> Iterator[bytes]:
    position = 0
    while position < len(content):
        start = position + size
        position = start + int.from_bytes(content[position:start], "big")
        if position > len(content):
            raise ValueError("a NAL unit is cut short")
        if whole := content[start:position].rstrip(b"\0"):
            yield whole


def _kept_obus(content: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(content):
        start, first = position, content[position]
        position += 2 if first & 4 else 1
        if first & 2:
            size, position = _leb128(content, position)
            position += size
        else:
            position = len(content)
        if position > len(content):
            raise ValueError("an OBU is cut short")
        if first >> 3 & 15 not in _LEFT_OUT_OBUS:
            yield content[start:position]


def _leb128(content: bytes, position: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, least significant first, and the position after it."""
    value = shift = 0
    while position < len(content):
        byte = content[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
    raise ValueError("an OBU is cut short")
