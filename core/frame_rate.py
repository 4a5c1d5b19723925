"""Frame rates as people and programs write them."""

from __future__ import annotations

from fractions import Fraction

from .errors import UsageError

# Rates that NTSC divides by 1.001: 23.976 is 24000/1001.
_NTSC = (24, 30, 48, 60, 96, 120)
_HIGHEST_RATE = 10_000
# "23.98" and "23.976" are one rate, 24 is another one 0.024 away.
_ROUNDED = Fraction(6, 1000)


def parse_rate(text: str) -> Fraction:
    """Parse frames per second as people write them: "24", "24000/1001", "23.976".

    A decimal within 0.006 of an NTSC rate (24, 30, 48, 60, 96 or 120 divided by 1.001) is that
    rate; any other is taken literally.

    Raises:
        UsageError: It is not a valid frame rate.
    """
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= _HIGHEST_RATE:
        raise UsageError(
            f"{text} is not a valid frame rate", hint="such as 24, 23.976 or 24000/1001"
        )
    nominal = round(rate * Fraction(1001, 1000))
    ntsc = Fraction(nominal * 1000, 1001)
    meant = "." in text and rate.denominator > 1 and nominal in _NTSC
    return ntsc if meant and abs(ntsc - rate) < _ROUNDED else rate
