"""Edit decision lists (CMX 3600): one video track, so stylized shots get a list of their own."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from ...core.clips.timecode import Timecode
from ...core.errors import UsageError
from .model import NO_MEDIA, ClipUse, StyledTrack
from .otio import OtioTimeline

_EVENT = re.compile(r"\d+\s.*\s(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*")


class EdlTimeline(OtioTimeline):
    """An edit decision list, see `TimelineFile`; it has no second track to write to.

    Programs differ in how they read lists of several tracks. The written list holds only the
    stylized shots at their positions, to be laid on a track above the cut.

    Raises:
        UsageError: It can't be read, or the rate is missing.
    """

    def __init__(self, path: Path, rate: Fraction | None):
        if rate is None:
            raise UsageError(
                "an edit decision list does not state its frame rate", path=path, hint="--fps 25"
            )
        self._stated = rate
        super().__init__(path)
        # Lists name clips, not files: media is searched for by that name.
        self.uses: Sequence[ClipUse] = [
            replace(use, media=Path(use.name), origin=True, problem="")
            if use.problem == NO_MEDIA and use.name
            else use
            for use in self.uses
        ]
        self._title = self.timeline.name or path.stem
        self._start = _first_record(path)
        self.warnings.append(
            "the written list holds only the stylized shots: lay it on a track above"
        )

    def _options(self) -> dict[str, float]:
        return {"rate": float(self._stated)}

    def _rate(self, path: Path) -> Fraction:
        return self._stated

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


def _first_record(path: Path) -> Timecode:
    """Return the timeline's start, which OpenTimelineIO's adapter drops."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        event = _EVENT.fullmatch(line)
        if event is not None and (code := Timecode.parse(event[3])) is not None:
            return code
    raise UsageError("has no event", path=path)
