"""Frames larger than memory, stylized in tiles without seams.

Only instance normalisation sees further than a few pixels, and it is only in the residual blocks,
at quarter resolution, where a frame takes a sixteenth of the memory. So the encoder runs tile by
tile, the residual blocks on the whole frame, and the decoder tile by tile again, with the encoder's
features of each tile computed a second time instead of kept. Every value equals the network's on
the whole frame: tiles overlap by more than the convolutions reach.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from .network import NetworkSpec, StylizingNetwork

# A decoded pixel depends on those up to 8 away, the encoder's features on fewer. A multiple of 4.
OVERLAP = 16
LEAST_TILE = 4 * OVERLAP
_LARGEST_TILE = 1024
# The runtimes' peak on whole frames is 200 (bf16) to 320 (fp32).
_BYTES_A_PIXEL = 350
# Share of free memory; the rest is for decoded and encoded frames.
_SHARE = 0.5


class Parts(Protocol):
    """A network in three steps, one frame at a time; sizes are multiples of 4."""

    def encode(self, frames: Tensor, /) -> Tensor:
        """Map (1, 3, H, W) to quarter-resolution features, (1, C, H / 4, W / 4)."""
        ...

    def transform(self, features: Tensor, /) -> Tensor:
        """Apply the residual blocks to quarter-resolution features; may work in place."""
        ...

    def decode(self, frames: Tensor, features: Tensor, /) -> Tensor:
        """Map frames and their transformed features to pixels, (1, 3, H, W)."""
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
    """One tile of a frame.

    Attributes:
        window: Rows and columns that are computed, with the overlap.
        inside: Rows and columns of the frame that it provides; together they cover the frame.
    """

    window: tuple[slice, slice]
    inside: tuple[slice, slice]


def fitting_tile(height: int, width: int, free: int | None, *, parallel: int = 1) -> int | None:
    """Return the largest tile that fits into free memory; None where whole frames do.

    Args:
        height: Height of the frame in pixels.
        width: Width of the frame in pixels.
        free: Bytes of free memory; None where not known.
        parallel: Number of frames that are stylized at a time.
    """
    most = None if free is None else free * _SHARE / (_BYTES_A_PIXEL * parallel)
    if most is None or height * width <= most:
        return None
    size = math.isqrt(int(most) // 2) // 4 * 4
    return min(max(size, LEAST_TILE), _LARGEST_TILE)


def can_be_tiled(spec: NetworkSpec) -> bool:
    """Return whether nothing at full or half resolution depends on the whole frame."""
    return spec.normalization != "everywhere"


def stylize_in_tiles(parts: Parts, frame: Tensor, size: int) -> Tensor:
    """Stylize a frame with the full-resolution memory of one tile.

    Args:
        parts: The network.
        frame: (1, 3, H, W) RGB in [0, 1]; sizes a multiple of 4.
        size: Side of a tile's window in pixels, at least `LEAST_TILE`; rounded down to a multiple
            of 4.

    Returns:
        (1, 3, H, W) of the same dtype.
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
    stylized = torch.empty_like(frame)
    for tile in tiles:
        pixels = parts.decode(frame[..., *tile.window], features[..., *_quarters(tile.window)])
        stylized[..., *tile.inside] = pixels[..., *_within(tile)]
    return stylized


def tiles_of(height: int, width: int, size: int) -> Iterator[Tile]:
    """Yield tiles with windows of one shape, row by row."""
    for row_window, rows in _spans(height, size):
        for column_window, columns in _spans(width, size):
            yield Tile((row_window, column_window), (rows, columns))


def _spans(length: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Yield windows of `size` along an axis, each with the span that it provides.

    The last window ends with the axis: borders have to be the frame's own.
    """
    size = min(size, length)
    done = 0
    while done < length:
        start = min(max(done - OVERLAP, 0), length - size)
        end = length if start + size == length else start + size - OVERLAP
        yield slice(start, start + size), slice(done, end)
        done = end


def _within(tile: Tile) -> tuple[slice, slice]:
    """Return the position of a tile's inside in its window."""
    rows, columns = (
        slice(part.start - whole.start, part.stop - whole.start)
        for whole, part in zip(tile.window, tile.inside, strict=True)
    )
    return rows, columns


def _quarters(spans: tuple[slice, slice]) -> tuple[slice, slice]:
    rows, columns = (slice(span.start // 4, span.stop // 4) for span in spans)
    return rows, columns
