"""Handlers of a clip's events, for tests that act while it is under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from brushreel.batch.reporting.events import (
    ClipKept,
    ClipProgress,
    ClipResumed,
    ClipStarted,
    Event,
    Handler,
)


def on_frame(call: Callable[[int], object]) -> Handler:
    """Call with the number of frames, after each."""

    def handle(event: Event) -> None:
        if isinstance(event, ClipProgress):
            call(event.frames)

    return handle


@dataclass
class Listener:
    """Notes a clip's events; interrupts the clip after a frame if told to."""

    stop_at: int | None = None
    warnings: list[str] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)
    kept: list[ClipKept] = field(default_factory=list)

    def handle(self, event: Event) -> None:
        match event:
            case ClipStarted():
                assert not self.frames, "the warnings come before the first frame"
                self.warnings += event.warnings
            case ClipResumed():
                self.resumed.append(event.frames)
            case ClipKept():
                self.kept.append(event)
            case ClipProgress():
                self.frames.append(event.frames)
                if event.frames == self.stop_at:
                    raise KeyboardInterrupt
