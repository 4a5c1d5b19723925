"""The clock that live work goes by; tests hand in one of their own."""

from __future__ import annotations

import threading
from time import monotonic


class Clock:
    """The system's clock, in seconds from an arbitrary moment."""

    def now(self) -> float:
        """Return the time."""
        return monotonic()

    def wait(self, ended: threading.Event, seconds: float) -> bool:
        """Wait for some seconds, or until an event; return whether it came."""
        return ended.wait(max(0.0, seconds))
