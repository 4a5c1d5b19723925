"""The state of a cut after a job, as tests look at it."""

from __future__ import annotations

from brushreel.plugin_resolve.script.marker import MarkerData

from .cut import STYLIZED, Cut
from .model import Lying, Sequence


def snapshot(sequence: Sequence) -> list:
    """Return the editor's own tracks, which must not change."""
    return [
        (
            track.name,
            [
                (one.id, one.start, one.duration, one.left, one.media, one.take)
                for one in track.items
            ],
        )
        for track in sequence.tracks
        if not track.name.startswith("Brushreel")
    ]


def styled(cut: Cut, style: str = "tiny") -> list[Lying]:
    tracks = [one for one in cut.timeline.tracks if one.name == f"Brushreel: {style}"]
    return sorted((item for one in tracks for item in one.items), key=lambda item: item.start)


def check_places(cut: Cut, names: tuple[str, ...] = STYLIZED, style: str = "tiny") -> None:
    """Check that every stylized shot lies above its clip and shows the same frames."""
    ours = [item for item in styled(cut, style) if item.media is not None]
    found = {(MarkerData.from_json(notes(item)[0]).source, item.start): item for item in ours}  # type: ignore[union-attr]
    assert len(found) == len(names)
    for name in names:
        below = cut.item(name)
        above = found[below.media.path, below.start]  # type: ignore[union-attr]
        head = min(3, below.left)
        assert (above.duration, above.left) == (below.duration, head)
        data = MarkerData.from_json(notes(above)[0])
        assert data is not None
        assert (data.first, data.frames) == (below.left, below.duration)


def notes(item: Lying) -> list[str]:
    return [marker["customData"] for marker in item.markers.values()]
