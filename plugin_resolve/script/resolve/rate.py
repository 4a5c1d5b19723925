"""Frame rates in Resolve's spelling."""

from __future__ import annotations

from fractions import Fraction

from ....core.errors import UsageError
from ....core.frame_rate import parse_rate

_WHOLE = (16, 18, 24, 25, 30, 48, 50, 60, 72, 90, 96, 100, 120)
_NTSC = Fraction(1000, 1001)
_RATES = (*map(Fraction, _WHOLE), *(rate * _NTSC for rate in (24, 30, 48, 60, 96, 120)))


def resolve_rate(text: object) -> Fraction | None:
    """Return the exact rate of "23.976", "29.97 DF", 25.0; None if Resolve has no such rate."""
    try:
        rate = parse_rate(str(text).partition(" ")[0])
    except UsageError:
        return None
    return rate if rate in _RATES else None


def same_rate(one: Fraction | None, other: Fraction | None) -> bool:
    """Return whether two rates are equal up to the rounding of files' time bases."""
    return one is not None and other is not None and abs(one / other - 1) < Fraction(1, 5000)
