"""The kernels of `scaling.c`, where they were compiled."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .resampling import Axis, Taps, taps

_FILE = Path(__file__).with_name("scaling.so")
_TYPES = {"uint8": 0, "uint16": 1, "float32": 2}
_COLOURS = 3
REACH = 2
"""Working pixels to either side of one over which it is found how much detail comes back there."""

# What the kernels have room for.
_MOST_TAPS = 256
# Rows that are worth a thread of their own.
_LEAST_ROWS = 64
_KEEP_CHROMA, _KEEP_OFFSETS = 1, 2
_NAMES = ("brushreel_reduce", "brushreel_prepare", "brushreel_enlarge")


class _Plane(ctypes.Structure):
    _fields_ = (
        ("samples", ctypes.c_void_p),
        ("stride", ctypes.c_int64),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("type", ctypes.c_int32),
    )


class _Taps(ctypes.Structure):
    _fields_ = (
        ("first", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("count", ctypes.c_int32),
    )


class _Reduction(ctypes.Structure):
    _fields_ = (
        ("source", _Plane),
        ("across", _Taps),
        ("down", _Taps),
        ("out", ctypes.c_void_p),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("gain", ctypes.c_float),
        ("shift", ctypes.c_float),
    )


class _Preparation(ctypes.Structure):
    _fields_ = (
        ("stylized", ctypes.c_void_p * _COLOURS),
        ("luma_shares", ctypes.c_float * _COLOURS),
        ("luma", ctypes.c_void_p),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("colours", ctypes.c_int32),
        ("made_of", ctypes.c_void_p * _COLOURS),
        ("bases", ctypes.c_void_p * _COLOURS),
        ("slope", ctypes.c_void_p),
        ("chroma", ctypes.c_void_p * 2),
        ("span", ctypes.c_float),
        ("zero", ctypes.c_float),
        ("slope_span", ctypes.c_float),
        ("luma_zero", ctypes.c_float),
        ("chroma_spans", ctypes.c_float * 2),
        ("chroma_zero", ctypes.c_float),
        ("detail", ctypes.c_float),
        ("steep", ctypes.c_float),
        ("edge", ctypes.c_float),
    )


class _Enlargement(ctypes.Structure):
    _fields_ = (
        ("bases", ctypes.c_void_p * _COLOURS),
        ("slope", ctypes.c_void_p),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("colours", ctypes.c_int32),
        ("across", _Taps),
        ("down", _Taps),
        ("sources", _Plane * _COLOURS),
        ("sources_count", ctypes.c_int32),
        ("luma", ctypes.c_float * _COLOURS),
        ("targets", _Plane * _COLOURS),
        ("strength", ctypes.c_float),
        ("floor", ctypes.c_float),
        ("top", ctypes.c_float),
        ("low", ctypes.c_float),
        ("high", ctypes.c_float),
        ("keep", ctypes.c_int32),
        ("chroma", _Plane * 2),
        ("shift_across", ctypes.c_int32),
        ("shift_down", ctypes.c_int32),
        ("chroma_zero", ctypes.c_float),
        ("red", ctypes.c_float),
        ("blue", ctypes.c_float),
        ("green_of_red", ctypes.c_float),
        ("green_of_blue", ctypes.c_float),
    )


class Chroma(NamedTuple):
    """The colours that luma has to leave room for.

    Attributes:
        planes: Cb and Cr.
        shift: log2 of their subsampling across and down.
        zero: The code of no colour.
        red: Codes of luma that a code of Cr adds to red.
        blue: Codes of luma that a code of Cb adds to blue.
        green: Codes of luma that a code of Cr, and one of Cb, adds to green.
    """

    planes: Sequence[np.ndarray]
    shift: tuple[int, int]
    zero: int
    red: float
    blue: float
    green: tuple[float, float]


@dataclass(frozen=True)
class Prepared:
    """Stylized frame in the codes of what it is enlarged to.

    Attributes:
        bases: (C, h, w) float32: luma, or the colours; without what the slope adds to them.
        slope: (h, w) float32, how much of the source's luma is added; None for none.
        chroma: (2, h, w) float32, Cb and Cr; or None.
    """

    bases: Tensor
    slope: Tensor | None = None
    chroma: Tensor | None = None


@dataclass(frozen=True)
class Mixture:
    """The source's planes, and how they go together with an enlarged frame.

    Attributes:
        planes: Of the source, of the targets' size: what luma is told from, and where it is mixed
            in, what the targets are instead.
        shares: The planes' shares in luma; none where it is not needed.
        strength: From 0, the source, to 1, the enlarged frame.
        legal: Lowest and highest code of the enlarged frame, and of what is written.
        keep: Colours that are kept, so that only luma is written; or True: of the three own planes.
    """

    legal: tuple[float, float]
    planes: Sequence[np.ndarray] = ()
    shares: Sequence[float] = ()
    strength: float = 1
    keep: Chroma | bool = False


@cache
def library() -> ctypes.CDLL | None:
    """Return the kernels; None where no compiler was there for them."""
    try:
        kernels = ctypes.CDLL(str(_FILE))
    except OSError:
        return None
    for name in _NAMES:
        scale, scratch = getattr(kernels, name), getattr(kernels, name + "_scratch")
        scale.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
        scale.restype = None
        scratch.argtypes, scratch.restype = (ctypes.c_void_p,), ctypes.c_int64
    return kernels


def can_scale(planes: Sequence[np.ndarray], *axes: Axis) -> bool:
    """Return whether the kernels are there, read the planes as they lie, and have room for them."""
    if library() is None or any(taps(axis).count > _MOST_TAPS for axis in axes):
        return False
    return all(
        plane.dtype.name in _TYPES
        and plane.dtype.isnative
        and plane.strides[1] == plane.itemsize
        and plane.strides[0] % plane.itemsize == 0
        for plane in planes
    )


def reduce(
    plane: np.ndarray, across: Axis, down: Axis, *, gain: float, shift: float, threads: int = 1
) -> Tensor:
    """Scale a plane of codes to floats of another size, times `gain`, plus `shift`.

    Args:
        plane: (H, W), of a kind that `can_scale` takes.
        across: Along x.
        down: Along y.
        gain: What a code is worth.
        shift: What code 0 is worth.
        threads: How many may work on it.

    Returns:
        (down.target, across.target) float32 on the CPU.
    """
    out = torch.empty(down.target, across.target)
    held = taps(across), taps(down)  # until the kernels are done with them
    job = _Reduction(
        source=_plane(plane),
        across=_taps(held[0]),
        down=_taps(held[1]),
        out=out.data_ptr(),
        width=across.target,
        height=down.target,
        gain=gain,
        shift=shift,
    )
    _run("brushreel_reduce", job, down.target, threads)
    return out


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
    """Bring a stylized frame to codes, and tell how much of the source's luma goes with it.

    Args:
        stylized: (3, h, w) float32 R'G'B', contiguous.
        shares: Of red, green and blue in luma.
        luma: (h, w) float32, contiguous, of the source; None for no detail.
        detail: Where the source is flat, at edges, and the variance that is half an edge.
        order: Which of R'G'B' become bases; None for their luma.
        levels: The code of 0 and the codes from 0 to 1.
        luma_levels: The same of the source's luma.
        chroma_levels: The code of no colour, and what B - Y and R - Y are multiplied by; None for
            no chroma.
        threads: How many may work on it.
    """
    height, width = stylized.shape[-2:]
    bases = torch.empty(1 if order is None else len(order), height, width)
    slope = None if luma is None else torch.empty(height, width)
    chroma = None if chroma_levels is None else torch.empty(2, height, width)
    job = _Preparation(width=width, height=height, colours=len(bases))
    for index in range(_COLOURS):
        job.stylized[index] = stylized[index].data_ptr()
        job.luma_shares[index] = shares[index]
    for index, base in enumerate(bases):
        job.bases[index] = base.data_ptr()
        job.made_of[index] = None if order is None else stylized[order[index]].data_ptr()
    (job.zero, job.span), (job.detail, job.steep, job.edge) = levels, detail
    if luma is not None and slope is not None:
        job.luma, job.slope = luma.data_ptr(), slope.data_ptr()
        job.luma_zero, job.slope_span = luma_levels[0] / luma_levels[1], levels[1] / luma_levels[1]
    if chroma is not None and chroma_levels is not None:
        job.chroma[0], job.chroma[1] = chroma[0].data_ptr(), chroma[1].data_ptr()
        job.chroma_zero, job.chroma_spans[0], job.chroma_spans[1] = chroma_levels
    _run("brushreel_prepare", job, height, threads)
    return Prepared(bases, slope, chroma)


def enlarge(
    bases: Tensor,
    slope: Tensor | None,
    across: Axis,
    down: Axis,
    targets: Sequence[np.ndarray],
    mixture: Mixture,
    *,
    threads: int = 1,
) -> None:
    """Scale floats to planes of another size: bases, plus slope times the source's luma, mixed.

    Args:
        bases: (C, h, w) float32, contiguous, in the targets' codes; with the source's own colours
            kept in three targets, one of luma.
        slope: (h, w) float32, contiguous; without it there is no detail.
        across: Along x.
        down: Along y.
        targets: Planes (H, W) that are written.
        mixture: See there.
        threads: How many may work on it.
    """
    job = _Enlargement(strength=mixture.strength, colours=len(bases))
    for index, base in enumerate(bases):
        job.bases[index] = base.data_ptr()
    for index, target in enumerate(targets):
        job.targets[index] = _plane(target)
    for index, source in enumerate(mixture.planes):
        job.sources[index] = _plane(source)
    for index, share in enumerate(mixture.shares):
        job.luma[index] = share
    job.slope = None if slope is None else slope.data_ptr()
    job.height, job.width = bases.shape[-2:]
    job.sources_count = len(mixture.shares)
    held = taps(across), taps(down)  # until the kernels are done with them
    job.across, job.down = map(_taps, held)
    job.floor, job.top = job.low, job.high = mixture.legal
    if isinstance(mixture.keep, Chroma):
        _keep(job, mixture.keep)
    elif mixture.keep:
        job.keep = _KEEP_OFFSETS
    _run("brushreel_enlarge", job, down.target, threads)


def _keep(job: _Enlargement, chroma: Chroma) -> None:
    job.keep = _KEEP_CHROMA
    for index, plane in enumerate(chroma.planes):
        job.chroma[index] = _plane(plane)
    job.shift_across, job.shift_down = chroma.shift
    job.chroma_zero, job.red, job.blue = chroma.zero, chroma.red, chroma.blue
    job.green_of_red, job.green_of_blue = chroma.green


def _plane(plane: np.ndarray) -> _Plane:
    height, width = plane.shape
    stride = plane.strides[0] // plane.itemsize
    return _Plane(plane.ctypes.data, stride, width, height, _TYPES[plane.dtype.name])


def _taps(made: Taps) -> _Taps:
    return _Taps(made.first.ctypes.data, made.weights.ctypes.data, made.count)


def _run(name: str, job: ctypes.Structure, rows: int, threads: int) -> None:
    """Do all rows; those of one thread lie together."""
    kernels = library()
    assert kernels is not None
    scale, address = getattr(kernels, name), ctypes.addressof(job)
    floats = getattr(kernels, name + "_scratch")(address)

    def part(begin: int, end: int) -> None:
        scratch = torch.empty(floats)
        scale(address, begin, end, scratch.data_ptr())

    parts = max(1, min(threads, rows // _LEAST_ROWS))
    if parts == 1:
        part(0, rows)
        return
    bounds = [rows * index // parts for index in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(part, bounds[:-1], bounds[1:]))
