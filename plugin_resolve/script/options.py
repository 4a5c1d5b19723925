"""The options of the dialog: styles, extents of the timeline, and where shots are put."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ...core.errors import UsageError
from ...core.frames.stroke_size import DETAIL, NATURAL
from ...core.library import list_styles
from .dialog_choice import CODECS, MODES, Choice, last_choice
from .preview import SOURCE
from .resolve.timeline import Timeline
from .survey import Cut, ExtentKind, LeftOut, Survey, own_tracks


@dataclass(frozen=True)
class Extent:
    """An extent of the timeline that can be stylized.

    Attributes:
        value: Its name in `Choice.extent`.
        label: Its name for people.
        cuts: What can be stylized in it.
        left_out: What can't be, and why.
    """

    value: str
    label: str
    cuts: list[Cut]
    left_out: list[LeftOut]

    def to_json(self) -> dict[str, Any]:
        """Return the fields that windows show."""
        why_not = [f"{one.name} {one.why}" for one in self.left_out]
        return {
            "value": self.value,
            "label": f"{self.label} ({len(self.cuts)})",
            "shots": len(self.cuts),
            "frames": sum(cut.frames for cut in self.cuts),
            "left_out": why_not,
        }


@dataclass
class Options:
    """Everything that can be chosen in the dialog.

    Attributes:
        extents: Extents of the timeline, the likeliest first.
        last: The choice of the last time.
        styles: Name, title and, as soon as it is there, the preview of each style.
        source: The preview of the source frame, as soon as it is there.
    """

    extents: list[Extent]
    last: Choice
    styles: list[dict[str, str]] = field(default_factory=list)
    source: str | None = None

    def add_preview(self, name: str, preview: str) -> None:
        """Enter the preview of a style, or of the source frame (`SOURCE`)."""
        if name == SOURCE:
            self.source = preview
        for style in self.styles:
            if style["name"] == name:
                style["preview"] = preview

    def forget_previews(self) -> None:
        """Remove all previews, so that they can be entered again under other names."""
        self.source = None
        for style in self.styles:
            style.pop("preview", None)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that windows show."""
        return {
            "styles": self.styles,
            "source": self.source,
            "extent": [extent.to_json() for extent in self.extents],
            "mode": [{"value": value, "label": label} for value, label in MODES.items()],
            "codec": [{"value": value, "label": label} for value, label in CODECS.items()],
            "last": asdict(self.last),
            "defaults": {"stroke_size": NATURAL, "detail": DETAIL},
        }

    def extent(self, choice: Choice) -> Extent:
        """Return the chosen extent.

        Raises:
            UsageError: It is not among the options.
        """
        found = next((extent for extent in self.extents if extent.value == choice.extent), None)
        if found is None:
            raise UsageError(f"the timeline has no {choice.extent!r}")
        return found


def find_options(timeline: Timeline) -> Options:
    """Look at the timeline and the style library.

    Raises:
        UsageError: There is nothing on the timeline.
        EditorError: Resolve does not answer as it should.
    """
    extents = [extent for extent in _extents(timeline) if extent.cuts or extent.left_out]
    if not extents:
        raise UsageError("there is no clip on this timeline")
    styles = [{"name": style.name, "title": style.title} for style in list_styles()]
    return Options(extents, last_choice(), styles)


def _extents(timeline: Timeline) -> list[Extent]:
    own = own_tracks(timeline)
    tracks = [track for track in range(1, timeline.tracks + 1) if track not in own]
    survey = Survey(timeline)
    found = [
        _extent(survey, "selection", 0, "Selected clips"),
        _extent(survey, "playhead", 0, "The clip under the playhead"),
        *(_extent(survey, "range", track, f"In to out on V{track}") for track in tracks),
        *(_extent(survey, "track", track, f"All of V{track}") for track in tracks),
    ]
    return [extent for extent in found if extent is not None]


def _extent(survey: Survey, kind: ExtentKind, track: int, label: str) -> Extent | None:
    try:
        cuts, left_out = survey(kind, track)
    except UsageError:
        return None
    return Extent(f"{kind} {track}" if track else kind, label, cuts, left_out)
