"""The names of tracks that hold stylized shots, by which a later run finds them."""

from __future__ import annotations

from collections.abc import Iterable

TRACK_PREFIX = "Brushreel: "


def styled_track_name(styles: Iterable[str]) -> str:
    """Return the name of a track that holds shots in these styles."""
    return f"{TRACK_PREFIX}{', '.join(styles)}"


def is_styled_track(name: str) -> bool:
    """Return whether a track of this name was made for stylized shots."""
    return name.startswith(TRACK_PREFIX)
