"""Files and folders to jobs: which clip or image sequence becomes which output."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.arguments import names_file
from ..core.clips.folder import PassedOver, find_clips, passed_over
from ..core.clips.recognition import CLIP_SUFFIXES
from ..core.clips.sequence import IMAGE_SUFFIXES, Pattern, find_patterns, has_place
from ..core.errors import UsageError
from ..core.library import style_paths
from ..core.options import CONTAINERS
from .clips.gif import SUFFIX as GIF
from .clips.mux import MUXERS
from .clips.output_tags import is_output
from .encoding.encode import CODECS
from .reporting.events import Clip

# What these hold, the written container holds too; everything else becomes MP4.
_KEPT_SUFFIXES = {
    ".mp4": ".mp4",
    ".m4v": ".mp4",
    ".mov": ".mov",
    ".qt": ".mov",
    ".mkv": ".mkv",
    # WebM would lose transparency, and takes longest to encode: only where it is asked for.
    ".webm": ".mkv",
}

PassOver = Callable[[Path, str], object]
"""Is told of a file or folder that is not used, and why."""

_OUTPUT = "is an output of an earlier run; named alone, it is stylized again"

# Bytes; of most file systems.
_LONGEST_NAME = 255

# Between a sequence's name and its numbers.
_JOINTS = "._- "


@dataclass(frozen=True)
class Job:
    """One clip or sequence to be done."""

    source: Path
    output: Path

    @property
    def clip(self) -> Clip:
        """The clip's names, as events have them."""
        return self.source, self.output


def plan(
    inputs: Sequence[Path],
    output: Path | None,
    *,
    style_name: str,
    recursive: bool = False,
    container: str | None = None,
    codec: str = "auto",
    sequences: bool = True,
    leave_outputs: bool = False,
    pass_over: PassOver | None = None,
) -> list[Job]:
    """Decide every output's name before anything is done.

    Without `output` each clip gets ``<name>.<style>.<suffix>`` next to it. With one, a single
    file is written to it if it has a clip's or image's suffix, and everything else into it as a
    folder: the tree of one input folder directly, those of several each under its folder's name.
    Inputs of one name keep the folders that tell them apart (``card1/a.mp4``, ``card2/a.mp4``);
    clips that differ only in their suffix keep it (``a.avi.mp4``, ``a.mpg.mp4``); names that a
    file system may take for one (``A.mp4``, ``a.mp4``) are numbered (``a.2.mp4``). What earlier
    runs wrote, with whatever style, is not taken for an input beside others; alone it is.

    An image sequence is one input, ``shot.%04d.png``, and becomes images of that kind
    (``shot.wave.%04d.png``), or a clip where a container or codec is asked for.

    Args:
        inputs: Clips, images, image sequences and folders.
        output: A file, an image sequence, or a folder.
        style_name: Part of the names of outputs next to their source.
        recursive: Search subfolders.
        container: Container of the clips that are written.
        codec: Codec of the clips that are written.
        sequences: Search folders for image sequences, too.
        leave_outputs: Leave out clips that say that they are outputs; opens each of them.
        pass_over: Is told what in the folders is not used, and why; the first reason counts.

    Raises:
        UsageError: No clips, or `output` is no name for what is written.
    """
    check_names(*inputs, *([] if output is None else [output]))
    if output is not None and _is_file_name(output, inputs):
        if container is not None and output.suffix.lower() != f".{container}":
            raise UsageError(
                f"is not an .{container}",
                path=output,
                hint=f"name it {output.with_suffix('.' + container).name}",
            )
        return [Job(inputs[0], output)]
    if output is not None:
        _check_folder(output, inputs)
    left: dict[Path, str] = {}
    clips = _clips_of(inputs, output, recursive=recursive, sequences=sequences)
    if output is None:
        clips = _without_earlier(clips, {style_name, *style_paths()}, left.setdefault)
    if leave_outputs:
        clips = _without_outputs(clips, left.setdefault)
    names = _told_apart(
        {
            clip: clip.parent if output is None else output / place.parent
            for clip, place in clips.items()
        },
        middle=f".{style_name}" if output is None else "",
        endings={clip: _suffix(clip, container, codec) for clip in clips},
    )
    jobs = [Job(clip, name) for clip, name in names.items()]
    if pass_over is not None or not jobs:
        for item in _left_over(inputs, output, jobs, recursive=recursive):
            left.setdefault(item.path, item.reason)
    if pass_over is not None:
        for path, reason in left.items():
            pass_over(path, reason)
    if not jobs:
        others = f"; {len(left)} passed over, such as {next(iter(left)).name}" if left else ""
        hint = None if recursive else "--recursive searches subfolders"
        raise UsageError(f"no clips here{others}", path=inputs[0], hint=hint)
    return jobs


def _left_over(
    inputs: Iterable[Path], output: Path | None, jobs: Iterable[Job], *, recursive: bool
) -> Iterator[PassedOver]:
    """Yield what the input folders have besides sources and outputs of the jobs."""
    jobs = list(jobs)
    used = {image for job in jobs for image in _files_of(job.source)}
    made = {_absolute(name) for job in jobs for name in _files_of(job.output)}
    for folder in inputs:
        if not folder.is_dir():
            continue
        for item in passed_over(folder, recursive=recursive, used=used):
            if not _is_below(item.path, output) and _absolute(item.path) not in made:
                yield item


def _files_of(source: Path) -> Iterator[Path]:
    pattern = Pattern.of_source(source)
    if pattern is None or not pattern.numbered:
        yield source
    else:
        yield from map(pattern.name, pattern.numbers())


def _is_below(path: Path, folder: Path | None) -> bool:
    resolved = None if folder is None else folder.resolve()
    return resolved is not None and resolved in (path.resolve(), *path.resolve().parents)


def _clips_of(
    inputs: Sequence[Path], output: Path | None, *, recursive: bool, sequences: bool
) -> dict[Path, Path]:
    """Return every clip once, with its path in the mirrored tree; none of an output folder."""
    found: dict[Path, tuple[Path, Path]] = {}
    for path, top in _places(inputs).items():
        clips = [path]
        if path.is_dir():
            clips = find_clips(path, recursive=recursive)
            clips += find_patterns(path, recursive=recursive) if sequences else []
        if output is not None and path.resolve() in output.resolve().parents:
            clips = [clip for clip in clips if output.resolve() not in clip.resolve().parents]
        for clip in clips:
            found.setdefault(_absolute(clip), (clip, top / clip.relative_to(path)))
    return dict(found.values())


def _places(inputs: Sequence[Path]) -> dict[Path, Path]:
    """Return the folder of each input's content below the output folder."""
    if len(inputs) == 1 and inputs[0].is_dir():
        return {inputs[0]: Path()}
    whole = {path: _absolute(path) for path in inputs}
    sharing: dict[str, set[Path]] = {}
    for path in whole.values():
        sharing.setdefault(_key(path.name), set()).add(path)
    return {path: _below(full, sharing[_key(full.name)]) for path, full in whole.items()}


def _below(path: Path, namesakes: set[Path]) -> Path:
    """Return a path's last part, or as many as tell it from others of that name."""
    if len(namesakes) == 1:
        return Path(path.name)
    try:
        return path.relative_to(os.path.commonpath([other.parent for other in namesakes]))
    except ValueError:  # on different drives
        return Path(path.name)


def _without_outputs(clips: dict[Path, Path], pass_over: PassOver) -> dict[Path, Path]:
    """Leave out clips that say that they are outputs, unless all do: then they are meant."""
    outputs = {clip for clip in clips if Pattern.of_source(clip) is None and is_output(clip)}
    if len(outputs) == len(clips):
        return clips
    for clip in sorted(outputs):
        pass_over(clip, _OUTPUT)
    return {clip: place for clip, place in clips.items() if clip not in outputs}


def _without_earlier(
    clips: dict[Path, Path], style_names: set[str], pass_over: PassOver
) -> dict[Path, Path]:
    """Leave out ``a.wave.mp4`` where the ``a.mp4`` that it was made of exists, too."""
    made = {
        clip.with_name(name)
        for clip in clips
        for middle in (f".{name}" for name in style_names)
        for name in (
            _name(clip, middle, "", whole=False),
            _name(clip, middle, "", whole=True),
            _titled(clip, middle).stem,
        )
    }
    earlier = {clip for clip in clips if clip.with_suffix("") in made}
    for clip in sorted(earlier):
        pass_over(clip, _OUTPUT)
    return {clip: place for clip, place in clips.items() if clip not in earlier}


def _check_folder(output: Path, inputs: Sequence[Path]) -> None:
    """Refuse a name for a new folder that was plainly meant for a file."""
    if output.is_dir():
        return
    if len(inputs) > 1 or inputs[0].is_dir():
        if names_file(output):
            raise UsageError(
                "is the name of one file, and several may be written",
                path=output,
                hint=f"name a folder, such as {output.with_suffix('')}",
            )
    elif output.suffix[1:] and not output.suffix[1:].isdigit():  # "v1.2" is a folder's name
        raise UsageError(
            f"can't write a {output.suffix}",
            path=output,
            hint=f"use {', '.join((*MUXERS, GIF))}, .png, .tif or .exr; for a folder of that name, "
            "create it first",
        )


def _is_file_name(output: Path, inputs: Sequence[Path]) -> bool:
    single = len(inputs) == 1 and not inputs[0].is_dir()
    # Also a kind that can't be written: better refused by name than made a folder "clip.avi".
    names_file = output.suffix.lower() in CLIP_SUFFIXES or Pattern.of(output) is not None
    names_file |= output.suffix != "" and (has_place(output) or output.suffix.lower() == GIF)
    return single and not output.is_dir() and names_file


def _suffix(clip: Path, container: str | None, codec: str) -> str:
    if container is not None:
        return f".{container}"
    if codec == "auto" and Pattern.of_source(clip) is not None:
        # JPEG is read, and not written: that would lose a second time.
        return clip.suffix if clip.suffix.lower() in IMAGE_SUFFIXES else ".png"
    kept = _KEPT_SUFFIXES.get(clip.suffix.lower(), ".mp4")
    holders = CODECS[codec].containers if codec in CODECS else CONTAINERS
    return kept if kept.lstrip(".") in holders else f".{holders[0]}"


def _told_apart(
    folders: dict[Path, Path], *, middle: str, endings: dict[Path, str]
) -> dict[Path, Path]:
    """Return output names, no two alike."""
    short, long = (
        {
            clip: folder / _name(clip, middle, endings[clip], whole=whole)
            for clip, folder in folders.items()
        }
        for whole in (False, True)
    )
    shared, still_shared = _shared(short.values()), _shared(long.values())
    names: dict[Path, Path] = {}
    taken: set[str] = set()
    for clip, name in short.items():
        if _key(name) in shared and _key(long[clip]) not in still_shared:
            name = long[clip]  # noqa: PLW2901
        names[clip] = _free(_shortened(name, f"{middle}{endings[clip]}"), taken)
        taken.add(_key(names[clip]))
    return names


def _name(clip: Path, middle: str, ending: str, *, whole: bool) -> str:
    """Return an output's name, with the source's suffix in it if it is to be whole."""
    pattern = Pattern.of_source(clip)
    if pattern is None or not pattern.numbered:
        return f"{clip.name if whole else clip.stem}{middle}{ending}"
    own = clip.suffix if whole else ""
    if ending in IMAGE_SUFFIXES or ending == clip.suffix:
        return _titled(clip, f"{own}{middle}").with_suffix(ending).name
    # A clip has no number.
    front = pattern.parts[0].rstrip(_JOINTS)
    return f"{front or clip.parent.name}{own}{middle}{ending}"


def _titled(clip: Path, middle: str) -> Path:
    """Insert text before the number of an image sequence: ``shot.wave.%04d.png``."""
    pattern = Pattern.of_source(clip)
    if not middle or pattern is None or not pattern.numbered:
        return clip.with_name(f"{clip.stem}{middle}{clip.suffix}")
    front, place, end = pattern.parts
    stem = front.rstrip(_JOINTS)
    joint = front[len(stem) :] or "."
    return clip.with_name(f"{stem}{middle}".lstrip(".") + f"{joint}{place}{end}")


def _shared(names: Iterable[Path]) -> set[str]:
    return {key for key, count in Counter(map(_key, names)).items() if count > 1}


def _absolute(path: Path) -> Path:
    """Return the path without dots, and with links as they are: a link has its own name."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def check_names(*paths: Path) -> None:
    """Refuse paths with names that no file system takes.

    Raises:
        UsageError: A name in one is too long.
    """
    for path in paths:
        longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
        if longest > _LONGEST_NAME:
            raise UsageError(
                f"a name of {longest} bytes is too long: {path.name[:40]}...",
                hint=f"{_LONGEST_NAME} bytes at most",
            )


def _shortened(name: Path, end: str) -> Path:
    """Return a name that file systems take: its end is kept, and room for a number."""
    if len(os.fsencode(name.name)) <= _LONGEST_NAME:
        return name
    room = _LONGEST_NAME - len(os.fsencode(end)) - len(".999")
    front = os.fsencode(name.name.removesuffix(end))[:room]
    return name.with_name(front.decode(errors="ignore") + end)


def _free(name: Path, taken: set[str]) -> Path:
    free, number = name, 2
    while _key(free) in taken:
        free, number = name.with_stem(f"{name.stem}.{number}"), number + 1
    return free


def _key(name: str | Path) -> str:
    """Return what is equal for names that a file system may take for one: case, Unicode form."""
    return unicodedata.normalize("NFC", str(name)).casefold()
