"""A timeline, its tracks and its items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ....core.errors import EditorError
from .calls import MEANWHILE, Raw, call, can, listed, number
from .media_pool import PoolClip
from .rate import resolve_rate

# Position, size and crop of an image in the frame (keys of TimelineItem.GetProperty).
FRAMING = (
    *("Pan", "Tilt", "ZoomX", "ZoomY", "ZoomGang", "RotationAngle", "AnchorPointX", "AnchorPointY"),
    *("Pitch", "Yaw", "FlipX", "FlipY", "CropLeft", "CropRight", "CropTop", "CropBottom"),
    *("CropSoftness", "CropRetain", "Distortion", "Scaling"),
)


@dataclass(frozen=True)
class _Named:
    raw: Raw

    @property
    def id(self) -> str:
        """Identifier, the same for as long as the object exists."""
        return str(call(self.raw, "GetUniqueId"))

    @property
    def name(self) -> str:
        """Name that the user sees."""
        return str(call(self.raw, "GetName"))


class Item(_Named):
    """An item on a track: a clip, a generator, a title.

    Frames of the timeline count from its start timecode, not from 0. Properties of an item's
    position raise an EditorError when it has been deleted.
    """

    @property
    def start(self) -> int:
        """First frame on the timeline."""
        return number(self.raw, "GetStart")

    @property
    def duration(self) -> int:
        """Length in frames of the timeline."""
        return number(self.raw, "GetDuration")

    @property
    def end(self) -> int:
        """Frame of the timeline after its last one."""
        return self.start + self.duration

    @property
    def left_offset(self) -> int:
        """Frames of the clip before its first one; exact unless the clip is retimed."""
        return number(self.raw, "GetLeftOffset")

    @property
    def right_offset(self) -> int:
        """Frames of the clip after its last one."""
        return number(self.raw, "GetRightOffset")

    @property
    def source_span(self) -> int | None:
        """Frames of the clip from its first to its last frame; negative when it runs backwards.

        None (not known) where Resolve reports 0 and 0, as it does for imported timelines.
        Either number may be off by one.
        """
        first = number(self.raw, "GetSourceStartFrame")
        last = number(self.raw, "GetSourceEndFrame")
        return None if first == last == 0 else last - first

    @property
    def enabled(self) -> bool:
        """True if it is shown; also in versions that do not report it."""
        return not can(self.raw, "GetClipEnabled") or bool(call(self.raw, "GetClipEnabled"))

    @property
    def track(self) -> tuple[str, int]:
        """Kind and number of its track, such as ("video", 1)."""
        answer = call(self.raw, "GetTrackTypeAndIndex")
        if not answer:
            raise EditorError("Resolve does not know an item's track", hint=MEANWHILE)
        kind, index = answer
        return str(kind), int(index)

    @property
    def clip(self) -> PoolClip | None:
        """Clip that it shows; None for generators, titles and transitions."""
        raw = call(self.raw, "GetMediaPoolItem")
        return None if raw is None else PoolClip(raw)

    @property
    def marker_data(self) -> list[str]:
        """Custom data of its markers, which programs store there."""
        markers = call(self.raw, "GetMarkers") or {}
        return [str(marker.get("customData") or "") for marker in markers.values()]

    def mark(self, frame: int, name: str, note: str, data: str) -> None:
        """Put a marker on it.

        Raises:
            EditorError: Resolve does not add it.
        """
        call(self.raw, "AddMarker", frame, "Purple", name, note, 1, data)
        if data not in self.marker_data:
            raise EditorError(f"Resolve did not put the marker on {self.name!r}")

    def framing(self) -> dict[str, Any]:
        """Return position, size, rotation and crop, as far as they are set and not animated."""
        properties = call(self.raw, "GetProperty") or {}
        return {key: properties[key] for key in FRAMING if key in properties}

    def frame_as(self, framing: dict[str, Any]) -> bool:
        """Copy another item's framing; return whether Resolve accepted all of it."""
        for key, value in framing.items():
            if self.framing().get(key) != value:
                call(self.raw, "SetProperty", key, value)
        return self.framing() == framing


class Timeline(_Named):
    """A timeline."""

    @property
    def rate(self) -> Fraction:
        """Exact frame rate, in frames a second.

        Raises:
            EditorError: Resolve reports none.
        """
        text = call(self.raw, "GetSetting", "timelineFrameRate")
        rate = resolve_rate(text)
        if rate is None:
            raise EditorError(f"the timeline {self.name!r} has an unknown frame rate: {text!r}")
        return rate

    @property
    def start(self) -> int:
        """First frame, such as 90000 for a timeline of 25 fps that starts at 01:00:00:00."""
        return number(self.raw, "GetStartFrame")

    @property
    def tracks(self) -> int:
        """Number of video tracks; they are counted from 1, upwards."""
        return number(self.raw, "GetTrackCount", "video")

    def track_name(self, track: int) -> str:
        """Return the name of a video track."""
        return str(call(self.raw, "GetTrackName", "video", track))

    def track_is_locked(self, track: int) -> bool:
        """Return whether a video track is locked."""
        is_known = can(self.raw, "GetIsTrackLocked")
        return is_known and bool(call(self.raw, "GetIsTrackLocked", "video", track))

    def items(self, track: int) -> list[Item]:
        """Return all items of a video track, from left to right."""
        found = listed(call(self.raw, "GetItemListInTrack", "video", track))
        return sorted((Item(raw) for raw in found), key=lambda item: item.start)

    def all_items(self) -> dict[str, Item]:
        """Return all items of all video tracks by their ids."""
        tracks = range(1, self.tracks + 1)
        return {item.id: item for track in tracks for item in self.items(track)}

    def selected(self) -> list[Item] | None:
        """Return the selected items of video tracks; None in versions before 21, which can't."""
        if not can(self.raw, "GetSelectedClips"):
            return None
        found = [Item(raw) for raw in listed(call(self.raw, "GetSelectedClips"))]
        return [item for item in found if item.track[0] == "video"]

    def at_playhead(self) -> Item | None:
        """Return the topmost item under the playhead."""
        raw = call(self.raw, "GetCurrentVideoItem")
        return None if raw is None else Item(raw)

    def marked(self) -> tuple[int, int] | None:
        """Return the first frame of the in/out range and the one after its last; None if unset."""
        if not can(self.raw, "GetMarkInOut"):
            return None
        marks = (call(self.raw, "GetMarkInOut") or {}).get("video") or {}
        if "in" not in marks or "out" not in marks:
            return None
        first, last = int(marks["in"]), int(marks["out"])
        # The documentation counts from 0; a number beyond the start timecode counts from there.
        origin = 0 if first >= self.start else self.start
        return origin + first, origin + last + 1

    def add_track(self, name: str, number: int) -> int:
        """Add a video track; those from its number on move up.

        Args:
            name: Name of the track.
            number: Number of the track; versions that can't insert put it on top.

        Returns:
            The number that it got.

        Raises:
            EditorError: Resolve does not add or name it.
        """
        before = [self._ids(track) for track in range(1, self.tracks + 1)]
        where = [{"index": number}] if number <= len(before) else []
        call(self.raw, "AddTrack", "video", *where)
        after = [self._ids(track) for track in range(1, self.tracks + 1)]
        for candidate in (number, len(after)):
            if after == [*before[: candidate - 1], [], *before[candidate - 1 :]]:
                return self._named(candidate, name)
        raise EditorError("Resolve did not add a video track")

    def _named(self, track: int, name: str) -> int:
        try:
            self.name_track(track, name)
        except EditorError:
            call(self.raw, "DeleteTrack", "video", track)
            raise
        return track

    def _ids(self, track: int) -> list[str]:
        return [item.id for item in self.items(track)]

    def name_track(self, track: int, name: str) -> None:
        """Name a video track.

        Raises:
            EditorError: Resolve does not name it.
        """
        call(self.raw, "SetTrackName", "video", track, name)
        if self.track_name(track) != name:
            raise EditorError(f"Resolve did not name the track {name!r}")

    def delete(self, items: Sequence[Item]) -> None:
        """Delete items; needs the Edit page (`Resolve.edit_page`).

        Raises:
            EditorError: They are still there after a second try.
        """
        unwanted = {item.id: item for item in items}
        for _ in range(2):  # The first try sometimes fails for no reason.
            if not unwanted:
                return
            call(self.raw, "DeleteClips", [item.raw for item in unwanted.values()])
            unwanted = {key: item for key, item in self.all_items().items() if key in unwanted}
        if unwanted:
            names = ", ".join(item.name for item in unwanted.values())
            raise EditorError(f"Resolve did not delete {names}", hint="are the tracks locked?")

    def copy(self, name: str) -> Timeline:
        """Copy the timeline under another name.

        Raises:
            EditorError: Resolve makes no copy.
        """
        raw = call(self.raw, "DuplicateTimeline", name)
        if raw is None or Timeline(raw).id == self.id:
            raise EditorError(f"Resolve did not copy the timeline {self.name!r}")
        return Timeline(raw)
