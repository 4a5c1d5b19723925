"""Destination of a conversion: what exists already, what may be written, and the final name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ...core.clips.reader import Reader
from ...core.clips.sequence import Pattern
from ...core.errors import OutputError, UsageError
from ..encoding.encode import EncodeSettings
from .gif import SUFFIX as GIF
from .mux import MUXERS, muxer_of
from .resume import left_by_a_run
from .sequences.journal import foreign_numbers, is_interrupted


class FileDestination:
    """A clip file that is to be written.

    Attributes:
        path: Its name.
        overwrite: Whether a file that exists may be replaced.
        suffixes: Suffixes that are written.
    """

    def __init__(
        self, path: Path, *, overwrite: bool = False, suffixes: Sequence[str] = tuple(MUXERS)
    ):
        self.path, self.overwrite, self.suffixes = path, overwrite, suffixes

    @property
    def muxer(self) -> str:
        """FFmpeg's name of the container."""
        return muxer_of(self.path)

    @property
    def is_gif(self) -> bool:
        """True for a GIF, which is made of a clip of `muxer`."""
        return self.path.suffix.lower() == GIF

    @property
    def is_untidied(self) -> bool:
        """True if a run gave the file its name and was interrupted before it tidied up."""
        return left_by_a_run(self.path)

    @property
    def is_finished(self) -> bool:
        """True if the file exists and no run has anything left to do for it."""
        return self.path.exists() and not self.is_untidied

    def check(self, source: Path) -> None:
        """Refuse a destination that would harm something, before anything is done.

        Args:
            source: File that is converted.

        Raises:
            UsageError: It is the source, or its container is not supported.
            OutputError: It exists and may not be replaced, or is a folder.
        """
        path = self.path
        if path.suffix.lower() not in self.suffixes:
            raise UsageError(
                f"can't write a {path.suffix or 'file without a suffix'}",
                path=path,
                hint=f"use {', '.join(self.suffixes)}",
            )
        if path.exists() and source.exists() and path.samefile(source):
            raise UsageError("input and output are the same file", path=path, hint="choose another")
        if path.is_dir():
            raise OutputError("is a folder", path=path)
        if not self.is_untidied:
            self.check_free()

    def check_free(self) -> None:
        """Refuse a file that exists, unless it may be replaced.

        Raises:
            OutputError: It exists and may not be replaced.
        """
        if self.path.exists() and not self.overwrite:
            raise OutputError(
                "exists already",
                path=self.path,
                hint="--overwrite replaces it",
            )

    def give_name(self, partial: Path) -> None:
        """Give a complete file the final name.

        A loss of power leaves the old file under the name or the new one, whole.

        Raises:
            OSError: It can't be renamed.
        """
        with partial.open("r+b") as file:
            os.fsync(file.fileno())
        partial.replace(self.path)
        # Folders can't be opened everywhere.
        with suppress(OSError):
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    @property
    def hidden(self) -> Path:
        """A hidden name next to the file, for while it is written."""
        path = self.path
        return path.with_name(f".{path.stem[:32]}.{os.getpid()}.partial{path.suffix}")

    @contextmanager
    def partial(self) -> Iterator[Path]:
        """Give a hidden name to write to, and the final name if the block does not fail.

        Raises:
            OSError: It can't be written.
        """
        partial = self.hidden
        with removed_on_failure(partial):
            yield partial
            self.give_name(partial)


class ImageDestination:
    """An image sequence, or a single image, that is to be written.

    Attributes:
        pattern: Names of the images.
        overwrite: Whether images that exist may be replaced.
    """

    is_untidied = False

    def __init__(self, pattern: Pattern, *, overwrite: bool = False):
        self.pattern, self.overwrite = pattern, overwrite

    @property
    def path(self) -> Path:
        """Names of the images, as the user wrote them."""
        return self.pattern.path

    @property
    def is_finished(self) -> bool:
        """True if images exist and no run was interrupted while it wrote them."""
        if not self.pattern.numbered:
            return self.path.exists()
        return bool(self.pattern.numbers()) and not is_interrupted(self.pattern)

    def check(self, source: Reader, encode: EncodeSettings) -> None:
        """Refuse a destination that can't be written or would harm something.

        Raises:
            UsageError: A codec is chosen, the names need a number, or input and output are the
                same.
        """
        if encode.codec != "auto":
            raise UsageError(
                "images have no codec", path=self.path, hint="leave --codec out, or name a clip"
            )
        if not self.pattern.numbered and len(source.images) != 1:
            raise UsageError(
                "several images need a number in their names",
                path=self.path,
                hint=f"such as {self.path.stem}.%06d{self.path.suffix}",
            )
        names = {path.name for path in source.images.values()}
        same_names = any(self.pattern.name(number).name in names for number in source.images)
        if same_names and self.path.parent.resolve() == source.path.parent.resolve():
            raise UsageError(
                "input and output are the same file", path=self.path, hint="choose another"
            )

    def check_existing(self) -> None:
        """Refuse images that exist and that no run has left; reads every one of them.

        Raises:
            OutputError: There are some, and they may not be replaced.
        """
        self.check_free(foreign_numbers(self.pattern))

    def check_free(self, foreign: Sequence[int]) -> None:
        """Refuse images that exist, unless they may be replaced.

        Args:
            foreign: Numbers of existing images that are not this conversion's own.

        Raises:
            OutputError: There are some, and they may not be replaced.
        """
        if self.overwrite or not foreign:
            return
        if not self.pattern.numbered:
            raise OutputError("exists already", path=self.path, hint="use --overwrite")
        first = self.pattern.name(foreign[0]).name
        raise OutputError(
            f"{len(foreign)} of its images exist already, {first} first",
            path=self.path,
            hint="use --overwrite to replace them",
        )


Destination = FileDestination | ImageDestination


def destination(path: Path, *, overwrite: bool = False) -> Destination:
    """Return the destination that a path names.

    Raises:
        UsageError: It is an image's name with several places for a number.
    """
    pattern = Pattern.of(path)
    if pattern is None:
        return FileDestination(path, overwrite=overwrite, suffixes=(*MUXERS, GIF))
    return ImageDestination(pattern, overwrite=overwrite)


@contextmanager
def removed_on_failure(path: Path) -> Iterator[None]:
    """Remove a file if the block fails."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise
