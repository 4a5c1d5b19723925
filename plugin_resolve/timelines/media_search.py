"""A search by name for media that is not where a timeline says it is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from ...core.clips.folder import listing
from ...core.clips.recognition import CLIP_SUFFIXES, is_clip
from ...core.errors import MediaError


class MediaSearch:
    """A search in folders, which are walked through once, when the first file is missing.

    Args:
        folders: The folders, searched with all their subfolders.
    """

    def __init__(self, folders: Sequence[Path]):
        self._folders = folders

    def find(self, media: Path) -> Path:
        """Return the file itself if it exists, else the one of its name that shares most folders.

        Cameras name the first clip of every card C0001: the last folders of a path distinguish
        them.

        Raises:
            MediaError: It is not found, or several files match equally well.
        """
        if media.is_file():
            return media
        found = self._of_name(media)
        if not found:
            raise MediaError("is offline", path=media, hint="--search FOLDER looks for it by name")
        shared = {path: _shared_folders(path, media) for path in found}
        best = [path for path in found if shared[path] == max(shared.values())]
        if len(best) > 1:
            raise MediaError(
                f"is offline, and matches each of {', '.join(map(str, sorted(best)))}",
                path=media,
                hint="narrow --search to the folder of the right one",
            )
        return best[0]

    def _of_name(self, media: Path) -> list[Path]:
        found = self._by_name.get(media.name, [])
        # Edit decision lists often name clips without their suffix.
        if not found and media.suffix.lower() not in CLIP_SUFFIXES:
            found = self._by_stem.get(media.name, [])
        # Folders may be nested, and links may lead to the same file.
        return list({path.resolve(): path for path in found}.values())

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for folder in self._folders:
            for path in listing(folder, recursive=True).files if folder.is_dir() else ():
                found.setdefault(path.name, []).append(path)
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        """Clips by their stems; sidecars, which have the same stems, are left out."""
        found: dict[str, list[Path]] = {}
        for name, paths in self._by_name.items():
            clips = [path for path in paths if is_clip(path)]
            if clips:
                found.setdefault(Path(name).stem, []).extend(clips)
        return found


def _shared_folders(path: Path, media: Path) -> int:
    """Count the last folders that two paths have in common, from the file upwards."""
    pairs = zip(reversed(path.absolute().parts[:-1]), reversed(media.parts[:-1]), strict=False)
    return next((n for n, (one, other) in enumerate(pairs) if one != other), len(media.parts) - 1)
