"""The protocol between the effect and the render server; native/link.c is the other end.

A message is a header of two unsigned 32-bit numbers, kind and length, and a body of that length.
Everything is little-endian; a text is its length (32 bits) and UTF-8. The effect asks, the server
answers every message with `DONE` or `REFUSED` and a text. Pixels are not sent: they are in memory
that both have mapped, rows from the top without gaps, and are stylized in place.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from ....core.errors import EditorError
from ....core.frames.stroke_size import LEAST, MOST

PROTOCOL = 3
"""Version, raised with every change of a message; effect and server must have the same."""

HEADER = struct.Struct("<II")
MAX_BODY = 1024
HELLO, MEMORY, RENDER = 1, 2, 3
DONE, REFUSED = 0, 1

TOKEN_BYTES = 64
MAX_SIDE = 16384
MAX_FULL_SIDE = 2**20
MAX_MEMORY = MAX_SIDE * MAX_SIDE * 16
BYTES_PER_PIXEL = {1: 4, 2: 8, 3: 8, 4: 16}
"""Bytes of an RGBA pixel by depth: byte, short, half, float."""
TRANSFORMS = 7
"""Number of input transforms in `transfer` and in the effect's menu."""


def message(kind: int, text: str) -> bytes:
    """Return the bytes of an answer; a text that is too long is truncated."""
    body = text.encode()[: MAX_BODY - 1]
    return HEADER.pack(kind, len(body)) + body


def read_message(read: Callable[[int], bytes | None]) -> tuple[int, bytes] | None:
    """Read the next message.

    Args:
        read: Returns as many bytes as it is asked for, or None when the other end has hung up.

    Returns:
        Kind and body; None when the other end has hung up.

    Raises:
        EditorError: The message is too long.
    """
    header = read(HEADER.size)
    if header is None:
        return None
    kind, length = HEADER.unpack(header)
    if length > MAX_BODY:
        raise EditorError(f"a message of {length} bytes is too long")
    body = read(length)
    return None if body is None else (kind, body)


@dataclass(frozen=True)
class Hello:
    """The first message of a connection."""

    protocol: int
    token: bytes


@dataclass(frozen=True)
class Memory:
    """The memory for pixels: `size` bytes, sent along with the message or found by name."""

    size: int
    name: str


@dataclass(frozen=True)
class Render:
    """A request to stylize one frame in place.

    Attributes:
        width, height: In pixels.
        depth: A key of `BYTES_PER_PIXEL`.
        premultiplied: Colour is multiplied by alpha.
        keep_colors: Keep the source's colours and stylize lightness only.
        draft: Stylize on a quarter of the pixels, with strokes twice as large.
        keep_bars: Pass burnt-in black bars through untouched.
        transform: Number of the input transform, see `transfer`.
        strength: 0 (the source) to 1.
        stroke_size: See `Stylizer`.
        detail: See `Stylizer`.
        full_width, full_height: Size of the whole clip as shown, in square pixels: the same at
            every render scale.
        style: Name of a style in the library.
        colourspace: The host's name of the colour space; may be empty.
    """

    width: int
    height: int
    depth: int
    premultiplied: bool
    keep_colors: bool
    draft: bool
    keep_bars: bool
    transform: int
    strength: float
    stroke_size: float
    detail: float
    full_width: float
    full_height: float
    style: str
    colourspace: str

    @property
    def size(self) -> int:
        """Size of the frame in bytes."""
        return self.width * self.height * BYTES_PER_PIXEL[self.depth]


class _Body:
    """A reader of a message's body, from its start."""

    def __init__(self, body: bytes):
        self._rest = body

    def take(self, form: str) -> tuple:
        size = struct.calcsize(form)
        if len(self._rest) < size:
            raise EditorError("a message is truncated")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return struct.unpack(form, taken)

    def text(self) -> str:
        (length,) = self.take("<I")
        (raw,) = self.take(f"<{min(length, MAX_BODY + 1)}s")
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise EditorError("a message holds text that is not UTF-8") from error

    def end(self) -> None:
        if self._rest:
            raise EditorError("a message is too long")


def parse(kind: int, body: bytes) -> Hello | Memory | Render:
    """Read a message and check the limits of every number.

    Raises:
        EditorError: The message is not valid.
    """
    parsers = {HELLO: _hello, MEMORY: _memory, RENDER: _render}
    if kind not in parsers:
        raise EditorError(f"there are no messages of kind {kind}")
    reader = _Body(body)
    message = parsers[kind](reader)
    reader.end()
    return message


def _hello(body: _Body) -> Hello:
    return Hello(*body.take(f"<I{TOKEN_BYTES}s"))


def _memory(body: _Body) -> Memory:
    (size,) = body.take("<Q")
    if not 0 < size <= MAX_MEMORY:
        raise EditorError(f"{size} bytes of shared memory are out of range")
    return Memory(size, body.text())


def _render(body: _Body) -> Render:
    width, height, depth, *flags, transform = body.take("<8I")
    strength, stroke_size, detail, *full = body.take("<5d")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise EditorError(f"a frame of {width}x{height} is out of range")
    if depth not in BYTES_PER_PIXEL or transform >= TRANSFORMS or max(flags) > 1:
        raise EditorError("a frame of an unknown kind was asked for")
    if not (math.isfinite(strength) and 0 <= strength <= 1):
        raise EditorError(f"a strength of {strength} is out of range")
    if not (LEAST <= stroke_size <= MOST and 0 <= detail <= 1):
        raise EditorError(f"strokes of size {stroke_size} and detail {detail} are out of range")
    if not all(1 <= side <= MAX_FULL_SIDE for side in full):
        raise EditorError(f"a clip of {full[0]}x{full[1]} is out of range")
    premultiplied, keep_colors, draft, keep_bars = map(bool, flags)
    return Render(
        width,
        height,
        depth,
        premultiplied,
        keep_colors,
        draft,
        keep_bars,
        transform,
        strength,
        stroke_size,
        detail,
        *full,
        style=body.text(),
        colourspace=body.text(),
    )
