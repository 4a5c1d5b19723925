"""Scaling of planes in PyTorch: on any device, and the reference for the kernels of `scaling.c`.

Functions are those of `scaling_library`, and give the same to within one code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..cuda import upload
from .frame import PixelFormat
from .resampling import Axis, resampled, taps
from .scaling_library import REACH, Chroma, Mixture, Prepared

# Pixels of a strip; a dozen float32 planes of it are held at a time.
_STRIP, _STRIP_ON_GPU = 2**20, 2**25


class Resident:
    """A frame's planes on a device: each is uploaded once, unchanged.

    On a CPU they are views, strip by strip.
    """

    def __init__(self, device: torch.device):
        self.device = device
        # With the array itself: without it, its number could become another's.
        self._uploaded: dict[int, tuple[np.ndarray, Tensor]] = {}

    def rows(self, plane: np.ndarray, rows: slice, depth: int) -> Tensor:
        """Return some rows of a plane as float32 codes."""
        if self.device.type == "cpu":
            return _as_float(_codes(plane[rows], self.device), depth)
        if id(plane) not in self._uploaded:
            self._uploaded[id(plane)] = plane, _codes(plane, self.device)
        return _as_float(self._uploaded[id(plane)][1][rows], depth)


def strips(rows: int, pixels: int, device: torch.device) -> Iterator[slice]:
    """Yield all rows in strips of even heights, few enough of a frame of so many pixels."""
    most = _STRIP if device.type == "cpu" else _STRIP_ON_GPU
    count = max(1, -(-pixels // most))
    step = max(2, -(-rows // count) // 2 * 2)
    for begin in range(0, rows, step):
        yield slice(begin, min(begin + step, rows))


def reduce(
    plane: np.ndarray,
    across: Axis,
    down: Axis,
    *,
    gain: float,
    shift: float,
    depth: int,
    resident: Resident,
) -> Tensor:
    """Scale a plane of codes to floats of another size, times `gain`, plus `shift`.

    Args:
        plane: (H, W) of codes or floats.
        across: Along x.
        down: Along y.
        gain: What a code is worth.
        shift: What code 0 is worth.
        depth: Bits of a code.
        resident: Where the plane is taken.

    Returns:
        (down.target, across.target) float32 on the device.
    """
    parts = []
    for rows in strips(down.target, plane.size, resident.device):
        codes = resident.rows(plane, taps(down).rows(rows.start, rows.stop), depth)
        parts.append(resampled(codes, across, down, rows).mul_(gain).add_(shift))
    return torch.cat(parts)


def prepare(
    stylized: Tensor,
    shares: Sequence[float],
    luma: Tensor | None,
    *,
    detail: tuple[float, float, float],
    order: Sequence[int] | None,
    levels: tuple[float, float],
    luma_levels: tuple[float, float],
    chroma_levels: tuple[float, float, float] | None,
    threads: int = 1,
) -> Prepared:
    """Do what `scaling_library.prepare` does; PyTorch has threads of its own."""
    del threads
    own = stylized[0] * shares[0] + stylized[1] * shares[1] + stylized[2] * shares[2]
    bases = own[None].clone() if order is None else torch.stack([stylized[i] for i in order])
    slope = chroma = None
    if luma is not None:
        slope = detail_gain(own, luma, detail)
        bases -= slope * (luma + luma_levels[0] / luma_levels[1])
        slope.mul_(levels[1] / luma_levels[1])
    bases.mul_(levels[1]).add_(levels[0])
    if chroma_levels is not None:
        chroma = torch.stack([stylized[2] - own, stylized[0] - own])
        chroma[0].mul_(chroma_levels[1])
        chroma[1].mul_(chroma_levels[2])
        chroma.add_(chroma_levels[0])
    return Prepared(bases, slope, chroma)


def detail_gain(stylized: Tensor, luma: Tensor, detail: tuple[float, float, float]) -> Tensor:
    """Return how much of the source's finer luma comes back where: a of `strokes`.

    Args:
        stylized: (..., h, w) float32, luma; at most one dimension before.
        luma: (..., h, w) float32, of the source.
        detail: Where the source is flat; at edges; the variance of luma that is half an edge.

    Returns:
        (..., h, w) float32, from 0 to the second of `detail`.
    """
    flat, most, edge = detail
    moments = torch.stack([stylized, luma, stylized * luma, luma * luma])
    p, y, py, yy = _local_mean(moments)
    # Not in place: in an exported model, changing a view is slow.
    covariance, variance = py - p * y, yy - y * y
    gain = covariance.mul_(most).add_(edge * flat).div_(variance.add_(edge))
    return gain.clamp_(0.0, most)


def enlarge(
    bases: Tensor,
    slope: Tensor | None,
    across: Axis,
    down: Axis,
    mixture: Mixture,
    *,
    form: PixelFormat,
    depth: int,
    resident: Resident,
) -> list[Tensor]:
    """Scale floats to planes of another size, as `scaling_library.enlarge` does.

    Args:
        bases: (C, h, w) float32 in the targets' codes.
        slope: (h, w) float32; without it there is no detail.
        across: Along x.
        down: Along y.
        mixture: With what of the source.
        form: Of the targets.
        depth: Bits of the source's codes.
        resident: Where the source's planes are taken.

    Returns:
        Planes (H, W) on the device, in the narrowest type for their codes that every device has.
    """
    source = _Source(mixture, depth, resident)
    parts = []
    for rows in strips(down.target, down.target * across.target, resident.device):
        lines = taps(down).rows(rows.start, rows.stop)
        made = resampled(bases[:, lines], across, down, rows)
        gain = None if slope is None else resampled(slope[lines], across, down, rows)
        parts.append(_rounded(source.mixed(made, gain, rows), mixture.legal, form))
    return [torch.cat(plane) for plane in zip(*parts, strict=True)]


class _Source:
    """Source of a mixture, a strip at a time."""

    def __init__(self, mixture: Mixture, depth: int, resident: Resident):
        self._mixture, self._depth, self._resident = mixture, depth, resident

    def mixed(self, made: Tensor, gain: Tensor | None, rows: slice) -> Tensor:
        """Mix (C, rows, W) of bases, and (rows, W) of slope, with the source."""
        mixture, (low, high) = self._mixture, self._mixture.legal
        own = [self._resident.rows(plane, rows, self._depth) for plane in mixture.planes]
        if mixture.shares:
            luma = torch.stack(own).mul_(self._column(mixture.shares, made)).sum(0)
            if gain is not None:
                made += gain * luma
            if isinstance(mixture.keep, Chroma):
                least, most = self._limits(mixture.keep, rows, made.shape[-1])
                made = made.clamp(torch.minimum(least, luma), torch.maximum(most, luma))
            elif mixture.keep:
                return self._with_offsets(torch.stack(own), made[0], luma)
        made.clamp_(low, high)
        if mixture.strength < 1:
            made = torch.lerp(torch.stack(own), made, mixture.strength)
        return made

    def _column(self, shares: Sequence[float], like: Tensor) -> Tensor:
        return torch.tensor(shares, dtype=like.dtype).to(like.device, non_blocking=True)[
            :, None, None
        ]

    def _with_offsets(self, colours: Tensor, value: Tensor, luma: Tensor) -> Tensor:
        """Move (3, rows, W) of colours to other luma, as far as all of them stay legal."""
        low, high = self._mixture.legal
        least, most = colours.amin(0), colours.amax(0)
        value = torch.maximum(value, luma - least + low)
        value = torch.minimum(value, most.clamp(min=high) - (most - luma))
        return colours + self._mixture.strength * (value - luma)

    def _limits(self, keep: Chroma, rows: slice, width: int) -> tuple[Tensor, Tensor]:
        """Return the least and the most luma, (rows, width), with which colours stay legal."""
        across, down = keep.shift
        lines = slice(rows.start >> down, -(-rows.stop >> down))
        cb, cr = (
            self._resident.rows(plane, lines, self._depth) - keep.zero for plane in keep.planes
        )
        green = keep.green[0] * cr + keep.green[1] * cb
        offsets = torch.stack([keep.red * cr, keep.blue * cb, green])
        offsets = offsets.repeat_interleave(1 << across, 2).repeat_interleave(1 << down, 1)
        offsets = offsets[:, : rows.stop - rows.start, :width]
        low, high = self._mixture.legal
        return low - offsets.amin(0), high - offsets.amax(0)


def _local_mean(planes: Tensor) -> Tensor:
    """Compute the mean of each neighbourhood of (..., C, h, w), borders repeated."""
    side = 2 * REACH + 1
    planes = F.avg_pool2d(F.pad(planes, (REACH, REACH, 0, 0), mode="replicate"), (1, side), 1)
    return F.avg_pool2d(F.pad(planes, (0, 0, REACH, REACH), mode="replicate"), (side, 1), 1)


def _codes(plane: np.ndarray, device: torch.device) -> Tensor:
    """Bring a plane to a device as it is; uint16 as int16 of the same bits, for all devices."""
    if not plane.flags.writeable or min(plane.strides) < 0:
        plane = plane.copy()  # torch can't share these
    bits = plane.view(np.int16) if plane.dtype == np.uint16 else plane
    return upload(torch.from_numpy(bits), device)


def _as_float(codes: Tensor, depth: int) -> Tensor:
    """Convert codes to float32."""
    if codes.dtype == torch.int16 and depth == 16:
        return codes.to(torch.int32).bitwise_and_(0xFFFF).to(torch.float32)
    return codes.to(torch.float32)


def _rounded(values: Tensor, legal: tuple[float, float], form: PixelFormat) -> Tensor:
    """Round to legal codes; floating point stays as it is."""
    if form.floating:
        return values
    types = {8: torch.uint8, 16: torch.int32}
    return values.round_().clamp_(*legal).to(types.get(form.depth, torch.int16))
