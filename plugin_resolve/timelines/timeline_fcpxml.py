"""Final Cut Pro X XML ("fcpxml"): clips in a spine, others connected to them in lanes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

from ...core.errors import UsageError
from .timeline_model import (
    GENERATED,
    MULTICAM,
    NESTED,
    NO_MEDIA,
    RETIMED,
    SWITCHED_OFF,
    StyledClip,
    StyledTrack,
    Use,
    Uses,
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
# What comes after connected clips in a clip (FCPXML DTD).
_AFTER_ANCHORED = frozenset(
    {
        *("marker", "chapter-marker", "rating", "keyword", "analysis-marker"),
        *("audio-channel-source", "audio-role-source", "filter-video", "filter-video-mask"),
        *("filter-audio", "metadata"),
    }
)
# Files name their media in an element of its own since this version.
_MEDIA_REP = (1, 9)


class FcpxmlTimeline:
    """See `TimelineFile`.

    Raises:
        UsageError: It holds no sequence.
    """

    def __init__(self, path: Path):
        self._text = XmlText(path)
        root = self._text.root
        sequence = root.find(".//project/sequence")
        spine = None if sequence is None else sequence.find("spine")
        resources = root.find("resources")
        if sequence is None or spine is None or resources is None:
            raise UsageError("holds no project with a sequence", path=path)
        self._resources = resources
        self._named = {element.get("id"): element for element in resources}
        self._format = sequence.get("format", "")
        frame = self._named[self._format].get("frameDuration") if self._format else None
        if frame is None:
            raise UsageError("its sequence has no frame rate", path=path)
        self.rate = 1 / _seconds(frame)
        self.warnings: list[str] = []
        self._uses = Uses()
        # Of each clip: whom a clip above it is connected to, and where.
        self._anchors: list[tuple[Element, Fraction]] = []
        self._read_line(spine, start=_seconds(sequence.get("tcStart")), lane=0, anchor=None)
        self._lanes = [item for item in spine.iter() if int(item.get("lane", 0)) > 0]
        self.uses: Sequence[Use] = self._uses.found

    def _read_line(
        self,
        line: Element,
        *,
        start: Fraction,
        lane: int,
        anchor: tuple[Element, Fraction] | None,
    ) -> None:
        """The clips of a spine one after the other; `start` is the spine's in the sequence.

        Args:
            line: The spine.
            start: What its offsets count from, in seconds of the timeline.
            lane: In which it lies.
            anchor: Of a connected spine: whom it is connected to, and where.
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
        if item.tag != "gap" and not self._is_sound(item):
            self._anchors.append(anchor or (item, local))
            self._add_use(item, at, lane)
        for child in item:
            if "lane" not in child.attrib:
                continue
            offset, above = _seconds(child.get("offset")), int(child.get("lane", 0))
            place = at + offset - local
            if child.tag == "spine":
                for grandchild in child:
                    inner = _seconds(grandchild.get("offset"))
                    if grandchild.tag in _CLIPS:
                        self._read_item(
                            grandchild, at=place + inner, lane=above, anchor=(item, offset + inner)
                        )
            elif child.tag in _CLIPS:
                self._read_item(child, at=place, lane=above, anchor=(item, offset))

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
        )

    def _source(self, item: Element) -> tuple[Element | None, Fraction]:
        """What names the media, and where in the media's time the clip starts."""
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

    def _is_sound(self, item: Element) -> bool:
        asset = self._named.get(item.get("ref", ""))
        if item.tag == "clip":
            return item.find("video") is None
        sound_only = asset is not None and asset.tag == "asset" and asset.get("hasVideo") != "1"
        return sound_only or item.get("srcEnable") == "audio"

    def _problem(self, item: Element, asset: Element | None, url: str) -> str:
        if item.get("enabled") == "0":
            return SWITCHED_OFF
        if item.tag in _PROBLEMS:
            return _PROBLEMS[item.tag]
        if asset is not None and asset.tag == "effect":
            return GENERATED
        if item.find("timeMap") is not None:
            return RETIMED
        return "" if url else NO_MEDIA

    def with_tracks(self, tracks: Sequence[StyledTrack]) -> bytes:
        """The whole file with new clips connected, everything else as it was."""
        pieces: list[tuple[Element, Element | None, Element]] = []
        # Each new lane comes right above its clips' own, under the titles; those above move up.
        above = sorted(track.above for track in tracks)
        for number, track in enumerate(tracks):
            for place, clip in enumerate(track.clips):
                name = f"housestyle-{number + 1}-{place + 1}"
                pieces.append((self._resources, None, self._asset(clip, name)))
                parent, offset = self._anchors[clip.use.number]
                new = self._connected(clip, name, offset, track.above + 1 + number)
                after = (child for child in parent if child.tag in _AFTER_ANCHORED)
                pieces.append((parent, next(after, None), new))
        moved = {
            (item, "lane"): str(lane + sum(other < lane for other in above))
            for item in self._lanes
            if (lane := int(item.get("lane", 0))) > above[0]
        }
        return self._text.edited(pieces, attributes=moved)

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
        version = tuple(int(part) for part in self._text.root.get("version", "1.8").split("."))
        if version < _MEDIA_REP:
            asset.set("src", url)
        else:
            SubElement(asset, "media-rep", {"kind": "original-media", "src": url})
        return asset

    def _connected(self, clip: StyledClip, name: str, offset: Fraction, lane: int) -> Element:
        element = Element(
            "asset-clip",
            {
                "name": f"{clip.use.name} (Housestyle: {clip.recipe.style})",
                "ref": name,
                "lane": str(lane),
                "offset": _written(offset),
                "start": self._time(clip.start.number(self.rate) + clip.offset),
                "duration": self._time(clip.use.frames),
                "format": self._format,
                # There are no tracks, and so no track's name; roles are shown as such.
                "videoRole": "Housestyle",
            },
        )
        SubElement(element, "note").text = clip.recipe.to_json()
        return element

    def _time(self, frames: int) -> str:
        """In ticks of the sequence's frames, as Final Cut counts them."""
        if frames == 0:
            return "0s"
        return f"{frames * self.rate.denominator}/{self.rate.numerator}s"


def _seconds(text: str | None) -> Fraction:
    """``1001/30000s``, ``5s``; nothing is 0."""
    try:
        return Fraction((text or "0s").rstrip("s"))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{text!r} in the timeline is no time") from None


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
