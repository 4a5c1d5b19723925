"""Frames at a constant rate: one that is missing is repeated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from ...core.frames.frame import Frame


class ConstantRate:
    """A frame for each tick of a rate.

    Attributes:
        repeated: Frames repeated so far.
        left_out: Frames so far for whose tick there was one already.

    Args:
        rate: Frames a second.
    """

    def __init__(self, rate: Fraction):
        self._rate = rate
        self._last: Frame | None = None
        self.repeated = self.left_out = 0

    def frames(self, frame: Frame) -> Iterator[Frame]:
        """Yield a frame at its tick, after the one before it for every tick between them."""
        tick = round(frame.pts * frame.time_base * self._rate)
        last = self._last
        if last is not None and tick <= last.pts:
            self.left_out += 1
            return
        yield from self.until(tick)
        self._last = replace(frame, pts=tick, duration=1, time_base=1 / self._rate)
        yield self._last

    def until(self, tick: int) -> Iterator[Frame]:
        """Yield the latest frame again for every tick before one."""
        while self._last is not None and self._last.pts + 1 < tick:
            self._last = replace(self._last, pts=self._last.pts + 1)
            self.repeated += 1
            yield self._last

    def idle(self, time: float) -> Iterator[Frame]:
        """Yield what is repeated while nothing comes.

        Args:
            time: Seconds, up to which no frame will come any more.
        """
        yield from self.until(int(time * self._rate))
