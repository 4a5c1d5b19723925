"""Every error that Brushreel raises on purpose.

    BrushreelError              exit status 1: this clip, style or file could not be done
    ├── UsageError               exit status 2: the command or call itself is wrong
    ├── StyleError               a style file or name
    ├── MediaError               a clip that can't be read as it should
    │   └── ColourError          a pixel format or matrix that has no conversion here
    ├── OutputError              a file that can't be written, or did not verify
    ├── DeviceError              a device or precision that this machine lacks
    ├── TrainingError            a painting, footage, loss network or run that can't be trained
    └── EditorError              an editing program that refused, or did not do what it said

Each carries what happened, where (the file), and a hint: what to do about it. ``str(error)`` is
one line, ready for a terminal.
"""

from __future__ import annotations

from pathlib import Path

INTERRUPTED = 130
"""Exit status of a command that Ctrl-C or SIGTERM ended."""


class BrushreelError(Exception):
    """Base of the tree.

    Args:
        what: What happened, in words for the person at the keyboard.
        path: The file or folder it happened to.
        hint: What to do about it.
    """

    exit_status = 1

    def __init__(self, what: str, *, path: str | Path | None = None, hint: str | None = None):
        super().__init__(what)
        self.what = what
        self.path = None if path is None else Path(path)
        self.hint = hint

    def __str__(self) -> str:
        where = "" if self.path is None else f"{self.path}: "
        advice = "" if self.hint is None else f" ({self.hint})"
        return " ".join(f"{where}{self.what}{advice}".split("\n"))


class UsageError(BrushreelError):
    """The command line or call asks for something that makes no sense; nothing was started."""

    exit_status = 2


class StyleError(BrushreelError):
    """A style that is unknown, damaged, or of another format version."""


class MediaError(BrushreelError):
    """A clip that can't be opened, read or decoded completely."""


class ColourError(MediaError):
    """A pixel format or colour matrix without a conversion."""


class OutputError(BrushreelError):
    """A file that can't be written (folder, disk, codec) or did not verify after writing."""


class DeviceError(BrushreelError):
    """A device or precision that this machine does not have."""


class TrainingError(BrushreelError):
    """Training material, loss network or a training run that can't be used."""


class EditorError(BrushreelError):
    """An editing program that can't be spoken with, refused, or did not do what it said."""


def extra_hint(extra: str) -> str:
    """Return how to install an optional part of Brushreel, such as "train".

    A checkout is the only source: what a package index has under a name may be a stranger's.
    """
    return f"in Brushreel's checkout: pip install -c constraints.txt '.[{extra}]'"
