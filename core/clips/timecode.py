"""SMPTE ST 12-1 timecode: a frame's number as hours, minutes, seconds and frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

_WRITTEN = re.compile(r"(\d{1,2})[:;](\d{2})[:;](\d{2})([:;.,])(\d{2,3})")
_RATES = (24, 25, 30, 48, 50, 60)
_DROPPING = (30, 60)
_EXACT = tuple(Fraction(rate * 1000, slower) for rate in _RATES for slower in (1000, 1001))
# Far less than the 0.1 % between the two kinds of rates.
_AVERAGING = 2e-5


def nominal_rate(rate: Fraction) -> int:
    """Return the frames that timecode counts in a second: 24 for 23.976, 30 for 29.97."""
    return max(1, round(rate))


def has_timecode(rate: Fraction | None) -> bool:
    """Return whether programs count this rate in timecode: 24 to 60, or these divided by 1.001."""
    return rate is not None and editing_rate(rate) in _EXACT


def drops_frames(rate: Fraction) -> bool:
    """Return whether timecode of a rate may be drop frame: 29.97 and 59.94."""
    return _left_out(nominal_rate(rate)) > 0 and rate.denominator > 1


def editing_rate(rate: Fraction) -> Fraction:
    """Return the exact rate that is meant: 30000/1001 for 29.97, or for what a clip averages."""
    return next((exact for exact in _EXACT if abs(rate / exact - 1) < _AVERAGING), rate)


@dataclass(frozen=True)
class Timecode:
    """A frame's number as editors write it.

    Attributes:
        hours, minutes, seconds, frames: As written.
        drop: Whether the numbers 0 and 1 (at 59.94: 0 to 3) are left out in every minute that
            is not a tenth one, so that 29.97 frames a second keep pace with the clock.
    """

    hours: int
    minutes: int
    seconds: int
    frames: int
    drop: bool = False

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse ``01:00:00:00``, or drop frame ``01:00:00;00``; None if it is neither."""
        match = _WRITTEN.fullmatch(text.strip())
        if match is None or int(match[2]) > 59 or int(match[3]) > 59:
            return None
        return cls(int(match[1]), int(match[2]), int(match[3]), int(match[5]), match[4] != ":")

    @classmethod
    def of_number(cls, number: int, rate: Fraction, *, drop: bool = False) -> Self:
        """Return the timecode of a frame; after 24 hours it starts again.

        Args:
            number: Counted from 00:00:00:00.
            rate: Frames a second, exact or nominal.
            drop: See `Timecode`; ignored at rates that have no drop frame.
        """
        base = nominal_rate(rate)
        left_out = _left_out(base) if drop else 0
        if left_out:
            tens, rest = divmod(number, 600 * base - 9 * left_out)
            # The first minute of ten is whole.
            minute = max(0, rest - 60 * base) // (60 * base - left_out) + (rest >= 60 * base)
            number += left_out * (9 * tens + minute)
        seconds, frames = divmod(number % (24 * 3600 * base), base)
        return cls(seconds // 3600, seconds // 60 % 60, seconds % 60, frames, drop=bool(left_out))

    def number(self, rate: Fraction) -> int:
        """Return the frame's number counted from 00:00:00:00."""
        base = nominal_rate(rate)
        minutes = 60 * self.hours + self.minutes
        left_out = _left_out(base) if self.drop else 0
        whole = (60 * minutes + self.seconds) * base + self.frames
        return whole - left_out * (minutes - minutes // 10)

    def later(self, frames: int, rate: Fraction) -> Self:
        """Return the timecode of a later frame."""
        return self.of_number(self.number(rate) + frames, rate, drop=self.drop)

    def __str__(self) -> str:
        mark = ";" if self.drop else ":"
        return f"{self.hours:02}:{self.minutes:02}:{self.seconds:02}{mark}{self.frames:02}"


def _left_out(base: int) -> int:
    return base // 15 if base in _DROPPING else 0
