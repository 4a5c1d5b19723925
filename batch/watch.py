"""A folder that converts what arrives in it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from ..core.errors import BrushreelError, MediaError, OutputError, UsageError
from ..core.reasons import reason_of
from .plan import Job, PassOver
from .run import BatchResult
from .watch_state import Entry, FileIdentity, State, identity

STATE, LOCK = ".brushreel-watch.json", ".brushreel-watch.lock"


@dataclass(frozen=True)
class Work:
    """Callbacks that plan and convert what arrives.

    Attributes:
        plan: Returns the jobs of everything that is in the folder at the moment, and tells its
            argument what is not used; raises `UsageError` if there is nothing.
        run: Converts jobs; the second argument says whether outputs that exist are replaced.
        key: Hash of all that decides the outputs but the input, see `settings_key`.
    """

    plan: Callable[[PassOver], Sequence[Job]]
    run: Callable[[Sequence[Job], bool], BatchResult]
    key: str


def watch(
    inbox: Path,
    outbox: Path,
    work: Work,
    *,
    once: bool = False,
    settle: float = 10.0,
    poll: float = 2.0,
) -> int:
    """Convert every clip that arrives in a folder, until Ctrl-C.

    A file is taken when its size and modification time have been the same for `settle` seconds
    and no process of this machine has it open for writing (Linux only, and only as far as the user
    may see). What is done is stored in a file in `outbox`, by size and modification time of the
    input and by `work.key`: a restart continues, a changed clip is done again, a clip that can't be
    read is not tried again until it changes. An output is replaced only if it is as this function
    wrote it.

    The folder is polled, which works on network shares, too.

    Args:
        inbox: Folder in which clips arrive. Nothing in it is changed.
        outbox: Folder of the outputs; created if it is missing.
        work: Callbacks that plan and convert.
        once: Convert what is there now and complete, then return.
        settle: Seconds without a change after which a file is complete.
        poll: Seconds between two looks.

    Returns:
        0, or 1 if a clip failed; never without `once`.

    Raises:
        UsageError: `inbox` is not a folder or is `outbox`, or a time is out of range.
        OutputError: `outbox` can't be used, or another process watches into it.
        KeyboardInterrupt: The user stopped it; the clip under way has left no file.
    """
    _check(inbox, outbox, settle, poll)
    with _alone_in(outbox):
        watcher = _Watcher(inbox, outbox, work, settle)
        if once:
            return watcher.do_what_is_there()
        _say(f"watching {inbox}, writing to {outbox}; Ctrl-C ends it")
        while True:
            watcher.do(watcher.ready())
            time.sleep(poll)


def _check(inbox: Path, outbox: Path, settle: float, poll: float) -> None:
    if not inbox.is_dir():
        raise UsageError("no such folder", path=inbox)
    if outbox.exists() and outbox.samefile(inbox):
        raise UsageError(
            "is both watched and written to", path=outbox, hint="choose another folder"
        )
    if not (0 <= settle < float("inf") and 0 < poll < float("inf")):
        raise UsageError("--settle must be 0 seconds or more, --poll more than 0")


@contextmanager
def _alone_in(outbox: Path) -> Iterator[None]:
    lock = FileLock(outbox / LOCK)
    try:
        outbox.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OutputError("another process writes its outputs there", path=outbox) from error
    except OSError as error:
        raise OutputError.because(error, "can't be written", path=outbox) from error
    with lock:
        yield


_Since = dict[Path, tuple[FileIdentity, float]]


class _Watcher:
    """Record of what was seen when, and what became of it."""

    def __init__(self, inbox: Path, outbox: Path, work: Work, settle: float):
        self._inbox, self._outbox = inbox, outbox
        self._work = work
        self._settle = settle
        self._state = State.load(outbox / STATE)
        self._state.complete(outbox)
        self._since: _Since = {}
        self._tried: set[tuple[Path, FileIdentity]] = set()
        self._trouble = ""
        self._left: dict[Path, str] = {}
        self._left_since: _Since = {}
        self._said: set[tuple[Path, FileIdentity]] = set()

    def do_what_is_there(self) -> int:
        """Look twice, `settle` seconds apart, and convert what is complete."""
        ready = self.ready()
        if len(ready) < len(self._since):
            time.sleep(self._settle)
            ready = self.ready()
        self._say_what_is_left(self._left_since)
        for clip in self._since.keys() - {job.source for job in ready}:
            _say(f"{clip}: not complete yet, left for the next time")
        result = self.do(ready)
        failed = bool(self._trouble) or (result is not None and bool(result.failed))
        return int(failed)

    def ready(self) -> list[Job]:
        """Return the jobs whose clips are complete and not done."""
        self._left.clear()
        jobs, now = self._open_jobs(), time.monotonic()
        self._since = _seen(self._since, (job.source for job in jobs), now)
        self._left_since = _seen(self._left_since, self._left, now)
        self._say_what_is_left(self._settled(self._left_since, now))
        complete = self._settled(self._since, now)
        return [job for job in jobs if job.source in complete]

    def _settled(self, since: _Since, now: float) -> set[Path]:
        """Return the files that have been the same for long enough, and that nobody writes to."""
        return {
            path
            for path, (_, begun) in since.items()
            if now - begun >= self._settle and not open_for_writing(path)
        }

    def _say_what_is_left(self, paths: Iterable[Path]) -> None:
        """Say once of each file that it is not used."""
        for path in sorted(paths):
            file, _ = self._left_since[path]
            if (path, file) not in self._said:
                self._said.add((path, file))
                _say(f"{path}: passed over: {self._left[path]}")

    def _open_jobs(self) -> list[Job]:
        """Return the jobs that are neither done nor known to fail."""
        try:
            jobs = self._work.plan(self._left.setdefault) if any(self._inbox.iterdir()) else []
        except UsageError:  # nothing that is a clip
            jobs = []
        except (MediaError, OSError) as error:  # a share that comes and goes
            why = error if isinstance(error, MediaError) else reason_of(error).words
            self._report_once(f"{self._inbox}: can't be read at the moment: {why}")
            return []
        self._report_once("")
        return [job for job in jobs if not self._is_settled(job)]

    def _report_once(self, trouble: str) -> None:
        """Report trouble once, not at every look."""
        if trouble and trouble != self._trouble:
            _say(trouble)
        self._trouble = trouble

    def _is_settled(self, job: Job) -> bool:
        file, entry = identity(job.source), self._state.get(self._name(job))
        if (job.source, file) in self._tried:
            return True
        if entry is None or (entry.input, entry.settings) != (file, self._work.key):
            return False
        return entry.status in ("done", "failed")

    def _name(self, job: Job) -> str:
        return job.source.relative_to(self._inbox).as_posix()

    def do(self, jobs: Sequence[Job]) -> BatchResult | None:
        """Convert and note what became of it; None if there was nothing to do."""
        if not jobs:
            return None
        own = [job for job in jobs if self._is_own(job)]
        for job in jobs:
            self._begin(job)
        self._state.save()
        whole = BatchResult()
        for group, overwrite in ((own, True), ([job for job in jobs if job not in own], False)):
            if group:
                result = self._work.run(group, overwrite)
                self._note(result)
                whole.done += result.done
                whole.failed += result.failed
        return whole

    def _is_own(self, job: Job) -> bool:
        """Return whether the output exists just as it was written for this clip."""
        entry, there = self._state.get(self._name(job)), identity(job.output)
        return entry is not None and there is not None and entry.written == there

    def _begin(self, job: Job) -> None:
        entry = self._state.get(self._name(job))
        self._state.put(
            self._name(job),
            Entry(
                input=self._since[job.source][0],
                settings=self._work.key,
                status="begun",
                output=job.output.relative_to(self._outbox).as_posix(),
                written=None if entry is None else entry.written,
                before=identity(job.output),
            ),
        )

    def _note(self, result: BatchResult) -> None:
        for report in result.done:
            self._finish(Job(report.input, report.output), "done", identity(report.output))
        for job in result.skipped:
            self._finish(job, "done", None)
        for job, error in result.failed:
            self._fail(job, error)
        self._state.save()

    def _finish(self, job: Job, status: str, written: FileIdentity | None) -> None:
        entry = self._state.get(self._name(job))
        assert entry is not None
        self._state.put(self._name(job), replace(entry, status=status, written=written))

    def _fail(self, job: Job, error: BrushreelError) -> None:
        """Store the clip's own fault; another one, such as a full disk, until the next start."""
        entry = self._state.get(self._name(job))
        assert entry is not None
        if identity(job.source) is None:
            self._state.drop(self._name(job))
        elif isinstance(error, MediaError):
            self._finish(job, "failed", entry.written)
        else:
            self._finish(job, "stopped", entry.written)
            self._tried.add((job.source, entry.input))


def _seen(before: _Since, paths: Iterable[Path], now: float) -> _Since:
    """Return each file with its identity, and the time since which it has been the same."""
    found = {path: file for path in paths if (file := identity(path)) is not None}
    return {
        path: before[path] if path in before and before[path][0] == file else (file, now)
        for path, file in found.items()
    }


def open_for_writing(path: Path) -> bool:
    """Return whether a process has a file open for writing.

    False where the system does not say: on other systems than Linux, for processes of other users
    (unless one is root) and of other machines.
    """
    wanted = str(path.resolve())
    for descriptor in _descriptors():
        with suppress(OSError):  # It was closed.
            if str(descriptor.readlink()) == wanted and _may_write(descriptor):
                return True
    return False


def _descriptors() -> Iterator[Path]:
    """Yield the descriptors of all processes' open files."""
    proc = Path("/proc")
    for process in proc.iterdir() if proc.is_dir() else ():
        if process.name.isdigit():
            with suppress(OSError):  # The process ended, or is somebody else's.
                yield from (process / "fd").iterdir()


def _may_write(descriptor: Path) -> bool:
    about = descriptor.parent.with_name("fdinfo") / descriptor.name
    flags = next(line for line in about.read_text().splitlines() if line.startswith("flags:"))
    return int(flags.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
