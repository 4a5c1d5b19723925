"""Networks in another program's format, converted once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from platformdirs import user_cache_path

from ..version import __version__

Model = TypeVar("Model")


def kept_model(
    key: Sequence[str], *, make: Callable[[Path], None], read: Callable[[Path], Model]
) -> Model:
    """Read a converted network from the user's cache; it is made first where it is not there.

    Args:
        key: Everything that the conversion depends on, but for Brushreel's version.
        make: Writes the network's files into an empty folder.
        read: Reads them back; raises RuntimeError where they are damaged, OSError where one is
            missing.
    """
    name = hashlib.sha256(json.dumps([__version__, *key]).encode()).hexdigest()[:32]
    folder = user_cache_path("brushreel", appauthor=False) / "models" / name
    if folder.is_dir():
        # What a loss of power left damaged, or somebody removed, is made again.
        with suppress(RuntimeError, OSError):
            return read(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return _made(folder, make, read)


def _made(folder: Path, make: Callable[[Path], None], read: Callable[[Path], Model]) -> Model:
    """Make it beside the folder's name; where the cache can't be written it is not kept."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=folder.parent))
    except OSError:
        beside = Path(tempfile.mkdtemp())
    try:
        make(beside)
        for file in beside.iterdir():
            with file.open("rb") as written:
                os.fsync(written.fileno())
        model = read(beside)
        # Another process may have been faster.
        with suppress(OSError):
            beside.rename(folder)
        return model
    finally:
        shutil.rmtree(beside, ignore_errors=True)
