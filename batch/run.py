"""A batch: every job is tried; a clip that fails does not stop the rest."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ..core.errors import BrushreelError, unexpected
from ..core.stylizer import Stylizer
from .clips.clip import HandsFor, Here, convert_by
from .clips.destination import destination
from .clips.report import ClipReport
from .clips.settings import DEFAULT_READ, DEFAULT_WRITE, ReadSettings, WriteSettings
from .estimate import check_space
from .plan import Job
from .reporting.events import (
    BatchFinished,
    BatchStarted,
    ClipDone,
    ClipFailed,
    ClipSkipped,
    ClipStarted,
    Event,
    Handler,
)
from .reporting.reporter import Reporter

_log = logging.getLogger(__name__)


@dataclass
class BatchResult:
    """Outcome of a batch: its clips by what became of them.

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


class Skipped:
    """Outcome of a clip whose output exists and is to be left alone."""


Outcome = ClipReport | BrushreelError | Skipped


def run_batch(
    jobs: Sequence[Job],
    stylizer: Stylizer,
    reporter: Reporter,
    *,
    read: ReadSettings = DEFAULT_READ,
    write: WriteSettings = DEFAULT_WRITE,
    fail_fast: bool = False,
) -> BatchResult:
    """Convert one job after the other in this process, and report on each.

    Args:
        jobs: From `plan`.
        stylizer: Stylizes every clip.
        reporter: Receiver of all events.
        read: Settings for reading sources.
        write: Settings for writing outputs.
        fail_fast: Start no clip after one that failed.

    Raises:
        KeyboardInterrupt: The user stopped it; the clip under way has left no file.
    """
    result = BatchResult()
    reporter.handle(begin(jobs))
    for number, job in enumerate(jobs):
        if fail_fast and result.failed:
            result.not_started.extend(jobs[number:])
            break
        outcome = attempt(job, stylizer, reporter.handle, read=read, write=write)
        note(job, outcome, result, reporter)
    reporter.handle(finish(result))
    return result


def begin(jobs: Sequence[Job]) -> BatchStarted:
    """Return the first event of a batch."""
    return BatchStarted(len(jobs), tuple(job.clip for job in jobs))


def finish(result: BatchResult) -> BatchFinished:
    """Return the last event of a batch."""
    return BatchFinished(
        done=len(result.done),
        failed=len(result.failed),
        skipped=len(result.skipped),
        not_started=len(result.not_started),
        exit_status=result.exit_status,
    )


def attempt(
    job: Job,
    stylizer: Stylizer,
    handle: Handler,
    *,
    read: ReadSettings = DEFAULT_READ,
    write: WriteSettings = DEFAULT_WRITE,
) -> Outcome:
    """Convert one clip; whatever goes wrong with it is returned, not raised."""
    return attempt_by(job, partial(Here, stylizer), handle, read=read, write=write)


def attempt_by(
    job: Job,
    hands: HandsFor,
    handle: Handler,
    *,
    read: ReadSettings = DEFAULT_READ,
    write: WriteSettings = DEFAULT_WRITE,
) -> Outcome:
    """Convert one clip as `attempt` does, stylized by whoever is given."""

    def check_and_handle(event: Event) -> None:
        if isinstance(event, ClipStarted):
            check_space(job.output, event.info, write.encode)
        handle(event)

    # A run that was killed between giving the name and tidying up is tidied up after.
    if write.skip_existing and destination(job.output).is_finished:
        return Skipped()
    try:
        return convert_by(
            job.source,
            job.output,
            hands,
            read=read,
            write=write,
            handle=check_and_handle,
        )
    except BrushreelError as error:
        _log.debug("%s failed", job.source, exc_info=True)
        return error
    except Exception as error:  # noqa: BLE001  the other clips must go on, whatever it is
        _log.info("%s failed", job.source, exc_info=True)
        return unexpected(error, job.source)


def note(job: Job, outcome: Outcome, result: BatchResult, reporter: Reporter) -> None:
    """Enter what became of a job into the result, and report it."""
    if isinstance(outcome, BrushreelError):
        result.failed.append((job, outcome))
        reporter.handle(ClipFailed.of(job.clip, outcome))
    elif isinstance(outcome, Skipped):
        result.skipped.append(job)
        reporter.handle(ClipSkipped(*job.clip))
    else:
        result.done.append(outcome)
        if outcome.is_written:
            reporter.handle(ClipDone.of(outcome))
