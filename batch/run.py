"""A batch: every job is tried; a clip that fails does not stop the rest."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ..core.clips.clip_info import ClipInfo
from ..core.errors import BrushreelError
from ..core.stylizer import Stylizer
from .clips.clip import convert
from .clips.report import ClipReport, Observer
from .clips.resume import left_by_a_run
from .clips.sequences.journal import is_written
from .clips.settings import DEFAULT_READ, DEFAULT_WRITE, ReadSettings, WriteSettings
from .estimate import check_space
from .plan import Job
from .reporting.progress import BatchResult, Reporter

_log = logging.getLogger(__name__)


class Skipped:
    """What becomes of a clip whose output is there already, where that is to be left alone."""


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
        reporter: Hears of everything.
        read: How sources are read.
        write: How outputs are written.
        fail_fast: Start no clip after one that failed.

    Raises:
        KeyboardInterrupt: The user stopped it; the clip under way has left no file.
    """
    result = BatchResult()
    reporter.begins(jobs)
    for number, job in enumerate(jobs):
        if fail_fast and result.failed:
            result.not_started.extend(jobs[number:])
            break
        outcome = attempt(job, stylizer, _observer(job, reporter), read=read, write=write)
        note(job, outcome, result, reporter)
    reporter.finished(result)
    return result


def _observer(job: Job, reporter: Reporter) -> Observer:
    return Observer(
        on_start=partial(reporter.started, job),
        on_frame=partial(reporter.progressed, job),
        on_resume=partial(reporter.resumed, job),
        on_kept=partial(reporter.kept, job),
    )


def attempt(
    job: Job,
    stylizer: Stylizer,
    observer: Observer,
    *,
    read: ReadSettings = DEFAULT_READ,
    write: WriteSettings = DEFAULT_WRITE,
) -> Outcome:
    """Convert one clip; whatever goes wrong with it is returned, not raised."""

    def on_start(info: ClipInfo, warnings: tuple[str, ...]) -> None:
        check_space(job.output, info, write.encode)
        observer.on_start(info, warnings)

    # A run that was killed between giving the name and tidying up is tidied up after.
    if write.skip_existing and is_written(job.output) and not left_by_a_run(job.output):
        return Skipped()
    try:
        return convert(
            job.source,
            job.output,
            stylizer,
            read=read,
            write=write,
            observer=replace(observer, on_start=on_start),
        )
    except BrushreelError as error:
        _log.debug("%s failed", job.source, exc_info=True)
        return error
    except Exception as error:  # noqa: BLE001  the other clips must go on, whatever it is
        _log.info("%s failed", job.source, exc_info=True)
        return _unexpected(error, job)


def note(job: Job, outcome: Outcome, result: BatchResult, reporter: Reporter) -> None:
    """Enter what became of a job into the result, and report it."""
    if isinstance(outcome, BrushreelError):
        result.failed.append((job, outcome))
        reporter.failed(job, outcome)
    elif isinstance(outcome, Skipped):
        result.skipped.append(job)
        reporter.skipped(job)
    else:
        result.done.append(outcome)
        reporter.done(job, outcome)


def _unexpected(error: Exception, job: Job) -> BrushreelError:
    """What nobody foresaw (a driver, memory) still names its clip and a way on."""
    return BrushreelError(
        f"unexpected {type(error).__name__}: {error}",
        path=job.source,
        hint="--debug shows where it came from",
    )
