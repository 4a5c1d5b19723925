"""A batch: one job after the other; a clip that fails does not stop the rest."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import HousestyleError
from ..core.stylizer import Stylizer
from .clip import Observer, convert
from .encode import EncodeSettings
from .plan import Job
from .report import BatchResult, Reporter


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
        except HousestyleError as error:
            result.failed.append((job, error))
            reporter.failed(job, error)
        else:
            result.done.append(report)
            reporter.done(job, report)
    reporter.finished(result)
    return result
