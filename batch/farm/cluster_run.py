"""A batch on a cluster: a few clips under way at a time, each in a thread of the driver."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from functools import partial
from time import monotonic

from ..clips.settings import JobSettings
from ..plan import Job
from ..reporting.events import ClusterFinished, Event
from ..reporting.reporter import Reporter
from ..run import BatchResult, Outcome, attempt_by, begin, finish, note
from .cluster_clip import OnCluster
from .crew import Crew
from .dispatch import Dispatcher

# Clips under way: some are opened, and some joined and verified, while others are stylized.
_MOST_CLIPS = 8
_MOST_OPENED = 2
_STEP_SECONDS = 0.1
# Seconds that clips have to keep what they have, once the user has stopped the batch.
_PARTING_SECONDS = 10.0


class _Interrupted(KeyboardInterrupt):
    """End of a clip whose batch the user has stopped."""


def run_on_cluster(
    jobs: Sequence[Job],
    settings: JobSettings,
    crew: Crew,
    reporter: Reporter,
    *,
    fail_fast: bool = False,
) -> BatchResult:
    """Convert jobs by the workers of a cluster, and report on each.

    Args:
        jobs: From `plan`.
        settings: Settings of every job.
        crew: The workers; they are ended afterwards.
        reporter: Receiver of all events, in this thread.
        fail_fast: Start no clip after one that failed.

    Raises:
        KeyboardInterrupt: The user stopped it; work folders are left to continue from.
    """
    run = _Run(jobs, settings, crew, reporter)
    try:
        run.work(fail_fast=fail_fast)
    except BaseException:
        run.part()
        raise
    finally:
        crew.close()
    return run.result


class _Run:
    def __init__(self, jobs: Sequence[Job], settings: JobSettings, crew: Crew, reporter: Reporter):
        self.result = BatchResult()
        self._jobs, self._settings, self._reporter = jobs, settings, reporter
        self._news: queue.SimpleQueue[Event | tuple[int, Outcome | None]] = queue.SimpleQueue()
        self._dispatcher = Dispatcher(crew, reporter.handle)
        self._threads: dict[int, threading.Thread] = {}
        self._next = 0
        self._since = monotonic()

    def work(self, *, fail_fast: bool) -> None:
        self._reporter.handle(begin(self._jobs))
        while self._threads or self._next < len(self._jobs):
            if fail_fast and self.result.failed:
                self.result.not_started.extend(self._jobs[self._next :])
                self._next = len(self._jobs)
            while self._may_open():
                self._open()
            self._dispatcher.step(_STEP_SECONDS)
            self._hear()
        self._sort()
        self._reporter.handle(self._figures())
        self._reporter.handle(finish(self.result))

    def part(self) -> None:
        """End what is under way, so that the same command can continue."""
        self._dispatcher.stop(_Interrupted())
        end = monotonic() + _PARTING_SECONDS
        while self._threads and monotonic() < end:
            self._dispatcher.stop(_Interrupted())
            next(iter(self._threads.values())).join(_STEP_SECONDS)
            self._hear()

    def _may_open(self) -> bool:
        opening = sum(not self._dispatcher.has_begun(number) for number in self._threads)
        return (
            self._next < len(self._jobs)
            and len(self._threads) < _MOST_CLIPS
            and opening < _MOST_OPENED
            and self._dispatcher.waiting <= self._dispatcher.workers
        )

    def _open(self) -> None:
        number, self._next = self._next, self._next + 1
        # What an interrupted batch leaves under way ends with the process.
        thread = threading.Thread(target=self._convert, args=(number,), daemon=True)
        self._threads[number] = thread
        thread.start()

    def _convert(self, number: int) -> None:
        settings, outcome = self._settings, None
        job = self._jobs[number]
        hands = partial(OnCluster, self._dispatcher, number, job.output, settings.strength)
        try:
            outcome = attempt_by(
                job,
                hands,
                self._news.put,
                read=settings.read,
                write=settings.write,
            )
        except _Interrupted:
            pass
        finally:
            self._news.put((number, outcome))

    def _hear(self) -> None:
        while not self._news.empty():
            news = self._news.get()
            if not isinstance(news, tuple):
                self._reporter.handle(news)
                continue
            number, outcome = news
            self._threads.pop(number).join()
            if outcome is not None:
                note(self._jobs[number], outcome, self.result, self._reporter)

    def _sort(self) -> None:
        order = {job.source: number for number, job in enumerate(self._jobs)}
        self.result.done.sort(key=lambda report: order[report.input])
        self.result.failed.sort(key=lambda failure: order[failure[0].source])

    def _figures(self) -> ClusterFinished:
        nodes, seconds = self._dispatcher.figures(), monotonic() - self._since
        frames = sum(node.frames for node in nodes)
        return ClusterFinished(
            frames, round(seconds, 3), round(frames / max(seconds, 1e-9), 3), nodes
        )
