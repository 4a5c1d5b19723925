"""A reporter for tests of clusters."""

from __future__ import annotations

from collections import Counter

from brushreel.batch.reporting.events import SegmentDone


class Heard:
    """Reporter that keeps what it is given.

    Attributes:
        events: All of it.
        on_event: Called with each.
    """

    def __init__(self):
        self.events = []
        self.on_event = lambda event: None

    def handle(self, event):
        self.events.append(event)
        self.on_event(event)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def makers(self) -> Counter:
        """Segments that each node has made."""
        return Counter(event.node for event in self.of(SegmentDone))
