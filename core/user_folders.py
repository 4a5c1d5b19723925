"""Folders of the user: styles, caches, settings; a temporary one where the account has no home."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path, user_videos_path

from .errors import BrushreelWarning, UsageError

NAME = "brushreel"


def data_folder(name: str = NAME) -> Path:
    """Return the folder of styles and other data, which may not exist yet."""
    return _folder(user_data_path, name, "data")


def cache_folder() -> Path:
    """Return the folder of what can be made again, which may not exist yet."""
    return _folder(user_cache_path, NAME, "cache")


def config_folder() -> Path:
    """Return the folder of settings, which may not exist yet."""
    return _folder(user_config_path, NAME, "config")


def videos_folder() -> Path:
    """Return the folder of the user's videos, which may not exist yet.

    Raises:
        UsageError: The account has no home; what a timeline refers to must not be temporary.
    """
    try:
        return user_videos_path()
    except (RuntimeError, KeyError) as error:
        hint = "set HOME or XDG_VIDEOS_DIR"
        raise UsageError("this account has no home folder", hint=hint) from error


def home_folder() -> Path:
    """Return the user's home folder.

    Raises:
        UsageError: The account has none.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise UsageError("this account has no home folder", hint="set HOME") from error


def _folder(find: Callable[..., Path], name: str, part: str) -> Path:
    try:
        return find(name, appauthor=False)
    except (RuntimeError, KeyError):  # no HOME, and no account that would have one
        return _temporary() / name / part


@cache
def _temporary() -> Path:
    """Return a folder that only this user can write to, and say so once."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    try:
        folder = Path(tempfile.gettempdir()) / f"{NAME}-of-{user}"
    except FileNotFoundError:
        warnings.warn(
            "this account has no home folder, and there is no folder for temporary files: styles "
            "and caches are not kept",
            BrushreelWarning,
            stacklevel=2,
        )
        return Path(os.devnull)  # nothing is in it, and nothing can be written to it
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
        mine = not hasattr(os, "getuid") or (about.st_uid == user and not about.st_mode & 0o022)
        if folder.is_symlink() or not mine:
            raise PermissionError
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
    warnings.warn(
        f"this account has no home folder: styles and caches are kept in {folder}",
        BrushreelWarning,
        stacklevel=2,
    )
    return folder
