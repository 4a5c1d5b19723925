"""Reporter for people: progress bars, warnings and a summary on the terminal."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from time import monotonic
from typing import Any

from tqdm import tqdm

from ...core.human import counted, human_seconds
from ...core.moving import Pulse, moving, on_terminal
from .events import (
    BatchFinished,
    BatchInterrupted,
    BatchStarted,
    Clip,
    ClipDone,
    ClipFailed,
    ClipKept,
    ClipProgress,
    ClipResumed,
    ClipSkipped,
    ClipStarted,
    ClusterFinished,
    Event,
    FilesPassedOver,
    NodeJoined,
    NodeLeft,
)

# Seconds between lines of a clip where there is no terminal.
_BETWEEN_LINES = 60.0


class TerminalReporter:
    """A progress bar a clip, with fps and time left; a line for what went wrong; a summary.

    Where stderr is no terminal there is a line a minute in place of the bars.

    Args:
        next_time: Note on clips that are done, for when the same command is given again.
        one_bar: Show one bar for all clips together, and not one for each.
    """

    def __init__(
        self,
        next_time: str = "--skip-existing leaves what is done alone",
        *,
        one_bar: bool = False,
    ):
        self._next_time = next_time
        self._one_bar = one_bar
        self._common: tqdm[Any] | None = None
        self._bars: dict[Clip, tqdm[Any] | _Share] = {}
        self._pulses: dict[Clip, Pulse] = {}
        self._told: dict[Clip, float] = {}
        self._waiting = ExitStack()
        self._warned: dict[Clip, tuple[str, ...]] = {}
        self._outcomes: dict[Clip, ClipDone | ClipFailed | ClipSkipped | None] = {}
        self._kept = self._any_done = False
        self._since = monotonic()

    def handle(self, event: Event) -> None:
        """Show an event on stderr."""
        self._waiting.close()
        match event:
            case BatchStarted():
                self._since = monotonic()
                self._outcomes = dict.fromkeys(event.jobs)
            case FilesPassedOver():
                for line in event.lines():
                    _say(line)
            case ClipStarted():
                self._start(event)
            case ClipResumed():
                self._resume(event)
            case ClipProgress():
                self._advance(event)
            case ClipKept():
                stopped = self._close_bar(event.clip)
                _say(f"{event.input}: {stopped}kept {event.frames} in {event.folder}")
                self._kept = True
            case ClipDone():
                self._finish(event)
            case ClipFailed():
                self._close_bar(event.clip)
                self._outcomes[event.clip] = event
                _say(f"brushreel: {event.cause}")
            case ClipSkipped():
                self._outcomes[event.clip] = event
                _say(f"{event.output}: is there already, skipped")
            case BatchFinished():
                self._close_common()
                self._summarize(event)
            case BatchInterrupted():
                self._close_common()
                self._interrupt()
        _say_of_cluster(event)
        self._wait(event)

    def _advance(self, event: ClipProgress) -> None:
        bar = self._bars[event.clip]
        if bar.disable:
            bar.n = event.frames
            self._say_now_and_then(event, bar.total)
        else:
            bar.update(event.frames - bar.n)
        if bar.n == bar.total:
            # Joined with the other streams and verified, which takes a while.
            bar.set_description(f"{event.input.name}, finishing")

    def _say_now_and_then(self, event: ClipProgress, total: float | None) -> None:
        """Print a plain line where a bar would fill a file."""
        now = monotonic()
        if now - self._told[event.clip] >= _BETWEEN_LINES:
            self._told[event.clip] = now
            of = "" if total is None else f" of {total:.0f}"
            _say(f"{event.input}: {event.frames}{of} frames")

    def _wait(self, event: Event) -> None:
        """Show that the next clip is being opened, until there is something else to show."""
        between = isinstance(event, BatchStarted | ClipDone | ClipFailed | ClipSkipped)
        if between and not self._bars and None in self._outcomes.values():
            self._waiting.enter_context(moving("opening the next clip"))

    def _start(self, event: ClipStarted) -> None:
        self._warned[event.clip] = event.warnings
        for warning in event.warnings:
            _say(f"{event.input}: {warning}")
        if self._one_bar:
            if self._common is None:
                self._common = _bar(0, "all clips")
            shown, self._bars[event.clip] = self._common, _Share(self._common, event)
        else:
            shown = self._bars[event.clip] = _bar(event.frames_expected, event.input.name)
        self._told[event.clip] = monotonic()
        self._pulses[event.clip] = Pulse(shown)

    def _close_common(self) -> None:
        """Close the bar of all clips, if there is one."""
        if self._common is not None:
            for pulse in self._pulses.values():
                pulse.end()
            self._common.close()

    def _resume(self, event: ClipResumed) -> None:
        _say(f"{event.input}: continuing after frame {event.frames}, where it was stopped")
        bar = self._bars[event.clip]
        bar.reset(bar.total)
        bar.initial = bar.n = event.frames
        if isinstance(bar, _Share):
            bar.skip(event.frames)

    def _finish(self, event: ClipDone) -> None:
        """Leave the full bar standing, print the warnings that are new, and name the file."""
        self._close_bar(event.clip)
        self._any_done = True
        self._outcomes[event.clip] = event
        warned = self._warned.pop(event.clip, ())
        for warning in event.warnings:
            if warning not in warned:
                _say(f"{event.input}: {warning}")
        frames, seconds = counted(event.frames, "frame"), human_seconds(event.seconds)
        _say(f"{event.output}: {frames}, {event.fps:.1f} fps, {seconds}")

    def _summarize(self, event: BatchFinished) -> None:
        """Print a table if there was more than one clip."""
        if event.done + event.failed + event.skipped + event.not_started < 2:
            return
        _say("")
        outcomes = self._outcomes.values()
        for done in (outcome for outcome in outcomes if isinstance(outcome, ClipDone)):
            _say(
                f"  done    {done.frames:7d} frames {done.fps:7.1f} fps "
                f"{done.seconds:8.1f} s  {_busiest(done):<13}  {done.output}"
            )
        for failed in (outcome for outcome in outcomes if isinstance(outcome, ClipFailed)):
            _say(f"  failed  {failed.input}: {failed.reason}")
        for (source, _), outcome in self._outcomes.items():
            if outcome is None:
                _say(f"  not started  {source}")
        _say(f"{_counts(event)}, {human_seconds(monotonic() - self._since)}")

    def _interrupt(self) -> None:
        for clip in list(self._bars):
            _say(f"{clip[0]}: {self._close_bar(clip)}nothing is kept of its first segment")
        left = "the same command continues there" if self._kept else "no unfinished file is left"
        past = f"; {self._next_time}" if self._any_done else ""
        _say(f"brushreel: interrupted; {left}{past}")

    def _close_bar(self, clip: Clip) -> str:
        """Close a clip's bar, if there is one, and return where it was."""
        if clip not in self._bars:
            return ""
        self._pulses.pop(clip).end()
        bar = self._bars.pop(clip)
        bar.set_description(clip[0].name)
        bar.close()
        return f"stopped at frame {bar.n}, "


class _Share:
    """Share of a clip in a bar that all clips have in common; used as a bar of its own is."""

    def __init__(self, common: tqdm[Any], event: ClipStarted):
        self._common = common
        self.n, self.initial, self.total = 0, 0, event.frames_expected
        self.disable = common.disable
        common.total = (common.total or 0) + (event.frames_expected or 0)

    def update(self, frames: int) -> None:
        self.n += frames
        self._common.update(frames)

    def skip(self, frames: int) -> None:
        """Leave out of the speed what an earlier run has done."""
        # A bar that is off has none.
        self._common.initial = getattr(self._common, "initial", 0) + frames
        self._common.n += frames

    def reset(self, total: int | None) -> None:
        self.total = total

    def set_description(self, text: str) -> None:
        """Do nothing: the bar is of all clips."""

    def close(self) -> None:
        """Do nothing: the bar goes on with the others."""


def _bar(total: int | None, name: str) -> tqdm[Any]:
    return tqdm(
        total=total,
        desc=name,
        unit=" frames",
        dynamic_ncols=True,
        file=sys.stderr,
        disable=not on_terminal(sys.stderr),
    )


def _busiest(event: ClipDone) -> str:
    """Return the stage that the others waited for, with its share of the time."""
    if not event.stages:
        return ""
    stage = max(event.stages, key=event.stages.__getitem__)
    return f"{stage} {event.stages[stage]:.0%}"


def _counts(event: BatchFinished) -> str:
    line = f"{event.done} done, {event.failed} failed"
    if event.skipped:
        line += f", {event.skipped} skipped"
    return f"{line}, {event.not_started} not started" if event.not_started else line


def _say_of_cluster(event: Event) -> None:
    match event:
        case NodeJoined():
            _say(f"{event.node} takes part: {event.device}, {event.precision}")
        case NodeLeft():
            _say(f"{event.node} does not take part: {event.reason}")
        case ClusterFinished():
            for line in event.lines():
                _say(line)


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
