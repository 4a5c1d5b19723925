"""What a batch tells while it runs and at its end: people on stderr, programs on stdout.

The events of `JsonReporter` are documented in docs/events.md, their schema is
docs/events.schema.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from ...core.clips.clip_info import ClipInfo
from ...core.errors import BrushreelError
from ..clips.report import ClipReport
from ..plan import Job

EVENTS_VERSION = 2


@dataclass
class BatchResult:
    """Every clip of a batch, by what became of it.

    Attributes:
        done: Written and verified.
        failed: With the reason.
        skipped: Left alone because the output was there.
        not_started: Left out because an earlier one failed and the batch was to stop then.
    """

    done: list[ClipReport] = field(default_factory=list)
    failed: list[tuple[Job, BrushreelError]] = field(default_factory=list)
    skipped: list[Job] = field(default_factory=list)
    not_started: list[Job] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """0 when all are done, else 1; 2 when nothing but wrong usage went wrong."""
        if not self.failed:
            return 0
        usage = not self.done and all(error.exit_status == 2 for _, error in self.failed)
        return 2 if usage else 1


class Reporter(Protocol):
    """Hears of a batch, event by event; several clips may be under way at a time."""

    def begins(self, jobs: Sequence[Job]) -> None:
        """These clips will be done."""

    def started(self, job: Job, info: ClipInfo, warnings: tuple[str, ...]) -> None:
        """A clip was opened and its output can be written."""

    def resumed(self, job: Job, frames: int) -> None:
        """So many frames are there from an earlier run."""

    def progressed(self, job: Job, frames: int) -> None:
        """So many frames of the clip are stylized."""

    def kept(self, job: Job, folder: Path, frames: int) -> None:
        """The clip is stopped before its end; so many frames are kept in a folder."""

    def done(self, job: Job, report: ClipReport) -> None:
        """The clip is written and verified."""

    def failed(self, job: Job, error: BrushreelError) -> None:
        """The clip could not be done."""

    def skipped(self, job: Job) -> None:
        """The clip was left alone: its output is there."""

    def finished(self, result: BatchResult) -> None:
        """Nothing is left to do."""

    def interrupted(self) -> None:
        """The user stopped the batch; no unfinished file is left."""


class Reporters:
    """Tells several reporters."""

    def __init__(self, *reporters: Reporter):
        self._reporters = reporters

    def begins(self, jobs: Sequence[Job]) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.begins(jobs)

    def started(self, job: Job, info: ClipInfo, warnings: tuple[str, ...]) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.started(job, info, warnings)

    def resumed(self, job: Job, frames: int) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.resumed(job, frames)

    def progressed(self, job: Job, frames: int) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.progressed(job, frames)

    def kept(self, job: Job, folder: Path, frames: int) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.kept(job, folder, frames)

    def done(self, job: Job, report: ClipReport) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.done(job, report)

    def failed(self, job: Job, error: BrushreelError) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.failed(job, error)

    def skipped(self, job: Job) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.skipped(job)

    def finished(self, result: BatchResult) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.finished(result)

    def interrupted(self) -> None:
        """See `Reporter`."""
        for reporter in self._reporters:
            reporter.interrupted()


class TerminalReporter:
    """A progress bar a clip, with fps and time left; a line for what went wrong; a summary.

    Args:
        next_time: What becomes of the clips that are done when the same command is given again.
    """

    def __init__(self, next_time: str = "--skip-existing leaves what is done alone"):
        self._next_time = next_time
        self._bars: dict[Job, tqdm[Any]] = {}
        self._said: dict[Job, tuple[str, ...]] = {}
        self._kept = self._any_done = False

    def begins(self, jobs: Sequence[Job]) -> None:
        """Nothing to say yet."""

    def started(self, job: Job, info: ClipInfo, warnings: tuple[str, ...]) -> None:
        """Say what will not be kept, then show the bar."""
        self._said[job] = warnings
        for warning in warnings:
            _say(f"{job.source}: {warning}")
        self._bars[job] = tqdm(
            total=info.video.frames,
            desc=job.source.name,
            unit=" frames",
            dynamic_ncols=True,
            file=sys.stderr,
        )

    def resumed(self, job: Job, frames: int) -> None:
        """One line; the bar starts there."""
        _say(f"{job.source}: going on after frame {frames}, where it was stopped")
        self._bars[job].reset(self._bars[job].total)
        self._bars[job].initial = self._bars[job].n = frames

    def progressed(self, job: Job, frames: int) -> None:
        """Move the bar."""
        self._bars[job].update(frames - self._bars[job].n)

    def kept(self, job: Job, folder: Path, frames: int) -> None:
        """One line."""
        self._close_bar(job)
        _say(f"{job.source}: {frames} finished frames are kept in {folder}")
        self._kept = True

    def done(self, job: Job, report: ClipReport) -> None:
        """Leave the full bar standing, say what came up on the way, and name the file."""
        self._close_bar(job)
        self._any_done = True
        said = self._said.pop(job, ())
        for warning in report.warnings:
            if warning not in said:
                _say(f"{job.source}: {warning}")
        _say(f"{report.output}: {report.frames} frames, {report.fps:.1f} fps")

    def failed(self, job: Job, error: BrushreelError) -> None:
        """One line."""
        self._close_bar(job)
        _say(f"brushreel: {error}")

    def skipped(self, job: Job) -> None:
        """One line."""
        _say(f"{job.output}: is there already, skipped")

    def finished(self, result: BatchResult) -> None:
        """A table when there was more than one clip."""
        if sum(len(clips) for clips in vars(result).values()) < 2:
            return
        _say("")
        for report in result.done:
            _say(
                f"  done    {report.frames:7d} frames {report.fps:7.1f} fps "
                f"{report.seconds:8.1f} s  {_busiest(report):<13}  {report.output}"
            )
        for job, error in result.failed:
            _say(f"  failed  {job.source}: {error.what}")
        for job in result.not_started:
            _say(f"  not started  {job.source}")
        _say(_counts(result))

    def interrupted(self) -> None:
        """One line."""
        for job in list(self._bars):
            self._close_bar(job)
        left = "the same command goes on where it was" if self._kept else "nothing was left over"
        past = f"; {self._next_time}" if self._any_done else ""
        _say(f"brushreel: interrupted; {left}{past}")

    def _close_bar(self, job: Job) -> None:
        if job in self._bars:
            self._bars.pop(job).close()


def _busiest(report: ClipReport) -> str:
    """The stage that the others waited for, with its share of the time."""
    if not report.stages:
        return ""
    stage = max(report.stages, key=report.stages.__getitem__)
    return f"{stage} {shares(report)[stage]:.0%}"


def _counts(result: BatchResult) -> str:
    line = f"{len(result.done)} done, {len(result.failed)} failed"
    if result.skipped:
        line += f", {len(result.skipped)} skipped"
    return f"{line}, {len(result.not_started)} not started" if result.not_started else line


class JsonReporter:
    """One JSON object a line on stdout; progress at every whole percent."""

    def __init__(self) -> None:
        self._steps: dict[Job, int] = {}

    def begins(self, jobs: Sequence[Job]) -> None:
        """``batch_started``."""
        emit("batch_started", clips=len(jobs))

    def started(self, job: Job, info: ClipInfo, warnings: tuple[str, ...]) -> None:
        """``clip_started``."""
        self._steps[job] = max(1, -(-(info.video.frames or 0) // 100))
        emit(
            "clip_started",
            job,
            frames_expected=info.video.frames,
            width=info.video.width,
            height=info.video.height,
            frame_rate=None if info.video.frame_rate is None else str(info.video.frame_rate),
            audio_tracks=len(info.audio),
            warnings=list(warnings),
        )

    def resumed(self, job: Job, frames: int) -> None:
        """``clip_resumed``."""
        emit("clip_resumed", job, frames=frames)

    def kept(self, job: Job, folder: Path, frames: int) -> None:
        """``clip_kept``."""
        emit("clip_kept", job, folder=str(folder), frames=frames)

    def skipped(self, job: Job) -> None:
        """``clip_skipped``."""
        emit("clip_skipped", job)

    def progressed(self, job: Job, frames: int) -> None:
        """``clip_progress``."""
        if job in self._steps and frames % self._steps[job] == 0:
            emit("clip_progress", job, frames=frames)

    def done(self, job: Job, report: ClipReport) -> None:
        """``clip_done``."""
        self._steps.pop(job, None)
        emit("clip_done", job, **figures(report))

    def failed(self, job: Job, error: BrushreelError) -> None:
        """``clip_failed``."""
        self._steps.pop(job, None)
        emit("clip_failed", job, **reason(error))

    def finished(self, result: BatchResult) -> None:
        """``batch_finished``."""
        emit(
            "batch_finished",
            done=len(result.done),
            failed=len(result.failed),
            skipped=len(result.skipped),
            not_started=len(result.not_started),
            exit_status=result.exit_status,
        )

    def interrupted(self) -> None:
        """``batch_interrupted``."""
        emit("batch_interrupted", unfinished=[str(job.source) for job in self._steps])


def shares(report: ClipReport) -> dict[str, float]:
    """Of the clip's time, the part in which a stage was busy; stages overlap."""
    seconds = max(report.seconds, 1e-9)
    return {stage: round(busy / seconds, 4) for stage, busy in report.stages.items()}


def figures(report: ClipReport) -> dict[str, object]:
    """What events and report files say of a clip that is done."""
    return {
        "frames": report.frames,
        "audio_tracks": report.audio_tracks,
        "seconds": round(report.seconds, 3),
        "fps": round(report.fps, 3),
        "stages": shares(report),
        "segments": report.segments,
        "segments_reused": report.segments_reused,
        "warnings": list(report.warnings),
    }


def reason(error: BrushreelError) -> dict[str, object]:
    """What events and report files say of an error."""
    return {"error": type(error).__name__, "what": error.what, "hint": error.hint}


def emit(event: str, job: Job | None = None, **fields: object) -> None:
    """Print an event of docs/events.schema.json on stdout."""
    clip = {} if job is None else {"input": str(job.source), "output": str(job.output)}
    record = {"version": EVENTS_VERSION, "event": event, **clip, **fields}
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
