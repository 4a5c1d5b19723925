"""An output's name: refused beforehand where it would harm something, given when all is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...core.errors import OutputError, UsageError
from .mux import MUXERS
from .resume import left_by_a_run


def check_output(source: Path, output: Path, *, overwrite: bool) -> None:
    """Refuse an output that would harm something.

    Raises:
        UsageError: It is the input, or of an unknown kind.
        OutputError: It exists and `overwrite` is not set.
    """
    if output.suffix.lower() not in MUXERS:
        raise UsageError(
            f"can't write a {output.suffix or 'file without a suffix'}",
            path=output,
            hint=f"use {', '.join(MUXERS)}, .png, .tif or .exr",
        )
    if output.exists() and source.exists() and output.samefile(source):
        raise UsageError("input and output are the same file", path=output, hint="choose another")
    if output.is_dir():
        raise OutputError("is a folder", path=output)
    check_free(output, overwrite=overwrite or left_by_a_run(output))


def check_free(output: Path, *, overwrite: bool) -> None:
    """Refuse an output that exists, unless it may be replaced; raises `OutputError`."""
    if output.exists() and not overwrite:
        raise OutputError(
            "exists already",
            path=output,
            hint="--overwrite replaces it, --skip-existing leaves it alone",
        )


@contextmanager
def removed_on_failure(path: Path) -> Iterator[None]:
    """Remove a file that came to nothing."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def give_name(partial: Path, output: Path) -> None:
    """A loss of power must leave the old file under the name or the new one, whole."""
    with partial.open("r+b") as file:
        os.fsync(file.fileno())
    partial.replace(output)
    # Folders can't be opened everywhere.
    with suppress(OSError):
        folder = os.open(output.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
