"""Clips and image sequences that the page may see: those of the given folders, and dropped ones."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.clips.folder import find_clips
from ..core.clips.recognition import is_clip
from ..core.clips.sequence import Pattern, find_patterns
from ..core.errors import BrushreelError, MediaError, UsageError
from ..training.data.images import open_image

MOST_CLIPS = 2000
"""Clips that are listed at most: more are found by nobody in one list."""


@dataclass(frozen=True)
class Clip:
    """A clip or image sequence that the page may see.

    Attributes:
        id: Its name in requests, the same in every session.
        path: The file, or the pattern of numbered images.
        folder: The given folder that it is in; where clips were dropped, that.
    """

    id: str
    path: Path
    folder: Path

    @property
    def name(self) -> str:
        """Name for people: the path inside its folder."""
        return self.path.relative_to(self.folder).as_posix()

    @property
    def is_sequence(self) -> bool:
        """True if it consists of numbered images."""
        return Pattern.of_source(self.path) is not None


class Shelf:
    """The clips of some folders. The page names clips by id and never sends a path to be read.

    Args:
        folders: Folders whose clips are listed, subfolders included.
        dropped: Folder into which dropped clips are written; may not exist yet. Paintings are
            written to the folder "paintings" next to it.

    Raises:
        UsageError: A folder does not exist.
    """

    def __init__(self, folders: Sequence[Path], dropped: Path):
        for folder in folders:
            if not folder.is_dir():
                raise UsageError("no such folder", path=folder)
        self.folders = [folder.absolute() for folder in folders]
        self.dropped = dropped.absolute()
        self.paintings = self.dropped.with_name("paintings")
        self._known: dict[str, Clip] = {}
        self._lock = threading.Lock()

    def clips(self) -> list[Clip]:
        """Look for clips again, and return them: dropped ones first, then folder by folder."""
        found: dict[str, Clip] = {}
        for folder in (self.dropped, *self.folders):
            for path in _media(folder):
                if len(found) == MOST_CLIPS:
                    break
                clip = Clip(_id(path), path, folder)
                if _is_inside(clip):
                    found.setdefault(clip.id, clip)
        with self._lock:
            self._known |= found
        return list(found.values())

    def clip(self, clip_id: str) -> Clip:
        """Return a clip by its id.

        Raises:
            MediaError: There is none, or a link leads out of its folder by now.
        """
        with self._lock:
            clip = self._known.get(clip_id)
        if clip is None:
            raise MediaError("this clip is not in the studio's folders", hint="reload the page")
        if not _is_inside(clip):
            raise MediaError("lies outside of the studio's folders", path=clip.path)
        if not clip.is_sequence and not clip.path.exists():
            raise MediaError("is gone", path=clip.path)
        return clip

    def inside(self, text: str, what: str) -> Path:
        """Return a file or folder that the page names by its path.

        Args:
            text: The path, from the root on.
            what: What it is, for the error.

        Raises:
            UsageError: None is named.
            MediaError: It is not there, or lies outside of the studio's folders.
        """
        if not text:
            raise UsageError(f"{what} is not chosen yet")
        path = Path(text).expanduser()
        real = path.resolve()
        folders = (self.dropped, self.paintings, *self.folders)
        if not any(real.is_relative_to(folder.resolve()) for folder in folders):
            hint = "drop it on the page, or start the studio with its folder"
            raise MediaError("lies outside of the studio's folders", path=path, hint=hint)
        if not real.exists():
            raise MediaError("is not there", path=path)
        return path

    def add_result(self, path: Path) -> Clip:
        """Return the clip of a file that was rendered from here, wherever it is."""
        clip = Clip(_id(path.absolute()), path.absolute(), path.absolute().parent)
        with self._lock:
            return self._known.setdefault(clip.id, clip)

    def add(self, path: Path) -> Clip | None:
        """Return the clip of a file that has appeared; None where it is outside of the folders."""
        for folder in (self.dropped, *self.folders):
            if path.absolute().is_relative_to(folder):
                clip = Clip(_id(path.absolute()), path.absolute(), folder)
                if _is_inside(clip):
                    with self._lock:
                        self._known[clip.id] = clip
                    return clip
        return None


def _media(folder: Path) -> Iterator[Path]:
    """Yield the clips and image sequences of a folder; no link to a folder is followed."""
    for current, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        try:
            yield from find_clips(Path(current), recursive=False)
            yield from find_patterns(Path(current), recursive=False)
        except BrushreelError:  # it vanished while it was looked through
            continue


def _id(path: Path) -> str:
    return hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()


def _is_inside(clip: Clip) -> bool:
    """Return whether a clip, or each image of a sequence, really lies in its folder."""
    inside = clip.folder.resolve()
    pattern = Pattern.of_source(clip.path)
    files = [clip.path] if pattern is None else map(pattern.name, pattern.numbers())
    return all(file.resolve().is_relative_to(inside) for file in files)


_LONGEST = 200


class Upload:
    """A dropped file while it arrives; it gets its name when it is whole and what it should be.

    Args:
        folder: Folder of dropped files.
        name: The file's name as the browser tells it; folders in it are left out.
        check: Is given the whole file; raises a `MediaError` where it can't be used.

    Raises:
        UsageError: It is no name for a file.
    """

    def __init__(self, folder: Path, name: str, check: Callable[[Path], None]):
        plain = name.replace("\\", "/").rpartition("/")[2].lstrip(".")
        if not plain or not plain.isprintable() or len(os.fsencode(plain)) > _LONGEST:
            raise UsageError("the dropped file has no name that can be used")
        self._folder, self._name, self._check = folder, plain, check
        folder.mkdir(parents=True, exist_ok=True)
        self._partial = folder / f".{os.urandom(6).hex()}{Path(plain).suffix}"
        self._file = self._partial.open("xb")

    def write(self, content: bytes) -> None:
        """Append what has arrived."""
        self._file.write(content)

    def finish(self) -> Path:
        """Give the file its name, and return it.

        Raises:
            MediaError: It can't be used.
        """
        self._file.close()
        try:
            self._check(self._partial)
        except MediaError as error:
            raise MediaError(error.what, path=self._name, hint=error.hint) from error
        path, number = self._folder / self._name, 2
        while path.exists():
            path = self._folder / f"{Path(self._name).stem}.{number}{Path(self._name).suffix}"
            number += 1
        return self._partial.rename(path)

    def close(self) -> None:
        """Remove what is not whole."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


def check_clip(path: Path) -> None:
    """Refuse a dropped file that is no clip.

    Raises:
        MediaError: It is none.
    """
    if not is_clip(path):
        raise MediaError("is not a clip", path=path, hint="drop a video file")


def check_painting(path: Path) -> None:
    """Refuse a dropped file that is no image.

    Raises:
        MediaError: It is none, or damaged.
    """
    open_image(path)
