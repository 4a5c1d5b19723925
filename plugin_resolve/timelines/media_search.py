"""Media that is not where a cut says it is, looked for by its name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from ...core.clips.media import CLIP_SUFFIXES
from ...core.errors import MediaError


class MediaSearch:
    """Finds media in folders; they are walked through once, when the first file is missing.

    Args:
        folders: With all that lies below them.
    """

    def __init__(self, folders: Sequence[Path]):
        self._folders = folders

    def find(self, media: Path) -> Path:
        """The file at its place; else the one of its name that shares the most folders with it.

        Cameras give every card a C0001: the folders that a path ends with tell them apart.

        Raises:
            MediaError: It is nowhere, or several files may be meant.
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
                f"is offline, and may be any of {', '.join(map(str, sorted(best)))}",
                path=media,
                hint="narrow --search to the folder of the right one",
            )
        return best[0]

    def _of_name(self, media: Path) -> list[Path]:
        found = self._by_name.get(media.name, [])
        # Edit decision lists often name clips without their suffix.
        if not found and media.suffix.lower() not in CLIP_SUFFIXES:
            found = self._by_stem.get(media.name, [])
        # Folders may lie within each other, and links lead to one file.
        return list({path.resolve(): path for path in found}.values())

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for folder in self._folders:
            for parent, _, names in os.walk(folder):
                for name in names:
                    found.setdefault(name, []).append(Path(parent, name))
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        """Clips alone: their sidecars have the same stem."""
        found: dict[str, list[Path]] = {}
        for name, paths in self._by_name.items():
            if Path(name).suffix.lower() in CLIP_SUFFIXES:
                found.setdefault(Path(name).stem, []).extend(paths)
        return found


def _shared_folders(path: Path, media: Path) -> int:
    """How many folders both end with, counted from the file upwards."""
    pairs = zip(reversed(path.absolute().parts[:-1]), reversed(media.parts[:-1]), strict=False)
    return next((n for n, (one, other) in enumerate(pairs) if one != other), len(media.parts) - 1)
