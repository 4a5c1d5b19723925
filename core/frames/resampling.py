"""Resampling of planes to any other size: the weights, and how PyTorch applies them.

The kernel is Keys' cubic with a = -1/2 (R. Keys, Cubic Convolution Interpolation for Digital
Image Processing, IEEE Trans. ASSP 29, 1981), which is also Catmull and Rom's: of all cubics that
are four samples wide the one that reproduces parabolas. Where a plane gets smaller the kernel is
stretched by as much, so that nothing aliases (as Pillow and PyTorch's antialias do it). At a ratio
of 1 nothing changes. Beyond the border its nearest sample is repeated.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_SUPPORT = 2
# Within a clip there are 8 or so: luma and chroma, across and down, both ways.
_KEPT = 64
_BLOCK = 64


class Axis(NamedTuple):
    """One axis of a plane, resampled.

    Attributes:
        source: Samples that there are.
        target: Samples that are wanted.
        ratio: Source samples for each target sample.
        at_source: Where in its cell a source sample sits: 0.5 in the middle; 0.25 for chroma that
            shares its place with the left one of two luma samples.
        at_target: The same of a target sample.
    """

    source: int
    target: int
    ratio: float
    at_source: float = 0.5
    at_target: float = 0.5


class Taps:
    """Weights of the source samples that every target sample takes, along one axis.

    Attributes:
        axis: What they were made for.
        first: (target,) int32, the first source sample of each.
        weights: (target, count) float32, what `count` samples from there on are multiplied by; they
            add up to 1.
    """

    def __init__(self, axis: Axis):
        self.axis = axis
        self.first, self.weights = _first_and_weights(axis)

    @property
    def count(self) -> int:
        """Number of source samples that each target sample takes."""
        return self.weights.shape[1]

    def rows(self, begin: int, end: int) -> slice:
        """Return the source samples that target samples from `begin` to before `end` take."""
        return slice(int(self.first[begin]), int(self.first[end - 1]) + self.count)


@lru_cache(_KEPT)
def taps(axis: Axis) -> Taps:
    """Return the taps of an axis, made once."""
    return Taps(axis)


def _keys(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate Keys' cubic, a = -1/2."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < _SUPPORT, far, 0))


def _first_and_weights(axis: Axis) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    stretch = max(1.0, axis.ratio)
    centres = (np.arange(axis.target) + axis.at_target) * axis.ratio - axis.at_source
    reach = _SUPPORT * stretch
    # What lies at the very end of the kernel has no weight.
    low = np.floor(centres - reach + 1e-6).astype(np.int64) + 1
    wide = math.ceil(2 * reach - 2e-6)
    samples = low[:, None] + np.arange(wide)
    weights = _keys((samples - centres[:, None]) / stretch)
    weights /= weights.sum(1, keepdims=True)
    count = min(wide, axis.source)
    first = np.clip(low, 0, axis.source - count)
    inside = np.clip(samples, 0, axis.source - 1) - first[:, None]
    folded = np.zeros((axis.target, count))
    np.add.at(folded, (np.arange(axis.target)[:, None], inside), weights)
    return first.astype(np.int32), folded.astype(np.float32)


@lru_cache(_KEPT)
def matrix(axis: Axis, device: torch.device) -> Tensor:
    """Return the taps as a (target, source) float32 matrix on a device."""
    made = taps(axis)
    dense = np.zeros((axis.target, axis.source), np.float32)
    columns = made.first[:, None] + np.arange(made.count)
    np.put_along_axis(dense, columns, made.weights, 1)
    return torch.from_numpy(dense).to(device)


def resampled(planes: Tensor, across: Axis, down: Axis, rows: slice | None = None) -> Tensor:
    """Bring planes to another size, on any device.

    Args:
        planes: (..., H, W) float32; only those rows of the whole plane that `rows` take, if given.
        across: Along x.
        down: Along y.
        rows: Of the result; all by default.

    Returns:
        (..., rows, target width) float32.
    """
    wanted = slice(0, down.target) if rows is None else rows
    skipped = 0 if rows is None else taps(down).rows(rows.start, rows.stop).start
    # The fewer samples are left for the second axis, the better.
    if down.target < down.source:
        planes = _along(planes.mT, down, wanted, skipped).mT
        return _along(planes, across, slice(0, across.target), 0)
    planes = _along(planes, across, slice(0, across.target), 0)
    return _along(planes.mT, down, wanted, skipped).mT


def resized(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring whole planes to another size, on any device.

    Args:
        planes: (..., H, W) float32.
        size: Height and width of the result.
    """
    (height, width), (rows, columns) = planes.shape[-2:], size
    if (height, width) == size:
        return planes
    return resampled(
        planes, Axis(width, columns, width / columns), Axis(height, rows, height / rows)
    )


def _along(planes: Tensor, axis: Axis, wanted: slice, skipped: int) -> Tensor:
    """Bring the last axis to another size, by products with matrices.

    Almost all of the whole matrix is 0. GPUs do not mind; CPUs take block by block what is not.
    """
    whole = matrix(axis, planes.device)
    step = _BLOCK if planes.device.type == "cpu" else wanted.stop - wanted.start
    parts = []
    for begin in range(wanted.start, wanted.stop, step):
        end = min(begin + step, wanted.stop)
        taken = taps(axis).rows(begin, end)
        columns = slice(taken.start - skipped, taken.stop - skipped)
        parts.append(planes[..., columns] @ whole[begin:end, taken].mT)
    return torch.cat(parts, -1)
