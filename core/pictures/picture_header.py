"""What a picture file's header says of its samples; found without reading them."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import MediaError
from .picture_tags import tiff_number

# W3C PNG, third edition, table 11.1: samples a pixel by colour type.
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_WIDTH, _HEIGHT, _BITS, _SAMPLES = 256, 257, 258, 277


@dataclass(frozen=True)
class Stated:
    """What all pictures of a sequence have in common.

    Attributes:
        width, height: Pixels; of OpenEXR the display window's.
        samples: Of each pixel: numbers, or OpenEXR's channels with their types.
    """

    width: int
    height: int
    samples: str

    def __str__(self) -> str:
        return f"{self.width}x{self.height} with {self.samples}"


def stated(path: Path, kind: str) -> Stated:
    """Look at a picture file's header.

    Args:
        path: The file.
        kind: "png", "tiff" or "exr".

    Raises:
        MediaError: It is missing, empty or no such file.
    """
    look: Callable[[Path], Stated] = {"png": _png, "tiff": _tiff, "exr": _exr}[kind]
    try:
        return look(path)
    except FileNotFoundError as error:
        raise MediaError("no such file", path=path) from error
    except (OSError, RuntimeError, ValueError, struct.error, KeyError) as error:
        raise MediaError("its header can't be read", path=path, hint="it is damaged") from error
    except MediaError as error:
        error.path = path
        raise


def _png(path: Path) -> Stated:
    with path.open("rb") as file:
        name, width, height, bits, colours = struct.unpack("!12x4sIIBB", file.read(26))
    if name != b"IHDR":
        raise MediaError("is no PNG file")
    return Stated(width, height, f"{_PNG_SAMPLES[colours]} samples of {bits} bit")


def _tiff(path: Path) -> Stated:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        facts = [tiff_number(content, tag) for tag in (_WIDTH, _HEIGHT, _SAMPLES, _BITS)]
    width, height, samples, bits = facts
    return Stated(width, height, f"{samples} samples of {bits} bit")


def _exr(path: Path) -> Stated:
    from .exr_file import named_channels  # noqa: PLC0415  the library loads slowly

    parts = named_channels(path)
    (left, top), (right, bottom) = parts[0][1]["displayWindow"]
    named = (f"{name} {', '.join(own)}".strip() for name, _, own in parts)
    return Stated(int(right - left + 1), int(bottom - top + 1), f"channels {'; '.join(named)}")
