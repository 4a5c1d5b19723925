"""Journal of an image sequence under way, from which an interrupted run continues."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from ....core.clips.sequence import Pattern
from ..work_folder import owned_folder, work_folder

_FORMAT = 1
_JOURNAL = "pictures.jsonl"
_LONGEST_NAME = 200


class Journal:
    """Journal of an image sequence that belongs to this process.

    Before an image gets its name, a line with its number, its source and its digest is put on the
    disk. So an image under its name is this sequence's own exactly if its content has the digest
    that was noted for it; whatever else has such a name is somebody else's.

    Attributes:
        folder: Folder of the journal.
        done: Numbers of the images that are done.
    """

    def __init__(self, pattern: Pattern, key: Mapping[str, Any], *, resume: bool):
        self.folder = work_folder(pattern.path)
        self._pattern = pattern
        self._journal = self.folder / _JOURNAL
        self._noted = _read_journal(self._journal, key) if resume else {}
        self.done: set[int] = set()
        self._key = key
        self._file: BinaryIO | None = None
        self._prepared: set[Path] = set()
        self._own = False

    def look(self, sources: Mapping[int, Any]) -> None:
        """Find out which images exist, are whole, and were made of the sources as they are now.

        Args:
            sources: Source of each image, as `add` gets it; empty where there is none to compare.
        """
        for number, (source, digest) in self._noted.items():
            same = source == sources.get(number)
            if same and content_digest(self._pattern.name(number)) == digest:
                self.done.add(number)

    def foreign(self) -> list[int]:
        """Return the numbers of images that have such a name and are not this sequence's own."""
        return [number for number in self._pattern.numbers() if self.is_foreign(number)]

    def is_foreign(self, number: int) -> bool:
        """Return whether an image of this number exists that is not this sequence's own."""
        path = self._pattern.name(number)
        return number not in self.done and path.exists() and not self.is_whole(number)

    def start(self) -> None:
        """Begin a new journal with all that the old one has noted.

        That includes images that will be stylized again: until then they are this sequence's own.

        Raises:
            OSError: It can't be written.
        """
        self._file = self._journal.with_suffix(".new").open("wb")
        self._line({"brushreel_pictures": _FORMAT, "key": self._key})
        for number, (source, digest) in sorted(self._noted.items()):
            self._line({"number": number, "source": source, "digest": digest})
        self._sync()
        self._journal.with_suffix(".new").replace(self._journal)
        self._own = True

    def prepare(self, number: int, content: bytes, check: Callable[[Path], None]) -> str:
        """Write an image under a hidden name and check it; several threads may do so at a time.

        Args:
            number: Number of the image.
            content: Content of the file.
            check: Called with the file; raises where it is not right.

        Returns:
            The content's digest, for `add`.

        Raises:
            OSError: It can't be written.
        """
        partial = self._partial(number)
        self._prepared.add(partial)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        check(partial)
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    def add(self, number: int, source: object, digest: str) -> None:
        """Note an image that is prepared, then give it its name.

        Args:
            number: Number of the image.
            source: Identity of its source, plain values as JSON gives them back.
            digest: As `prepare` gave it.

        Raises:
            OSError: It can't be written.
        """
        partial = self._partial(number)
        self._line({"number": number, "source": source, "digest": digest})
        self._sync()
        partial.replace(self._pattern.name(number))
        self._prepared.discard(partial)
        self._noted[number] = (source, digest)
        self.done.add(number)

    def _partial(self, number: int) -> Path:
        path = self._pattern.name(number)
        return path.with_name(f".{path.name[:_LONGEST_NAME]}.{number}.partial")

    def is_whole(self, number: int) -> bool:
        """Return whether an image is what was noted, found out by reading it."""
        noted = self._noted.get(number)
        return noted is not None and content_digest(self._pattern.name(number)) == noted[1]

    def close(self) -> None:
        """Close the journal, and remove images that have no name yet."""
        for partial in (*self._prepared, self._journal.with_suffix(".new")):
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        if self._file is not None:
            # On a full disk, closing tries once more to write what is not needed any longer.
            with suppress(OSError):
                self._file.close()

    def remove(self) -> None:
        """Remove the journal."""
        self.close()
        with suppress(OSError):
            self._journal.unlink(missing_ok=True)

    def give_up(self) -> None:
        """Keep a journal to continue from, and another run's that this one has not touched."""
        self.close()
        if self._own and not self._noted:
            self.remove()

    def _line(self, fields: Mapping[str, Any]) -> None:
        assert self._file is not None
        self._file.write(json.dumps(fields).encode() + b"\n")

    def _sync(self) -> None:
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())


def is_interrupted(pattern: Pattern) -> bool:
    """Return whether a run was interrupted while it wrote these images."""
    return (work_folder(pattern.path) / _JOURNAL).exists()


def foreign_numbers(pattern: Pattern) -> list[int]:
    """Return the numbers of images of such a name that no interrupted run has left."""
    noted = _read_journal(work_folder(pattern.path) / _JOURNAL)
    return [
        number
        for number in pattern.numbers()
        if number not in noted or content_digest(pattern.name(number)) != noted[number][1]
    ]


def content_digest(path: Path) -> str | None:
    """Return a digest of a file's content; None where there is no file."""
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return None


def _read_journal(path: Path, key: Mapping[str, Any] | None = None) -> dict[int, tuple[Any, str]]:
    """Read what was noted for this key, or for any; a line that is not whole is left out."""
    noted: dict[int, tuple[Any, str]] = {}
    try:
        head, *lines = path.read_bytes().splitlines()
        about = json.loads(head)
        if about["brushreel_pictures"] != _FORMAT or key not in (None, about["key"]):
            return {}
        for line in lines:
            entry = json.loads(line)
            noted[int(entry["number"])] = (entry["source"], str(entry["digest"]))
    except (OSError, ValueError, KeyError, TypeError):
        return noted
    return noted


@contextmanager
def owned_journal(pattern: Pattern, key: Mapping[str, Any], *, resume: bool) -> Iterator[Journal]:
    """Make a sequence's work folder, or take over an earlier run's; nobody else gets it meanwhile.

    Afterwards the folder is removed, unless the block failed and there is a journal to continue
    from.

    Args:
        pattern: Names of the images.
        key: Facts that all of them depend on, plain values as JSON gives them back.
        resume: Use what an earlier run with the same key has left.

    Raises:
        OutputError: It can't be made, or another process has it.
    """
    with owned_folder(pattern.path, is_kept=_has_journal):
        work = Journal(pattern, key, resume=resume)
        try:
            yield work
        except BaseException:
            work.give_up()
            raise
        work.remove()


def _has_journal(folder: Path) -> bool:
    return (folder / _JOURNAL).exists()
