"""The state of live work on the terminal: one line that is drawn anew every second."""

from __future__ import annotations

import sys
from time import monotonic
from typing import Any

from tqdm import tqdm

from ...core.human import counted, human_seconds
from ...core.moving import on_terminal
from ..reporting.events import Event
from ..reporting.live_events import LiveBack, LiveDone, LiveLost, LiveStarted, LiveStatus

# Seconds between lines where there is no terminal.
_BETWEEN_LINES = 60.0


class StatusLine:
    """Reporter of live work; where stderr is no terminal it prints a line a minute."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._told = monotonic()

    def handle(self, event: Event) -> None:
        """Show an event on stderr."""
        match event:
            case LiveStarted():
                self._start(event)
            case LiveStatus():
                self._show(event)
            case LiveLost():
                _say(f"{event.what}; it is tried again")
            case LiveBack():
                _say(f"{event.input}: is back after {human_seconds(event.seconds)}")
            case LiveDone():
                self.close()
                seconds = human_seconds(event.seconds)
                _say(f"{event.output}: {counted(event.frames, 'frame')}, {seconds}, {line(event)}")

    def _start(self, event: LiveStarted) -> None:
        for warning in event.warnings:
            _say(f"{event.input}: {warning}")
        rate = "" if event.frame_rate is None else f", {float(event.frame_rate):g} frames/s"
        sound = f", {counted(event.audio_tracks, 'audio stream')}" if event.audio_tracks else ""
        _say(
            f"{event.input} to {event.output}: {event.width}x{event.height}{rate}{sound}; "
            "Ctrl-C ends it"
        )
        if on_terminal(sys.stderr):
            self._bar = tqdm(bar_format="{desc} · {elapsed}", leave=False, file=sys.stderr)

    def _show(self, event: LiveStatus) -> None:
        if self._bar is not None:
            self._bar.set_description_str(line(event))
        elif monotonic() - self._told >= _BETWEEN_LINES:
            self._told = monotonic()
            _say(f"{event.input}: {line(event)}")

    def close(self) -> None:
        """Take the line away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def line(event: LiveStatus | LiveDone) -> str:
    """Return frames a second, latency, and what was left out or repeated, in words."""
    parts = [f"{event.fps:.1f} frames/s"]
    if event.latency is not None:
        parts.append(f"{event.latency * 1000:.0f} ms")
    parts.append(f"{event.left_out} left out")
    if event.repeated:
        parts.append(f"{event.repeated} repeated")
    return " · ".join(parts)


def _say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)
