"""Networks in another program's format, converted once and cached on disk."""

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

from ..errors import DeviceError
from ..user_folders import cache_folder
from ..version import __version__

Model = TypeVar("Model")


def kept_model(
    key: Sequence[str], *, make: Callable[[Path], None], read: Callable[[Path], Model]
) -> Model:
    """Read a converted network from the user's cache; convert it first if it is missing.

    Args:
        key: Everything that the conversion depends on, except Brushreel's version.
        make: Function that writes the network's files into an empty folder.
        read: Function that reads them; raises RuntimeError if they are damaged, OSError if one is
            missing.

    Raises:
        DeviceError: There is no folder that can be written to.
    """
    name = hashlib.sha256(json.dumps([__version__, *key]).encode()).hexdigest()[:32]
    folder = cache_folder() / "models" / name
    if folder.is_dir():
        # Files that a power loss damaged, or somebody removed, are written again.
        with suppress(RuntimeError, OSError):
            return read(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return _made(folder, make, read)


def _made(folder: Path, make: Callable[[Path], None], read: Callable[[Path], Model]) -> Model:
    """Convert in a folder next to the final one; a cache that can't be written keeps nothing."""
    temporary = _temporary_beside(folder)
    try:
        make(temporary)
        for file in temporary.iterdir():
            with file.open("rb") as written:
                os.fsync(written.fileno())
        model = read(temporary)
        # Another process may have been faster.
        with suppress(OSError):
            temporary.rename(folder)
        return model
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary_beside(folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=folder.parent))
    except OSError:
        pass
    try:
        return Path(tempfile.mkdtemp())
    except OSError as error:
        raise DeviceError.because(
            error, "the network can't be converted for this runtime", hint="set TMPDIR"
        ) from error
