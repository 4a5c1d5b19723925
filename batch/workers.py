"""Worker processes: several clips at a time, on one device or several.

Every clip under way has a process of its own: a decoder or driver that crashes costs one clip,
and devices don't wait for one interpreter. The worker that is told to end, or whose parent is
gone, tidies up as after Ctrl-C.
"""

from __future__ import annotations

import logging
import logging.handlers
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, NoReturn

import torch

from ..core.allocator import keep_freed_memory
from ..core.devices import choose_device
from ..core.errors import BrushreelError
from .clips.settings import JobSettings
from .plan import Job
from .reporting.events import ClipKept, Event
from .reporting.reporter import Reporter
from .run import BatchResult, Outcome, attempt, begin, finish, note

# Threads and CUDA do not survive a fork.
_PROCESSES = multiprocessing.get_context("spawn")


def run_in_workers(
    jobs: Sequence[Job],
    settings: JobSettings,
    devices: Sequence[str],
    reporter: Reporter,
    *,
    fail_fast: bool = False,
) -> BatchResult:
    """Convert jobs in worker processes, as many at a time as devices are named.

    A worker takes the next clip when it has done one. One whose process dies takes only its clip
    with it, and is replaced.

    Args:
        jobs: From `plan`.
        settings: Settings of every job; `devices` overrides its device.
        devices: One for each worker; a device may be named several times.
        reporter: Receiver of all events, in this process.
        fail_fast: Start no clip after one that failed; those under way are finished.

    Raises:
        BrushreelError: A worker can't be set up (device, style, settings); nothing was done.
        KeyboardInterrupt: The user stopped it; the clips under way have left no file.
    """
    result, waiting = BatchResult(), deque(jobs)
    with _crew(settings, devices[: len(jobs)], reporter) as crew:
        reporter.handle(begin(jobs))
        while waiting or crew.busy:
            for job, outcome in crew.work(waiting):
                note(job, outcome, result, reporter)
            if fail_fast and result.failed:
                result.not_started.extend(waiting)
                waiting.clear()
    order = {job.source: number for number, job in enumerate(jobs)}
    result.done.sort(key=lambda report: order[report.input])
    result.failed.sort(key=lambda failure: order[failure[0].source])
    reporter.handle(finish(result))
    return result


@dataclass
class _Worker:
    """One process, seen from the parent."""

    device: str
    process: SpawnProcess
    connection: Connection
    job: Job | None = None

    def end(self) -> str:
        """Wait for the process, and say how it ended."""
        self.process.join()
        self.connection.close()
        status = self.process.exitcode or 0
        with suppress(ValueError):
            return f"by {signal.Signals(-status).name}"
        return f"with exit status {status}"


@contextmanager
def _crew(settings: JobSettings, devices: Sequence[str], reporter: Reporter) -> Iterator[_Crew]:
    crew = _Crew(settings, len(devices), reporter)
    try:
        crew.start(devices)
        yield crew
    except BaseException:
        crew.stop()
        raise
    finally:
        crew.kill()


class _Crew:
    """The workers of a batch."""

    def __init__(self, settings: JobSettings, size: int, reporter: Reporter):
        self._settings = settings
        self._size = size
        self._reporter = reporter
        self._workers: list[_Worker] = []
        self._trouble = BrushreelError("no worker process is left")

    @property
    def busy(self) -> bool:
        """True if any clip is under way."""
        return any(worker.job for worker in self._workers)

    def start(self, devices: Sequence[str]) -> None:
        """Start a worker for each device, all at once, and wait until they are ready."""
        self._workers = [self._hired(device) for device in devices]
        for worker in self._workers:
            _await_ready(worker, self._reporter)

    def work(self, waiting: deque[Job]) -> Iterator[tuple[Job, Outcome]]:
        """Deal what waits to who is idle, hear the busy, and give the clips that came to an end."""
        for worker in self._workers:
            if worker.job is None and waiting:
                worker.job = waiting.popleft()
                with suppress(OSError):  # it is dead; listening will tell
                    worker.connection.send(worker.job)
        if not self._workers:
            yield waiting.popleft(), self._trouble
            return
        speaking = wait([worker.connection for worker in self._workers if worker.job])
        for worker in [worker for worker in self._workers if worker.connection in speaking]:
            job = worker.job
            assert job is not None
            outcome = self._hear(worker, job, replace=bool(waiting))
            if outcome is not None:
                yield job, outcome

    def stop(self) -> None:
        """Tell every worker to tidy up and end, and wait until it has."""
        for worker in self._workers:
            worker.process.terminate()
        last_words: list[tuple[str, Any]] = []
        for worker in self._workers:
            with suppress(EOFError, OSError):
                while True:  # unread messages would block it
                    last_words.append(worker.connection.recv())
                    # An interruption is lost where Python can't raise it, in a library's callback.
                    if last_words[-1][0] in ("ready", "ended"):
                        worker.process.terminate()
        for _, content in last_words:
            if isinstance(content, ClipKept | logging.LogRecord):
                _pass_on(content, self._reporter)

    def kill(self) -> None:
        """Kill the workers that are left: idle ones, and those that would not stop."""
        for worker in self._workers:
            worker.process.kill()
            worker.end()

    def _hired(self, device: str) -> _Worker:
        ours, theirs = _PROCESSES.Pipe()
        level = logging.getLogger().level
        arguments = (theirs, self._settings, device, self._size, level)
        process = _PROCESSES.Process(target=_serve, args=arguments)
        with _ctrl_c_ignored():
            process.start()
        theirs.close()
        return _Worker(device, process, ours)

    def _hear(self, worker: _Worker, job: Job, *, replace: bool) -> Outcome | None:
        """Pass on one message; gives what became of the clip if it was the last of it."""
        try:
            kind, content = worker.connection.recv()
        except (EOFError, OSError):
            return self._lost(worker, job, replace=replace)
        if kind == "ended":
            worker.job = None
            return content
        _pass_on(content, self._reporter)
        return None

    def _lost(self, worker: _Worker, job: Job, *, replace: bool) -> BrushreelError:
        self._workers.remove(worker)
        ended = worker.end()
        if replace:
            try:
                self._workers.append(self._hired(worker.device))
                _await_ready(self._workers[-1], self._reporter)
            except BrushreelError as error:
                self._trouble = error
                gone = self._workers.pop()
                gone.process.kill()
                gone.end()
        return BrushreelError(
            f"its worker process ended {ended}",
            path=job.source,
            hint="the other clips are not affected; fewer --jobs need less memory",
        )


def _pass_on(content: logging.LogRecord | Event, reporter: Reporter) -> None:
    if isinstance(content, logging.LogRecord):
        logging.getLogger(content.name).handle(content)
    else:
        reporter.handle(content)


def _await_ready(worker: _Worker, reporter: Reporter) -> None:
    while True:
        try:
            kind, content = worker.connection.recv()
        except (EOFError, OSError) as error:
            raise BrushreelError(
                f"the worker process for {worker.device} ended {worker.end()}"
            ) from error
        if kind == "ready":
            return
        if kind == "refused":
            raise content
        _pass_on(content, reporter)


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Ignore Ctrl-C while a child starts: the terminal sends it there too, the parent acts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


class _Line:
    """The worker's end of the connection, for all its threads."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._lock = threading.Lock()

    def say(self, kind: str, content: object = None) -> None:
        with self._lock:
            self._connection.send((kind, content))

    def put_nowait(self, record: logging.LogRecord) -> None:
        """Send a log record, as `QueueHandler` asks."""
        self.say("logged", record)


def _serve(
    connection: Connection, settings: JobSettings, device: str, workers: int, level: int
) -> None:
    """Run a worker: report that it is ready, then convert clip after clip until it is ended."""
    # The terminal sends these to all processes: the parent acts.
    for number in (signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    line = _Line(connection)
    logging.basicConfig(level=level, handlers=[logging.handlers.QueueHandler(line)])  # type: ignore[arg-type]
    keep_freed_memory()
    # A parent that is gone, or that asks to end, needs no more messages.
    with suppress(KeyboardInterrupt, EOFError, OSError):
        threading.Thread(target=_end_with_parent, daemon=True).start()
        try:
            if choose_device(device).type == "cpu":
                torch.set_num_threads(max(1, torch.get_num_threads() // workers))
            stylizer = settings.stylizer(device)
        except BrushreelError as error:
            return line.say("refused", error)
        line.say("ready")
        handle = partial(line.say, "event")
        while True:
            job = connection.recv()
            outcome = attempt(job, stylizer, handle, read=settings.read, write=settings.write)
            line.say("ended", outcome)
    return None


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
