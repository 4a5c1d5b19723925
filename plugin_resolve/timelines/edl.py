"""Edit decision lists (CMX 3600): one video track, so stylized shots get a list of their own.

Events, comments and speeds are those of the CMX 3600 manual and of what Avid, Premiere, Resolve and
Final Cut write.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from ...core.clips.timecode import Timecode, drops_frames
from ...core.errors import UsageError
from .model import FREEZE, RETIMED, ClipUse, ClipUses, StyledTrack, path_of

_EVENT = re.compile(
    r"(?P<number>\d+)\s+(?P<reel>.+?)\s+(?P<channels>[ABVN][^\s]*)\s+"
    r"(?P<change>C|D|K\w?|W\d+)\s+(?:(?P<length>\d+)\s+)?"
    r"(?P<times>(?:\d{1,2}(?:[:;.,]\d{2,3}){3}\s*){4})"
)
_LOOKS = re.compile(r"\d{3,}\s+\S+\s+(?:V|B|AA/V)\S*\s+[CDKW]\S*\s")
_SPEED = re.compile(r"M2\s+(?P<reel>.*?)\s+(?P<speed>-?\d+(?:\.\d+)?)\s+\S+")
_COMMENT = re.compile(r"\*?\s*(?P<key>[A-Z][A-Z ]*?)\s*:\s*(?P<text>.*\S)", re.IGNORECASE)
_BLACK = frozenset({"BL", "BLACK"})
_NAMES = ("FROM CLIP NAME", "TO CLIP NAME")


@dataclass
class _Event:
    """Event of the list, with the lines that follow it."""

    number: str
    reel: str
    change: str
    length: int
    times: tuple[Timecode, ...]
    speed: Fraction | None = None
    freeze: bool = False
    comments: list[tuple[str, str]] = field(default_factory=list)

    def comment(self, key: str) -> str:
        """Return the text of a comment; empty if there is none."""
        return next((text for own, text in self.comments if own == key), "")


class EdlTimeline:
    """An edit decision list, see `TimelineFile`; it has no second track to write to.

    Programs differ in how they read lists of several tracks. The written list holds only the
    stylized shots at their positions, to be laid on a track above the cut.

    Raises:
        UsageError: It can't be read, or the rate is missing.
    """

    folders: Sequence[Path] = ()

    def __init__(self, path: Path, rate: Fraction | None):
        if rate is None:
            raise UsageError(
                "an edit decision list does not state its frame rate", path=path, hint="--fps 25"
            )
        self.rate = rate
        self.warnings = ["the written list holds only the stylized shots: lay it on a track above"]
        try:
            lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        except OSError as error:
            raise UsageError.because(error, "can't be read", path=path) from error
        titles = (line[6:].strip() for line in lines if line.upper().startswith("TITLE:"))
        self._title = next(titles, "") or path.stem
        events = list(self._events(lines))
        if not events:
            raise UsageError("has no event", path=path)
        self._start = min((event.times[2] for event in events), key=self._frames)
        self.uses: Sequence[ClipUse] = self._read(events)

    def _events(self, lines: Sequence[str]) -> Iterator[_Event]:
        """Yield the video events, in the list's order."""
        drop, event = False, None
        for number, line in enumerate((line.strip() for line in lines), 1):
            match = _EVENT.fullmatch(line)
            if line.upper().startswith("FCM:"):
                drop = "NON" not in line.upper()
            elif match is not None:
                if event is not None:
                    yield event
                event = self._event(match, drop=drop, line=number)
            elif event is not None:
                self._add_to(event, line)
            if match is None and _LOOKS.match(line):
                raise UsageError(f"line {number} is not a valid event: {line[:60]}")
        if event is not None:
            yield event

    def _event(self, match: re.Match[str], *, drop: bool, line: int) -> _Event | None:
        if not ("V" in match["channels"] or match["channels"].startswith("B")):
            return None
        codes = [Timecode.parse(text) for text in match["times"].split()]
        times = tuple(code for code in codes if code is not None)
        if len(times) < 4:
            raise UsageError(f"line {line} has a time that is no timecode: {match['times']}")
        if drop and drops_frames(self.rate):
            times = tuple(replace(code, drop=True) for code in times)
        length = int(match["length"] or 0)
        return _Event(match["number"], match["reel"], match["change"], length, times)

    @staticmethod
    def _add_to(event: _Event, line: str) -> None:
        speed = _SPEED.fullmatch(line)
        comment = _COMMENT.fullmatch(line)
        if speed is not None:
            event.speed = Fraction(speed["speed"])
        elif "FREEZE FRAME" in line.upper():
            event.freeze = True
        elif comment is not None:
            event.comments.append((comment["key"].upper(), comment["text"]))

    def _frames(self, code: Timecode) -> int:
        return code.number(self.rate)

    def _read(self, events: Sequence[_Event]) -> list[ClipUse]:
        uses = ClipUses()
        start = self._frames(self._start)
        # The clip that a transition comes from is named again, with no length.
        events = [event for event in events if event.times[2] != event.times[3]]
        for index, event in enumerate(events):
            into, out, at, end = map(self._frames, event.times)
            after = events[index + 1] if index + 1 < len(events) else None
            # A transition's middle is its cut.
            late = event.length // 2 if event.change != "C" else 0
            if event.change != "C":
                self.warnings.append(
                    f"{self._name(event)}: its transition is a cut on the new track"
                )
            if after is not None and after.change != "C" and self._frames(after.times[2]) == end:
                end += after.length // 2
            if event.reel.upper() in _BLACK or end <= at + late:
                continue
            uses.add(
                0,
                self._name(event),
                at + late - start,
                end - at - late,
                media=self._media(event),
                first=into + late,
                origin=True,
                reel=event.reel,
                texts=(self._name(event), *(text for _, text in event.comments)),
                problem=self._problem(event, out - into, self._frames(event.times[3]) - at),
            )
        return uses.found

    def _name(self, event: _Event) -> str:
        keys = _NAMES if event.change == "C" else reversed(_NAMES)
        named = next((text for key in keys if (text := event.comment(key))), "")
        return named or path_of(event.comment("SOURCE FILE")).name or event.reel

    def _media(self, event: _Event) -> Path:
        """Return the file that is named, else the clip's name, else the reel's."""
        file = event.comment("SOURCE FILE")
        return path_of(file) if file else Path(self._name(event))

    def _problem(self, event: _Event, frames: int, shown: int) -> str:
        if event.freeze or event.speed == 0:
            return FREEZE
        fast = event.speed is not None and abs(event.speed - self.rate) > Fraction(1, 50)
        return RETIMED if fast or (frames != shown and frames > 0) else ""

    def with_tracks(
        self, tracks: Sequence[StyledTrack], without: Collection[ClipUse] = ()
    ) -> bytes:
        """Return a list of the stylized shots alone, each with its file."""
        mode = "DROP FRAME" if self._start.drop else "NON-DROP FRAME"
        lines = [f"TITLE: {self._title} - {tracks[0].name}", f"FCM: {mode}", ""]
        clips = [clip for track in tracks for clip in track.clips]
        for number, clip in enumerate(clips, 1):
            into = clip.start.later(clip.offset, self.rate)
            at = self._start.later(clip.use.start, self.rate)
            times = [
                into,
                into.later(clip.use.frames, self.rate),
                at,
                at.later(clip.use.frames, self.rate),
            ]
            path = clip.shot.path.absolute()
            lines += [
                f"{number:03}  AX       V     C        {' '.join(map(str, times))}",
                f"* FROM CLIP NAME: {path.name}",
                f"* SOURCE FILE: {path}",
                "",
            ]
        return "\r\n".join(lines).encode()
