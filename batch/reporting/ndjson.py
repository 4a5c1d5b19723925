"""Reporter for programs: one JSON object a line on stdout, as docs/events.md has them."""

from __future__ import annotations

import json
import sys

from ...core.errors import OutputError
from .events import Clip, ClipDone, ClipFailed, ClipProgress, ClipStarted, Event, record


class JsonReporter:
    """Writer of every event on stdout; progress at most once per percent."""

    def __init__(self) -> None:
        self._steps: dict[Clip, int] = {}
        self._told: dict[Clip, int] = {}

    def handle(self, event: Event) -> None:
        """Print an event."""
        match event:
            case ClipStarted():
                self._steps[event.clip] = max(1, -(-(event.frames_expected or 0) // 100))
                self._told[event.clip] = 0
            case ClipDone() | ClipFailed():
                self._steps.pop(event.clip, None)
            case ClipProgress() if not self._is_due(event):
                return
        try:
            sys.stdout.write(json.dumps(record(event)) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            raise  # the reader has closed it
        except OSError as error:
            raise OutputError.because(error, "the events can't be written") from error

    def _is_due(self, event: ClipProgress) -> bool:
        if event.clip not in self._steps:
            return False
        # Of a cluster, frames come several at a time.
        step = event.frames // self._steps[event.clip]
        is_due, self._told[event.clip] = step > self._told[event.clip], step
        return is_due
