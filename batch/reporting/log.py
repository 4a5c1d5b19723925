"""The log file of a batch, and the reporter that writes its lines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tqdm import tqdm

from ...core.errors import OutputError
from ...core.version import __version__
from .events import (
    BatchFinished,
    BatchInterrupted,
    BatchStarted,
    ClipDone,
    ClipFailed,
    ClipKept,
    ClipResumed,
    ClipSkipped,
    ClipStarted,
    ClusterFinished,
    Event,
    FilesPassedOver,
    NodeJoined,
    NodeLeft,
    SegmentDone,
    details,
)

_log = logging.getLogger(__name__)


class LogReporter:
    """A line of the log for every event but progress."""

    def handle(self, event: Event) -> None:
        """Log an event."""
        match event:
            case BatchStarted():
                _log.info("brushreel %s, clips to do: %d", __version__, event.clips)
            case FilesPassedOver():
                for path, why in event.files.items():
                    _log.info("%s: passed over: %s", path, why)
            case ClipStarted():
                size = f"{event.width}x{event.height}"
                _log.info("%s: %s, %s, started", event.input, event.info.video.codec, size)
                for warning in event.warnings:
                    _log.info("%s: %s", event.input, warning)
            case ClipResumed():
                _log.info("%s: continuing after frame %d", event.input, event.frames)
            case ClipKept():
                _log.info("%s: stopped, kept %d in %s", event.input, event.frames, event.folder)
            case ClipDone():
                _log.info("%s: done: %s", event.output, json.dumps(details(event)))
            case ClipFailed():
                _log.info("%s: failed: %s", event.input, event.reason)
            case ClipSkipped():
                _log.info("%s: is there already, skipped", event.output)
            case BatchFinished():
                counts = details(event)
                del counts["exit_status"]
                _log.info("%s", counts)
            case BatchInterrupted():
                _log.info("interrupted")
        _log_of_cluster(event)


def _log_of_cluster(event: Event) -> None:
    match event:
        case NodeJoined():
            _log.info("%s: takes part: %s, %s", event.node, event.device, event.precision)
        case NodeLeft():
            _log.info("%s: does not take part: %s", event.node, event.reason)
        case SegmentDone():
            _log.info("%s: %s", event.input, json.dumps(details(event)))
        case ClusterFinished():
            for line in event.lines():
                _log.info("%s", line)


class _LogFile(logging.FileHandler):
    """One line on stderr where the file can't be written, in place of a traceback for each line."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Print the reason once, see `logging.Handler`."""
        del record
        if not self._failed:
            tqdm.write(f"{self.baseFilename}: can't be written: {sys.exc_info()[1]}", sys.stderr)
        self._failed = True


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Append everything that is logged to a file, with its time.

    Raises:
        OutputError: The file can't be opened.
    """
    root = logging.getLogger()
    level = root.level
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError.because(error, "can't be written", path=path) from error
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
