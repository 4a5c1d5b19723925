"""A cut of twelve items from four clips, as an editor might have left it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ....batch.media.make import make_clip
from .model import Lies, Lying, Media, Sequence, Track, World
from .resolve import Api
from .strict import Strict

START = 90_000  # 01:00:00:00 at 25 a second
STYLIZED = ("a1", "b1", "c1", "d1", "b2", "c2", "d2", "a3")


@dataclass
class Cut:
    """The double, holding the cut, and its clips."""

    world: World
    api: Api
    clips: dict[str, Media]

    @property
    def resolve(self) -> Strict:
        return self.api.resolve()

    @property
    def timeline(self) -> Sequence:
        return self.world.timeline

    def item(self, name: str) -> Lying:
        found = [one for track in self.timeline.tracks for one in track.items if one.name == name]
        return found[0]


def make_clips(folder: Path) -> dict[str, Media]:
    """Make four clips of 25 frames a second, in three codecs, two with timecode."""
    made = {
        "a": make_clip(
            folder, "a.mov", frames=30, size=(64, 48), metadata={"timecode": "10:00:00:00"}
        ),
        "b": make_clip(
            folder,
            "b.mov",
            frames=24,
            size=(64, 48),
            codec="prores_ks",
            pixel_format="yuv422p10le",
            metadata={"timecode": "01:02:03:04"},
        ),
        "c": make_clip(folder, "c.mp4", frames=30, size=(64, 48), first=40),
        "d": make_clip(
            folder, "d.mov", frames=20, size=(80, 48), codec="mjpeg", pixel_format="yuvj420p"
        ),
    }
    return {name: Media.of_file(path) for name, path in made.items()}


def build(clips: dict[str, Media], lies: Lies | None = None) -> Cut:
    """Build the cut on two tracks; everything on them is selected."""
    a, b, c, d = (clips[name] for name in "abcd")
    compound = Media("Compound 1", "", 30, Fraction(25), kind="Compound")
    offline = Media("gone.mov", "/nowhere/gone.mov", 100, Fraction(25))
    lower = [
        Lying("a1", a, START, 8),
        Lying("b1", b, START + 8, 7, left=5),
        Lying("c1", c, START + 19, 10, left=10),  # after a gap
        Lying("d1", d, START + 29, 4, left=2),
        Lying("fast", a, START + 33, 4, left=12, speed=Fraction(2)),
        Lying("compound", compound, START + 40, 10),
        Lying("offline", offline, START + 50, 10),
        Lying("title", None, START + 60, 10),
        Lying("b2", b, START + 70, 10),
        Lying("c2", c, START + 80, 10, left=20),  # up to the clip's end
    ]
    upper = [
        Lying("d2", d, START + 8, 6, left=8),
        Lying("a3", a, START + 33, 8, left=20),
    ]
    world = World(lies=lies or Lies())
    world.root.media += [*clips.values(), compound, offline]
    world.timeline.tracks = [Track("Video 1", lower), Track("Video 2", upper)]
    world.timeline.selected = [*lower, *upper]
    world.timeline.playhead = upper[0]
    return Cut(world, Api(world), clips)
