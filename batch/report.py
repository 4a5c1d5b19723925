"""What a batch tells while it runs and at its end: people on stderr, programs on stdout.

The events of `JsonReporter` are documented in docs/events.md, their schema is
docs/events.schema.json.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Any, Protocol

from tqdm import tqdm

from ..core.errors import HousestyleError
from ..core.media import ClipInfo
from .clip import ClipReport
from .plan import Job

EVENTS_VERSION = 1


@dataclass
class BatchResult:
    """Every clip of a batch, done or failed."""

    done: list[ClipReport] = field(default_factory=list)
    failed: list[tuple[Job, HousestyleError]] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """0 when all are done, else 1; 2 when nothing but wrong usage went wrong."""
        if not self.failed:
            return 0
        usage = not self.done and all(error.exit_status == 2 for _, error in self.failed)
        return 2 if usage else 1


class Reporter(Protocol):
    """Hears of a batch, event by event."""

    def started(self, job: Job, info: ClipInfo, warnings: tuple[str, ...]) -> None:
        """A clip was opened and its output can be written."""

    def progressed(self, frames: int) -> None:
        """So many frames of the clip are stylized."""

    def done(self, job: Job, report: ClipReport) -> None:
        """The clip is written and verified."""

    def failed(self, job: Job, error: HousestyleError) -> None:
        """The clip could not be done."""

    def finished(self, result: BatchResult) -> None:
        """Nothing is left to do."""

    def interrupted(self) -> None:
        """The user stopped the batch; no unfinished file is left."""


class TerminalReporter:
    """A progress bar with frames, fps and time left; a line for what went wrong; a summary."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def started(self, job: Job, info: ClipInfo, warnings: tuple[str, ...]) -> None:
        """Say what will not be kept, then show the bar."""
        for warning in warnings:
            _say(f"{job.source}: {warning}")
        self._bar = tqdm(
            total=info.video.frames,
            desc=job.source.name,
            unit=" frames",
            dynamic_ncols=True,
            file=sys.stderr,
        )

    def progressed(self, frames: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(frames - self._bar.n)

    def done(self, job: Job, report: ClipReport) -> None:
        """Leave the full bar standing, and name the file."""
        self._close_bar()
        _say(f"{report.output}: {report.frames} frames, {report.fps:.1f} fps")

    def failed(self, job: Job, error: HousestyleError) -> None:
        """One line."""
        self._close_bar()
        _say(f"housestyle: {error}")

    def finished(self, result: BatchResult) -> None:
        """A table when there was more than one clip."""
        if len(result.done) + len(result.failed) < 2:
            return
        _say("")
        for report in result.done:
            _say(
                f"  done    {report.frames:7d} frames {report.fps:7.1f} fps "
                f"{report.seconds:8.1f} s  {report.output}"
            )
        for job, error in result.failed:
            _say(f"  failed  {job.source}: {error.what}")
        _say(f"{len(result.done)} done, {len(result.failed)} failed")

    def interrupted(self) -> None:
        """One line."""
        self._close_bar()
        _say("housestyle: interrupted; no unfinished file was left")

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class JsonReporter:
    """One JSON object a line on stdout; progress at every whole percent."""

    def __init__(self) -> None:
        self._job: Job | None = None
        self._expected = 0

    def started(self, job: Job, info: ClipInfo, warnings: tuple[str, ...]) -> None:
        """``clip_started``."""
        self._job = job
        self._expected = info.video.frames or 0
        _emit(
            "clip_started",
            job,
            frames_expected=info.video.frames,
            width=info.video.width,
            height=info.video.height,
            frame_rate=None if info.video.frame_rate is None else str(info.video.frame_rate),
            audio_tracks=len(info.audio),
            warnings=list(warnings),
        )

    def progressed(self, frames: int) -> None:
        """``clip_progress``."""
        step = max(1, -(-self._expected // 100))
        if self._job is not None and frames % step == 0:
            _emit("clip_progress", self._job, frames=frames)

    def done(self, job: Job, report: ClipReport) -> None:
        """``clip_done``."""
        self._job = None
        _emit(
            "clip_done",
            job,
            frames=report.frames,
            audio_tracks=report.audio_tracks,
            seconds=round(report.seconds, 3),
            fps=round(report.fps, 3),
            warnings=list(report.warnings),
        )

    def failed(self, job: Job, error: HousestyleError) -> None:
        """``clip_failed``."""
        self._job = None
        _emit("clip_failed", job, error=type(error).__name__, what=error.what, hint=error.hint)

    def finished(self, result: BatchResult) -> None:
        """``batch_finished``."""
        _emit(
            "batch_finished",
            None,
            done=len(result.done),
            failed=len(result.failed),
            exit_status=result.exit_status,
        )

    def interrupted(self) -> None:
        """``batch_interrupted``."""
        _emit("batch_interrupted", self._job)


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)


def _emit(event: str, job: Job | None, **fields: object) -> None:
    clip = {} if job is None else {"input": str(job.source), "output": str(job.output)}
    record = {"version": EVENTS_VERSION, "event": event, **clip, **fields}
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()
