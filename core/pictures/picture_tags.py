"""Metadata of PNG and TIFF files, passed through from one file to another."""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import MediaError

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Colour, sample aspect ratio, texts (W3C PNG, third edition, 11.3), valid after stylization too.
_KEPT_CHUNKS = frozenset(
    b"cHRM gAMA iCCP sRGB cICP mDCV cLLI mDCv cLLi pHYs tEXt zTXt iTXt eXIf".split()
)
_NEEDED_CHUNKS = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))

# Bytes of a value by its type (TIFF 6.0, section 2).
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS = 273, 279, 324, 325
# Description, maker, model, orientation, resolution and its unit, date, artist, host, kind of
# alpha, XMP, copyright, IPTC, ICC profile.
_KEPT_TAGS = frozenset(
    (270, 271, 272, 274, 282, 283, 296, 306, 315, 316, 338, 700, 33432, 33723, 34675)
)


@dataclass(frozen=True)
class PngChunks:
    """The chunks of a PNG file that pass through.

    Attributes:
        chunks: Whole chunks, with length and checksum.
        transparent: True if colours of its palette are transparent.
    """

    chunks: tuple[bytes, ...]
    transparent: bool

    @classmethod
    def read(cls, content: bytes) -> PngChunks:
        """Read the chunks of a file.

        Raises:
            MediaError: It is not a PNG file, is cut short, or a checksum is wrong.
        """
        chunks = list(_png_chunks(content))
        if not chunks or chunks[-1][0] != b"IEND":
            raise MediaError("is cut short: it has no end")
        kept = tuple(chunk for name, chunk in chunks if name in _KEPT_CHUNKS)
        return cls(kept, any(name == b"tRNS" for name, _ in chunks))

    def into(self, content: bytes) -> bytes:
        """Return a PNG file's content with these chunks in place of its own optional ones."""
        own = [chunk for name, chunk in _png_chunks(content) if name in _NEEDED_CHUNKS]
        return b"".join((_PNG_SIGNATURE, own[0], *self.chunks, *own[1:]))


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not content.startswith(_PNG_SIGNATURE):
        raise MediaError("is not a PNG file")
    position = len(_PNG_SIGNATURE)
    while position + 12 <= len(content):
        length = int.from_bytes(content[position : position + 4])
        chunk = content[position : position + length + 12]
        name, stated = chunk[4:8], chunk[-4:]
        if len(chunk) < length + 12:
            raise MediaError("is cut short")
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(stated):
            raise MediaError("is damaged: a checksum is wrong")
        yield name, chunk
        position += len(chunk)
        if name == b"IEND":
            return


@dataclass(frozen=True)
class TiffTags:
    """The tags of a TIFF file's first image that pass through.

    Attributes:
        tags: Number, type, count and value, in the file's own byte order.
        order: The byte order, ``<`` or ``>``, see `struct`.
        transparent: Always False: TIFF's palettes have no transparency.
    """

    tags: tuple[tuple[int, int, int, bytes], ...]
    order: str
    transparent: bool = False

    @classmethod
    def read(cls, content: bytes) -> TiffTags:
        """Read the tags of a file.

        Raises:
            MediaError: It is not a TIFF file, or is cut short.
        """
        order = _tiff_order(content)
        try:
            tags = {tag[0]: tag for tag in _tiff_tags(content, order)}
            _check_strips(tags, order, len(content))
        except struct.error as error:
            raise MediaError("is cut short, or damaged") from error
        return cls(tuple(tag for number, tag in tags.items() if number in _KEPT_TAGS), order)

    def into(self, content: bytes) -> bytes:
        """Return a little-endian TIFF file's content with these tags in place of its own.

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
                field = struct.pack("<I", after + len(values))
                values += value + b"\0" * (len(value) % 2)
            else:
                field = value.ljust(4, b"\0")
            entries.append(struct.pack("<HHI", number, kind, count) + field)
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
    """Return the first number of a tag of a TIFF file's first image; 1 if it is missing.

    Raises:
        MediaError: It is not a TIFF file, or is cut short.
        struct.error: It is cut short.
    """
    order = _tiff_order(content)
    found = next((found for found in _tiff_tags(content, order) if found[0] == tag), None)
    return 1 if found is None else _numbers(found, order)[0]


def _tiff_order(content: bytes | mmap.mmap) -> str:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if order is None:
        raise MediaError("is not a TIFF file, or is larger than 4 GB")
    return order


def _tiff_tags(content: bytes | mmap.mmap, order: str) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield number, type, count and value of each tag of the first directory."""
    (directory,) = struct.unpack_from(f"{order}I", content, 4)
    (count,) = struct.unpack_from(f"{order}H", content, directory)
    for index in range(count):
        at = directory + 2 + 12 * index
        number, kind, values = struct.unpack_from(f"{order}HHI", content, at)
        size = _TIFF_SIZES.get(kind, 0) * values
        start = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", content, at + 8)[0]
        if start + size > len(content):
            raise MediaError("is cut short")
        if size:
            yield number, kind, values, content[start : start + size]


def _check_strips(tags: dict[int, tuple[int, int, int, bytes]], order: str, size: int) -> None:
    """Refuse strips and tiles beyond the end, which FFmpeg would silently fill with black."""
    for offsets, counts in ((_STRIP_OFFSETS, _STRIP_COUNTS), (_TILE_OFFSETS, _TILE_COUNTS)):
        if offsets not in tags or counts not in tags:
            continue
        starts, lengths = _numbers(tags[offsets], order), _numbers(tags[counts], order)
        if any(start + length > size for start, length in zip(starts, lengths, strict=False)):
            raise MediaError("is cut short")


def _numbers(tag: tuple[int, int, int, bytes], order: str) -> tuple[int, ...]:
    _, kind, count, value = tag
    return struct.unpack(f"{order}{count}{'H' if kind == 3 else 'I'}", value)
