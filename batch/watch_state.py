"""State of a watched folder between two runs, in one JSON file."""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.atomic import atomic_write
from ..core.errors import OutputError
from ..core.file_identity import file_identity
from ..core.keys import key_digest
from ..core.reasons import reason_of
from .clips.destination import destination
from .clips.settings import JobSettings

VERSION = 1
_log = logging.getLogger(__name__)

FileIdentity = tuple[int, int]
"""Size in bytes and time of change in nanoseconds."""


def identity(path: Path) -> FileIdentity | None:
    """Return what tells a file from others that had its name before; None where there is none."""
    try:
        found = file_identity(path)
    except OSError:
        return None
    return found.size, found.mtime_ns


def settings_key(settings: JobSettings, **others: object) -> str:
    """Return a hash of all settings that an output depends on.

    Args:
        settings: How clips are converted. The weights of the style count, not its name; devices,
            segments and verification do not count.
        others: Whatever else decides the output, by name.

    Raises:
        StyleError: The style is unknown or damaged.
    """
    facts = {
        "style": settings.load_style().digest,
        "strength": settings.strength,
        "keep_colors": settings.keep_colors,
        "stroke_size": settings.stroke_size,
        "detail": settings.detail,
        "bars": settings.read.bars,
        "encode": dataclasses.asdict(settings.write.encode),
        "drop_unsupported": settings.write.drop_unsupported,
        **({} if settings.write.audio == "copy" else {"audio": settings.write.audio}),
        "interlaced": settings.read.interlaced,
        **others,
    }
    if settings.read.timestamps != "repair":
        facts["timestamps"] = settings.read.timestamps
    return key_digest(facts)


@dataclass(frozen=True)
class Entry:
    """State of one clip.

    Attributes:
        input: The clip, when it was taken.
        settings: See `settings_key`.
        status: "begun"; "done"; "failed" (can't be read); "stopped" (failed for another reason).
        output: Path in the output folder.
        written: The output as it was written for this clip; None if it was not.
        before: File that had the output's name when the clip was begun; None if none had.
    """

    input: FileIdentity
    settings: str
    status: str
    output: str
    written: FileIdentity | None
    before: FileIdentity | None


class State:
    """State of all clips, by their paths in the watched folder."""

    def __init__(self, path: Path, entries: dict[str, Entry]):
        self._path = path
        self._entries = entries

    @classmethod
    def load(cls, path: Path) -> State:
        """Read it; empty where there is none.

        Raises:
            OutputError: It can't be read, is damaged, or of another version.
        """
        try:
            content = json.loads(path.read_bytes())
            if content["version"] != VERSION:
                raise _damaged(path, f" of version {VERSION}")
            return cls(path, {name: _entry(about) for name, about in content["clips"].items()})
        except FileNotFoundError:
            return cls(path, {})
        except OSError as error:
            raise OutputError.because(error, "can't be read", path=path) from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _damaged(path) from error

    def save(self) -> None:
        """Write it; where that fails it is said, and the next time tries again."""
        clips = {name: dataclasses.asdict(entry) for name, entry in self._entries.items()}
        try:
            with atomic_write(self._path) as file:
                file.write(json.dumps({"version": VERSION, "clips": clips}, indent=1).encode())
        except OSError as error:
            _log.warning("%s: can't be written: %s", self._path, reason_of(error).words)

    def get(self, name: str) -> Entry | None:
        """Return the entry of a clip; None if there is none."""
        return self._entries.get(name)

    def put(self, name: str, entry: Entry) -> None:
        """Enter or replace."""
        self._entries[name] = entry

    def drop(self, name: str) -> None:
        """Forget a clip."""
        self._entries.pop(name, None)

    def complete(self, outbox: Path) -> None:
        """Take for done what a run finished that was killed before it could say so.

        An output gets its name only when it is whole and verified. What is still to be tidied up
        after is done once more, which finds it finished.
        """
        for name, entry in self._entries.items():
            output = outbox / entry.output
            there = identity(output)
            if entry.status == "begun" and there not in (None, entry.before):
                status = "begun" if destination(output).is_untidied else "done"
                self._entries[name] = replace(entry, status=status, written=there)


def _entry(about: dict[str, Any]) -> Entry:
    pairs = ("input", "written", "before")
    values: dict[str, Any] = {name: about[name] and tuple(about[name]) for name in pairs}
    return Entry(**{**about, **values})


def _damaged(path: Path, wanted: str = "") -> OutputError:
    return OutputError(
        f"is not a valid state of a watched folder{wanted}",
        path=path,
        hint="if you remove it, every clip without an output is stylized again",
    )
