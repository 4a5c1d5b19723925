"""Clips appended to the timeline at an exact position, and looked up there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ....core.errors import EditorError
from .application import Project, Resolve
from .calls import call
from .media_pool import PoolClip
from .timeline import Item, Timeline

_VIDEO_ONLY = 1


@dataclass(frozen=True)
class Position:
    """A position on the timeline and the frames of a clip that it shows.

    Attributes:
        track: Video track, from 1.
        record: First frame on the timeline, its start timecode included.
        first: First frame of the clip, from 0.
        frames: Length in frames.
    """

    track: int
    record: int
    first: int
    frames: int

    def matches(self, item: Item) -> bool:
        """Return whether an item is exactly there and shows exactly these frames."""
        return self == Position(item.track[1], item.start, item.left_offset, item.duration)


@dataclass
class Appending:
    """A way to append clips one by one.

    `endFrame` is the last frame in some versions and the one after it in others. The version's
    own meaning is tried first; the result on the track decides for this call and later ones.

    Attributes:
        exclusive: Whether `endFrame` is taken as the frame after the last one.
    """

    resolve: Resolve
    project: Project
    exclusive: bool = field(init=False)

    def __post_init__(self) -> None:
        self.exclusive = self.resolve.ends_exclusively

    def __call__(self, clip: PoolClip, position: Position, timeline: Timeline) -> Item:
        """Put a clip onto the current timeline.

        Raises:
            EditorError: Resolve puts it elsewhere, whatever is tried; nothing is left behind.
        """
        # The first call sometimes does nothing: the first meaning gets a second try.
        for exclusive in (self.exclusive, not self.exclusive, self.exclusive):
            arrived = self._arrived(clip, position, timeline, exclusive=exclusive)
            if len(arrived) == 1 and position.matches(arrived[0]):
                self.exclusive = exclusive
                return arrived[0]
            with self.resolve.edit_page():
                timeline.delete(arrived)
        raise EditorError(
            f"Resolve did not put {clip.name!r} on track {position.track}, frame {position.record}",
            hint="is the track free there, and not locked?",
        )

    def _arrived(
        self, clip: PoolClip, position: Position, timeline: Timeline, *, exclusive: bool
    ) -> list[Item]:
        """Append a clip; return the items that are new on any track."""
        before = timeline.all_items().keys()
        about: dict[str, Any] = {
            "mediaPoolItem": clip.raw,
            "startFrame": position.first,
            "endFrame": position.first + position.frames - (0 if exclusive else 1),
            "mediaType": _VIDEO_ONLY,
            "trackIndex": position.track,
            "recordFrame": position.record,
        }
        call(self.project.media_pool().raw, "AppendToTimeline", [about])
        return [item for key, item in timeline.all_items().items() if key not in before]
