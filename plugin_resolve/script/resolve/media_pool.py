"""The media pool: its bins and clips."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ....core.errors import EditorError
from .calls import Raw, call, listed
from .rate import resolve_rate


@dataclass(frozen=True)
class PoolClip:
    """A clip of the media pool."""

    raw: Raw

    @property
    def name(self) -> str:
        """Name in the pool."""
        return str(call(self.raw, "GetName"))

    @property
    def kind(self) -> str:
        """Type in the user's language, such as Video, Compound or Timeline."""
        return self._property("Type")

    @property
    def path(self) -> Path | None:
        """File; None where there is none (compound clips, timelines, multicam)."""
        path = self._property("File Path")
        return Path(path) if path else None

    @property
    def rate(self) -> Fraction | None:
        """Frame rate at which Resolve plays it, in frames a second; may differ from the file's."""
        return resolve_rate(self._property("FPS"))

    @property
    def frames(self) -> int | None:
        """Number of frames in the pool; for a subclip, those of its range."""
        text = self._property("Frames")
        return int(text) if text.isdecimal() else None

    @property
    def start_timecode(self) -> str:
        """Timecode of its first frame."""
        return self._property("Start TC")

    def _property(self, name: str) -> str:
        value = call(self.raw, "GetClipProperty", name)
        return "" if value is None else str(value)


@dataclass(frozen=True)
class MediaPool:
    """The media pool of a project."""

    raw: Raw

    def bin(self, name: str) -> Raw:
        """Return the bin of that name at the top of the pool, and make it if there is none.

        Raises:
            EditorError: Resolve does not make it.
        """
        root = call(self.raw, "GetRootFolder")
        if (found := _bin(root, name)) is not None:
            return found
        call(self.raw, "AddSubFolder", root, name)
        if (made := _bin(root, name)) is None:
            raise EditorError(f"Resolve did not make the bin {name!r}")
        return made

    def bring_in(self, path: Path, folder: Raw) -> PoolClip:
        """Return the clip of a file in a bin, and import it if it is not there.

        Raises:
            EditorError: Resolve does not import it.
        """
        if (found := _clip(folder, path)) is not None:
            return found
        with self._current(folder):
            call(self.raw, "ImportMedia", [str(path)])
        if (made := _clip(folder, path)) is None:
            raise EditorError("Resolve did not import the file", path=path)
        return made

    @contextmanager
    def _current(self, folder: Raw) -> Iterator[None]:
        """Make a bin the current one, into which files are imported; then restore the user's."""
        before = call(self.raw, "GetCurrentFolder")
        call(self.raw, "SetCurrentFolder", folder)
        try:
            yield
        finally:
            if before is not None:
                call(self.raw, "SetCurrentFolder", before)


def _bin(root: Raw, name: str) -> Raw:
    folders = listed(call(root, "GetSubFolderList"))
    return next((folder for folder in folders if call(folder, "GetName") == name), None)


def _clip(folder: Raw, path: Path) -> PoolClip | None:
    clips = (PoolClip(raw) for raw in listed(call(folder, "GetClipList")))
    return next((clip for clip in clips if clip.path == path), None)
