"""Figures of live work: frames a second, latency, frames left out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

# Frames over which the latency of a whole day is a median.
_MOST = 100_000


@dataclass(frozen=True)
class Figures:
    """Figures of a while.

    Attributes:
        seconds: How long it lasted.
        frames: Frames that were given to the output in it.
        fps: The same a second.
        latency: Median seconds from capture to output; None without a frame.
    """

    seconds: float
    frames: int
    fps: float
    latency: float | None


class Counter:
    """Counter of frames that were given to the output.

    Attributes:
        frames: Frames so far.

    Args:
        now: The time by the clock.
    """

    def __init__(self, now: float):
        self._lock = threading.Lock()
        self._start = self._since = now
        self._all: deque[float] = deque(maxlen=_MOST)
        self._latest: list[float] = []
        self.frames = 0

    def add(self, latency: float) -> None:
        """Count a frame, with its seconds from capture to output."""
        with self._lock:
            self.frames += 1
            self._all.append(latency)
            self._latest.append(latency)

    @property
    def last(self) -> float:
        """Seconds that the latest frame took from capture to output."""
        return self._all[-1] if self._all else 0.0

    def latest(self, now: float) -> Figures:
        """Return the figures since the last call."""
        with self._lock:
            found = _figures(len(self._latest), self._latest, now - self._since)
            self._latest, self._since = [], now
            return found

    def whole(self, now: float) -> Figures:
        """Return the figures of all, the latency over the latest frames."""
        with self._lock:
            return _figures(self.frames, self._all, now - self._start)


def _figures(frames: int, latencies: Sequence[float], seconds: float) -> Figures:
    fps = frames / seconds if seconds > 0 else 0.0
    middle = round(median(latencies), 4) if latencies else None
    return Figures(round(seconds, 3), frames, round(fps, 2), middle)
