"""Metadata of PNG and TIFF files, passed through from one file to another."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from ..errors import MediaError
from ..frames.stroke_size import believable_aspect
from .tiff_layout import SIZES, Tag, TiffLayout

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""First bytes of a PNG file."""

# Colour, sample aspect ratio, texts (W3C PNG, third edition, 11.3), valid after stylization too.
_KEPT_CHUNKS = frozenset(
    b"cHRM gAMA iCCP sRGB cICP mDCV cLLI mDCv cLLi pHYs tEXt zTXt iTXt eXIf".split()
)
_NEEDED_CHUNKS = frozenset((b"IHDR", b"PLTE", b"IDAT", b"IEND"))

# Chunks of the stored samples, of when the file was changed, and of the other frames of an
# animation.
_OF_SAMPLES = frozenset(b"tRNS bKGD sBIT hIST sPLT tIME acTL fcTL fdAT".split())
_CHUNK_NAMES = {
    **{b"iCCP": "ICC profile", b"eXIf": "EXIF", b"mDCV": "HDR metadata", b"cLLI": "HDR metadata"},
    **{b"mDCv": "HDR metadata", b"cLLi": "HDR metadata"},
    **dict.fromkeys((b"tEXt", b"zTXt", b"iTXt"), "texts"),
}
_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_ICC_PROFILE, _EXTRA_SAMPLES, _ORIENTATION = 34675, 338, 274
# Type and count of the tags that readers compute with: orientation, resolution and its unit.
_FORMS = {_ORIENTATION: (3, 1), 282: (5, 1), 283: (5, 1), 296: (3, 1)}
# Those, kind of alpha, ICC profile, description, maker, model, date, artist, host, XMP, copyright,
# IPTC.
_KEPT_TAGS = frozenset(
    (*_FORMS, _EXTRA_SAMPLES, _ICC_PROFILE, 270, 271, 272, 306, 315, 316, 700, 33432, 33723)
)
_TAG_NAMES = {
    **{_ICC_PROFILE: "ICC profile", 700: "XMP", 33723: "IPTC"},
    **dict.fromkeys((270, 271, 272, 306, 315, 316, 33432), "texts"),
}
# Tags that are not copied, by name; those that say how samples are stored are below 700.
_LOST_TAGS = {34665: "EXIF", 34853: "GPS", 34377: "Photoshop's resources", 37724: "layers"}


@dataclass(frozen=True)
class PngChunks:
    """The chunks of a PNG file that pass through.

    Attributes:
        chunks: Whole chunks, with length and checksum.
        transparent: True if colours of its palette are transparent.
        lost: Names of other chunks that say something of the image.
    """

    chunks: tuple[bytes, ...]
    transparent: bool
    lost: tuple[str, ...] = ()

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
        known = _KEPT_CHUNKS | _NEEDED_CHUNKS | _OF_SAMPLES
        others = sorted({name.decode("latin-1") for name, _ in chunks if name not in known})
        return cls(
            kept,
            any(name == b"tRNS" for name, _ in chunks),
            (f"chunks {', '.join(others)}",) if others else (),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what the chunks state that no other kind of file takes over."""
        found = {_CHUNK_NAMES.get(chunk[4:8], "") for chunk in self.chunks}
        if any(chunk[8:].startswith(_XMP_KEYWORD) for chunk in self.chunks):
            found.add("XMP")
        return tuple(sorted(found - {""}))

    def into(self, content: bytes) -> bytes:
        """Return a PNG file's content with these chunks in place of its own optional ones."""
        own = [chunk for name, chunk in _png_chunks(content) if name in _NEEDED_CHUNKS]
        return b"".join((PNG_SIGNATURE, own[0], *self.chunks, *own[1:]))


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not content.startswith(PNG_SIGNATURE):
        raise MediaError("is not a PNG file")
    position = len(PNG_SIGNATURE)
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
        layout: How its samples are stored.
        transparent: Always False: TIFF's palettes have no transparency.
    """

    tags: tuple[Tag, ...]
    order: str
    layout: TiffLayout
    transparent: bool = False

    @classmethod
    def read(cls, content: bytes) -> TiffTags:
        """Read the tags of a file.

        Raises:
            MediaError: It is not a TIFF file, or is cut short.
        """
        layout = TiffLayout.read(content)
        layout.check_whole(len(content))
        forms = _FORMS | {_EXTRA_SAMPLES: (3, layout.extra_samples)}
        kept = tuple(
            tag
            for number, tag in layout.tags.items()
            # Of another form it would keep other programs from reading what is written.
            if number in _KEPT_TAGS and forms.get(number, tag[1:3]) == tag[1:3]
        )
        return cls(kept, layout.order, layout)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what the tags state that no other kind of file takes over."""
        found = {_TAG_NAMES.get(tag[0], "") for tag in self.tags}
        upright = (b"\1\0", b"\0\1", b"")
        if any(tag[0] == _ORIENTATION and tag[3][:2] not in upright for tag in self.tags):
            found.add("orientation")
        return tuple(sorted(found - {""}))

    @property
    def lost(self) -> tuple[str, ...]:
        """Names of what is not copied to another TIFF file either."""
        return tuple(sorted({_LOST_TAGS[tag] for tag in self.layout.tags if tag in _LOST_TAGS}))

    @property
    def aspect(self) -> Fraction:
        """Width of a pixel over its height, by the resolution across and down."""
        stated = {tag[0]: tag for tag in self.tags if tag[0] in (282, 283) and tag[1] == 5}
        if len(stated) < 2:
            return Fraction(1)
        (a, b), (c, d) = (struct.unpack_from(f"{self.order}2I", stated[n][3]) for n in (282, 283))
        aspect = believable_aspect(Fraction(b * c, a * d) if a and d else None)
        return aspect.limit_denominator(1000)

    def into(self, content: bytes) -> bytes:
        """Return a little-endian TIFF file's content with these tags in place of its own.

        The new directory is added to the end.
        """
        own = dict(TiffLayout.read(content).tags)
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

    def _little(self, tag: Tag) -> Tag:
        number, kind, count, value = tag
        # A fraction is two numbers.
        size = 4 if kind in (5, 10) else SIZES[kind]
        if self.order == ">" and size > 1:
            parts = [value[at : at + size][::-1] for at in range(0, len(value), size)]
            value = b"".join(parts)
        return number, kind, count, value
