"""The queue: renders, watched folders and trainings, each a command that prints its events.

A job that is paused, or was under way when the studio ended, goes on where it was: the command
itself keeps finished segments (docs/resume.md), the state of a watched folder, or a checkpoint.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..core.atomic import atomic_write
from ..core.errors import OutputError, UsageError, unexpected
from .job import Job, Kind
from .job_events import Follower

# Seconds that a child gets to keep its work.
_ENDING = 60
_MOST_JOBS = 200
# Renders follow one another, and so do trainings; a watched folder mostly waits.
_AT_A_TIME = {"render": 1, "watch": 20, "train": 1}


class JobQueue:
    """A queue of jobs, kept in a file so that the next session finds it.

    Another studio of the same user that runs at the same time has a queue of its own, unkept.

    Attributes:
        trouble: Why the file could not be written the last time; empty where it was.

    Args:
        file: The file.
    """

    def __init__(self, file: Path):
        self._file = file
        self._jobs: dict[str, Job] = {}
        self._changed = threading.Condition()
        self._running: dict[str, tuple[subprocess.Popen[str], threading.Thread]] = {}
        self._ended = False
        self.trouble = ""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock: FileLock | None = FileLock(f"{file}.lock")
        try:
            self._lock.acquire(timeout=0)
            self._load()
        except Timeout:
            self._lock = None

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs in order, as plain values."""
        with self._changed:
            return [asdict(job) for job in self._jobs.values()]

    def job(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UsageError: It is not on the list.
        """
        if job_id not in self._jobs:
            raise UsageError("this job is not on the list any more")
        return self._jobs[job_id]

    def add(self, source: str, words: Sequence[str], title: str, kind: Kind = "render") -> Job:
        """Add a job at the end.

        Raises:
            UsageError: There are too many.
        """
        job = Job(source, list(words), title, kind)
        with self._changed:
            if len(self._jobs) >= _MOST_JOBS:
                raise UsageError("there are too many jobs", hint="remove those that are done")
            self._jobs[job.id] = job
            self._start()
        return job

    def pause(self, job_id: str) -> None:
        """Stop a job for now; what it has done is kept."""
        with self._changed:
            self._stop(self.job(job_id))

    def resume(self, job_id: str) -> None:
        """Continue a job, or try it again."""
        with self._changed:
            job = self.job(job_id)
            if job.state in ("paused", "failed"):
                job.state, job.error = "waiting", ""
                self._start()

    def remove(self, job_id: str) -> None:
        """Take a job off the list; one that is not done leaves nothing to go on from."""
        with self._changed:
            job = self.job(job_id)
            self._stop(job)
            running = self._running.get(job_id)
        if running is not None:
            running[1].join(_ENDING)
        with self._changed:
            if job.state != "done":
                job.discard()
            self._jobs.pop(job_id, None)
            self._keep()

    def close(self) -> None:
        """Stop the jobs under way so that the next session can resume them."""
        with self._changed:
            self._ended = True
            running = list(self._running.items())
            for job_id, _ in running:
                self._stop(self._jobs[job_id])
        for _, (_child, following) in running:
            following.join(_ENDING)
        if self._lock is not None:
            self._lock.release()

    def _stop(self, job: Job) -> None:
        if job.state in ("waiting", "running"):
            job.state, job.left = "paused", None
        if job.id in self._running:
            self._running[job.id][0].terminate()
        self._keep()

    def _start(self) -> None:
        """Start what waits and may run now."""
        for job in self._jobs.values():
            busy = sum(self._jobs[other].kind == job.kind for other in self._running)
            may_run = job.id not in self._running and busy < _AT_A_TIME[job.kind]
            if job.state == "waiting" and may_run and not self._ended:
                try:
                    child = _child(job.command())
                except OSError as error:  # too little memory, too many processes
                    job.state, job.error = "failed", str(unexpected(error))
                    continue
                job.state = "running"
                following = threading.Thread(target=self._follow, args=(job, child), daemon=True)
                self._running[job.id] = child, following
                following.start()
        self._keep()

    def _follow(self, job: Job, child: subprocess.Popen[str]) -> None:
        """Read a child's events until it ends, then start the next one."""
        follower = Follower(job)
        listening = threading.Thread(target=self._listen, args=(child, follower), daemon=True)
        listening.start()
        assert child.stdout is not None
        with child:
            for line in child.stdout:
                with self._changed:
                    if follower.note(json.loads(line)):
                        self._keep()
            status = child.wait()
            listening.join(5)
        with self._changed:
            self._running.pop(job.id, None)
            if job.state == "running":
                follower.end(status)
            self._start()

    def _listen(self, child: subprocess.Popen[str], follower: Follower) -> None:
        """Note what a child tells its terminal."""
        assert child.stderr is not None
        for line in child.stderr:
            if text := line.strip():
                with self._changed:
                    follower.hear(text.removeprefix("brushreel: "))

    def _keep(self) -> None:
        if self._lock is None:
            return
        try:
            with atomic_write(self._file) as file:
                file.write(json.dumps([asdict(job) for job in self._jobs.values()]).encode())
            self.trouble = ""
        except OSError as error:  # jobs go on; only the next session would not know of them
            what = "the list of jobs can't be written"
            self.trouble = str(OutputError.because(error, what, path=self._file))

    def _load(self) -> None:
        try:
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            jobs = [Job(**fields) for fields in stored]
        except (OSError, ValueError, TypeError):
            return
        for job in jobs:
            # Nothing starts by itself: the user may have other plans by now.
            job.state = "paused" if job.state in ("running", "waiting") else job.state
            self._jobs[job.id] = job


def _child(words: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "brushreel", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        # Ctrl-C in the studio's terminal is the studio's: it stops its children in order.
        start_new_session=True,
    )
