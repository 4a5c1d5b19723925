"""A clip put onto a track at a frame, and looked up there."""

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
class Spot:
    """Where a clip goes, and what of it.

    Attributes:
        track: Video track, from 1.
        record: First frame on the timeline, its start timecode included.
        first: First frame of the clip, from 0.
        frames: How many.
    """

    track: int
    record: int
    first: int
    frames: int

    def holds(self, item: Item) -> bool:
        """Whether an item lies exactly there and shows exactly that."""
        there = Spot(item.track[1], item.start, item.left_offset, item.duration)
        return there == self


@dataclass
class Appending:
    """Appends clips one by one.

    `endFrame` is the last frame in some versions and the one after it in others. The version's
    own meaning is tried first; what then lies on the track decides, here and for what follows.

    Attributes:
        exclusive: What `endFrame` is held to mean.
    """

    resolve: Resolve
    project: Project
    exclusive: bool = field(init=False)

    def __post_init__(self) -> None:
        self.exclusive = self.resolve.ends_exclusively

    def __call__(self, clip: PoolClip, spot: Spot, timeline: Timeline) -> Item:
        """Put a clip onto the current timeline.

        Raises:
            EditorError: It does not lie where it should, whatever is tried; nothing is left.
        """
        # The first call has been seen to do nothing: the first meaning gets a second try.
        for exclusive in (self.exclusive, not self.exclusive, self.exclusive):
            arrived = self._arrived(clip, spot, timeline, exclusive=exclusive)
            right = [item for item in arrived if spot.holds(item)]
            if len(arrived) == 1 and right:
                self.exclusive = exclusive
                return right[0]
            with self.resolve.edit_page():
                timeline.delete(arrived)
        raise EditorError(
            f"Resolve does not put {clip.name!r} on track {spot.track} at frame {spot.record}",
            hint="is the track free there, and not locked?",
        )

    def _arrived(
        self, clip: PoolClip, spot: Spot, timeline: Timeline, *, exclusive: bool
    ) -> list[Item]:
        """What is on the timeline afterwards that was not before, on any track."""
        before = timeline.all_items().keys()
        part: dict[str, Any] = {
            "mediaPoolItem": clip.raw,
            "startFrame": spot.first,
            "endFrame": spot.first + spot.frames - (0 if exclusive else 1),
            "mediaType": _VIDEO_ONLY,
            "trackIndex": spot.track,
            "recordFrame": spot.record,
        }
        call(self.project.media_pool().raw, "AppendToTimeline", [part])
        return [item for key, item in timeline.all_items().items() if key not in before]
