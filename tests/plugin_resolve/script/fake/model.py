"""Projects, timelines and media as the double keeps them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

_ids = itertools.count(1)


def _id() -> str:
    return f"id-{next(_ids)}"


@dataclass(frozen=True)
class Lies:
    """Deviations of some version or edition from its documentation."""

    end_inclusive: bool = False
    answers_all: bool = False
    appends_in_vain: int = 0
    page_gate: bool = True
    first_delete_fails: bool = False
    source_start_off: bool = False
    source_unknown: bool = False
    no_selection: bool = False
    marks_absolute: bool = False
    tracks_on_top: bool = False
    # Methods that return True and do nothing.
    idle: frozenset[str] = frozenset()


@dataclass(eq=False)
class Media:
    """A clip of the pool."""

    name: str
    path: str
    frames: int
    rate: Fraction
    start_timecode: str = "00:00:00:00"
    kind: str = "Video"

    @classmethod
    def of_file(cls, path: Path) -> Media:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            texts = {**container.metadata, **stream.metadata}
            for other in container.streams:
                texts = {**other.metadata, **texts}
            rate = stream.average_rate
            assert rate is not None
            frames = sum(1 for _ in container.decode(stream))
        return cls(path.name, str(path), frames, rate, texts.get("timecode", "00:00:00:00"))


@dataclass(eq=False)
class Lying:
    """Something on a track."""

    name: str
    media: Media | None
    start: int
    duration: int
    left: int = 0
    speed: Fraction = Fraction(1)
    enabled: bool = True
    id: str = field(default_factory=_id)
    markers: dict[float, dict[str, Any]] = field(default_factory=dict)
    framing: dict[str, Any] = field(
        default_factory=lambda: {"Pan": 0.0, "ZoomX": 1.0, "Opacity": 1}
    )
    takes: list[tuple[Media, int, int]] = field(default_factory=list)
    take: int = 0

    @property
    def end(self) -> int:
        return self.start + self.duration


@dataclass(eq=False)
class Track:
    name: str
    items: list[Lying] = field(default_factory=list)
    locked: bool = False


@dataclass(eq=False)
class Sequence:
    """A timeline. Frames count from its start."""

    name: str
    rate: Fraction = Fraction(25)
    start: int = 90_000
    tracks: list[Track] = field(default_factory=lambda: [Track("Video 1")])
    marks: tuple[int, int] | None = None
    selected: list[Lying] = field(default_factory=list)
    playhead: Lying | None = None
    id: str = field(default_factory=_id)

    def copy(self, name: str) -> Sequence:
        tracks = [
            replace(track, items=[replace(item, id=_id()) for item in track.items])
            for track in self.tracks
        ]
        return replace(self, name=name, tracks=tracks, id=_id(), selected=[], playhead=None)


@dataclass(eq=False)
class Bin:
    name: str
    bins: list[Bin] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)


@dataclass(eq=False)
class World:
    """Everything: one open project and what the program shows of it."""

    product: str = "DaVinci Resolve Studio"
    version: str = "21.0.3.7"
    lies: Lies = field(default_factory=Lies)
    page: str = "edit"
    timelines: list[Sequence] = field(default_factory=lambda: [Sequence("Cut")])
    current: int = 0
    root: Bin = field(default_factory=lambda: Bin("Master"))
    dialogue_open: bool = False
    in_vain: int = 0
    sound_appended: bool = False
    deletes: int = 0
    project_open: bool = True

    def __post_init__(self) -> None:
        self.current_bin = self.root

    @property
    def timeline(self) -> Sequence:
        return self.timelines[self.current]

    def idle(self, method: str) -> bool:
        return method in self.lies.idle
