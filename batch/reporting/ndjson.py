"""Reporter for programs: one JSON object a line on stdout, as docs/events.md has them."""

from __future__ import annotations

import json
import sys

from .events import Clip, ClipDone, ClipFailed, ClipProgress, ClipStarted, Event, record


class JsonReporter:
    """Writer of every event on stdout; progress at most once per percent."""

    def __init__(self) -> None:
        self._steps: dict[Clip, int] = {}

    def handle(self, event: Event) -> None:
        """Print an event."""
        match event:
            case ClipStarted():
                self._steps[event.clip] = max(1, -(-(event.frames_expected or 0) // 100))
            case ClipDone() | ClipFailed():
                self._steps.pop(event.clip, None)
            case ClipProgress() if not self._is_due(event):
                return
        sys.stdout.write(json.dumps(record(event)) + "\n")
        sys.stdout.flush()

    def _is_due(self, event: ClipProgress) -> bool:
        return event.clip in self._steps and event.frames % self._steps[event.clip] == 0
