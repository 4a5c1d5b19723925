"""A batch: one job after the other; a clip that fails does not stop the rest."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..core.errors import HousestyleError
from ..core.stylizer import Stylizer
from .clip import Observer, convert
from .encode import EncodeSettings
from .plan import Job
from .report import BatchResult, Reporter

_log = logging.getLogger(__name__)


def run_batch(
    jobs: Sequence[Job],
    stylizer: Stylizer,
    settings: EncodeSettings,
    reporter: Reporter,
    *,
    overwrite: bool = False,
) -> BatchResult:
    """Convert every job and report on each.

    Raises:
        KeyboardInterrupt: The user stopped it; the clip under way has left no file.
    """
    result = BatchResult()
    for job in jobs:
        observer = Observer(
            on_start=lambda info, warnings, job=job: reporter.started(job, info, warnings),
            on_frame=reporter.progressed,
        )
        try:
            report = convert(
                job.source, job.output, stylizer, settings, overwrite=overwrite, observer=observer
            )
        except Exception as error:  # noqa: BLE001  the other clips must go on, whatever it is
            _log.debug("%s failed", job.source, exc_info=True)
            known = error if isinstance(error, HousestyleError) else _unexpected(error, job)
            result.failed.append((job, known))
            reporter.failed(job, known)
        else:
            result.done.append(report)
            reporter.done(job, report)
    reporter.finished(result)
    return result


def _unexpected(error: Exception, job: Job) -> HousestyleError:
    """What nobody foresaw (a driver, memory) still names its clip and a way on."""
    return HousestyleError(
        f"unexpected {type(error).__name__}: {error}",
        path=job.source,
        hint="--debug shows where it came from",
    )
