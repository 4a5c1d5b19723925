"""Frame rates as Resolve writes them."""

from __future__ import annotations

from fractions import Fraction

_WHOLE = (16, 18, 24, 25, 30, 48, 50, 60, 72, 90, 96, 100, 120)
_NTSC = Fraction(1000, 1001)
_RATES = (*map(Fraction, _WHOLE), *(rate * _NTSC for rate in (24, 30, 48, 60, 96, 120)))


def parse_rate(text: object) -> Fraction | None:
    """The exact rate of "23.976", "29.97 DF", 25.0; None if it is none that Resolve has."""
    words = str(text).split()
    try:
        number = float(words[0]) if words else 0.0
    except ValueError:
        return None
    # "23.98" and "23.976" are one rate, 24 is another one 0.02 away.
    near = min(_RATES, key=lambda rate: abs(float(rate) - number))
    return near if abs(float(near) - number) < 0.006 else None


def same_rate(one: Fraction | None, other: Fraction | None) -> bool:
    """Whether frames last equally long, but for how files round their time base."""
    return one is not None and other is not None and abs(one / other - 1) < Fraction(1, 5000)
