"""The behaviour of Resolve's methods: a timeline and its items."""

from __future__ import annotations

from typing import Any, Protocol

from .model import Lying, Media, Sequence, Track, World
from .strict import Strict


class Api(Protocol):
    """The API's objects that a timeline's methods take and return."""

    world: World

    def timeline(self, sequence: Sequence) -> Strict: ...
    def item(self, item: Lying) -> Strict: ...
    def media(self, media: Media) -> Strict: ...
    def thing(self, handed: Any, kind: str) -> Any: ...


class TimelineActs:
    def __init__(self, api: Api, sequence: Sequence):
        self._api, self._world, self._sequence = api, api.world, sequence

    def get_unique_id(self) -> str:
        return self._sequence.id

    def get_name(self) -> str:
        return self._sequence.name

    def get_setting(self, name: str) -> str:
        return f"{float(self._sequence.rate):g}" if name == "timelineFrameRate" else ""

    def get_start_frame(self) -> int:
        return self._sequence.start

    def get_end_frame(self) -> int:
        ends = [item.end for track in self._sequence.tracks for item in track.items]
        return max(ends, default=self._sequence.start)

    def get_track_count(self, kind: str) -> int:
        return len(self._sequence.tracks) if kind == "video" else 0

    def get_track_name(self, _kind: str, index: int) -> str:
        return self._track(index).name

    def set_track_name(self, _kind: str, index: int, name: str) -> bool:
        if not self._world.idle("SetTrackName"):
            self._track(index).name = name
        return True

    def get_is_track_locked(self, _kind: str, index: int) -> bool:
        return self._track(index).locked

    def add_track(self, kind: str, options: dict | None = None) -> bool:
        assert kind == "video"
        if not self._world.idle("AddTrack"):
            tracks, lies = self._sequence.tracks, self._world.lies
            index = (options or {}).get("index", len(tracks) + 1)
            at = len(tracks) if lies.tracks_on_top else index - 1
            tracks.insert(at, Track(f"Video {len(tracks) + 1}"))
        return True

    def delete_track(self, kind: str, index: int) -> bool:
        assert kind == "video"
        assert not self._track(index).items
        del self._sequence.tracks[index - 1]
        return True

    def get_item_list_in_track(self, _kind: str, index: int) -> list[Strict]:
        return [self._api.item(item) for item in self._track(index).items]

    def get_selected_clips(self) -> list[Strict]:
        return [self._api.item(item) for item in self._sequence.selected]

    def get_current_video_item(self) -> Strict | None:
        item = self._sequence.playhead
        return None if item is None else self._api.item(item)

    def get_mark_in_out(self) -> dict[str, Any]:
        if self._sequence.marks is None:
            return {}
        origin = self._sequence.start if self._world.lies.marks_absolute else 0
        first, last = self._sequence.marks
        marks = {"in": origin + first, "out": origin + last}
        return {"video": marks, "audio": marks}

    def delete_clips(self, items: list) -> bool:
        self._world.deletes += 1
        gated = self._world.lies.page_gate and self._world.page != "edit"
        if gated or (self._world.lies.first_delete_fails and self._world.deletes == 1):
            return False
        gone = [self._api.thing(item, "TimelineItem") for item in items]
        for track in self._sequence.tracks:
            if not track.locked:
                track.items = [item for item in track.items if item not in gone]
        return True

    def duplicate_timeline(self, name: str) -> Strict | None:
        if self._world.idle("DuplicateTimeline"):
            return self._api.timeline(self._sequence)
        self._world.timelines.append(self._sequence.copy(name))
        return self._api.timeline(self._world.timelines[-1])

    def _track(self, index: int) -> Track:
        return self._sequence.tracks[index - 1]


class ItemActs:
    def __init__(self, api: Api, item: Lying):
        self._api, self._world, self._item = api, api.world, item

    def get_unique_id(self) -> str:
        return self._item.id

    def get_name(self) -> str:
        return self._item.name

    def get_start(self) -> int:
        return self._item.start

    def get_duration(self) -> int:
        return self._item.duration

    def get_left_offset(self) -> int:
        """Return the offset at the item's own speed, as measured in Studio 19.1."""
        return int(self._item.left / self._item.speed)

    def get_right_offset(self) -> int:
        media = self._item.media
        if media is None:
            return 0
        whole = int(media.frames / abs(self._item.speed))
        return whole - self.get_left_offset() - self._item.duration

    def get_source_start_frame(self) -> int:
        if self._world.lies.source_unknown:
            return 0
        return self._item.left + (1 if self._world.lies.source_start_off else 0)

    def get_source_end_frame(self) -> int:
        if self._world.lies.source_unknown:
            return 0
        return self._item.left + int(self._item.duration * self._item.speed)

    def get_clip_enabled(self) -> bool:
        return self._item.enabled

    def get_track_type_and_index(self) -> list[Any]:
        for sequence in self._world.timelines:
            for number, track in enumerate(sequence.tracks):
                if self._item in track.items:
                    return ["video", number + 1]
        return ["video", 0]

    def get_media_pool_item(self) -> Strict | None:
        media = self._item.media
        return None if media is None else self._api.media(media)

    def get_markers(self) -> dict[float, dict[str, Any]]:
        return self._item.markers

    def add_marker(
        self, frame: int, color: str, name: str, note: str, duration: int, data: str = ""
    ) -> bool:
        marker = {"color": color, "name": name, "note": note, "duration": duration}
        if not self._world.idle("AddMarker"):
            self._item.markers[float(frame)] = {**marker, "customData": data}
        return True

    def get_property(self) -> dict[str, Any]:
        return dict(self._item.framing)

    def set_property(self, key: str, value: Any) -> bool:
        if not self._world.idle("SetProperty"):
            self._item.framing[key] = value
        return True

    def get_takes_count(self) -> int:
        return len(self._item.takes)

    def get_selected_take_index(self) -> int:
        return self._item.take

    def get_take_by_index(self, index: int) -> dict[str, Any]:
        media, first, last = self._item.takes[index - 1]
        handed = self._api.media(media)
        return {"mediaPoolItem": handed, "startFrame": first, "endFrame": last}

    def add_take(self, clip: Strict, first: int, end: int) -> bool:
        item = self._item
        if self._world.idle("AddTake"):
            return True
        if not item.takes and item.media is not None:
            item.takes.append((item.media, item.left, item.left + item.duration))
            item.take = 1
        end += 1 if self._world.lies.end_inclusive else 0
        item.takes.append((self._api.thing(clip, "MediaPoolItem"), first, end))
        return True

    def select_take_by_index(self, index: int) -> bool:
        item = self._item
        item.take = index
        item.media, item.left, end = item.takes[index - 1]
        item.duration = end - item.left
        return True

    def delete_take_by_index(self, index: int) -> bool:
        del self._item.takes[index - 1]
        return True
