"""Temporary folder of a worker, which is gone afterwards, however the worker ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import weakref
from pathlib import Path

# A process of its own waits until the worker's end of the pipe is closed: by the worker, or by the
# system when it dies. It is nobody's child, so that whoever ends the worker's children spares it.
_WATCHER = 'exec 3<&0; (cat <&3 >/dev/null; rm -rf -- "$1") >/dev/null 2>&1 &'


class TemporaryFolder:
    """A temporary folder.

    Attributes:
        path: The folder.

    Raises:
        OSError: It can't be made.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="brushreel-worker-"))
        self._end = _watched(self.path) if os.name == "posix" else None
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def remove(self) -> None:
        """Remove the folder now."""
        self._finalizer()


def _watched(folder: Path) -> int:
    """Start what removes a folder when this process ends; return the pipe's end that tells it."""
    read, write = os.pipe()
    command = ["/bin/sh", "-c", _WATCHER, "sh", str(folder)]
    try:
        subprocess.run(command, stdin=read, start_new_session=True, check=True, timeout=60)
    finally:
        os.close(read)
    return write
