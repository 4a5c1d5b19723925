"""A timeline written with stylized shots that do not exist: timeline files only name them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from brushreel.core.clips.timecode import Timecode
from brushreel.plugin_resolve.bake import BakedShot, Shot
from brushreel.plugin_resolve.recipe import Recipe
from brushreel.plugin_resolve.timelines.earlier_run import is_styled_shot
from brushreel.plugin_resolve.timelines.model import (
    ClipUse,
    StyledClip,
    StyledTrack,
    TimelineFile,
)

MEDIA = Path("/styled.media")


def write_styled(
    cut: TimelineFile, names: Sequence[str], output: Path, without: Sequence[ClipUse] = ()
) -> Path:
    """Lay a styled shot above each clip of these names."""
    sources = [use for use in cut.uses if not is_styled_shot(use, MEDIA)]
    uses = sorted((use for use in sources if use.name in names), key=lambda use: use.track)
    tracks = [
        StyledTrack(above, "Brushreel: wave", [_styled(use) for use in group])
        for above, group in groupby(uses, lambda use: use.track)
    ]
    output.write_bytes(cut.with_tracks(tracks, without))
    return output


def _styled(use: ClipUse) -> StyledClip:
    assert use.media is not None
    shot = Shot(use.name, use.media, use.first, use.first + use.frames)
    path = MEDIA / f"{use.name}.wave.{use.start:010x}.mov"
    baked = BakedShot(shot, path, use.first, use.frames, reused=True)
    return StyledClip(use, baked, Timecode(1, 0, 0, 0), (320, 240), Recipe("wave"))
