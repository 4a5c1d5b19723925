"""Headers of image files: size and samples, without reading the samples."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..errors import MediaError
from .picture_tags import PNG_SIGNATURE
from .tiff_layout import TiffLayout

# W3C PNG, third edition, table 11.1: samples a pixel by colour type.
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PNG_PALETTE = 3
# OpenEXR's file layout: types of channels, and a flag of the version.
_EXR_TYPES = {0: "uint", 1: "half", 2: "float"}
_EXR_SEVERAL_PARTS = 1 << 12


@dataclass(frozen=True)
class Header:
    """Properties that all images of a sequence have in common.

    Attributes:
        width, height: Size in pixels; OpenEXR's is the display window's.
        samples: Number and bits of a pixel's samples, or OpenEXR's channels with their types.
        images: Images in the file, of which the first is read: pages of a TIFF, frames of a PNG.
    """

    width: int
    height: int
    samples: str
    images: int = field(default=1, compare=False)

    def __str__(self) -> str:
        return f"{self.width}x{self.height} with {self.samples}"


def stated(path: Path, kind: str) -> Header:
    """Read an image file's header.

    Args:
        path: The file.
        kind: "png", "tiff", "exr" or "jpeg".

    Raises:
        MediaError: It is missing, empty or not of this kind.
    """
    look: Callable[[Path], Header] = {**{"png": _png, "tiff": _tiff, "exr": _exr, "jpeg": _jpeg}}[
        kind
    ]
    try:
        return look(path)
    except FileNotFoundError as error:
        raise MediaError("no such file", path=path) from error
    except (OSError, RuntimeError, ValueError, struct.error, KeyError) as error:
        raise MediaError("its header can't be read", path=path, hint="it is damaged") from error
    except MediaError as error:
        error.path = path
        raise


def _png(path: Path) -> Header:
    with path.open("rb") as file:
        name, width, height, bits, colours = struct.unpack("!12x4sIIBB", file.read(26))
        if name != b"IHDR":
            raise MediaError("is not a PNG file")
        file.seek(7, 1)
        images = _png_frames(file)
    palette = ", a palette's" if colours == _PNG_PALETTE else ""
    return Header(width, height, f"{_PNG_SAMPLES[colours]} samples of {bits} bit{palette}", images)


def _png_frames(file: BinaryIO) -> int:
    """Return the frames that an animation states before the first samples; 1 for an image."""
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack("!I4s", head)
        if name == b"IDAT":
            break
        if name == b"acTL":
            return max(1, int.from_bytes(file.read(4)))
        file.seek(length + 4, 1)
    return 1


def is_animated(path: Path) -> bool:
    """Return whether a file is a PNG of several frames, whatever its name says."""
    try:
        with path.open("rb") as file:
            return file.read(8) == PNG_SIGNATURE and _png_frames(file) > 1
    except OSError:
        return False


def _jpeg(path: Path) -> Header:
    from .jpeg import jpeg_size  # noqa: PLC0415

    width, height, samples = jpeg_size(path)
    return Header(width, height, f"{samples} samples of 8 bit")


def _tiff(path: Path) -> Header:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        layout = TiffLayout.read(content)
    layout.check()
    return Header(
        layout.width, layout.height, f"{layout.parts} samples of {layout.bits} bit", layout.pages
    )


def _exr(path: Path) -> Header:
    with path.open("rb") as file:
        magic, version = struct.unpack("<4sI", file.read(8))
        if magic != b"v/1\x01":
            raise MediaError("is not an OpenEXR file")
        parts = [_exr_attributes(file)]
        while version & _EXR_SEVERAL_PARTS and (part := _exr_attributes(file)):
            parts.append(part)
    left, top, right, bottom = struct.unpack("<4i", parts[0]["displayWindow"])
    named = "; ".join(_exr_channels(part) for part in parts)
    return Header(right - left + 1, bottom - top + 1, f"channels {named}")


def _exr_attributes(file: BinaryIO) -> dict[str, bytes]:
    """Read a part's attributes from the file; the library does not expose channels' types."""
    attributes: dict[str, bytes] = {}
    while name := _exr_text(file):
        _exr_text(file)  # the name of its type
        (size,) = struct.unpack("<I", file.read(4))
        attributes[name] = file.read(size)
    return attributes


def _exr_text(file: BinaryIO) -> str:
    """Read a text up to its zero, or the file's end."""
    letters = iter(lambda: file.read(1).strip(b"\0"), b"")
    return b"".join(letters).decode()


def _exr_channels(part: dict[str, bytes]) -> str:
    """Describe channels, like "depth Z of float"; each name precedes a type and 12 other bytes."""
    listed, names, types = part["channels"], [], []
    while name := listed[: (end := listed.index(0))]:
        (kind,) = struct.unpack_from("<i", listed, end + 1)
        names.append(name.decode())
        types.append(_EXR_TYPES[kind])
        listed = listed[end + 17 :]
    layer = part.get("name", b"").decode()
    return f"{layer} {', '.join(names)} of {', '.join(types)}".strip()
