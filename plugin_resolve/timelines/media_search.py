"""A search by name for media that is not where a timeline says it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import av
import av.error
from av.container import InputContainer

from ...core.clips.folder import listing
from ...core.clips.recognition import CLIP_SUFFIXES, is_clip
from ...core.clips.sequence import IMAGE_SUFFIXES, Pattern, find_patterns, usual_pattern
from ...core.errors import MediaError
from .model import ClipUse, plain_path, start_timecode

Found = TypeVar("Found")


class MediaSearch:
    """A search in folders, which are walked through once, when the first file is missing.

    Args:
        folders: The folders, searched with all their subfolders.
        own: Folders from which relative paths count; not searched below.
    """

    def __init__(self, folders: Sequence[Path], own: Sequence[Path] = ()):
        self._folders, self._own = folders, own

    def find(self, use: ClipUse, rate: Fraction) -> Path:
        """Return the media file of a clip, or the pattern of its images.

        That is the file itself if it exists: a relative path counts from the timeline file. Else
        the one of its name that shares most folders, as cameras name the first clip of every card
        C0001; else one of the clip's reel. Of several the one whose timecode has the clip's frames.

        Args:
            use: The clip.
            rate: The timeline's, in frames a second.

        Raises:
            MediaError: It is not found, or several files match equally well.
        """
        assert use.media is not None
        media = usual_pattern(plain_path(use.media))
        places = [media] if media.is_absolute() else [folder / media for folder in self._own]
        for place in places:
            if place.is_file() or is_image_sequence(place):
                return place
        near = () if media.is_absolute() else self._beside
        found = self._of_name(media, near) or self._of_reel(use.reel)
        media = places[0] if places else media
        if not found:
            raise MediaError("is offline", path=media, hint="--search FOLDER looks for it by name")
        shared = {path: _shared_folders(path, media) for path in found}
        best = [path for path in found if shared[path] == max(shared.values())]
        if len(best) > 1 and use.origin:
            best = [path for path in best if _has_frames(path, use, rate)] or best
        if len(best) > 1:
            raise MediaError(
                f"is offline, and matches each of {', '.join(map(str, sorted(best)))}",
                path=media,
                hint="narrow --search to the folder of the right one",
            )
        return best[0]

    def _of_name(self, media: Path, near: Sequence[Path]) -> list[Path]:
        if Pattern(media).numbered and media.suffix.lower() in IMAGE_SUFFIXES:
            return _once(path for path in self._sequences if path.name == media.name)
        found = [*self._by_name.get(media.name, []), *_named(near, media.name)]
        # Edit decision lists often name clips without their suffix.
        if not found and media.suffix.lower() not in CLIP_SUFFIXES:
            beside = [path for path in near if path.stem == media.name and is_clip(path)]
            found = [*self._by_stem.get(media.name, []), *beside]
        return _once(found)

    def _of_reel(self, reel: str) -> list[Path]:
        """Return the clips that are of a reel, by their name or by what they state."""
        if not reel:
            return []
        clips = [*(path for paths in self._by_stem.values() for path in paths), *self._beside]
        named = [path for path in clips if path.stem.casefold() == reel.casefold()]
        stated = (path for path in clips if is_clip(path) and _reel(path) == reel.casefold())
        return _once(named or stated)

    @cached_property
    def _beside(self) -> list[Path]:
        return [path for folder in self._own for path in listing(folder, recursive=False).files]

    @cached_property
    def _sequences(self) -> list[Path]:
        return [
            path
            for folder in self._folders
            for path in (find_patterns(folder, recursive=True) if folder.is_dir() else ())
        ]

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


def is_image_sequence(media: Path) -> bool:
    """Return whether a path is a pattern of image names, and there are images of it."""
    images = media.suffix.lower() in IMAGE_SUFFIXES
    return images and Pattern(media).numbered and bool(Pattern(media).numbers())


def _named(paths: Sequence[Path], name: str) -> list[Path]:
    return [path for path in paths if path.name == name]


def _once(paths: Iterable[Path]) -> list[Path]:
    """Return each file once: folders may be nested, and links may lead to the same file."""
    return list({path.resolve(): path for path in paths}.values())


def _has_frames(path: Path, use: ClipUse, rate: Fraction) -> bool:
    """Return whether the timecode of a file has all frames of a clip that counts from midnight."""

    def look(container: InputContainer) -> bool:
        start = start_timecode(path)
        length = Fraction(container.duration or 0, av.time_base) * rate
        first = 0 if start is None else start.number(rate)
        return first <= use.first and use.first + use.frames <= first + round(length)

    return bool(_looked_at(path, look))


def _reel(path: Path) -> str | None:
    def look(container: InputContainer) -> str | None:
        for tags in (container.metadata, *(stream.metadata for stream in container.streams)):
            named = next((tags[key] for key in tags if key.lower() in _REELS), None)
            if named is not None:
                return named.casefold()
        return None

    return _looked_at(path, look)


_REELS = frozenset({"reel_name", "reel", "com.apple.quicktime.reel"})


def _looked_at(path: Path, look: Callable[[InputContainer], Found]) -> Found | None:
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            return look(container)
    except (av.error.FFmpegError, OSError):
        return None


def _shared_folders(path: Path, media: Path) -> int:
    """Count the last folders that two paths have in common, from the file upwards."""
    pairs = zip(reversed(path.absolute().parts[:-1]), reversed(media.parts[:-1]), strict=False)
    return next((n for n, (one, other) in enumerate(pairs) if one != other), len(media.parts) - 1)
