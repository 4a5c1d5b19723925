"""The kernels of `kernels.c`, if they were compiled and this CPU can run them."""

from __future__ import annotations

import ctypes
import enum
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("kernels.so")
# As in `kernels.c`: a library from before a change would misread what it is given.
_LAYOUT = 1


class Kind(enum.IntEnum):
    """Kinds of step, in `kernels.h`'s order."""

    FROM_PIXELS = 0
    RELU = 1
    SUMS = 2
    NORMALIZE_RELU = 3
    NORMALIZE_ADD = 4
    DOUBLE_ADD_RELU = 5
    TO_PIXELS = 6


class Map(ctypes.Structure):
    """Features of one frame; see `kernels.h`."""

    _fields_ = (
        ("origin", ctypes.c_void_p),
        ("row", ctypes.c_int64),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("channels", ctypes.c_int32),
        ("border", ctypes.c_int32),
    )


class Step(ctypes.Structure):
    """One step of a network; see `kernels.h`."""

    _fields_ = (
        ("kind", ctypes.c_int32),
        ("reflect", ctypes.c_int32),
        ("source", ctypes.POINTER(Map)),
        ("out", ctypes.POINTER(Map)),
        ("weights", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("size", ctypes.c_int32),
        ("stride", ctypes.c_int32),
        ("across", ctypes.c_int32),
        ("tiles", ctypes.c_int32),
        ("epsilon", ctypes.c_float),
        ("sums", ctypes.c_void_p),
        ("pixels", ctypes.c_void_p),
        ("kept", ctypes.c_void_p),
        ("kept_size", ctypes.c_int64),
    )


@cache
def library() -> ctypes.CDLL | None:
    """Load the kernels; None if this CPU can run none of them or they were not compiled."""
    try:
        kernels = ctypes.CDLL(str(_FILE))
        current = kernels.brushreel_layout() == _LAYOUT
    except (OSError, AttributeError):
        return None
    kernels.brushreel_run.argtypes = (
        ctypes.POINTER(Step),
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
    )
    kernels.brushreel_run.restype = None
    kernels.brushreel_kept_size.argtypes = (ctypes.POINTER(Step),)
    kernels.brushreel_kept_size.restype = ctypes.c_int64
    return kernels if current and kernels.brushreel_has_avx512() else None


def has_avx512() -> bool:
    """Return whether the kernels for AVX-512 run here."""
    return library() is not None


def has_amx() -> bool:
    """Return whether those for AMX do."""
    kernels = library()
    return kernels is not None and bool(kernels.brushreel_has_amx())
