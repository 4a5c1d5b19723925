"""Files and folders to jobs: which clip becomes which file."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import UsageError
from ..core.media import CLIP_SUFFIXES, find_clips
from .clip import MUXERS
from .encode import CODECS

CONTAINERS = tuple(suffix.lstrip(".") for suffix in MUXERS)
# What these hold, the written container holds too; everything else becomes MP4.
_KEPT_SUFFIXES = {".mp4": ".mp4", ".m4v": ".mp4", ".mov": ".mov", ".mkv": ".mkv", ".webm": ".mkv"}


@dataclass(frozen=True)
class Job:
    """One clip to be done."""

    source: Path
    output: Path


def plan(
    inputs: Sequence[Path],
    output: Path | None,
    *,
    style_name: str,
    recursive: bool = False,
    container: str | None = None,
    codec: str = "auto",
) -> list[Job]:
    """Decide every output's name before anything is done.

    Without `output` each clip gets ``<name>.<style>.<suffix>`` beside it. With one, a single
    file goes to it if it has a clip's suffix, and everything else goes into it as a folder:
    the tree of one input folder directly, the trees of several each under its folder's name.
    Inputs of one name keep the folders that tell them apart (``card1/a.mp4``, ``card2/a.mp4``);
    clips that differ only in their suffix keep it (``a.avi.mp4``, ``a.mpg.mp4``); names that a
    file system may take for one (``A.mp4``, ``a.mp4``) are numbered (``a.2.mp4``). What an
    earlier run with this style wrote is not taken for an input.

    Raises:
        UsageError: No clips.
    """
    if output is not None and _is_file_name(output, inputs):
        return [Job(inputs[0], output)]
    clips = _clips_of(inputs, output, recursive=recursive)
    if output is None:
        clips = _without_earlier(clips, style_name)
    if not clips:
        raise UsageError("no clips here", path=inputs[0], hint="--recursive looks into subfolders")
    names = _told_apart(
        {
            clip: clip.parent if output is None else output / place.parent
            for clip, place in clips.items()
        },
        middle=f".{style_name}" if output is None else "",
        endings={clip: _suffix(clip, container, codec) for clip in clips},
    )
    return [Job(clip, name) for clip, name in names.items()]


def _clips_of(inputs: Sequence[Path], output: Path | None, *, recursive: bool) -> dict[Path, Path]:
    """Every clip once, with its place in the mirrored tree; nothing from an output folder."""
    found: dict[Path, tuple[Path, Path]] = {}
    for path, top in _places(inputs).items():
        clips = find_clips(path, recursive=recursive) if path.is_dir() else [path]
        if output is not None and path.resolve() in output.resolve().parents:
            clips = [clip for clip in clips if output.resolve() not in clip.resolve().parents]
        for clip in clips:
            found.setdefault(_absolute(clip), (clip, top / clip.relative_to(path)))
    return dict(found.values())


def _places(inputs: Sequence[Path]) -> dict[Path, Path]:
    """Where each input's content goes below the output folder."""
    if len(inputs) == 1 and inputs[0].is_dir():
        return {inputs[0]: Path()}
    whole = {path: _absolute(path) for path in inputs}
    sharing: dict[str, set[Path]] = {}
    for path in whole.values():
        sharing.setdefault(_key(path.name), set()).add(path)
    return {path: _below(full, sharing[_key(full.name)]) for path, full in whole.items()}


def _below(path: Path, namesakes: set[Path]) -> Path:
    """A path's last part, or as many as tell it from others of that name."""
    if len(namesakes) == 1:
        return Path(path.name)
    try:
        return path.relative_to(os.path.commonpath([other.parent for other in namesakes]))
    except ValueError:  # on different drives
        return Path(path.name)


def _without_earlier(clips: dict[Path, Path], style_name: str) -> dict[Path, Path]:
    """Without ``a.wave.mp4`` where the ``a.mp4`` that it was made of is there too."""
    made = {
        clip.with_name(f"{name}.{style_name}") for clip in clips for name in (clip.stem, clip.name)
    }
    return {clip: place for clip, place in clips.items() if clip.with_suffix("") not in made}


def _is_file_name(output: Path, inputs: Sequence[Path]) -> bool:
    single = len(inputs) == 1 and not inputs[0].is_dir()
    # Also a kind that can't be written: better refused by name than made a folder "clip.avi".
    return single and not output.is_dir() and output.suffix.lower() in CLIP_SUFFIXES


def _suffix(clip: Path, container: str | None, codec: str) -> str:
    if container is not None:
        return f".{container}"
    kept = _KEPT_SUFFIXES.get(clip.suffix.lower(), ".mp4")
    holders = CODECS[codec].containers if codec in CODECS else CONTAINERS
    return kept if kept.lstrip(".") in holders else f".{holders[0]}"


def _told_apart(
    folders: dict[Path, Path], *, middle: str, endings: dict[Path, str]
) -> dict[Path, Path]:
    """Output names, no two alike."""
    short = {
        clip: folder / f"{clip.stem}{middle}{endings[clip]}" for clip, folder in folders.items()
    }
    long = {
        clip: folder / f"{clip.name}{middle}{endings[clip]}" for clip, folder in folders.items()
    }
    shared, still_shared = _shared(short.values()), _shared(long.values())
    names: dict[Path, Path] = {}
    taken: set[str] = set()
    for clip, name in short.items():
        if _key(name) in shared and _key(long[clip]) not in still_shared:
            name = long[clip]  # noqa: PLW2901
        names[clip] = _free(name, taken)
        taken.add(_key(names[clip]))
    return names


def _shared(names: Iterable[Path]) -> set[str]:
    return {key for key, count in Counter(map(_key, names)).items() if count > 1}


def _absolute(path: Path) -> Path:
    """Without dots, and with links as they are: a link has a name of its own."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def _free(name: Path, taken: set[str]) -> Path:
    free, number = name, 2
    while _key(free) in taken:
        free, number = name.with_stem(f"{name.stem}.{number}"), number + 1
    return free


def _key(name: str | Path) -> str:
    """Equal for names that some file system takes for one: by case or by Unicode's spelling."""
    return unicodedata.normalize("NFC", str(name)).casefold()
