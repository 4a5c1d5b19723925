"""Final Cut Pro 7 XML ("xmeml" 4 and 5): what Premiere, Resolve and many others exchange."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement

from ...core.clips.timecode import nominal_rate
from ...core.errors import UsageError
from ..styled_track import is_styled_track
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
    emptied_tracks,
    path_of,
)
from .xml_text import XmlText

_PROBLEMS = {"sequence": NESTED, "multiclip": MULTICAM, "effect[effecttype='generator']": GENERATED}
_ITEMS = ("clipitem", "generatoritem")


class XmemlTimeline:
    """A timeline in Final Cut Pro 7 XML, see `TimelineFile`.

    Raises:
        UsageError: It has no sequence.
    """

    folders: Sequence[Path] = ()

    def __init__(self, path: Path, sequence: str | None = None):
        self._text = XmlText(path)
        self._ids: dict[tuple[str, str], Element] = {}
        for element in self._text.root.iter():
            if "id" in element.attrib and len(element):
                self._ids.setdefault((element.tag, element.attrib["id"]), element)
        self.warnings: list[str] = []
        found = _sequences(self._text.root)
        if not found:
            raise UsageError("has no sequence with a video track", path=path)
        names = [element.findtext("name") or "" for element in found]
        self._sequence = found[chosen(names, sequence, "sequence", self.warnings)]
        rate = _rate(self._sequence)
        if rate is None:
            raise UsageError("its sequence has no frame rate", path=path)
        self.rate = rate
        self._tracks = self._sequence.findall("./media/video/track")
        uses = ClipUses()
        for number, track in enumerate(self._tracks):
            self._read_track(number, track, uses)
        self.uses: Sequence[ClipUse] = uses.found

    def _whole(self, element: Element | None) -> Element | None:
        """Return an element, or the earlier one with its tag and id that has the content."""
        if element is None or len(element):
            return element
        return self._ids.get((element.tag, element.get("id", "")), element)

    def _read_track(self, number: int, track: Element, uses: ClipUses) -> None:
        items = [item for item in track if item.tag in (*_ITEMS, "transitionitem")]
        for index, item in enumerate(items):
            if item.tag == "transitionitem":
                continue
            before = items[index - 1] if index else None
            after = items[index + 1] if index + 1 < len(items) else None
            whole = self._whole(item)
            assert whole is not None
            self._read_item(number, whole, before, after, uses)

    def _read_item(
        self,
        track: int,
        item: Element,
        before: Element | None,
        after: Element | None,
        uses: ClipUses,
    ) -> None:
        start, end = _int(item, "start"), _int(item, "end")
        # A subclip counts from its own start.
        into = _int(item, "in") + _int(item.find("subclipinfo"), "startoffset")
        if start == -1:
            # The clip begins under a transition; its "in" is there, its cut in the middle.
            start = _cut_point(before)
            into += start - _int(before, "start")
        if end == -1:
            end = _cut_point(after)
        file = self._whole(item.find("file"))
        url = (file.findtext("pathurl") if file is not None else None) or ""
        name = item.findtext("name") or Path(path_of(url)).name
        for side in (before, after):
            if side is not None and side.tag == "transitionitem":
                self.warnings.append(f"{name}: its transition is a cut on the new track")
        uses.add(
            track,
            name,
            start,
            end - start,
            media=path_of(url) if url else None,
            first=into,
            texts=tuple(_texts(item)),
            color=item.findtext("labels/label2") or "",
            problem=self._problem(track, item, url),
            on_styled_track=is_styled_track(_name(self._tracks[track])),
        )

    def _problem(self, track: int, item: Element, url: str) -> str:
        if _is_off(self._tracks[track]) or _is_off(item):
            return SWITCHED_OFF
        for tag, problem in _PROBLEMS.items():
            if item.find(tag) is not None:
                return problem
        file = self._whole(item.find("file"))
        if item.tag == "generatoritem" or (
            file is not None and file.find("mediaSource") is not None
        ):
            return GENERATED
        if retimed := _retimed(item):
            return retimed
        if not url:
            return NO_MEDIA
        return self._other_rate(item)

    def _other_rate(self, item: Element) -> str:
        rate = _rate(item) or self.rate
        if rate == self.rate:
            return ""
        return f"runs at {float(rate):.5g} fps on a timeline of {float(self.rate):.5g}"

    def with_tracks(
        self, tracks: Sequence[StyledTrack], without: Collection[ClipUse] = ()
    ) -> bytes:
        """See `TimelineFile`; tracks are removed as a whole, once nothing else is on them."""
        video = self._sequence.find("./media/video")
        assert video is not None
        gone = self._replaceable(emptied_tracks(self.uses, without))
        removed = [self._tracks[number] for number in gone]
        ids = self._text.new_ids("brushreel", removed)
        pieces = []
        for track in tracks:
            above = self._tracks[track.above]
            rest = list(video)
            after = rest[rest.index(above) + 1 :]
            pieces.append((video, after[0] if after else None, self._track(track, ids)))
        moved, dead = self._links([track.above for track in tracks], gone)
        return self._text.edited(pieces, moved, removed=[*removed, *dead])

    def _replaceable(self, numbers: Sequence[int]) -> Sequence[int]:
        """Return these tracks; none if an element that stays refers to a file defined on them."""
        going = {element for number in numbers for element in self._tracks[number].iter()}
        for element in self._text.root.iter():
            if element not in going and self._whole(element) in going:
                return ()
        return numbers

    def _links(
        self, above: Sequence[int], gone: Sequence[int]
    ) -> tuple[dict[Element, str], list[Element]]:
        """Find the links to clips that must change; a link holds its clip's track number, from 1.

        Returns:
            New texts of changed numbers, and the links whose clip is removed.
        """
        moved: dict[Element, str] = {}
        dead = []
        going = {link for number in gone for link in self._tracks[number].iter("link")}
        for link in self._sequence.iterfind("./media//link"):
            index = link.find("trackindex")
            if index is None or link.findtext("mediatype") != "video" or link in going:
                continue
            track = _int(link, "trackindex") - 1
            shift = sum(other < track for other in above) - sum(other < track for other in gone)
            if track in gone:
                dead.append(link)
            elif shift:
                moved[index] = str(track + 1 + shift)
        return moved, dead

    def _track(self, track: StyledTrack, ids: Iterator[str]) -> Element:
        new = Element("track", {"MZ.TrackName": track.name})
        for clip in track.clips:
            new.append(self._clipitem(clip, ids))
        _add(new, {"enabled": "TRUE", "locked": "FALSE", "name": track.name})
        return new

    def _clipitem(self, clip: StyledClip, ids: Iterator[str]) -> Element:
        use, item = clip.use, Element("clipitem", {"id": next(ids)})
        _add(item, {"name": use.name, "enabled": "TRUE", "duration": clip.shot.frames})
        self._add_rate(item)
        _add(
            item,
            {
                "start": use.start,
                "end": use.start + use.frames,
                "in": clip.offset,
                "out": clip.offset + use.frames,
            },
        )
        self._add_file(item, clip, next(ids))
        _add(SubElement(item, "comments"), {"mastercomment1": clip.recipe.to_json()})
        return item

    def _add_file(self, item: Element, clip: StyledClip, name: str) -> None:
        path = clip.shot.path.absolute()
        file = SubElement(item, "file", {"id": name})
        _add(file, {"name": path.name, "pathurl": f"file://localhost{_url_path(path)}"})
        self._add_rate(file)
        _add(file, {"duration": clip.shot.frames})
        code = SubElement(file, "timecode")
        self._add_rate(code)
        number = clip.start.number(self.rate)
        drop = "DF" if clip.start.drop else "NDF"
        _add(code, {"string": clip.start, "frame": number, "displayformat": drop})
        shape = SubElement(SubElement(SubElement(file, "media"), "video"), "samplecharacteristics")
        self._add_rate(shape)
        _add(shape, {"width": clip.size[0], "height": clip.size[1]})

    def _add_rate(self, parent: Element) -> None:
        ntsc = "TRUE" if self.rate.denominator > 1 else "FALSE"
        _add(SubElement(parent, "rate"), {"timebase": nominal_rate(self.rate), "ntsc": ntsc})


def _sequences(root: Element) -> list[Element]:
    """Return the sequences that are not within a clip of another one, in the file's order."""
    waiting, found = [root], []
    while waiting:
        element = waiting.pop(0)
        if element.tag == "sequence" and element.find("./media/video") is not None:
            found.append(element)
        else:
            waiting[:0] = [child for child in element if child.tag != "clipitem"]
    return found


def _rate(element: Element) -> Fraction | None:
    base = _int(element.find("rate"), "timebase")
    if base <= 0:
        return None
    ntsc = element.findtext("rate/ntsc", "FALSE").upper() == "TRUE"
    return Fraction(base * 1000, 1001) if ntsc else Fraction(base)


def _name(track: Element) -> str:
    return track.get("MZ.TrackName") or track.findtext("name") or ""


def _is_off(element: Element) -> bool:
    return element.findtext("enabled", "TRUE").upper() == "FALSE"


def _int(element: Element | None, tag: str) -> int:
    text = None if element is None else element.findtext(tag)
    try:
        number = Fraction(text or 0)
    except (ValueError, ZeroDivisionError):
        number = Fraction(1, 2)
    if number.denominator > 1:
        raise UsageError(f"{tag} {text!r} in the timeline is not a whole number")
    return int(number)


def _cut_point(transition: Element | None) -> int:
    if transition is None:
        raise UsageError("a clip's start or end depends on a transition that is missing")
    start, end = _int(transition, "start"), _int(transition, "end")
    alignment = transition.findtext("alignment", "center")
    sides = {"start": start, "start-black": start, "end": end, "end-black": end}
    return sides.get(alignment, (start + end) // 2)


def _retimed(item: Element) -> str:
    if item.findtext("stillframe", "FALSE").upper() == "TRUE":
        return FREEZE
    for effect in item.iterfind("filter/effect"):
        if effect.findtext("effectid") == "timeremap":
            values = {
                param.findtext("parameterid"): param.findtext("value")
                for param in effect.iterfind("parameter")
            }
            speed = _number(values.get("speed"), 100)
            plain = values.get("reverse", "FALSE"), values.get("variablespeed", "0")
            if speed != 100 or plain != ("FALSE", "0"):
                return FREEZE if speed == 0 else RETIMED
    return RETIMED if _is_shorter_or_longer(item) else ""


def _is_shorter_or_longer(item: Element) -> bool:
    start, end, into, out = (_int(item, tag) for tag in ("start", "end", "in", "out"))
    return -1 not in (start, end) and end - start != out - into


def _number(text: str | None, usual: float) -> float:
    try:
        return float(text or usual)
    except ValueError:
        raise UsageError(f"{text!r} in the timeline is not a number") from None


def _texts(item: Element) -> Iterator[str]:
    yield item.findtext("name") or ""
    for marker in item.iterfind("marker"):
        yield marker.findtext("name") or ""
        yield marker.findtext("comment") or ""
    for comments in (*item.iterfind("comments"), *item.iterfind("logginginfo")):
        yield from (child.text or "" for child in comments)


def _add(parent: Element, values: dict[str, object]) -> None:
    for tag, value in values.items():
        SubElement(parent, tag).text = str(value)


def _url_path(path: Path) -> str:
    text = path.as_posix()
    return quote(text if text.startswith("/") else f"/{text}")
