"""Files of a folder: the clips among them, and what is passed over, with the reason."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import MediaError
from ..reasons import reason_of
from .recognition import UNREAD_IMAGE_SUFFIXES, is_clip


@dataclass(frozen=True, order=True)
class PassedOver:
    """File or folder that was looked at and is not used.

    Attributes:
        path: The file or folder.
        reason: Why it is not used, such as "is not a clip".
    """

    path: Path
    reason: str


@dataclass(frozen=True)
class Listing:
    """Content of a folder.

    Attributes:
        files: Its files, sorted by path; hidden ones are left out.
        closed: What else is in it and can't be looked into.
    """

    files: list[Path] = field(default_factory=list)
    closed: list[PassedOver] = field(default_factory=list)


def listing(folder: Path, *, recursive: bool) -> Listing:
    """List a folder; links are followed, each folder is listed once.

    Hidden files and folders are left out.

    Raises:
        MediaError: There is no such folder.
    """
    if not folder.is_dir():
        raise MediaError("no such folder", path=folder)
    found = Listing()
    # Links come last: a folder is listed under its own name, if it has one here.
    folders, links = [folder], []
    seen: set[str] = set()
    while folders or links:
        current = folders.pop() if folders else links.pop()
        name = os.path.realpath(current)
        if name in seen:
            continue
        seen.add(name)
        for entry in _entries(current, found):
            path = current / entry.name
            if entry.is_dir() and recursive:
                (links if entry.is_symlink() else folders).append(path)
            elif entry.is_dir():
                found.closed.append(PassedOver(path, "is a folder; --recursive searches it"))
            elif entry.is_file():
                found.files.append(path)
            else:
                what = "is a link to nothing" if entry.is_symlink() else "is not a file"
                found.closed.append(PassedOver(path, what))
    found.files.sort()
    return found


def _entries(folder: Path, found: Listing) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(
                (entry for entry in entries if not entry.name.startswith(".")),
                key=lambda entry: entry.name,
            )
    except OSError as error:
        found.closed.append(PassedOver(folder, f"can't be read: {reason_of(error).words}"))


def find_clips(folder: Path, *, recursive: bool) -> list[Path]:
    """Return the clips of a folder, see `is_clip` and `listing`, sorted by path.

    Raises:
        MediaError: There is no such folder.
    """
    return [path for path in listing(folder, recursive=recursive).files if is_clip(path)]


def passed_over(folder: Path, *, recursive: bool, used: Iterable[Path]) -> list[PassedOver]:
    """Return what a folder has besides the files that are used, sorted by path.

    Raises:
        MediaError: There is no such folder.
    """
    everything, taken = listing(folder, recursive=recursive), set(used)
    left = (path for path in everything.files if path not in taken)
    return sorted([*everything.closed, *(PassedOver(path, _reason(path)) for path in left)])


def _reason(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in UNREAD_IMAGE_SUFFIXES:
        return "is an image in an unsupported format; PNG, TIFF and OpenEXR are read"
    return "is not a clip"
