"""The model of timeline files: clips that are read, and stylized tracks that are written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PureWindowsPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

import av

from ...core.clips.timecode import Timecode, nominal_rate
from ...core.errors import UsageError
from ..bake import BakedShot
from ..recipe import Recipe

# Reasons why a clip can't be stylized.
RETIMED = "is retimed: render it in the editing program, or remove the retime"
NESTED = "is a nested timeline or compound clip: open it, or render it first"
FREEZE = "is a freeze frame (once it is rendered in the editing program, it is a clip)"
MULTICAM = "is a multicam clip: flatten it first"
GENERATED = "is a title or generator without a clip"
NO_MEDIA = "names no media file"
SWITCHED_OFF = "is switched off"
# Nobody expects these to be stylized: they are no errors.
LEFT_ALONE = frozenset({GENERATED, SWITCHED_OFF, FREEZE})


@dataclass(frozen=True)
class ClipUse:
    """A clip as used on a timeline.

    Attributes:
        number: Index among the video clips of the file, from 0.
        track: Index of the video track, from 0, the lowest first.
        name: Name on the timeline.
        start: Frames from the timeline's start to its first frame.
        frames: Length in frames.
        media: The media file; None where there is none.
        first: Index of its first frame in the media, from 0; see `origin`.
        origin: True if `first` counts from 00:00:00:00 instead of the media's start.
        reel: Reel name that the timeline states; empty where it states none.
        texts: Name, markers and comments: a recipe may be written there.
        color: The editor's colour of the clip.
        problem: Why it can't be stylized; empty if it can.
        on_styled_track: True if its track has the name of a written one.
    """

    number: int
    track: int
    name: str
    start: int
    frames: int
    media: Path | None = None
    first: int = 0
    origin: bool = False
    reel: str = ""
    texts: Sequence[str] = ()
    color: str = ""
    problem: str = ""
    on_styled_track: bool = False


@dataclass(frozen=True)
class StyledClip:
    """A stylized shot at its position on the timeline.

    Attributes:
        use: The clip that it lies above.
        shot: The shot and its file.
        start: Timecode of the file's first frame.
        size: Width and height in pixels.
        recipe: How it was stylized.
    """

    use: ClipUse
    shot: BakedShot
    start: Timecode
    size: tuple[int, int]
    recipe: Recipe

    @property
    def offset(self) -> int:
        """Frames of the file before the first visible one."""
        return self.shot.shot.first - self.shot.first


@dataclass(frozen=True)
class StyledTrack:
    """A new video track.

    Attributes:
        above: Index of the track whose clips were stylized.
        name: Name of the track.
        clips: Its clips from left to right; none overlap.
    """

    above: int
    name: str
    clips: Sequence[StyledClip]


class TimelineFile(Protocol):
    """A timeline file of some format.

    Attributes:
        rate: Exact frame rate, in frames a second.
        uses: All video clips.
        warnings: What the format can't express, a line each.
        folders: Folders from which relative paths of media count, the likeliest first.
    """

    rate: Fraction
    uses: Sequence[ClipUse]
    folders: Sequence[Path]
    warnings: list[str]

    def with_tracks(
        self, tracks: Sequence[StyledTrack], without: Collection[ClipUse] = ()
    ) -> bytes:
        """Return the whole file with new tracks, everything else unchanged.

        Args:
            tracks: New tracks, from the lowest to the highest.
            without: Clips of an earlier run, which are removed as far as nothing depends on them.
        """
        ...


def chosen(names: Sequence[str], wanted: str | None, what: str, warnings: list[str]) -> int:
    """Return the index of the sequence that is taken, and say so where there are several.

    Args:
        names: Names of all sequences of a file.
        wanted: The one that the user asks for; None for the first.
        what: What the format calls them.
        warnings: Gets a line.

    Raises:
        UsageError: None has this name.
    """
    if wanted is not None and wanted not in names:
        raise UsageError(f"has no {what} {wanted!r}, but {', '.join(map(repr, names))}")
    index = 0 if wanted is None else names.index(wanted)
    if len(names) > 1:
        others = ", ".join(name for number, name in enumerate(names) if number != index)
        warnings.append(
            f"{what} {index + 1} of {len(names)}: {names[index]}; --sequence takes another "
            f"({others})"
        )
    return index


@dataclass
class ClipUses:
    """The clips of a file, collected and numbered."""

    found: list[ClipUse] = field(default_factory=list)

    def add(self, track: int, name: str, start: int, frames: int, **about: object) -> None:
        """Add a clip; see `ClipUse`."""
        self.found.append(ClipUse(len(self.found), track, name, start, frames, **about))  # pyright: ignore[reportArgumentType]


def emptied_tracks(uses: Sequence[ClipUse], without: Collection[ClipUse]) -> list[int]:
    """Return the tracks on which no clip is left without these."""
    return sorted(
        {use.track for use in without} - {use.track for use in uses if use not in without}
    )


def path_of(url: str) -> Path:
    """Return the file that a ``file:`` URL or a bare path names.

    Raises:
        UsageError: It is neither.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError(f"{url!r} is not a valid file URL") from None
    if parts.scheme != "file":
        return Path(unquote(url) if "%" in url and not Path(url).exists() else url)
    path = unquote(parts.path)
    # file:///C:/clips/a.mov
    return Path(path[1:] if path[2:3] == ":" else path)


def plain_path(path: Path) -> Path:
    """Return a path of Windows with the separators of this system."""
    text = str(path)
    return Path(text.replace("\\", "/")) if PureWindowsPath(text).drive else path


def start_timecode(path: Path) -> Timecode | None:
    """Return the timecode of a file's first frame; None if it states none."""
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        for source in (container, *container.streams):
            if (code := Timecode.parse(dict(source.metadata).get("timecode", ""))) is not None:
                return code
    return None


def clock(frames: int, rate: Fraction) -> str:
    """Return a time on a timeline for messages, as timecode from its start."""
    return str(Timecode.of_number(frames, Fraction(nominal_rate(rate))))
