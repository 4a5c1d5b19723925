"""Installation of Brushreel's scripts into the folders that Resolve lists, and removal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from platformdirs import user_log_path

from ...core.atomic import atomic_write
from ...core.errors import EditorError, OutputError
from ...core.user_folders import home_folder
from .folders import Folders

SCRIPTS = Path(__file__).parent / "scripts"
LISTED = ("Brushreel.py", "Brushreel.lua")
CONFIG = "Brushreel.json"
# Each of our files holds this text, by which it is recognized.
MARK = "brushreel resolve install"


def contents() -> dict[str, str]:
    """Return the files of an installation and their contents."""
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
    """Return the log's path, relative to the home folder of whoever runs the script."""
    home = home_folder()
    path = user_log_path("brushreel", appauthor=False) / "resolve.log"
    return path.relative_to(home) if path.is_relative_to(home) else path


def folder(folders: Folders, *, system: bool) -> Path:
    """Return the folder of scripts, for this user or for all."""
    return folders.system if system else folders.user


def is_ours(path: Path) -> bool:
    """Return whether an earlier installation wrote a file."""
    try:
        return MARK in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def install(folders: Folders, *, system: bool = False, dry_run: bool = False) -> list[str]:
    """Write the scripts; no foreign file is replaced.

    Returns:
        Lines on what was done, or would be.

    Raises:
        EditorError: A foreign file has the name; nothing was written.
        OutputError: The folder can't be written.
    """
    target = folder(folders, system=system)
    foreign = [target / name for name in contents() if (target / name).exists()]
    foreign = [path for path in foreign if not is_ours(path)]
    if foreign:
        raise EditorError(
            "was not written by Brushreel and stays", path=foreign[0], hint="move it elsewhere"
        )
    return [_write(target / name, text, dry_run=dry_run) for name, text in contents().items()]


def _write(path: Path, text: str, *, dry_run: bool) -> str:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return f"{path}: up to date"
    if dry_run:
        return f"{path}: would be written"
    try:
        with atomic_write(path) as file:
            file.write(text.encode())
    except OSError as error:
        hint = "run it as an administrator" if isinstance(error, PermissionError) else None
        raise OutputError.because(error, "can't be written", path=path, hint=hint) from error
    return f"{path}: written"


def uninstall(folders: Folders, *, system: bool = False, dry_run: bool = False) -> list[str]:
    """Remove the scripts that an installation wrote.

    Returns:
        Lines on what was done, or would be.

    Raises:
        OutputError: A file can't be removed.
    """
    target = folder(folders, system=system)
    there = [target / name for name in contents() if (target / name).exists()]
    return [_remove(path, dry_run=dry_run) for path in there] or [f"{target}: nothing to remove"]


def _remove(path: Path, *, dry_run: bool) -> str:
    if not is_ours(path):
        return f"{path}: was not written by Brushreel and stays"
    if dry_run:
        return f"{path}: would be removed"
    try:
        path.unlink()
    except OSError as error:
        raise OutputError.because(error, "can't be removed", path=path) from error
    return f"{path}: removed"
