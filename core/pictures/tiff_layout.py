"""Samples of TIFF files in every layout: strips, tiles, planes one after the other, JPEG.

FFmpeg's decoder knows strips of whole pixels alone. It gives black or garbage for the rest, and
for strips that are damaged or too short, without an error. So it gets files that are made for it:
their strips are unpacked here, where their size shows what is missing, and they have no tag that
it does not know, so that it can be told to refuse errors. Tiles and planes are a file each. The
rest is read by libtiff (by Pillow), where that gives the stored samples, or refused. Numbers and
names of tags are those of TIFF 6.0 and of libtiff's tiff.h.
"""

from __future__ import annotations

import io
import mmap
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, product
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import MediaError

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Bytes of a value by its type (TIFF 6.0, section 2)."""
Tag = tuple[int, int, int, bytes]
"""Number, type, count and value of a tag, in the file's byte order."""

_SUBFILE, _ORIENTATION = 254, 274
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_COUNTS, _PLANAR = 273, 277, 278, 279, 284
_T4_OPTIONS, _T6_OPTIONS = 292, 293
_PREDICTOR, _COLOUR_MAP, _TILE_WIDTH, _TILE_HEIGHT = 317, 320, 322, 323
_TILE_OFFSETS, _TILE_COUNTS, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 324, 325, 338, 339
_DEFAULTS = {_FILL_ORDER: 1, _SAMPLES: 1, _PLANAR: 1, _PREDICTOR: 1, _BITS: 1, _COMPRESSION: 1}
_DEFAULTS |= {_SAMPLE_FORMAT: 1, _EXTRA_SAMPLES: 0, _SUBFILE: 0}
# Of _SUBFILE: a copy of lower resolution, a transparency mask.
_COPY_OR_MASK = 1 | 4

_COMPRESSIONS = {
    **{1: "none", 2: "CCITT RLE", 3: "CCITT Group 3", 4: "CCITT Group 4", 5: "LZW"},
    **{6: "old JPEG", 7: "JPEG", 8: "Deflate", 9: "JBIG", 32773: "PackBits", 32946: "Deflate"},
    **{33003: "JPEG 2000", 34712: "JPEG 2000", 34887: "LERC", 34925: "LZMA"},
    **{50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL"},
}
_BYTEWISE = frozenset({1, 5, 8, 32773, 32946})
_NONE, _PACKBITS, _DEFLATE = 1, 32773, (8, 32946)
_FAX = frozenset({2, 3, 4})
_JPEG = 7
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_PHOTOMETRICS = {
    **{0: "WhiteIsZero", 1: "BlackIsZero", 2: "RGB", 3: "palette", 4: "transparency mask"},
    **{5: "CMYK", 6: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab"},
    **{32803: "CFA (camera raw)", 32844: "LogL", 32845: "LogLuv", 34892: "linear raw"},
}
_READ_PHOTOMETRICS = frozenset({_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR})
_UNSIGNED, _FLOAT = (1, 4), 3
_ASSOCIATED_ALPHA = 1
# Bits of each byte in the other order.
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
# Directories that point at each other in a damaged file.
_MOST_PAGES = 10_000
_MOST_PIXELS = 1 << 30
_stderr = threading.Lock()
# What Pillow raises on damaged files.
_PILLOWS = (OSError, ValueError, SyntaxError, LookupError, TypeError, struct.error)
_ONE_PIXEL = {1: "gray", 2: "ya", 3: "rgb", 4: "rgba"}


@dataclass(frozen=True)
class TiffLayout:
    """Layout of a TIFF file's first image.

    Attributes:
        tags: Its tags by number.
        order: Byte order of the file, ``<`` or ``>``.
        pages: Images of the file, without those that are smaller copies or masks of others.
    """

    tags: Mapping[int, Tag]
    order: str
    pages: int = 1

    @classmethod
    def read(cls, content: bytes | mmap.mmap) -> TiffLayout:
        """Read the tags of a file's first image, and count the others.

        Raises:
            MediaError: It is not a TIFF file, or is cut short.
        """
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
        if order is None:
            large = content[:4] in (b"II+\0", b"MM\0+")
            raise MediaError("is a BigTIFF file, which is not read" if large else "is no TIFF file")
        try:
            first, *others = _directories(content, order)
        except struct.error as error:
            raise MediaError("is cut short, or damaged") from error
        except ValueError as error:
            raise MediaError("is damaged: it has no image") from error
        copies = sum(cls(tags, order).number(_SUBFILE) & _COPY_OR_MASK > 0 for tags in others)
        return cls(first, order, 1 + len(others) - copies)

    def number(self, tag: int) -> int:
        """Return a tag's first number, or its default.

        Raises:
            MediaError: It is missing and has no default, or it is no whole number.
        """
        return self.numbers(tag)[0]

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return a tag's numbers, or its default, see `number`."""
        found = self.tags.get(tag)
        if found is None and tag in _DEFAULTS:
            return (_DEFAULTS[tag],)
        kind = None if found is None else {3: "H", 4: "I"}.get(found[1])
        if found is None or kind is None:
            raise MediaError(f"is damaged: its tag {tag} is missing or no whole number")
        return struct.unpack(f"{self.order}{found[2]}{kind}", found[3])

    @property
    def width(self) -> int:
        """Columns."""
        return self.number(_WIDTH)

    @property
    def height(self) -> int:
        """Rows."""
        return self.number(_HEIGHT)

    @property
    def parts(self) -> int:
        """Samples of a pixel."""
        return self.number(_SAMPLES)

    @property
    def extra_samples(self) -> int:
        """Samples of a pixel besides its colours."""
        return self.parts - (3 if self.number(_PHOTOMETRIC) in (_RGB, _YCBCR) else 1)

    @property
    def bits(self) -> int:
        """Bits of a sample."""
        return self.number(_BITS)

    @property
    def tiled(self) -> bool:
        """True if it is stored in tiles."""
        return _TILE_OFFSETS in self.tags

    def check(self) -> None:
        """Refuse what nothing here reads right.

        Raises:
            MediaError: It says which tag, with its value.
        """
        compression, photometric = self.number(_COMPRESSION), self.number(_PHOTOMETRIC)
        if self.number(_SAMPLE_FORMAT) == _FLOAT:
            raise MediaError("has floating point samples", hint="write it as OpenEXR")
        if any(form not in _UNSIGNED for form in self.numbers(_SAMPLE_FORMAT)):
            raise _unread("SampleFormat", self.number(_SAMPLE_FORMAT), "not unsigned")
        if photometric not in _READ_PHOTOMETRICS:
            named = _PHOTOMETRICS.get(photometric, "unknown")
            raise _unread("PhotometricInterpretation", photometric, named)
        if compression not in _BYTEWISE | _FAX | {_JPEG}:
            named = _COMPRESSIONS.get(compression, "unknown")
            raise _unread("Compression", compression, named)
        if not 0 < self.width * self.height <= _MOST_PIXELS:
            raise MediaError(f"is damaged, or too large: {self.width}x{self.height} pixels")
        if self.bits not in (1, 2, 4, 8, 16) or len(set(self.numbers(_BITS))) > 1:
            raise _unread("BitsPerSample", ", ".join(map(str, self.numbers(_BITS))), "1 to 16")
        if photometric == _YCBCR and compression != _JPEG:
            raise _unread("PhotometricInterpretation", photometric, "YCbCr without JPEG")
        if self.extra_samples not in (0, 1):
            raise _unread("SamplesPerPixel", self.parts, _PHOTOMETRICS[photometric])

    def check_whole(self, size: int) -> None:
        """Refuse strips and tiles beyond the file's end, which FFmpeg silently fills with black.

        Args:
            size: Bytes of the file.

        Raises:
            MediaError: There are some.
        """
        for offsets, counts in ((_STRIP_OFFSETS, _STRIP_COUNTS), (_TILE_OFFSETS, _TILE_COUNTS)):
            if offsets not in self.tags or counts not in self.tags:
                continue
            places = zip(self.numbers(offsets), self.numbers(counts), strict=False)
            if any(start + length > size for start, length in places):
                raise MediaError("is cut short")

    @property
    def is_plain(self) -> bool:
        """True if FFmpeg's decoder gives its samples."""
        compression = self.number(_COMPRESSION)
        return (
            not self.tiled
            and self.number(_FILL_ORDER) == 1
            and (self.number(_PLANAR) == 1 or self.parts == 1)
            and self.number(_PHOTOMETRIC) != _YCBCR
            and (compression in _BYTEWISE or compression in _FAX)
            and self.bits in (1, 8, 16)
        )

    @property
    def _is_bytewise(self) -> bool:
        whole_bytes = self.bits in (8, 16)
        return (
            self.number(_COMPRESSION) in _BYTEWISE
            and self.number(_PHOTOMETRIC) != _YCBCR
            and whole_bytes
        )

    def samples(self, content: bytes, decode: Callable[[bytes, str], np.ndarray]) -> np.ndarray:
        """Read the samples of a layout that is not plain.

        Args:
            content: The file.
            decode: Decodes a file of one strip to (height, width, samples) in FFmpeg's format of
                that name.

        Returns:
            (height, width, 1 to 4): grey, grey with alpha, RGB, or RGBA; uint8 or uint16.

        Raises:
            MediaError: It is damaged, or has content that can't be read right.
        """
        if not self._is_bytewise:
            return self._by_libtiff(content)
        width, height, parts = self.width, self.height, self.parts
        palette = self.number(_PHOTOMETRIC) == _PALETTE
        planes = parts if self.number(_PLANAR) == 2 else 1
        dtype = np.uint16 if self.bits == 16 and not palette else np.uint8
        whole = np.zeros((height, width, 3 if palette else parts), dtype)
        form = self._form(3 if palette else parts // planes)
        for piece in self._pieces(planes):
            samples = decode(self._as_file(content, [piece], parts // planes), form)
            place = whole[piece.top :, piece.left :, piece.plane : piece.plane + samples.shape[2]]
            rows, columns = min(place.shape[0], piece.height), min(place.shape[1], piece.width)
            place[:rows, :columns] = samples[:rows, :columns]
        return whole

    def plain_file(self, content: bytes) -> bytes:
        """Return a file with the same samples for FFmpeg's decoder, of a layout that is plain.

        Raises:
            MediaError: A strip is missing, damaged or too short.
        """
        return self._as_file(content, list(self._pieces(1)), self.parts)

    def _form(self, parts: int) -> str:
        deep = self.bits == 16 and self.number(_PHOTOMETRIC) != _PALETTE
        name = _ONE_PIXEL[parts]
        if not deep:
            return {"rgb": "rgb24", "ya": "ya8"}.get(name, name)
        return {"gray": "gray16le", "ya": "ya16le", "rgb": "rgb48le", "rgba": "rgba64le"}[name]

    def _pieces(self, planes: int) -> Iterator[_Piece]:
        width, height = self.width, self.height
        if self.tiled:
            wide, high = self.number(_TILE_WIDTH), self.number(_TILE_HEIGHT)
            starts, counts = self.numbers(_TILE_OFFSETS), self.numbers(_TILE_COUNTS)
        else:
            wide = width
            high = min(height, self.number(_ROWS_PER_STRIP) if self._has_rows else height)
            starts, counts = self.numbers(_STRIP_OFFSETS), self._strip_counts
        if not (wide and high):
            raise MediaError("is damaged: its tiles have no size")
        expected = planes * -(-height // high) * -(-width // wide)
        if not expected == len(starts) == len(counts):
            raise MediaError("is damaged: it has another number of strips or tiles than it states")
        places = product(range(planes), range(0, height, high), range(0, width, wide))
        for (plane, top, left), start, count in zip(places, starts, counts, strict=True):
            rows = high if self.tiled else min(high, height - top)
            yield _Piece(plane, top, left, wide, rows, start, count)

    @property
    def _strip_counts(self) -> tuple[int, ...]:
        """Bytes of each strip; old programs do not state those of a single one."""
        alone = self.number(_COMPRESSION) == _NONE and len(self.numbers(_STRIP_OFFSETS)) == 1
        if alone and _STRIP_COUNTS not in self.tags:
            return (self._bytes(self.width, self.height, self.parts),)
        return self.numbers(_STRIP_COUNTS)

    def _bytes(self, width: int, height: int, parts: int) -> int:
        """Return the bytes of unpacked samples, whose rows are whole bytes."""
        return height * -(-width * parts * self.bits // 8)

    @property
    def _has_rows(self) -> bool:
        return _ROWS_PER_STRIP in self.tags

    def _as_file(self, content: bytes, pieces: Sequence[_Piece], parts: int) -> bytes:
        """Return a TIFF file of strips that holds an image's strips, or a tile, or one of a plane.

        Raises:
            MediaError: One is damaged or too short.
        """
        compression = self.number(_COMPRESSION)
        strips = [self._unpacked(content, piece, parts) for piece in pieces]
        packed = compression not in (_NONE, _PACKBITS, *_DEFLATE)
        photometric = self.number(_PHOTOMETRIC)
        if parts < 3 and photometric == _RGB:
            photometric = _BLACK_IS_ZERO
        values: dict[int, tuple[str, tuple[int, ...]]] = {
            _WIDTH: ("I", (pieces[0].width,)),
            _HEIGHT: ("I", (sum(piece.height for piece in pieces),)),
            _BITS: ("H", (self.bits,) * parts),
            _COMPRESSION: ("H", (compression if packed else _NONE,)),
            _PHOTOMETRIC: ("H", (photometric,)),
            _SAMPLES: ("H", (parts,)),
            _ROWS_PER_STRIP: ("I", (pieces[0].height,)),
            # Without compression there is none (libtiff).
            _PREDICTOR: ("H", (1 if compression == _NONE else self.number(_PREDICTOR),)),
        }
        options = {_T4_OPTIONS, _T6_OPTIONS} & self.tags.keys() if compression in _FAX else ()
        values |= {tag: ("I", (self.number(tag),)) for tag in options}
        if photometric == _PALETTE:
            values[_COLOUR_MAP] = "H", self.numbers(_COLOUR_MAP)
        return _file(strips, values, self.order)

    def _unpacked(self, content: bytes, piece: _Piece, parts: int) -> bytes:
        """Return a strip's or tile's bytes, unpacked where that can be done here.

        Raises:
            MediaError: It is damaged or too short.
        """
        data = content[piece.start : piece.start + piece.count]
        if self.number(_FILL_ORDER) == 2:
            data = data.translate(_REVERSED)
        size = self._bytes(piece.width, piece.height, parts)
        compression = self.number(_COMPRESSION)
        try:
            if compression in _DEFLATE:
                data = zlib.decompressobj().decompress(data, size)
            elif compression == _PACKBITS:
                data = _without_packbits(data, size)
            elif compression != _NONE:
                return data
        except zlib.error as error:
            raise MediaError("can't be decoded: its Deflate data are damaged") from error
        if len(data) < size:
            raise MediaError("is cut short: a strip or tile has fewer samples than it should")
        return data[:size]

    def _by_libtiff(self, content: bytes) -> np.ndarray:
        """Read 8 bits or less with Pillow, which has libtiff inside.

        Raises:
            MediaError: Pillow would change the samples, or refuses it.
        """
        compression = self.number(_COMPRESSION)
        if self.bits > 8:
            named = f"{_COMPRESSIONS[compression]} of {self.bits} bits"
            raise _unread("Compression", compression, named)
        if _ASSOCIATED_ALPHA in self.numbers(_EXTRA_SAMPLES) and _EXTRA_SAMPLES in self.tags:
            raise _unread("ExtraSamples", 1, "premultiplied alpha with this compression")
        try:
            file = io.BytesIO(self._upright(content))
            with _quiet(), Image.open(file, formats=("TIFF",)) as image:
                image.load()
                return _pixels(image)
        except (*_PILLOWS, Image.DecompressionBombError) as error:
            named = _COMPRESSIONS[compression]
            raise MediaError(f"can't be decoded: its {named} is damaged or unusual") from error

    def _upright(self, content: bytes) -> bytes:
        """Return the file with an orientation that Pillow does not turn; it is kept as a tag."""
        if _ORIENTATION not in self.tags:
            return content
        (start,) = struct.unpack_from(f"{self.order}I", content, 4)
        (count,) = struct.unpack_from(f"{self.order}H", content, start)
        places = range(start + 2, start + 2 + 12 * count, 12)
        number = struct.pack(f"{self.order}H", _ORIENTATION)
        at = next(place for place in places if content[place : place + 2] == number)
        upright = struct.pack(f"{self.order}HHIHH", _ORIENTATION, 3, 1, 1, 0)
        return content[:at] + upright + content[at + 12 :]


@dataclass(frozen=True)
class _Piece:
    """A strip or tile: its plane and place in the image, its size, and its bytes in the file."""

    plane: int
    top: int
    left: int
    width: int
    height: int
    start: int
    count: int


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep libtiff, which prints in its own words what is wrong with a file, from doing so."""
    with _stderr, Path(os.devnull).open("wb") as null:
        try:
            kept = os.dup(2)
        except OSError:  # it is closed
            yield
            return
        try:
            os.dup2(null.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _pixels(image: Image.Image) -> np.ndarray:
    form = {"1": "L", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB"}.get(image.mode, image.mode)
    if form not in ("L", "LA", "RGB", "RGBA"):
        raise MediaError(f"has samples that are not read ({image.mode})")
    samples = np.asarray(image if form == image.mode else image.convert(form))
    return samples.reshape(*samples.shape[:2], -1)


def _without_packbits(data: bytes, size: int) -> bytes:
    """Return unpacked bytes (TIFF 6.0, section 9), at least `size` if there are so many."""
    unpacked, at = bytearray(), 0
    while at < len(data) and len(unpacked) < size:
        code = data[at]
        if code < 128:
            unpacked += data[at + 1 : at + 2 + code]
            at += code + 2
        else:
            # 128 is a filler.
            unpacked += data[at + 1 : at + 2] * (257 - code if code > 128 else 0)
            at += 2 if code > 128 else 1
    return bytes(unpacked)


def _file(
    strips: Sequence[bytes], values: Mapping[int, tuple[str, tuple[int, ...]]], order: str
) -> bytes:
    """Return a TIFF file of strips with these tags, see `struct` for their types."""
    data = b"".join(strips)
    data += b"\0" * (len(data) % 2)
    starts = accumulate((len(strip) for strip in strips[:-1]), initial=8)
    places = {
        _STRIP_OFFSETS: ("I", tuple(starts)),
        _STRIP_COUNTS: ("I", tuple(len(strip) for strip in strips)),
    }
    directory = 8 + len(data)
    after = directory + 2 + 12 * (len(values) + len(places)) + 4
    entries, rest = [], b""
    for number, (kind, numbers) in sorted({**values, **places}.items()):
        value = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        field = value.ljust(4, b"\0")
        if len(value) > 4:
            field = struct.pack(f"{order}I", after + len(rest))
            rest += value + b"\0" * (len(value) % 2)
        code = {"H": 3, "I": 4}[kind]
        entries.append(struct.pack(f"{order}HHI", number, code, len(numbers)) + field)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    head = magic + struct.pack(f"{order}I", directory)
    table = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)
    return head + data + table + rest


def _directories(content: bytes | mmap.mmap, order: str) -> list[dict[int, Tag]]:
    """Return the tags of each image, in the file's order."""
    (start,) = struct.unpack_from(f"{order}I", content, 4)
    found: dict[int, dict[int, Tag]] = {}
    while start and start not in found and len(found) < _MOST_PAGES:
        (count,) = struct.unpack_from(f"{order}H", content, start)
        try:
            found[start] = {tag[0]: tag for tag in _tags(content, order, start, count)}
            (start,) = struct.unpack_from(f"{order}I", content, start + 2 + 12 * count)
        except (MediaError, struct.error):
            if not found:
                raise
            break  # the first image is what is read
    return list(found.values())


def _tags(content: bytes | mmap.mmap, order: str, start: int, count: int) -> Iterator[Tag]:
    for index in range(count):
        at = start + 2 + 12 * index
        number, kind, values = struct.unpack_from(f"{order}HHI", content, at)
        size = SIZES.get(kind, 0) * values
        place = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", content, at + 8)[0]
        if place + size > len(content):
            raise MediaError("is cut short")
        if size:
            yield number, kind, values, content[place : place + size]


def _unread(tag: str, value: object, named: str) -> MediaError:
    return MediaError(
        f"has a TIFF tag {tag} = {value} ({named}) that is not read",
        hint="write it again as 8 or 16 bit RGB or grey, uncompressed, LZW or Deflate",
    )
