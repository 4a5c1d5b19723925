"""What every kind of timeline file says of a cut, and what is written into it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import av

from ...core.clips.timecode import Timecode, nominal_rate
from ...core.errors import UsageError
from ..bake import BakedShot
from ..recipe import Recipe

# What can't be styled is named with one of these.
RETIMED = "is retimed: render it in the editing program, or remove the retime"
NESTED = "is a nested timeline or compound clip: open it, or render it first"
MULTICAM = "is a multicam clip: flatten it first"
GENERATED = "is a title or generator, with no clip behind it"
NO_MEDIA = "names no media file"
SWITCHED_OFF = "is switched off"
# Nobody expects these to be styled.
LEFT_ALONE = frozenset({GENERATED, SWITCHED_OFF})


@dataclass(frozen=True)
class Use:
    """One clip in a cut.

    Attributes:
        number: Its place among the picture clips of the file, from 0.
        track: Of the picture tracks the how manieth, from 0, the lowest first.
        name: What the editor calls it.
        start: Frames from the timeline's start to its first frame.
        frames: How long it is.
        media: The file; None where there is none.
        first: Number of its first frame in the media, from 0; see `origin`.
        origin: Whether `first` counts from 00:00:00:00 and not from the media's start.
        texts: Name, markers and comments: a recipe may be written there.
        color: The editor's colour of the clip.
        problem: Why it can't be styled.
        on_styled_track: Whether its track is named as those that are written.
    """

    number: int
    track: int
    name: str
    start: int
    frames: int
    media: Path | None = None
    first: int = 0
    origin: bool = False
    texts: Sequence[str] = ()
    color: str = ""
    problem: str = ""
    on_styled_track: bool = False


@dataclass(frozen=True)
class StyledClip:
    """A baked shot in its place.

    Attributes:
        use: What it lies above.
        shot: Its file.
        start: Timecode of the file's first frame.
        size: Width and height in pixels.
        recipe: How it was styled.
    """

    use: Use
    shot: BakedShot
    start: Timecode
    size: tuple[int, int]
    recipe: Recipe

    @property
    def offset(self) -> int:
        """Frames of the file before the first that is seen."""
        return self.shot.shot.first - self.shot.first


@dataclass(frozen=True)
class StyledTrack:
    """A new picture track.

    Attributes:
        above: The track whose clips were styled.
        name: What to call it.
        clips: From left to right; none overlap.
    """

    above: int
    name: str
    clips: Sequence[StyledClip]


class TimelineFile(Protocol):
    """A timeline file of some format.

    Attributes:
        rate: Frames a second, exact.
        uses: Every picture clip.
        warnings: What the format can't say.
    """

    rate: Fraction
    uses: Sequence[Use]
    warnings: list[str]

    def with_tracks(self, tracks: Sequence[StyledTrack], without: Collection[Use] = ()) -> bytes:
        """The whole file with new tracks, everything else as it was.

        Args:
            tracks: From the lowest to the highest.
            without: Clips of an earlier run, which are left out as far as nothing depends on them.
        """
        ...


@dataclass
class Uses:
    """Collects the clips of a file."""

    found: list[Use] = field(default_factory=list)

    def add(self, track: int, name: str, start: int, frames: int, **about: object) -> None:
        """One more; see `Use`."""
        self.found.append(Use(len(self.found), track, name, start, frames, **about))  # pyright: ignore[reportArgumentType]


def emptied_tracks(uses: Sequence[Use], without: Collection[Use]) -> list[int]:
    """The tracks on which no clip is left without these."""
    return sorted(
        {use.track for use in without} - {use.track for use in uses if use not in without}
    )


def path_of(url: str) -> Path:
    """The file that a ``file:`` address or a bare path names.

    Raises:
        UsageError: It is neither.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError(f"{url!r} is no address of a file") from None
    if parts.scheme != "file":
        return Path(unquote(url) if "%" in url and not Path(url).exists() else url)
    path = unquote(parts.path)
    # file:///C:/clips/a.mov
    return Path(path[1:] if path[2:3] == ":" else path)


def start_timecode(path: Path) -> Timecode | None:
    """Of a file's first frame, if it says one."""
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        for told in (container, *container.streams):
            if (code := Timecode.parse(dict(told.metadata).get("timecode", ""))) is not None:
                return code
    return None


def clock(frames: int, rate: Fraction) -> str:
    """A moment of a timeline for messages: timecode counted from its start."""
    return str(Timecode.of_number(frames, Fraction(nominal_rate(rate))))
