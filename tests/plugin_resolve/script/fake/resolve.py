"""The behaviour of Resolve's methods: the program, its project and its media pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .model import Bin, Lying, Media, Sequence, World
from .strict import Strict
from .timeline import ItemActs, TimelineActs

_PAGES = {"media", "photo", "cut", "edit", "fusion", "color", "fairlight", "deliver"}
_PART = {"mediaPoolItem", "startFrame", "endFrame", "mediaType", "trackIndex", "recordFrame"}


class Api:
    """The API's objects of a world; the same thing always has the same object."""

    def __init__(self, world: World):
        self.world = world
        self._made: dict[int, tuple[Any, Strict]] = {}

    def of(self, kind: str, thing: Any, acting: Any) -> Strict:
        if id(thing) not in self._made:
            lies = self.world.lies
            missing = {"GetSelectedClips"} if lies.no_selection and kind == "Timeline" else set()
            made = Strict(
                kind,
                acting,
                missing=frozenset(missing),
                answers_all=lies.answers_all,
                frozen=lambda: self.world.dialogue_open or self._is_gone(thing),
            )
            self._made[id(thing)] = (thing, made)
        return self._made[id(thing)][1]

    def _is_gone(self, thing: Any) -> bool:
        tracks = [track for sequence in self.world.timelines for track in sequence.tracks]
        return isinstance(thing, Lying) and not any(thing in track.items for track in tracks)

    def resolve(self) -> Strict:
        return self.of("Resolve", self.world, ResolveActs(self))

    def timeline(self, sequence: Sequence) -> Strict:
        return self.of("Timeline", sequence, TimelineActs(self, sequence))

    def item(self, item: Lying) -> Strict:
        return self.of("TimelineItem", item, ItemActs(self, item))

    def media(self, media: Media) -> Strict:
        return self.of("MediaPoolItem", media, MediaActs(media))

    def bin(self, bin_: Bin) -> Strict:
        return self.of("Folder", bin_, BinActs(self, bin_))

    def thing(self, handed: Any, kind: str) -> Any:
        """Return the thing that an object of the API stands for."""
        for thing, made in self._made.values():
            if made is handed and made._kind == kind:
                return thing
        raise TypeError(f"{handed!r} is no {kind}")


class ResolveActs:
    def __init__(self, api: Api):
        self._api, self._world = api, api.world

    def get_product_name(self) -> str:
        return self._world.product

    def get_version_string(self) -> str:
        return self._world.version

    def get_current_page(self) -> str:
        return self._world.page

    def open_page(self, page: str) -> bool:
        if page not in _PAGES or self._world.idle("OpenPage"):
            return page in _PAGES
        self._world.page = page
        return True

    def get_project_manager(self) -> Strict:
        return self._api.of("ProjectManager", self, ManagerActs(self._api))


class ManagerActs:
    def __init__(self, api: Api):
        self._api = api
        self._project = ProjectActs(api)

    def get_current_project(self) -> Strict | None:
        if not self._api.world.project_open:
            return None
        return self._api.of("Project", self._project, self._project)


class ProjectActs:
    def __init__(self, api: Api):
        self._api, self._world = api, api.world
        self._pool = PoolActs(api)

    def get_name(self) -> str:
        return "Feature"

    def get_media_pool(self) -> Strict:
        return self._api.of("MediaPool", self._pool, self._pool)

    def get_timeline_count(self) -> int:
        return len(self._world.timelines)

    def get_timeline_by_index(self, idx: int) -> Strict | None:
        there = 1 <= idx <= len(self._world.timelines)
        return self._api.timeline(self._world.timelines[idx - 1]) if there else None

    def get_current_timeline(self) -> Strict | None:
        return self._api.timeline(self._world.timeline) if self._world.timelines else None

    def set_current_timeline(self, timeline: Strict) -> bool:
        if not self._world.idle("SetCurrentTimeline"):
            self._world.current = self._world.timelines.index(self._api.thing(timeline, "Timeline"))
        return True


class BinActs:
    def __init__(self, api: Api, bin_: Bin):
        self._api, self._bin = api, bin_

    def get_name(self) -> str:
        return self._bin.name

    def get_clip_list(self) -> list[Strict]:
        return [self._api.media(media) for media in self._bin.media]

    def get_sub_folder_list(self) -> list[Strict]:
        return [self._api.bin(one) for one in self._bin.bins]


class MediaActs:
    def __init__(self, media: Media):
        self._media = media

    def get_name(self) -> str:
        return self._media.name

    def get_clip_property(self, name: str) -> str:
        media = self._media
        return {
            "Type": media.kind,
            "File Path": media.path,
            "FPS": f"{float(media.rate):g}" if media.rate.denominator > 1 else float(media.rate),
            "Frames": str(media.frames),
            "Start TC": media.start_timecode,
        }.get(name, "")  # type: ignore[return-value]


class PoolActs:
    def __init__(self, api: Api):
        self._api, self._world = api, api.world

    def get_root_folder(self) -> Strict:
        return self._api.bin(self._world.root)

    def add_sub_folder(self, folder: Strict, name: str) -> Strict | None:
        made = Bin(name)
        if not self._world.idle("AddSubFolder"):
            self._api.thing(folder, "Folder").bins.append(made)
        return self._api.bin(made)

    def get_current_folder(self) -> Strict:
        return self._api.bin(self._world.current_bin)

    def set_current_folder(self, folder: Strict) -> bool:
        self._world.current_bin = self._api.thing(folder, "Folder")
        return True

    def import_media(self, items: list) -> list[Strict]:
        media = [Media.of_file(Path(path)) for path in items]
        if not self._world.idle("ImportMedia"):
            self._world.current_bin.media.extend(media)
        return [self._api.media(one) for one in media]

    def append_to_timeline(self, clips: list) -> list[Strict]:
        return [self._api.item(self._appended(part)) for part in clips]

    def _appended(self, part: dict[str, Any]) -> Lying:
        if set(part) - _PART:
            raise TypeError(f"unknown keys {set(part) - _PART}")
        world, sequence = self._world, self._world.timeline
        media: Media = self._api.thing(part["mediaPoolItem"], "MediaPoolItem")
        first, end = part["startFrame"], part["endFrame"] + (1 if world.lies.end_inclusive else 0)
        frames = min(end, media.frames) - first
        # Of another rate, the duration is rounded down.
        frames = int(frames * sequence.rate / media.rate)
        item = Lying(media.name, media, part["recordFrame"], frames, first)
        track = sequence.tracks[part["trackIndex"] - 1]
        taken = any(item.start < one.end and one.start < item.end for one in track.items)
        world.in_vain += 1
        world.sound_appended |= part.get("mediaType") != 1
        if not (taken or track.locked or frames < 1 or world.in_vain <= world.lies.appends_in_vain):
            track.items.append(item)
        return item
