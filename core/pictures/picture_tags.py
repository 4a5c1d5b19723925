"""What PNG and TIFF files say beside their pixels, taken from one file into another."""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import MediaError

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Colour, pixel shape, texts (W3C PNG, third edition, 11.3); true of the painted picture as well.
_KEPT_CHUNKS = frozenset(
    b"cHRM gAMA iCCP sRGB cICP mDCV cLLI mDCv cLLi pHYs tEXt zTXt iTXt eXIf".split()
)
_NEEDED_CHUNKS = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))

# TIFF 6.0, section 2: bytes of a value by its type.
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS = 273, 279, 324, 325
# Description, maker, model, orientation, resolution and its unit, date, artist, host, kind of
# alpha, XMP, copyright, IPTC, ICC profile.
_KEPT_TAGS = frozenset(
    (270, 271, 272, 274, 282, 283, 296, 306, 315, 316, 338, 700, 33432, 33723, 34675)
)


@dataclass(frozen=True)
class PngChunks:
    """The chunks of a PNG file that go over.

    Attributes:
        chunks: Each whole, with its length and checksum.
        transparent: Whether colours of its palette are.
    """

    chunks: tuple[bytes, ...]
    transparent: bool

    @classmethod
    def read(cls, content: bytes) -> PngChunks:
        """Look through a file.

        Raises:
            MediaError: It is no PNG, cut short, or a checksum is wrong.
        """
        chunks = list(_png_chunks(content))
        if not chunks or chunks[-1][0] != b"IEND":
            raise MediaError("is cut short: it has no end")
        kept = tuple(chunk for name, chunk in chunks if name in _KEPT_CHUNKS)
        return cls(kept, any(name == b"tRNS" for name, _ in chunks))

    def into(self, content: bytes) -> bytes:
        """A PNG file's content with these chunks in place of its own of such kinds."""
        own = [chunk for name, chunk in _png_chunks(content) if name in _NEEDED_CHUNKS]
        return b"".join((_PNG_SIGNATURE, own[0], *self.chunks, *own[1:]))


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not content.startswith(_PNG_SIGNATURE):
        raise MediaError("is no PNG file")
    place = len(_PNG_SIGNATURE)
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4])
        chunk = content[place : place + length + 12]
        name, stated = chunk[4:8], chunk[-4:]
        if len(chunk) < length + 12:
            raise MediaError("is cut short")
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(stated):
            raise MediaError("is damaged: a checksum is wrong")
        yield name, chunk
        place += len(chunk)
        if name == b"IEND":
            return


@dataclass(frozen=True)
class TiffTags:
    """The tags of a TIFF file's first picture that go over.

    Attributes:
        tags: Number, type, count and value, in the file's own byte order.
        order: ``<`` or ``>``, as `struct` has them.
        transparent: Never: TIFF's palettes have no transparency.
    """

    tags: tuple[tuple[int, int, int, bytes], ...]
    order: str
    transparent: bool = False

    @classmethod
    def read(cls, content: bytes) -> TiffTags:
        """Look through a file.

        Raises:
            MediaError: It is no TIFF file, or cut short.
        """
        order = _tiff_order(content)
        try:
            tags = {tag[0]: tag for tag in _tiff_tags(content, order)}
            _check_strips(tags, order, len(content))
        except struct.error as error:
            raise MediaError("is cut short, or damaged") from error
        return cls(tuple(tag for number, tag in tags.items() if number in _KEPT_TAGS), order)

    def into(self, content: bytes) -> bytes:
        """A little-endian TIFF file's content with these tags in place of its own.

        The new directory is added to the end.
        """
        own = {tag[0]: tag for tag in _tiff_tags(content, "<")}
        own |= {tag[0]: tag for tag in map(self._little, self.tags)}
        content += b"\0" * (len(content) % 2)
        entries, values = [], b""
        directory = len(content)
        after = directory + 2 + 12 * len(own) + 4
        for number in sorted(own):
            _, kind, count, value = own[number]
            if len(value) > 4:
                place = struct.pack("<I", after + len(values))
                values += value + b"\0" * (len(value) % 2)
            else:
                place = value.ljust(4, b"\0")
            entries.append(struct.pack("<HHI", number, kind, count) + place)
        head = content[:4] + struct.pack("<I", directory) + content[8:]
        table = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)
        return head + table + values

    def _little(self, tag: tuple[int, int, int, bytes]) -> tuple[int, int, int, bytes]:
        number, kind, count, value = tag
        # A fraction is two numbers.
        size = 4 if kind in (5, 10) else _TIFF_SIZES[kind]
        if self.order == ">" and size > 1:
            parts = [value[at : at + size][::-1] for at in range(0, len(value), size)]
            value = b"".join(parts)
        return number, kind, count, value


def tiff_number(content: bytes | mmap.mmap, tag: int) -> int:
    """The first number of a tag of a TIFF file's first picture; 1 where it is not there.

    Raises:
        MediaError: It is no TIFF file, or cut short.
        struct.error: It is cut short.
    """
    order = _tiff_order(content)
    found = next((found for found in _tiff_tags(content, order) if found[0] == tag), None)
    return 1 if found is None else _numbers(found, order)[0]


def _tiff_order(content: bytes | mmap.mmap) -> str:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if order is None:
        raise MediaError("is no TIFF file, or one of more than 4 GB")
    return order


def _tiff_tags(content: bytes | mmap.mmap, order: str) -> Iterator[tuple[int, int, int, bytes]]:
    """Number, type, count and value of each tag of the first directory."""
    (directory,) = struct.unpack_from(f"{order}I", content, 4)
    (count,) = struct.unpack_from(f"{order}H", content, directory)
    for index in range(count):
        at = directory + 2 + 12 * index
        number, kind, values = struct.unpack_from(f"{order}HHI", content, at)
        size = _TIFF_SIZES.get(kind, 0) * values
        place = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", content, at + 8)[0]
        if place + size > len(content):
            raise MediaError("is cut short")
        if size:
            yield number, kind, values, content[place : place + size]


def _check_strips(tags: dict[int, tuple[int, int, int, bytes]], order: str, size: int) -> None:
    """FFmpeg fills what is missing with black and says nothing."""
    for offsets, counts in ((_STRIP_OFFSETS, _STRIP_COUNTS), (_TILE_OFFSETS, _TILE_COUNTS)):
        if offsets not in tags or counts not in tags:
            continue
        starts, lengths = _numbers(tags[offsets], order), _numbers(tags[counts], order)
        if any(start + length > size for start, length in zip(starts, lengths, strict=False)):
            raise MediaError("is cut short")


def _numbers(tag: tuple[int, int, int, bytes], order: str) -> tuple[int, ...]:
    _, kind, count, value = tag
    return struct.unpack(f"{order}{count}{'H' if kind == 3 else 'I'}", value)
