"""Standard streams that are closed, full or shared with libraries.

A daemon, a service manager or ``2>&-`` gives none; a log's disk may be full, its reader gone; and
libraries in C print on standard error what they think of a file.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

try:
    import fcntl
except ImportError:  # Windows, where a closed stream has no number that others could get
    fcntl = None


def open_closed_streams() -> None:
    """Connect standard streams that are closed to the null device, before anything else is open.

    Else the next file that is opened gets their number: what is meant for people is written into
    it, and child processes can't be started. Where that has happened already, such as to the script
    that called, the stream can only be read.
    """
    for descriptor in (0, 1, 2):
        if not _usable(descriptor):
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            os.set_inheritable(descriptor, True)
    for name, descriptor, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def own_standard_error(*, libraries: bool) -> None:
    """Keep standard error for this program's own words, which no work depends on.

    What can't be written to it is lost: a run of a night does not end because its log's disk is
    full, or who read it is gone.

    Args:
        libraries: What libraries print on it is shown as well.
    """
    own = os.dup(2)
    sys.stderr = _Words(io.FileIO(own, "w"), "utf-8", "backslashreplace", write_through=True)
    if not libraries:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)


class _Words(io.TextIOWrapper):
    """A text stream that loses what can't be written."""

    def write(self, text: str) -> int:
        """Write like a text stream, as far as possible."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flush like a text stream, as far as possible."""
        with suppress(OSError):
            super().flush()


def _usable(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    if fcntl is None or descriptor == 0:
        return True
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
