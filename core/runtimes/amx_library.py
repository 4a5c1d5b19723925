"""The kernels of `amx.c`, if they were compiled and this CPU can run them."""

from __future__ import annotations

import ctypes
import enum
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("amx.so")


class Kind(enum.IntEnum):
    """Kinds of step, in `amx.c`'s order."""

    FROM_PIXELS = 0
    RELU = 1
    SUMS = 2
    NORMALIZE_RELU = 3
    NORMALIZE_ADD = 4
    DOUBLE_ADD_RELU = 5
    TO_PIXELS = 6


class Map(ctypes.Structure):
    """Features of one frame; see `amx.c`."""

    _fields_ = (
        ("origin", ctypes.c_void_p),
        ("row", ctypes.c_int64),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("channels", ctypes.c_int32),
        ("border", ctypes.c_int32),
    )


class Step(ctypes.Structure):
    """One step of a network; see `amx.c`."""

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
    )


@cache
def library() -> ctypes.CDLL | None:
    """Load the kernels; None if the CPU can't run them or they were not compiled."""
    try:
        kernels = ctypes.CDLL(str(_FILE))
    except OSError:
        return None
    kernels.brushreel_run.argtypes = (ctypes.POINTER(Step), ctypes.c_int, ctypes.c_int)
    kernels.brushreel_run.restype = None
    return kernels if kernels.brushreel_can_run() else None
