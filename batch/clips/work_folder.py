"""Hidden folder next to an output in which its parts are collected, and its lock."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ...core.errors import OutputError

_LOCK = "lock"
_PART_LOCK = ".lock"
_LONGEST_NAME = 200
# Others hold the folder's lock for a moment, to take that of their part.
_PATIENCE_SECONDS = 10


def work_folder(output: Path) -> Path:
    """Return the hidden folder next to an output in which its parts are collected."""
    name, code = output.name, os.fsencode(output.name)
    if len(code) > _LONGEST_NAME:
        # A name that just fits would not fit with what is added to it.
        name = f"{output.stem[:40]}-{hashlib.blake2b(code, digest_size=8).hexdigest()}"
    return output.with_name(f".{name}.brushreel")


@contextmanager
def owned_folder(
    output: Path, *, is_kept: Callable[[Path], bool], leftover: tuple[str, ...] = ()
) -> Iterator[None]:
    """Make an output's work folder, or take over an earlier run's; nobody else gets it meanwhile.

    Afterwards it is removed, with the folders above it that were made for it and are empty, unless
    something in it is kept.

    Args:
        output: The file that is written.
        is_kept: Tells whether a later run can continue from the folder.
        leftover: Names of files that are worth nothing alone.

    Raises:
        OutputError: It can't be made, or another process has it.
    """
    new_folders = [parent for parent in output.parents if not parent.exists()]
    folder = work_folder(output)
    try:
        lock = _locked(folder, output)
        try:
            _check_parts_ended(folder, output)
            yield
        finally:
            _let_go(lock, folder, () if is_kept(folder) else (_LOCK, *leftover))
    finally:
        for parent in new_folders:
            _remove_empty(parent)


@contextmanager
def shared_folder(output: Path, part: str, *, is_kept: Callable[[Path], bool]) -> Iterator[None]:
    """Share an output's work folder with processes that make other parts of it.

    Nobody else gets this part meanwhile, or the folder as a whole.

    Args:
        output: The file that the parts are for.
        part: Name of this process's part.
        is_kept: Tells whether there is anything in the folder to continue from.

    Raises:
        OutputError: It can't be made, or another process has the folder or this part.
    """
    folder = work_folder(output)
    whole = _locked(folder, output, patience=_PATIENCE_SECONDS)
    try:
        lock = _locked(folder, output, f"{part}{_PART_LOCK}")
    finally:
        whole.release()
    try:
        yield
    finally:
        _let_go(lock, folder, (f"{part}{_PART_LOCK}",))
        if not is_kept(folder):
            with suppress(OSError):
                (folder / _LOCK).unlink()
            _remove_empty(folder)


def _check_parts_ended(folder: Path, output: Path) -> None:
    """Refuse a folder of which other processes make parts; locks of ended ones are removed."""
    for path in folder.glob(f"*{_PART_LOCK}"):
        _let_go(_locked(folder, output, path.name), folder, (path.name,))


def _locked(folder: Path, output: Path, name: str = _LOCK, *, patience: float = 0) -> FileLock:
    """Take a lock, which the operating system releases however the process ends."""
    lock = FileLock(folder / name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=patience)
    except Timeout as error:
        raise OutputError(
            "is being written by another process", path=output, hint="wait until it has ended"
        ) from error
    except OSError as error:
        _remove_empty(folder)
        raise OutputError.because(error, "can't be written", path=output) from error
    return lock


def _let_go(lock: FileLock, folder: Path, names: tuple[str, ...]) -> None:
    """Release the lock, and remove the folder if it contains nothing but these files."""
    if names and os.name == "nt":
        # Windows removes no file that is open.
        lock.release()
    for name in names:
        with suppress(OSError):
            (folder / name).unlink()
    if names:
        _remove_empty(folder)
    lock.release()


def _remove_empty(folder: Path) -> None:
    """Remove a folder; one that contains anything stays."""
    with suppress(OSError):
        folder.rmdir()
