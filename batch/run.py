"""A batch: every job is tried; a clip that fails does not stop the rest."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from ..core.clips.clip_info import ClipInfo
from ..core.errors import BrushreelError, UsageError
from ..core.options import Precision, RuntimeName
from ..core.style import load_style
from ..core.stylizer import Stylizer, Tile
from .clips.clip import convert
from .clips.resume import left_by_a_run
from .clips.sequences.journal import is_written
from .clips.settings import ClipReport, Handling, Observer
from .encoding.encode import EncodeSettings
from .estimate import check_space
from .plan import Job
from .reporting.progress import BatchResult, Reporter

_log = logging.getLogger(__name__)


class Skipped:
    """What becomes of a clip whose output is there already, where that is to be left alone."""


Outcome = ClipReport | BrushreelError | Skipped


@dataclass(frozen=True)
class Writing:
    """How the clips of a batch are written.

    Attributes:
        encode: The picture.
        handling: Segments, verification and the like.
        overwrite: Replace outputs that exist.
        skip_existing: Leave clips alone whose output exists.
    """

    encode: EncodeSettings = field(default_factory=EncodeSettings)
    handling: Handling = field(default_factory=Handling)
    overwrite: bool = False
    skip_existing: bool = False

    def __post_init__(self) -> None:
        if self.overwrite and self.skip_existing:
            raise UsageError("outputs that exist are either replaced or skipped, not both")


@dataclass(frozen=True)
class Treatment:
    """How the clips of a batch are done: plain values, fit to be sent to another process.

    Attributes:
        style: See `Stylizer`, as for the rest.
        writing: What becomes of the painted frames.
    """

    style: str
    strength: float = 1.0
    keep_colors: bool = False
    precision: Precision = "auto"
    runtime: RuntimeName = "auto"
    tile: Tile = "auto"
    writing: Writing = field(default_factory=Writing)

    def style_name(self) -> str:
        """As outputs are named after it; raises `StyleError` where there is no such style."""
        return load_style(self.style).name

    def stylizer(self, device: str) -> Stylizer:
        """Ready to run on a device; raises what `Stylizer` raises."""
        return Stylizer(
            self.style,
            device=device,
            precision=self.precision,
            runtime=self.runtime,
            tile=self.tile,
            strength=self.strength,
            keep_colors=self.keep_colors,
            # PyTorch's number is the machine's cores, or this process's share of them.
            parallel=torch.get_num_threads(),
        )


def run_batch(
    jobs: Sequence[Job],
    stylizer: Stylizer,
    writing: Writing,
    reporter: Reporter,
    *,
    fail_fast: bool = False,
) -> BatchResult:
    """Convert one job after the other in this process, and report on each.

    Args:
        jobs: From `plan`.
        stylizer: Paints every clip.
        writing: How they are written.
        reporter: Hears of everything.
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
        note(job, attempt(job, stylizer, writing, _observer(job, reporter)), result, reporter)
    reporter.finished(result)
    return result


def _observer(job: Job, reporter: Reporter) -> Observer:
    return Observer(
        on_start=partial(reporter.started, job),
        on_frame=partial(reporter.progressed, job),
        on_resume=partial(reporter.resumed, job),
        on_kept=partial(reporter.kept, job),
    )


def attempt(job: Job, stylizer: Stylizer, writing: Writing, observer: Observer) -> Outcome:
    """Convert one clip; whatever goes wrong with it is returned, not raised."""

    def on_start(info: ClipInfo, warnings: tuple[str, ...]) -> None:
        check_space(job.output, info, writing.encode)
        observer.on_start(info, warnings)

    # A run that was killed between giving the name and tidying up is tidied up after.
    if writing.skip_existing and is_written(job.output) and not left_by_a_run(job.output):
        return Skipped()
    try:
        return convert(
            job.source,
            job.output,
            stylizer,
            writing.encode,
            overwrite=writing.overwrite,
            observer=replace(observer, on_start=on_start),
            handling=writing.handling,
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
