"""Final Cut Pro X XML ("fcpxml"): clips in a spine, others connected to them in lanes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from ...core.errors import UsageError
from .model import (
    FREEZE,
    GENERATED,
    MULTICAM,
    NESTED,
    NO_MEDIA,
    RETIMED,
    SWITCHED_OFF,
    ClipUse,
    ClipUses,
    StyledClip,
    StyledTrack,
    chosen,
    path_of,
)
from .xml_text import XmlText

_PROBLEMS = {
    "ref-clip": NESTED,
    "sync-clip": NESTED,
    "mc-clip": MULTICAM,
    "title": GENERATED,
    "audition": "is an audition: choose a take first",
}
_CLIPS = ("asset-clip", "clip", "video", *_PROBLEMS)
# Elements that follow connected clips in a clip (FCPXML DTD).
_AFTER_ANCHORED = frozenset(
    {
        *("marker", "chapter-marker", "rating", "keyword", "analysis-marker"),
        *("hidden-clip-marker", "audio-channel-source", "audio-role-source", "sync-source"),
        *("filter-video", "filter-video-mask", "filter-audio", "metadata", "reserved"),
    }
)
# Files name their media in an element of its own since this version.
_MEDIA_REP = (1, 9)
# There are no tracks, and so no track's name; roles are shown as such.
_ROLE = "Brushreel"


class FcpxmlTimeline:
    """A timeline in Final Cut Pro X XML, see `TimelineFile`.

    Raises:
        UsageError: It has no sequence.
    """

    folders: Sequence[Path] = ()

    def __init__(self, path: Path, sequence_name: str | None = None):
        self._text = XmlText(path)
        self.warnings: list[str] = []
        root = self._text.root
        projects = [own for own in root.iter("project") if own.find("sequence/spine") is not None]
        names = [own.get("name", "") for own in projects]
        sequence = None
        if projects:
            taken = chosen(names, sequence_name, "project", self.warnings)
            sequence = projects[taken].find("sequence")
        spine = None if sequence is None else sequence.find("spine")
        resources = root.find("resources")
        if sequence is None or spine is None or resources is None:
            raise UsageError("has no project with a sequence", path=path)
        self._resources = resources
        self._named = {element.get("id"): element for element in resources}
        self._format = sequence.get("format", "")
        form = self._named.get(self._format)
        frame = _seconds(None if form is None else form.get("frameDuration"))
        if frame <= 0:
            raise UsageError("its sequence has no frame rate", path=path)
        self.rate = 1 / frame
        version = _version(root.get("version", "1.8"))
        self._has_media_reps = version >= _MEDIA_REP
        self._uses = ClipUses()
        # For each clip: the parent of a clip connected above it, and the offset in the parent.
        self._anchors: list[tuple[Element, Fraction]] = []
        self._clips: list[Element] = []
        self._read_line(spine, start=_seconds(sequence.get("tcStart")), lane=0, anchor=None)
        self._lanes = {item: lane for item in spine.iter() if (lane := _lane(item))}
        self.uses: Sequence[ClipUse] = self._uses.found

    def _read_line(
        self,
        line: Element,
        *,
        start: Fraction,
        lane: int,
        anchor: tuple[Element, Fraction] | None,
    ) -> None:
        """Read the clips of a spine one after the other.

        Args:
            line: The spine.
            start: Origin of its offsets, in seconds of the timeline.
            lane: Its lane.
            anchor: For a connected spine, its parent and the offset there.
        """
        for item in line:
            if item.tag == "transition":
                self.warnings.append(
                    f"{item.get('name', 'a transition')}: is a cut on the new track"
                )
            elif item.tag in (*_CLIPS, "gap"):
                offset = _seconds(item.get("offset")) - start
                where = None if anchor is None else (anchor[0], anchor[1] + offset)
                self._read_item(item, at=offset, lane=lane, anchor=where)

    def _read_item(
        self, item: Element, *, at: Fraction, lane: int, anchor: tuple[Element, Fraction] | None
    ) -> None:
        local = self._local_start(item)
        if item.tag != "gap" and not self._is_audio(item):
            self._anchors.append(anchor or (item, local))
            self._clips.append(item)
            self._add_use(item, at, lane)
        for child in item:
            if "lane" not in child.attrib:
                continue
            offset, above = _seconds(child.get("offset")), _lane(child)
            child_at = at + offset - local
            if child.tag == "spine":
                for grandchild in child:
                    inner = _seconds(grandchild.get("offset"))
                    if grandchild.tag in _CLIPS:
                        self._read_item(
                            grandchild,
                            at=child_at + inner,
                            lane=above,
                            anchor=(item, offset + inner),
                        )
            elif child.tag in _CLIPS:
                self._read_item(child, at=child_at, lane=above, anchor=(item, offset))

    def _add_use(self, item: Element, at: Fraction, lane: int) -> None:
        source, into = self._source(item)
        asset = self._named.get(source.get("ref", "")) if source is not None else None
        url = _url(asset)
        self._uses.add(
            lane,
            item.get("name") or path_of(url).name,
            round(at * self.rate),
            round(_seconds(item.get("duration")) * self.rate),
            media=path_of(url) if url else None,
            first=round(
                (into - _seconds(asset.get("start") if asset is not None else None)) * self.rate
            ),
            texts=tuple(_texts(item)),
            problem=self._problem(item, asset, url),
            # Final Cut appends a subrole.
            on_styled_track=item.get("videoRole", "").split(".")[0] == _ROLE,
        )

    def _source(self, item: Element) -> tuple[Element | None, Fraction]:
        """Return the element that names the media, and the clip's start in the media's time."""
        if item.tag != "clip":
            return item, self._local_start(item)
        video = item.find("video")
        if video is None:
            return None, Fraction(0)
        into = self._local_start(item) - _seconds(video.get("offset"))
        return video, into + self._local_start(video)

    def _local_start(self, item: Element) -> Fraction:
        if "start" in item.attrib:
            return _seconds(item.get("start"))
        asset = self._named.get(item.get("ref", ""))
        is_asset = asset is not None and asset.tag == "asset"
        return _seconds(asset.get("start")) if asset is not None and is_asset else Fraction(0)

    def _is_audio(self, item: Element) -> bool:
        asset = self._named.get(item.get("ref", ""))
        if item.tag == "clip":
            return item.find("video") is None
        audio_only = asset is not None and asset.tag == "asset" and asset.get("hasVideo") != "1"
        return audio_only or item.get("srcEnable") == "audio"

    def _problem(self, item: Element, asset: Element | None, url: str) -> str:
        if item.get("enabled") == "0":
            return SWITCHED_OFF
        if item.tag in _PROBLEMS:
            return _PROBLEMS[item.tag]
        if asset is not None and asset.tag == "effect":
            return GENERATED
        retime = item.find("timeMap")
        if retime is not None:
            moments = {_seconds(point.get("value")) for point in retime.iterfind("timept")}
            return FREEZE if len(moments) == 1 else RETIMED
        return "" if url else NO_MEDIA

    def with_tracks(
        self, tracks: Sequence[StyledTrack], without: Collection[ClipUse] = ()
    ) -> bytes:
        """See `TimelineFile`; connected clips to which no clip is connected can be removed."""
        obsolete = self._replaceable(without)
        removed = [*obsolete, *self._assets_of(obsolete)]
        ids = self._text.new_ids("brushreel", removed)
        staying = {item: lane for item, lane in self._lanes.items() if item not in obsolete}
        empty = set(self._lanes.values()) - set(staying.values())
        moved_lane = partial(_moved_lane, above=[track.above for track in tracks], empty=empty)
        pieces: list[tuple[Element, Element | None, Element]] = []
        for track in tracks:
            lane = moved_lane(track.above) + 1
            for clip, name in zip(track.clips, ids, strict=False):
                pieces.append((self._resources, None, self._asset(clip, name)))
                parent, offset = self._anchors[clip.use.number]
                after = (child for child in parent if child.tag in _AFTER_ANCHORED)
                new = self._connected(clip, name, offset, lane)
                pieces.append((parent, next(after, None), new))
        moved = {
            (item, "lane"): str(new)
            for item, lane in staying.items()
            if (new := moved_lane(lane)) != lane
        }
        return self._text.edited(pieces, attributes=moved, removed=removed)

    def _replaceable(self, without: Collection[ClipUse]) -> set[Element]:
        clips = (self._clips[use.number] for use in without)
        return {
            clip
            for clip in clips
            if "lane" in clip.attrib and not any("lane" in child.attrib for child in clip)
        }

    def _assets_of(self, clips: Collection[Element]) -> list[Element]:
        """Return the assets that no other clip names."""
        names = {clip.get("ref") for clip in clips}
        for element in self._text.root.iter():
            if element not in clips:
                names.discard(element.get("ref"))
        return [element for name, element in self._named.items() if name in names]

    def _asset(self, clip: StyledClip, name: str) -> Element:
        url = clip.shot.path.absolute().as_uri()
        asset = Element(
            "asset",
            {
                "id": name,
                "name": clip.shot.path.stem,
                "start": self._time(clip.start.number(self.rate)),
                "duration": self._time(clip.shot.frames),
                "hasVideo": "1",
                "format": self._format,
            },
        )
        if self._has_media_reps:
            SubElement(asset, "media-rep", {"kind": "original-media", "src": url})
        else:
            asset.set("src", url)
        return asset

    def _connected(self, clip: StyledClip, name: str, offset: Fraction, lane: int) -> Element:
        element = Element(
            "asset-clip",
            {
                "name": f"{clip.use.name} (Brushreel: {clip.recipe.style})",
                "ref": name,
                "lane": str(lane),
                "offset": _written(offset),
                "start": self._time(clip.start.number(self.rate) + clip.offset),
                "duration": self._time(clip.use.frames),
                "format": self._format,
                "videoRole": _ROLE,
            },
        )
        SubElement(element, "note").text = clip.recipe.to_json()
        return element

    def _time(self, frames: int) -> str:
        """Return a time in ticks of the sequence's frames, as Final Cut counts them."""
        if frames == 0:
            return "0s"
        return f"{frames * self.rate.denominator}/{self.rate.numerator}s"


def _moved_lane(lane: int, *, above: Collection[int], empty: Collection[int]) -> int:
    """Return a lane's number after new lanes were inserted above others and empty ones removed.

    The storyline stays at 0: lanes above it move up, lanes below it move down.
    """
    if lane < 0:
        down = sum(lane <= other < 0 for other in above)
        return lane - down + sum(lane < other < 0 for other in empty)
    up = sum(0 <= other < lane for other in above)
    return lane + up - sum(0 < other < lane for other in empty)


def _version(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d+(\.\d+)*", text):
        raise UsageError(f"its version {text!r} is not a number")
    return tuple(map(int, text.split(".")))


def _lane(item: Element) -> int:
    try:
        return int(item.get("lane", 0))
    except ValueError:
        raise UsageError(f"lane {item.get('lane')!r} is not a whole number") from None


def _seconds(text: str | None) -> Fraction:
    """Read a time such as ``1001/30000s`` or ``5s``; None and "" are 0."""
    try:
        return Fraction((text or "0s").rstrip("s"))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{text!r} in the timeline is not a valid time") from None


def _written(time: Fraction) -> str:
    return (
        f"{time.numerator}s" if time.denominator == 1 else f"{time.numerator}/{time.denominator}s"
    )


def _url(asset: Element | None) -> str:
    if asset is None:
        return ""
    media = asset.find("media-rep")
    return asset.get("src") or (media.get("src", "") if media is not None else "")


def _texts(item: Element) -> Iterator[str]:
    yield item.get("name", "")
    yield item.findtext("note") or ""
    for marker in (*item.iterfind("marker"), *item.iterfind("chapter-marker")):
        yield marker.get("value", "")
        yield marker.get("note", "")
    for keyword in item.iterfind("keyword"):
        yield keyword.get("value", "")
