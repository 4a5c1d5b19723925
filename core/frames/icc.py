"""Colour tags that say the same as an ICC profile (ICC.1:2022), where there are such."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from .frame import LINEAR
from .hdr import CHROMATICITIES, adapted_to_d50

# Largest difference of a colorant in XYZ, and of a curve, that rounding explains.
_SAME_COLORANT, _SAME_CURVE = 0.004, 0.01
_CURVES: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    13: lambda x: np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4),
    1: lambda x: np.where(x < 0.081, x / 4.5, ((x + 0.099) / 1.099) ** (1 / 0.45)),
    4: lambda x: x**2.2,
    5: lambda x: x**2.8,
    LINEAR: lambda x: x,
}
_MOMENTS = np.linspace(0, 1, 33)


def tags_of_profile(profile: bytes) -> tuple[int | None, int | None]:
    """Return primaries and transfer (H.273) of a profile's colours; None for what has no tag."""
    try:
        table = _table(profile)
        colorants = np.array([_xyz(table[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
        curve = _curve(table[b"gTRC"])
    except (KeyError, ValueError, IndexError, struct.error):
        return None, None
    primaries = {
        code: np.abs(adapted_to_d50(stated) - colorants).max()
        for code, stated in CHROMATICITIES.items()
    }
    transfers = {code: np.abs(known(_MOMENTS) - curve).max() for code, known in _CURVES.items()}
    return _nearest(primaries, _SAME_COLORANT), _nearest(transfers, _SAME_CURVE)


def _nearest(distances: dict[int, float], most: float) -> int | None:
    code = min(distances, key=lambda code: distances[code])
    return code if distances[code] <= most else None


def _table(profile: bytes) -> dict[bytes, bytes]:
    """Return a profile's tags (7.3)."""
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * index) for index in range(count))
    return {name: profile[start : start + size] for name, start, size in entries}


def _xyz(tag: bytes) -> list[float]:
    return [value / 65536 for value in struct.unpack_from(">3i", tag, 8)]


def _curve(tag: bytes) -> np.ndarray:
    """Evaluate a curve (10.6, 10.18) at 33 moments from 0 to 1.

    Raises:
        ValueError: It is of another kind.
    """
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        values = np.array(struct.unpack_from(f">{count}H", tag, 12))
        if count < 2:
            return _MOMENTS ** (values[0] / 256 if count else 1.0)
        return np.interp(_MOMENTS, np.linspace(0, 1, count), values / 65535)
    if tag[:4] != b"para":
        raise ValueError("another kind of curve")
    (kind,) = struct.unpack_from(">H", tag, 8)
    count = (1, 3, 4, 5, 7)[kind]
    power, *rest = (value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12))
    slope, offset = rest[:2] or (1.0, 0.0)
    curved = np.maximum(slope * _MOMENTS + offset, 0) ** power
    if kind < 3:
        return curved + (rest[2] if kind == 2 else 0.0)
    straight, end, above, below = (*rest[2:], 0.0, 0.0)[:4]
    return np.where(end <= _MOMENTS, curved + above, straight * _MOMENTS + below)
