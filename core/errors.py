"""Errors that Brushreel raises on purpose, and exit statuses.

    BrushreelError              exit status 1: a clip, style or file failed
    ├── UsageError               exit status 2: the command or call itself is wrong
    ├── StyleError               a style file or name
    ├── MediaError               a clip or image that can't be read completely
    │   └── ColourError          a pixel format or matrix that has no conversion here
    ├── OutputError              a file that can't be written, or failed verification
    ├── DeviceError              a device or precision that this machine lacks
    ├── ClusterError             a cluster that can't be reached, or can't do what is asked
    ├── ExtraError               a package of an extra that is not installed
    ├── TrainingError            a painting, footage, loss network or run that can't be trained
    └── EditorError              an editing program that refused or failed a call

Each carries a description, a place (the file) and a hint on the way out. ``str(error)`` is one
line, ready for a terminal. No text of a library is in it: an error of the system or of a library
is met where it enters, with ``raise OutputError.because(error, "can't be written")``, see
`core.reasons`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

# How Linux says which library it does not find.
_SHARED_LIBRARY = re.compile(r"lib[\w.+-]+\.so[\w.]*")

INTERRUPTED = 130
"""Exit status of a command that Ctrl-C or SIGTERM ended."""


class BrushreelError(Exception):
    """Base of the tree.

    Args:
        what: What happened, in the user's words.
        path: The file or folder it happened to.
        hint: The way out.
    """

    exit_status = 1
    page: str | None = None
    """Document that explains more, which the command names."""

    def __init__(self, what: str, *, path: str | Path | None = None, hint: str | None = None):
        super().__init__(what)
        self.what = what
        self.path = None if path is None else Path(path)
        self.hint = hint

    @classmethod
    def because(
        cls,
        cause: BaseException,
        what: str,
        *,
        path: str | Path | None = None,
        hint: str | None = None,
        otherwise: str | None = None,
    ) -> Self:
        """Return an error with the reason that an error of the system or of a library means.

        Args:
            cause: That error.
            what: What happened, without the reason.
            path: The file or folder it happened to.
            hint: The way out; None for the reason's own.
            otherwise: The reason where the cause tells none, see `reason_of`.
        """
        from .reasons import reason_of  # noqa: PLC0415  imports FFmpeg

        reason = reason_of(cause, otherwise)
        return cls(f"{what}: {reason.words}", path=path, hint=hint or reason.way_out)

    def __str__(self) -> str:
        where = "" if self.path is None else f"{self.path}: "
        advice = "" if self.hint is None else f" ({self.hint})"
        return " ".join(f"{where}{self.what}{advice}".split("\n"))


def unexpected(error: Exception, path: str | Path | None = None) -> BrushreelError:
    """Return what is said of an error that was met nowhere: a full disk, memory, a driver.

    Args:
        error: Any exception but one of this package.
        path: The file that was worked on.
    """
    from .reasons import reason_of  # noqa: PLC0415  imports FFmpeg

    reason = reason_of(error)
    named = getattr(error, "filename", None)
    if path is None and isinstance(named, str | bytes):
        path = os.fsdecode(named)
    return BrushreelError(reason.words, path=path, hint=reason.way_out)


class UsageError(BrushreelError):
    """A command line or call that makes no sense; nothing was started."""

    exit_status = 2


class StyleError(BrushreelError):
    """A style that is unknown, damaged, or of another format version."""


class MediaError(BrushreelError):
    """A clip or image that can't be opened, read or decoded completely."""


class ColourError(MediaError):
    """A pixel format or colour matrix without a conversion."""

    page = "docs/encoding.md"


class OutputError(BrushreelError):
    """A file that can't be written (folder, disk, codec) or failed verification."""


class DeviceError(BrushreelError):
    """A device or precision that this machine does not have."""

    page = "docs/speed.md"


class ClusterError(BrushreelError):
    """A cluster that can't be reached, or can't do what is asked."""

    page = "docs/cluster.md"


class ExtraError(BrushreelError):
    """A package of an extra that is not installed."""

    page = "docs/install.md"


class TrainingError(BrushreelError):
    """Training material, loss network or a training run that can't be used."""

    page = "docs/training.md"


class EditorError(BrushreelError):
    """An editing program that can't be reached, or that refused or failed a call."""

    page = "docs/resolve.md"


class BrushreelWarning(UserWarning):
    """A warning of this package; the command prints its text as a line."""


def extra_hint(extra: str) -> str:
    """Return the command that installs an optional part of Brushreel, such as "train".

    A checkout is the only source: a package index may have a stranger's under this name.
    """
    return f"in Brushreel's checkout: pip install -c constraints.txt '.[{extra}]'"


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Import, in a `with` block, packages that only an extra such as "train" installs.

    Raises:
        ExtraError: One of them is not installed, or can't be loaded.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ExtraError(f"{error.name} is not installed", hint=extra_hint(name)) from error
    except ImportError as error:
        what = f"{error.name or 'a package'} is installed, but does not load"
        if missing := _SHARED_LIBRARY.match(str(error)):
            what += f": {missing[0]} is missing"
        raise ExtraError(what, hint=f"install it again, {extra_hint(name)}") from error
