"""Brushreel's scripts into the folders from which Resolve lists them, and out again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from platformdirs import user_log_path

from ...core.atomic import atomic_write
from ...core.errors import EditorError, OutputError
from .folders import Folders

SCRIPTS = Path(__file__).parent / "scripts"
LISTED = ("Brushreel.py", "Brushreel.lua")
CONFIG = "Brushreel.json"
# In each file that is ours, and the reason to believe that it is.
MARK = "brushreel resolve install"


def contents() -> dict[str, str]:
    """The files of an installation and what is in them."""
    files = {name: (SCRIPTS / name).read_text(encoding="utf-8") for name in LISTED}
    settings = {
        "written_by": MARK,
        "python": sys.executable,
        "arguments": ["-P", "-m", "brushreel", "resolve", "run"],
        "scripts": str(SCRIPTS.resolve()),
        "log": str(_log()),
    }
    return files | {CONFIG: json.dumps(settings, indent=2) + "\n"}


def _log() -> Path:
    """Within the home folder of whoever runs the script, where the system keeps logs there."""
    path = user_log_path("brushreel", appauthor=False) / "resolve.log"
    return path.relative_to(Path.home()) if path.is_relative_to(Path.home()) else path


def folder(folders: Folders, *, system: bool) -> Path:
    """Where scripts go, for this user or for all."""
    return folders.system if system else folders.user


def is_ours(path: Path) -> bool:
    """Whether an earlier installation wrote a file."""
    try:
        return MARK in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def install(folders: Folders, *, system: bool = False, dry_run: bool = False) -> list[str]:
    """Write the scripts; nothing is replaced that is not ours.

    Returns:
        What was done, or would be, a line each.

    Raises:
        EditorError: A file of that name is there and not ours; nothing was written then.
        OutputError: The folder can't be written.
    """
    goal = folder(folders, system=system)
    foreign = [goal / name for name in contents() if (goal / name).exists()]
    foreign = [path for path in foreign if not is_ours(path)]
    if foreign:
        raise EditorError("is not ours and stays", path=foreign[0], hint="move it elsewhere")
    return [_write(goal / name, text, dry_run=dry_run) for name, text in contents().items()]


def _write(path: Path, text: str, *, dry_run: bool) -> str:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return f"{path}: is there already"
    if dry_run:
        return f"{path}: would be written"
    try:
        with atomic_write(path) as file:
            file.write(text.encode())
    except OSError as error:
        hint = "run it as an administrator" if isinstance(error, PermissionError) else None
        raise OutputError(f"can't be written: {error.strerror}", path=path, hint=hint) from error
    return f"{path}: written"


def uninstall(folders: Folders, *, system: bool = False, dry_run: bool = False) -> list[str]:
    """Remove the scripts, as far as they are ours.

    Returns:
        What was done, or would be, a line each.

    Raises:
        OutputError: A file can't be removed.
    """
    goal = folder(folders, system=system)
    there = [goal / name for name in contents() if (goal / name).exists()]
    return [_remove(path, dry_run=dry_run) for path in there] or [f"{goal}: nothing of ours there"]


def _remove(path: Path, *, dry_run: bool) -> str:
    if not is_ours(path):
        return f"{path}: is not ours and stays"
    if dry_run:
        return f"{path}: would be removed"
    try:
        path.unlink()
    except OSError as error:
        raise OutputError(f"can't be removed: {error.strerror}", path=path) from error
    return f"{path}: removed"
