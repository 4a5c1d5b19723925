"""Edit decision lists (CMX 3600): one picture track, so the styled shots go into a list alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from ...core.clips.timecode import Timecode
from ...core.errors import UsageError
from .model import NO_MEDIA, StyledTrack, Use
from .otio import OtioTimeline

_EVENT = re.compile(r"\d+\s.*\s(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*")


class EdlTimeline(OtioTimeline):
    """See `TimelineFile`; an edit decision list has no second track to write to.

    Programs differ in what they make of lists of several tracks. What is written is a list of
    the styled shots at their places, to be laid on a track above the cut.

    Raises:
        UsageError: It can't be read, or the rate is missing.
    """

    def __init__(self, path: Path, rate: Fraction | None):
        if rate is None:
            raise UsageError(
                "an edit decision list does not say its rate", path=path, hint="--fps 25"
            )
        self._stated = rate
        super().__init__(path)
        # Lists name clips, not files: the name is what is searched for.
        self.uses: Sequence[Use] = [
            replace(use, media=Path(use.name), origin=True, problem="")
            if use.problem == NO_MEDIA and use.name
            else use
            for use in self.uses
        ]
        self._title = self.timeline.name or path.stem
        self._start = _first_record(path)
        self.warnings.append("the written list holds the styled shots: lay it on a track above")

    def _options(self) -> dict[str, float]:
        return {"rate": float(self._stated)}

    def _rate(self, path: Path) -> Fraction:
        return self._stated

    def with_tracks(self, tracks: Sequence[StyledTrack], without: Collection[Use] = ()) -> bytes:
        """The styled shots, each with the file that it is found in; nothing else is written."""
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


def _first_record(path: Path) -> Timecode:
    """When the timeline starts, which OpenTimelineIO's adapter forgets."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        event = _EVENT.fullmatch(line)
        if event is not None and (code := Timecode.parse(event[3])) is not None:
            return code
    raise UsageError("holds no event", path=path)
