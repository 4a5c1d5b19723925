"""Reporters: whoever is given the events of a batch."""

from __future__ import annotations

from typing import Protocol

from .events import (
    BatchInterrupted,
    Clip,
    ClipDone,
    ClipFailed,
    ClipStarted,
    Event,
)


class Reporter(Protocol):
    """Receiver of the events of a batch."""

    def handle(self, event: Event) -> None:
        """Report one event."""


class Reporters:
    """Several reporters as one, which knows the clips that are under way."""

    def __init__(self, *reporters: Reporter):
        self._reporters = reporters
        self._under_way: dict[Clip, None] = {}

    def handle(self, event: Event) -> None:
        """Pass an event to every reporter."""
        match event:
            case ClipStarted():
                self._under_way[event.clip] = None
            case ClipDone() | ClipFailed():
                self._under_way.pop(event.clip, None)
        for reporter in self._reporters:
            reporter.handle(event)

    def interrupt(self) -> None:
        """Report that the user stopped the batch."""
        self.handle(BatchInterrupted(tuple(source for source, _ in self._under_way)))
