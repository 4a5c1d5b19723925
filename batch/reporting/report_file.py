"""What stays of a batch: the report file and the log file."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from ...core.atomic import atomic_write
from ...core.clips.clip_info import ClipInfo
from ...core.clips.media import CLIP_SUFFIXES
from ...core.clips.sequence import PICTURE_SUFFIXES
from ...core.errors import BrushreelError, OutputError, UsageError
from ...core.version import __version__
from ..clips.report import ClipReport
from ..plan import Job
from .progress import BatchResult, figures, reason

REPORT_VERSION = 1
_log = logging.getLogger(__name__)


def check_records(paths: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Refuse names of reports and logs under which something else would be lost.

    Args:
        paths: Of the files that are to be written.
        inputs: Files that are read.

    Raises:
        UsageError: A name is that of a clip or picture, of an input, or used twice.
    """
    taken = {path.resolve() for path in inputs}
    for path in paths:
        if path.suffix.lower() in CLIP_SUFFIXES | PICTURE_SUFFIXES:
            raise UsageError(
                "is no name for a report or log", path=path, hint="such as night.json, night.log"
            )
        if path.resolve() in taken:
            raise UsageError("is read or written already", path=path, hint="choose another name")
        taken.add(path.resolve())


class ReportFile:
    """Writes docs/report.schema.json's object, anew after every clip.

    Whatever ends the batch, the file holds what was known until then. Where it can't be written
    once the batch has begun, that is said, and the next clip tries again.

    Args:
        path: The file; replaced if it is there.
        settings: How the clips are done; goes into the file as it is.

    Raises:
        OutputError: The file can't be written at first.
    """

    def __init__(self, path: Path, settings: dict[str, object]):
        self._path = path
        self._report: dict[str, object] = {
            "version": REPORT_VERSION,
            "brushreel": __version__,
            "started": _now(),
            "finished": None,
            "exit_status": None,
            "settings": settings,
        }
        self._clips: dict[Job, dict[str, object]] = {}
        try:
            self._write()
        except OSError as error:
            raise OutputError(f"can't be written: {error.strerror}", path=path) from error

    def begins(self, jobs: Sequence[Job]) -> None:
        """Every clip is in the file from the start."""
        self._clips = {job: _entry(job) for job in jobs}
        self._update()

    def started(self, job: Job, info: ClipInfo, warnings: tuple[str, ...]) -> None:
        """Keep the warnings, also of a clip that will fail."""
        del info
        self._set(job, "unfinished", warnings=list(warnings))

    def resumed(self, job: Job, frames: int) -> None:
        """``segments_reused`` will tell."""

    def progressed(self, job: Job, frames: int) -> None:
        """Not worth a file."""

    def kept(self, job: Job, folder: Path, frames: int) -> None:
        """How far it got."""
        del folder
        self._set(job, "unfinished", frames=frames)

    def skipped(self, job: Job) -> None:
        """Its status."""
        self._set(job, "skipped")

    def done(self, job: Job, report: ClipReport) -> None:
        """Its figures."""
        self._set(job, "done", **figures(report))

    def failed(self, job: Job, error: BrushreelError) -> None:
        """Its error."""
        self._set(job, "failed", error=reason(error))

    def finished(self, result: BatchResult) -> None:
        """The end."""
        self._report |= {"finished": _now(), "exit_status": result.exit_status}
        self._update()

    def interrupted(self) -> None:
        """The end before the end."""
        self._report |= {"finished": _now(), "exit_status": 130}
        self._update()

    def _set(self, job: Job, status: str, **fields: object) -> None:
        self._clips[job] |= {"status": status, **fields}
        self._update()

    def _update(self) -> None:
        try:
            self._write()
        except OSError as error:
            _log.warning("%s: can't be written: %s", self._path, error.strerror)

    def _write(self) -> None:
        report = self._report | {"clips": list(self._clips.values())}
        with atomic_write(self._path) as file:
            file.write(json.dumps(report, indent=1).encode())


def _entry(job: Job) -> dict[str, object]:
    return {
        "input": str(job.source),
        "output": str(job.output),
        "status": "not started",
        "frames": None,
        "audio_tracks": None,
        "seconds": None,
        "fps": None,
        "stages": {},
        "segments": None,
        "segments_reused": None,
        "warnings": [],
        "error": None,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class LogReporter:
    """A line of the log for every event but progress."""

    def begins(self, jobs: Sequence[Job]) -> None:
        """How many."""
        _log.info("brushreel %s, clips to do: %d", __version__, len(jobs))

    def started(self, job: Job, info: ClipInfo, warnings: tuple[str, ...]) -> None:
        """What it is, and what can't be kept."""
        video = info.video
        _log.info("%s: %s, %dx%d, started", job.source, video.codec, video.width, video.height)
        for warning in warnings:
            _log.info("%s: %s", job.source, warning)

    def resumed(self, job: Job, frames: int) -> None:
        """From where."""
        _log.info("%s: going on after frame %d", job.source, frames)

    def progressed(self, job: Job, frames: int) -> None:
        """Not worth a line."""

    def kept(self, job: Job, folder: Path, frames: int) -> None:
        """How far it got, and where that is."""
        _log.info("%s: stopped, %d frames are kept in %s", job.source, frames, folder)

    def skipped(self, job: Job) -> None:
        """Why."""
        _log.info("%s: is there already, skipped", job.output)

    def done(self, job: Job, report: ClipReport) -> None:
        """Its figures."""
        _log.info("%s: done: %s", report.output, json.dumps(figures(report)))

    def failed(self, job: Job, error: BrushreelError) -> None:
        """Why."""
        _log.info("%s: failed: %s", job.source, error.what)

    def finished(self, result: BatchResult) -> None:
        """How many."""
        _log.info("%s", {what: len(clips) for what, clips in vars(result).items()})

    def interrupted(self) -> None:
        """That."""
        _log.info("interrupted")


class _LogFile(logging.FileHandler):
    """One line on stderr where the file can't be written, in place of a traceback for each line."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """See `logging.Handler`."""
        del record
        if not self._failed:
            tqdm.write(f"{self.baseFilename}: can't be written: {sys.exc_info()[1]}", sys.stderr)
        self._failed = True


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Everything that is logged, added to the end of a file, with its time.

    Raises:
        OutputError: The file can't be opened.
    """
    root = logging.getLogger()
    level = root.level
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", path=path) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root.setLevel(min(level, logging.INFO))
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        # Closing tries once more to write what a full disk has refused.
        with suppress(OSError):
            handler.close()
