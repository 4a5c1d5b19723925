"""Times that go on where an input begins again."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av

from ...core.frames.frame import Frame


class Timeline:
    """Times of the output: those of the input, moved so that they rise from 0.

    Attributes:
        end: Where the latest frame ends, in units of the time base.

    Args:
        time_base: Unit of its times, in seconds.
    """

    def __init__(self, time_base: Fraction):
        self._base = time_base
        self._shift: int | None = None
        self._next_start = 0
        self._last = -1
        self.end = 0

    def begin(self, at: Fraction, *, zero: bool = False) -> None:
        """Begin what comes now at a time.

        Args:
            at: Seconds.
            zero: Whether the input's own zero is put there, and not its first frame.
        """
        self._next_start = round(at / self._base)
        self._shift = self._next_start if zero else None

    def placed(self, frame: Frame) -> Frame:
        """Return a frame at its time; one whose time does not rise comes a tick after the last."""
        pts = round(frame.pts * frame.time_base / self._base)
        if self._shift is None:
            self._shift = self._next_start - pts
        pts = max(self._last + 1, pts + self._shift)
        duration = max(1, round(frame.duration * frame.time_base / self._base))
        self._last, self.end = pts, pts + duration
        return replace(frame, pts=pts, duration=duration, time_base=self._base)

    def seconds(self, frame: Frame) -> Fraction:
        """Return when a frame would be shown by its own time, in seconds."""
        pts = round(frame.pts * frame.time_base / self._base)
        shift = self._next_start - pts if self._shift is None else self._shift
        return (pts + shift) * self._base

    def moved(self, packet: av.Packet) -> bool:
        """Move a packet's times like those of frames; False where it precedes the first frame."""
        if self._shift is None or packet.time_base is None or packet.pts is None:
            return False
        shift = round(self._shift * self._base / packet.time_base)
        packet.pts += shift
        packet.dts = packet.pts if packet.dts is None else packet.dts + shift
        return True
