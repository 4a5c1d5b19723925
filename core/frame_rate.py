"""Frame rates as people and programs write them."""

from __future__ import annotations

from fractions import Fraction

from .errors import UsageError

# Rates whose thousandths are dropped in NTSC countries: 23.976 is 24000/1001.
_NTSC = (24, 30, 48, 60, 96, 120)
_HIGHEST_RATE = 10_000
# "23.98" and "23.976" are one rate, 24 is another one 0.024 away.
_ROUNDED = Fraction(6, 1000)


def parse_rate(text: str) -> Fraction:
    """Pictures a second from what people write: "24", "24000/1001", "23.976".

    Decimals near a rate of NTSC are that rate: 24, 30, 48, 60 or 120 divided by 1.001. Any others
    are meant as they are.

    Raises:
        UsageError: It is no rate.
    """
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= _HIGHEST_RATE:
        raise UsageError(f"{text} is no frame rate", hint="such as 24, 23.976 or 24000/1001")
    nominal = round(rate * Fraction(1001, 1000))
    ntsc = Fraction(nominal * 1000, 1001)
    meant = "." in text and rate.denominator > 1 and nominal in _NTSC
    return ntsc if meant and abs(ntsc - rate) < _ROUNDED else rate
