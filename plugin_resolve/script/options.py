"""What an editor can choose from: styles, what is to be painted, and where it goes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ...core.errors import UsageError
from ...core.library import list_styles
from .dialog_choice import CODECS, MODES, Choice, last_choice
from .preview import SOURCE
from .resolve.timeline import Timeline
from .survey import Cut, Extent, LeftOut, Survey, own_tracks


@dataclass(frozen=True)
class Part:
    """A part of the timeline that can be painted.

    Attributes:
        value: As `Choice.extent` names it.
        label: For people.
        cuts: What of it can be painted.
        left_out: What can't, and why.
    """

    value: str
    label: str
    cuts: list[Cut]
    left_out: list[LeftOut]

    def to_json(self) -> dict[str, Any]:
        """For a window."""
        why_not = [f"{one.name} {one.why}" for one in self.left_out]
        return {
            "value": self.value,
            "label": f"{self.label} ({len(self.cuts)})",
            "shots": len(self.cuts),
            "frames": sum(cut.frames for cut in self.cuts),
            "left_out": why_not,
        }


@dataclass
class Offer:
    """Everything that there is to choose.

    Attributes:
        parts: Of the timeline, the likeliest first.
        last: What was chosen the last time.
        styles: Name, title and, as soon as it is drawn, the picture.
        source: The picture of the frame itself, as soon as it is there.
    """

    parts: list[Part]
    last: Choice
    styles: list[dict[str, str]] = field(default_factory=list)
    source: str | None = None

    def enter(self, name: str, picture: str) -> None:
        """A picture is drawn: of a style, or of the source."""
        if name == SOURCE:
            self.source = picture
        for style in self.styles:
            if style["name"] == name:
                style["picture"] = picture

    def forget_pictures(self) -> None:
        """They will be entered anew, under other names."""
        self.source = None
        for style in self.styles:
            style.pop("picture", None)

    def to_json(self) -> dict[str, Any]:
        """For a window."""
        return {
            "styles": self.styles,
            "source": self.source,
            "extent": [part.to_json() for part in self.parts],
            "mode": [{"value": value, "label": label} for value, label in MODES.items()],
            "codec": [{"value": value, "label": label} for value, label in CODECS.items()],
            "last": asdict(self.last),
        }

    def part(self, choice: Choice) -> Part:
        """What was chosen.

        Raises:
            UsageError: It was never offered.
        """
        found = next((part for part in self.parts if part.value == choice.extent), None)
        if found is None:
            raise UsageError(f"the timeline has no {choice.extent!r}")
        return found


def make_offer(timeline: Timeline) -> Offer:
    """Look at the timeline and the library.

    Raises:
        UsageError: There is nothing that could be painted.
        EditorError: Resolve does not answer as it should.
    """
    parts = [part for part in _parts(timeline) if part.cuts or part.left_out]
    if not parts:
        raise UsageError("there is no clip on this timeline")
    styles = [{"name": style.name, "title": style.title} for style in list_styles()]
    return Offer(parts, last_choice(), styles)


def _parts(timeline: Timeline) -> list[Part]:
    own = own_tracks(timeline)
    tracks = [track for track in range(1, timeline.tracks + 1) if track not in own]
    survey = Survey(timeline)
    found = [
        _part(survey, "selection", 0, "Selected clips"),
        _part(survey, "playhead", 0, "The clip under the playhead"),
        *(_part(survey, "range", track, f"In to out on V{track}") for track in tracks),
        *(_part(survey, "track", track, f"All of V{track}") for track in tracks),
    ]
    return [part for part in found if part is not None]


def _part(survey: Survey, extent: Extent, track: int, label: str) -> Part | None:
    try:
        cuts, left_out = survey(extent, track)
    except UsageError:
        return None
    return Part(f"{extent} {track}" if track else extent, label, cuts, left_out)
