"""A survey of a timeline: what can be stylized, and why the rest can't."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

from ...core.clips.clip_info import ClipInfo
from ...core.clips.media import probe
from ...core.errors import BrushreelError, UsageError
from ...core.file_identity import FileIdentity, file_identity
from ..styled_track import is_styled_track
from .marker import MarkerData
from .resolve.media_pool import PoolClip
from .resolve.rate import same_rate
from .resolve.timeline import Item, Timeline

ExtentKind = Literal["selection", "playhead", "track", "range"]
_NUMBERED = re.compile(r"\[\d+-\d+\]")  # shot.[0001-0100].exr
# A script can't rebuild it; the editor can turn it into a plain clip.
_RENDER_IN_PLACE = "use Render in Place on it, then try again"


@dataclass(frozen=True)
class Cut:
    """The range of a clip on the timeline that can be stylized.

    Attributes:
        item: The item of the timeline.
        name: Name on the timeline.
        media: The file.
        track: Video track, from 1.
        record: First frame on the timeline, its start timecode included.
        first: First frame of the file, from 0.
        frames: Length in frames.
        start_timecode: Timecode of the file's first frame in the media pool.
    """

    item: Item
    name: str
    media: Path
    track: int
    record: int
    first: int
    frames: int
    start_timecode: str


@dataclass(frozen=True)
class LeftOut:
    """An item of the timeline, up to its frame `end`, that can't be stylized, and why."""

    name: str
    track: int
    record: int
    end: int
    why: str


class _Unsuitable(Exception):  # noqa: N818  it carries a reason and is no error
    pass


class Survey:
    """A survey of a timeline; each item is looked at once, however often it is asked for."""

    def __init__(self, timeline: Timeline):
        self._timeline, self._rate = timeline, timeline.rate
        self._own = own_tracks(timeline)
        self._seen: dict[str, Cut | LeftOut] = {}

    def __call__(self, extent: ExtentKind, track: int) -> tuple[list[Cut], list[LeftOut]]:
        """Return what can be stylized and what can't, from left to right.

        Args:
            extent: The selected items; the item under the playhead; a whole video track; or the
                track trimmed to the in and out points.
            track: Number of the track, for the last two.

        Raises:
            UsageError: Nothing is selected, under the playhead, or marked.
            EditorError: Resolve does not answer as it should.
        """
        marked = self._timeline.marked() if extent == "range" else None
        if extent == "range" and marked is None:
            raise UsageError("the timeline has no in and out points", hint="press I and O")
        found = [self._look(item) for item in self._items(extent, track)]
        cuts = [one for one in found if isinstance(one, Cut)]
        left_out = [one for one in found if isinstance(one, LeftOut)]
        if marked is None:
            return cuts, left_out
        inside = [one for one in left_out if one.record < marked[1] and one.end > marked[0]]
        return [trimmed for cut in cuts for trimmed in _within(cut, *marked)], inside

    def _look(self, item: Item) -> Cut | LeftOut:
        key = item.id
        if key not in self._seen:
            try:
                self._seen[key] = _cut(item, self._rate)
            except _Unsuitable as reason:
                where = item.track[1], item.start, item.end
                self._seen[key] = LeftOut(item.name, *where, str(reason))
        return self._seen[key]

    def _items(self, extent: ExtentKind, track: int) -> Iterable[Item]:
        if extent == "selection":
            found: Sequence[Item] = self._timeline.selected() or []
            missing = "nothing is selected on a video track"
        elif extent == "playhead":
            item = self._timeline.at_playhead()
            found = [] if item is None else [item]
            missing = "there is no clip under the playhead"
        else:
            found, missing = self._timeline.items(track), f"video track {track} is empty"
        if not found:
            raise UsageError(missing)
        others = [item for item in found if item.track[1] not in self._own]
        return sorted(others, key=lambda item: item.start)


def own_tracks(timeline: Timeline) -> list[int]:
    """Return the numbers of the video tracks that hold stylized shots."""
    tracks = range(1, timeline.tracks + 1)
    return [track for track in tracks if is_styled_track(timeline.track_name(track))]


def _within(cut: Cut, start: int, end: int) -> list[Cut]:
    """Return the cut trimmed to two frames of the timeline; nothing if it lies outside."""
    record, stop = max(cut.record, start), min(cut.record + cut.frames, end)
    if record >= stop:
        return []
    first = cut.first + record - cut.record
    return [replace(cut, record=record, first=first, frames=stop - record)]


def _cut(item: Item, rate: Fraction) -> Cut:
    clip = item.clip
    if clip is None:
        raise _Unsuitable("is not a clip of a file but a generator, a title or a transition")
    if not item.enabled:
        raise _Unsuitable("is disabled")
    path = _file(clip)
    data = MarkerData.on(item)
    if data is not None and data.source != str(path):
        raise _Unsuitable("shows a stylized take; select its first take to stylize it again")
    info = _probed(path)
    _check_frames(clip, info, rate)
    _check_speed(item, info)
    return Cut(
        item=item,
        name=item.name,
        media=path,
        track=item.track[1],
        record=item.start,
        first=item.left_offset,
        frames=item.duration,
        start_timecode=clip.start_timecode,
    )


def _file(clip: PoolClip) -> Path:
    path = clip.path
    if path is None:
        kind = f"{clip.kind} clip" if clip.kind else "clip without a file"
        raise _Unsuitable(f"is a {kind}, not a media file; {_RENDER_IN_PLACE}")
    if clip.kind == "Still":
        raise _Unsuitable(f"is a still image; {_RENDER_IN_PLACE}")
    if _NUMBERED.search(path.name):
        raise _Unsuitable(f"is an image sequence; {_RENDER_IN_PLACE}")
    if not path.is_file():
        raise _Unsuitable(f"is offline: {path} does not exist")
    return path


def _probed(path: Path) -> ClipInfo:
    try:
        return _probe(path, file_identity(path))
    except BrushreelError as error:
        raise _Unsuitable(f"can't be read: {error}") from error


@cache
def _probe(path: Path, _identity: FileIdentity) -> ClipInfo:
    return probe(path)


def _check_frames(clip: PoolClip, info: ClipInfo, wanted: Fraction) -> None:
    """Refuse a clip whose frames are not those of its file, or of another length than `wanted`."""
    rates = {"file": info.video.frame_rate, "media pool": clip.rate}
    for where, rate in rates.items():
        if not same_rate(rate, wanted):
            there = "unknown" if rate is None else f"{float(rate):.5g}"
            raise _Unsuitable(
                f"has {there} fps ({where}) on a timeline of {float(wanted):.5g} fps"
                f"; {_RENDER_IN_PLACE}"
            )
    if "mp4" in info.container and (info.video.frames or 0) > 1 and not info.video.constant_rate:
        raise _Unsuitable(f"has a variable frame rate; {_RENDER_IN_PLACE}")
    counted, there = clip.frames, info.video.frames
    if counted is not None and there is not None and abs(counted - there) > 1:
        raise _Unsuitable(
            f"has {counted} frames in the media pool and {there} in its file, as subclips do; "
            + _RENDER_IN_PLACE
        )


def _check_speed(item: Item, info: ClipInfo) -> None:
    """Refuse a retimed item, which no call of the API reports but two figures show.

    Its first and last frame of the source are counted at the source's speed. Its offsets are
    counted at the item's own speed, so that with its duration they do not add up to the clip.
    """
    span, duration, there = item.source_span, item.duration, info.video.frames
    if span is not None and abs(span - duration) > 1:
        speed = "backwards" if span < 0 else f"at {span / duration:.0%} of its speed"
        raise _Unsuitable(f"is retimed: it runs {speed}; {_RENDER_IN_PLACE}")
    reach = item.left_offset + duration + item.right_offset
    if there is not None and abs(reach - there) > 2:
        raise _Unsuitable(
            f"is retimed: it reaches over {reach} frames of {there}; {_RENDER_IN_PLACE}"
        )
