"""Standard streams that are closed: a daemon, a service manager or ``2>&-`` gives none."""

from __future__ import annotations

import os
import sys

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


def _usable(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    if fcntl is None or descriptor == 0:
        return True
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
