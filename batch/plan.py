"""Files and folders to jobs: which clip becomes which file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
    Clips that differ only in their suffix keep it in the name (``a.avi.mp4``, ``a.mpg.mp4``).
    What an earlier run wrote is not taken for an input.

    Raises:
        UsageError: No clips, or two clips would get one name.
    """
    if output is not None and _is_file_name(output, inputs):
        return [Job(inputs[0], output)]
    sources = [
        pair
        for path in inputs
        for pair in _clips_of(path, output, recursive=recursive, alone=len(inputs) == 1)
    ]
    names = _told_apart(
        {
            clip: clip.parent if output is None else output / within.parent
            for clip, within in sources
        },
        middle=f".{style_name}" if output is None else "",
        endings={clip: _suffix(clip, container, codec) for clip, _ in sources},
    )
    earlier = set(names.values()) if output is None else set()
    jobs = [Job(clip, name) for clip, name in names.items() if clip not in earlier]
    if not jobs:
        raise UsageError("no clips here", path=inputs[0], hint="--recursive looks into subfolders")
    return jobs


def _clips_of(
    path: Path, output: Path | None, *, recursive: bool, alone: bool
) -> list[tuple[Path, Path]]:
    """Clips with their place in the mirrored tree; nothing from an output folder inside."""
    if not path.is_dir():
        return [(path, Path(path.name))]
    top = Path() if alone else Path(path.resolve().name)
    clips = find_clips(path, recursive=recursive)
    if output is not None and path.resolve() in output.resolve().parents:
        clips = [clip for clip in clips if output.resolve() not in clip.resolve().parents]
    return [(clip, top / clip.relative_to(path)) for clip in clips]


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
    """Output names; clips that would share one keep their own suffix in it."""
    short = {
        clip: folder / f"{clip.stem}{middle}{endings[clip]}" for clip, folder in folders.items()
    }
    shared = Counter(short.values())
    names = {
        clip: name if shared[name] == 1 else folders[clip] / f"{clip.name}{middle}{endings[clip]}"
        for clip, name in short.items()
    }
    for name, count in Counter(names.values()).items():
        if count > 1:
            clips = ", ".join(str(clip) for clip, other in names.items() if other == name)
            raise UsageError(
                f"{clips} would both be written to one file", path=name, hint="convert one by one"
            )
    return names
