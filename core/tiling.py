"""Frames larger than memory, painted in tiles that have no seams.

Only instance normalisation sees further than a few pixels, and it is only in the residual blocks,
at quarter resolution, where a frame takes a sixteenth of the room. So the encoder runs tile by
tile, the residual blocks on the whole frame, and the decoder tile by tile again, with the encoder's
features of each tile made a second time instead of kept. Every value is what the network makes of
the whole frame: tiles overlap by more than a convolution sees across.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from .network import NetworkSpec, StylizingNetwork

# A decoded pixel depends on those up to 8 away, the encoder's features on fewer; there is room to
# spare. A multiple of 4.
OVERLAP = 16
LEAST_TILE = 4 * OVERLAP
_LARGEST_TILE = 1024
# Peak of the runtimes on whole frames: 200 (bf16) to 320 (fp32).
_BYTES_A_PIXEL = 350
# Of what is free; the rest is for decoded and encoded frames.
_SHARE = 0.5


class Parts(Protocol):
    """A network in three steps, one frame at a time; sizes are multiples of 4."""

    def encode(self, frames: Tensor, /) -> Tensor:
        """(1, 3, H, W) to quarter-resolution features, (1, C, H / 4, W / 4)."""
        ...

    def transform(self, features: Tensor, /) -> Tensor:
        """Quarter-resolution features to the same; may work in place."""
        ...

    def decode(self, frames: Tensor, features: Tensor, /) -> Tensor:
        """Frames and their transformed features to pixels, (1, 3, H, W)."""
        ...


class NetworkParts:
    """The parts of a network in PyTorch."""

    def __init__(self, network: StylizingNetwork):
        self._network = network

    def encode(self, frames: Tensor, /) -> Tensor:
        """See `Parts`."""
        return self._network.encode(frames)[2]

    def transform(self, features: Tensor, /) -> Tensor:
        """See `Parts`."""
        return self._network.transform(features)

    def decode(self, frames: Tensor, features: Tensor, /) -> Tensor:
        """See `Parts`."""
        full, half, _ = self._network.encode(frames)
        return self._network.decode(full, half, features)


class Tile(NamedTuple):
    """A part of a frame.

    Attributes:
        window: Rows and columns that are computed, with the overlap.
        inside: Rows and columns of the frame that it is right for; together they cover the frame.
    """

    window: tuple[slice, slice]
    inside: tuple[slice, slice]


def fitting_tile(height: int, width: int, free: int | None, *, parallel: int = 1) -> int | None:
    """The largest tile whose frames fit into free memory; None where whole frames do.

    Args:
        height: Of the frame, in pixels.
        width: Of the frame, in pixels.
        free: Bytes; None where they are not known.
        parallel: How many frames are painted at a time.
    """
    most = None if free is None else free * _SHARE / (_BYTES_A_PIXEL * parallel)
    if most is None or height * width <= most:
        return None
    size = math.isqrt(int(most) // 2) // 4 * 4
    return min(max(size, LEAST_TILE), _LARGEST_TILE)


def can_be_tiled(spec: NetworkSpec) -> bool:
    """Whether nothing at full or half resolution looks at the whole frame."""
    return spec.normalization != "everywhere"


def paint_in_tiles(parts: Parts, frame: Tensor, size: int) -> Tensor:
    """What the network makes of a frame, with the memory of a tile at full resolution.

    Args:
        parts: The network.
        frame: (1, 3, H, W) RGB in [0, 1]; sizes a multiple of 4.
        size: Of a tile's window in pixels, at least `LEAST_TILE`; what it has above a multiple of 4
            is dropped.

    Returns:
        (1, 3, H, W) of the same type.
    """
    tiles = list(tiles_of(frame.shape[-2], frame.shape[-1], size // 4 * 4))
    features = None
    for tile in tiles:
        part = parts.encode(frame[..., *tile.window])
        if features is None:
            quarter = (frame.shape[-2] // 4, frame.shape[-1] // 4)
            features = part.new_empty((1, part.shape[1], *quarter))
        features[..., *_quarters(tile.inside)] = part[..., *_quarters(_within(tile))]
    assert features is not None
    features = parts.transform(features)
    painted = torch.empty_like(frame)
    for tile in tiles:
        pixels = parts.decode(frame[..., *tile.window], features[..., *_quarters(tile.window)])
        painted[..., *tile.inside] = pixels[..., *_within(tile)]
    return painted


def tiles_of(height: int, width: int, size: int) -> Iterator[Tile]:
    """Tiles with windows of one shape, row by row."""
    for row_window, rows in _spans(height, size):
        for column_window, columns in _spans(width, size):
            yield Tile((row_window, column_window), (rows, columns))


def _spans(length: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Windows of `size` along an axis, and of each the part that it answers for.

    The last window ends where the axis ends: borders have to be the frame's own.
    """
    size = min(size, length)
    done = 0
    while done < length:
        start = min(max(done - OVERLAP, 0), length - size)
        end = length if start + size == length else start + size - OVERLAP
        yield slice(start, start + size), slice(done, end)
        done = end


def _within(tile: Tile) -> tuple[slice, slice]:
    """Where a tile's inside lies in its window."""
    rows, columns = (
        slice(part.start - whole.start, part.stop - whole.start)
        for whole, part in zip(tile.window, tile.inside, strict=True)
    )
    return rows, columns


def _quarters(spans: tuple[slice, slice]) -> tuple[slice, slice]:
    rows, columns = (slice(span.start // 4, span.stop // 4) for span in spans)
    return rows, columns
