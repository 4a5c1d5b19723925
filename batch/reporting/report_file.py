"""The report file of a batch, docs/report.schema.json."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ...core.atomic import atomic_write
from ...core.clips.recognition import CLIP_SUFFIXES
from ...core.clips.sequence import IMAGE_SUFFIXES
from ...core.errors import INTERRUPTED, OutputError, UsageError
from ...core.reasons import reason_of
from ...core.version import __version__
from .events import (
    BatchFinished,
    BatchInterrupted,
    BatchStarted,
    Clip,
    ClipDone,
    ClipFailed,
    ClipKept,
    ClipSkipped,
    ClipStarted,
    ClusterFinished,
    Event,
    FilesPassedOver,
    details,
)

REPORT_VERSION = 1
_log = logging.getLogger(__name__)


def check_records(paths: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Refuse names of reports and logs under which something else would be lost.

    Args:
        paths: Reports and logs that are to be written.
        inputs: Files that are read.

    Raises:
        UsageError: A name is that of a clip or image, of an input, or used twice.
    """
    taken = {path.resolve() for path in inputs}
    for path in paths:
        if path.suffix.lower() in CLIP_SUFFIXES | IMAGE_SUFFIXES:
            raise UsageError(
                "unsupported extension for a report or log",
                path=path,
                hint="such as night.json, night.log",
            )
        if path.resolve() in taken:
            raise UsageError("is read or written already", path=path, hint="choose another name")
        taken.add(path.resolve())


class ReportFile:
    """Writer of docs/report.schema.json's object, again after every clip.

    Whatever ends the batch, the file holds what was known until then. Where it can't be written
    once the batch has begun, a warning is logged, and the next clip tries again.

    Args:
        path: The file; replaced if it is there.
        settings: Values of all options; stored in the file as they are.

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
            "passed_over": {},
        }
        self._clips: dict[Clip, dict[str, object]] = {}
        try:
            self._write()
        except OSError as error:
            raise OutputError.because(error, "can't be written", path=path) from error

    def handle(self, event: Event) -> None:
        """Write the file again if an event changes it; progress does not."""
        match event:
            case BatchStarted():
                self._clips = {clip: _entry(*clip) for clip in event.jobs}
                self._update()
            case FilesPassedOver():
                self._report["passed_over"] = dict(event.files)
            case ClipStarted():
                # The warnings are kept of a clip that will fail, too.
                self._set(event.clip, "unfinished", warnings=list(event.warnings))
            case ClipKept():
                self._set(event.clip, "unfinished", frames=event.frames)
            case ClipDone():
                self._set(event.clip, "done", **details(event))
            case ClipFailed():
                self._set(event.clip, "failed", error=details(event))
            case ClipSkipped():
                self._set(event.clip, "skipped")
            case ClusterFinished():
                self._report["cluster"] = details(event)
            case BatchFinished():
                self._end(event.exit_status)
            case BatchInterrupted():
                self._end(INTERRUPTED)

    def _set(self, clip: Clip, status: str, **fields: object) -> None:
        self._clips[clip] |= {"status": status, **fields}
        self._update()

    def _end(self, exit_status: int) -> None:
        self._report |= {"finished": _now(), "exit_status": exit_status}
        self._update()

    def _update(self) -> None:
        try:
            self._write()
        except OSError as error:
            _log.warning("%s: can't be written: %s", self._path, reason_of(error).words)

    def _write(self) -> None:
        report = self._report | {"clips": list(self._clips.values())}
        with atomic_write(self._path) as file:
            file.write(json.dumps(report, indent=1).encode())


def _entry(source: Path, output: Path) -> dict[str, object]:
    return {
        "input": str(source),
        "output": str(output),
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
