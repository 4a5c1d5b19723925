"""The render queue: one `brushreel stylize` after the other, as a child that prints its events.

A job that is paused, or was under way when the studio ended, goes on where it was: the command
itself keeps its finished segments (docs/resume.md).
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from ..batch.clips.work_folder import work_folder
from ..core.atomic import atomic_write
from ..core.errors import UsageError

State = Literal["waiting", "running", "paused", "done", "failed"]
# Seconds that a child gets to keep its frames.
_ENDING = 60
_MOST_JOBS = 200


@dataclass
class RenderJob:
    """A clip that is to be rendered.

    Attributes:
        source: The clip's id.
        words: The command line after `brushreel`.
        title: Name for people.
        id: Name in requests.
        state: See `State`.
        output: The file that is written, as soon as it is known.
        frames: Frames that are done.
        expected: Frames of the clip; None where they are not known.
        error: What went wrong, as the command line says it.
        warnings: What can't be kept, a line each.
        left: Seconds until it is done; None where that is not known.
    """

    source: str
    words: list[str]
    title: str
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = "waiting"
    output: str | None = None
    frames: int = 0
    expected: int | None = None
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    left: float | None = None


class RenderQueue:
    """A queue of jobs, kept in a file so that the next session finds it.

    Another studio of the same user that runs at the same time has a queue of its own, unkept.

    Args:
        file: The file.
    """

    def __init__(self, file: Path):
        self._file = file
        self._jobs: dict[str, RenderJob] = {}
        self._changed = threading.Condition()
        self._child: subprocess.Popen[str] | None = None
        self._running: RenderJob | None = None
        self._ended = False
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock: FileLock | None = FileLock(f"{file}.lock")
        try:
            self._lock.acquire(timeout=0)
            self._load()
        except Timeout:
            self._lock = None
        self._worker = threading.Thread(target=self._work, daemon=True)
        self._worker.start()

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs in order, as plain values."""
        with self._changed:
            return [asdict(job) for job in self._jobs.values()]

    def add(self, source: str, words: Sequence[str], title: str) -> RenderJob:
        """Add a job at the end.

        Raises:
            UsageError: There are too many.
        """
        job = RenderJob(source, list(words), title)
        with self._changed:
            if len(self._jobs) >= _MOST_JOBS:
                raise UsageError("there are too many renders", hint="remove those that are done")
            self._jobs[job.id] = job
            self._keep()
            self._changed.notify_all()
        return job

    def pause(self, job_id: str) -> None:
        """Stop a job for now; its finished frames are kept."""
        with self._changed:
            job = self._job(job_id)
            if job.state in ("waiting", "running"):
                self._stop(job, "paused")

    def resume(self, job_id: str) -> None:
        """Continue a job, or try it again."""
        with self._changed:
            job = self._job(job_id)
            if job.state in ("paused", "failed"):
                job.state, job.error = "waiting", ""
                self._keep()
                self._changed.notify_all()

    def remove(self, job_id: str) -> None:
        """Take a job off the list; one that is not done leaves nothing behind."""
        with self._changed:
            job = self._job(job_id)
            child = self._child if self._running is job else None
            self._stop(job, "paused")
        if child is not None:
            child.wait(_ENDING)
        with self._changed:
            if job.state != "done" and job.output is not None:
                shutil.rmtree(work_folder(Path(job.output)), ignore_errors=True)
            self._jobs.pop(job_id, None)
            self._keep()

    def close(self) -> None:
        """Stop the job under way so that the next session can resume it."""
        with self._changed:
            self._ended = True
            if self._running is not None:
                self._stop(self._running, "paused")
            self._changed.notify_all()
        self._worker.join(_ENDING)
        if self._lock is not None:
            self._lock.release()

    def _job(self, job_id: str) -> RenderJob:
        if job_id not in self._jobs:
            raise UsageError("this render is not on the list any more")
        return self._jobs[job_id]

    def _stop(self, job: RenderJob, state: State) -> None:
        if job.state in ("waiting", "running"):
            job.state, job.left = state, None
        if self._running is job and self._child is not None:
            self._child.terminate()
        self._keep()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._ended and self._next() is None:
                    self._changed.wait()
                job = self._next()
                if self._ended or job is None:
                    return
                job.state = "running"
                self._running, self._child = job, _started(job.words)
                self._keep()
                child = self._child
            with child:
                self._follow(job, child)
            with self._changed:
                self._running = self._child = None
                self._keep()

    def _next(self) -> RenderJob | None:
        return next((job for job in self._jobs.values() if job.state == "waiting"), None)

    def _follow(self, job: RenderJob, child: subprocess.Popen[str]) -> None:
        """Read a child's events until it ends."""
        told: list[str] = []
        listening = threading.Thread(target=_collect, args=(child, told), daemon=True)
        listening.start()
        assert child.stdout is not None
        pace = _Pace()
        for line in child.stdout:
            with self._changed:
                _note(job, json.loads(line), pace)
        status = child.wait()
        listening.join(5)
        with self._changed:
            if job.state == "running":
                job.state = "done" if status == 0 else "failed"
                job.left = None
                if status and not job.error:
                    last = told[-1] if told else f"it ended with status {status}"
                    job.error = last.removeprefix("brushreel: ")

    def _keep(self) -> None:
        if self._lock is not None:
            with atomic_write(self._file) as file:
                file.write(json.dumps([asdict(job) for job in self._jobs.values()]).encode())

    def _load(self) -> None:
        try:
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            jobs = [RenderJob(**fields) for fields in stored]
        except (OSError, ValueError, TypeError):
            return
        for job in jobs:
            # Nothing starts by itself: the user may have other plans by now.
            job.state = "paused" if job.state in ("running", "waiting") else job.state
            self._jobs[job.id] = job


class _Pace:
    """The pace of a job, measured since its first frame of this run."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def left(self, frames: int, expected: int | None) -> float | None:
        """Return the seconds that are left, as far as that can be told."""
        now = time.monotonic()
        if self._first is None:
            self._first = (frames, now)
        done, seconds = frames - self._first[0], now - self._first[1]
        if not done or expected is None:
            return None
        return max(0, expected - frames) * seconds / done


def _note(job: RenderJob, event: dict[str, Any], pace: _Pace) -> None:
    """Enter an event (docs/events.md) into its job."""
    match event["event"]:
        case "clip_started":
            job.output, job.expected = event["output"], event["frames_expected"]
            job.warnings = event["warnings"]
        case "clip_resumed" | "clip_kept":
            job.frames = event["frames"]
        case "clip_progress":
            job.frames = event["frames"]
            job.left = pace.left(job.frames, job.expected)
        case "clip_done":
            job.output, job.warnings = event["output"], event["warnings"]
            job.frames = job.expected = event["frames"]
        case "clip_failed":
            hint = f" ({event['hint']})" if event["hint"] else ""
            job.error = f"{event['what']}{hint}"


def _started(words: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "brushreel", *words, "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        # Ctrl-C in the studio's terminal is the studio's: it stops its children in order.
        start_new_session=True,
    )


def _collect(child: subprocess.Popen[str], told: list[str]) -> None:
    """Keep the last line that a child tells its terminal."""
    assert child.stderr is not None
    for line in child.stderr:
        if text := line.strip():
            told[:] = [text]
