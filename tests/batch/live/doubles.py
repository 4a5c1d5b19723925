"""Clocks that no time passes by, and what listens to events."""

from __future__ import annotations

import threading
from time import monotonic, sleep

from brushreel.batch.live.clock import Clock

PATIENCE = 30


class SteppedClock(Clock):
    """A clock whose time passes when somebody waits, and then at once."""

    def __init__(self):
        self.time = 0.0
        self.given = 0

    def now(self) -> float:
        return self.time

    def wait(self, ended: threading.Event, seconds: float) -> bool:
        self.time += max(0.0, seconds)
        self.given += 1
        return ended.is_set()


class PatientClock(SteppedClock):
    """A stepped clock by which the next frame is due when the one before it is stylized."""

    def __init__(self):
        super().__init__()
        self.stylized = 0

    def wait(self, ended: threading.Event, seconds: float) -> bool:
        until = monotonic() + PATIENCE
        while self.stylized < self.given and monotonic() < until:
            sleep(0.001)
        return super().wait(ended, seconds)


def wait_until(condition) -> None:
    until = monotonic() + PATIENCE
    while not condition() and monotonic() < until:
        sleep(0.002)
