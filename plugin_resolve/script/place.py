"""Styled shots onto a track of their own, above what they were made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ...core.clips.timecode import Timecode
from ...core.errors import EditorError
from ..recipe import Recipe
from .marker import Note
from .resolve.append import Appending, Spot
from .resolve.application import Project, Resolve
from .resolve.media_pool import PoolClip
from .resolve.rate import same_rate
from .resolve.timeline import Item, Timeline
from .survey import TRACK_PREFIX, Cut, own_tracks

BIN = "Brushreel"


@dataclass(frozen=True)
class Styled:
    """A cut and the file of its painted frames.

    Attributes:
        cut: What it was made from.
        path: The file.
        head: Frames of the file before the cut's first one: the handle.
        frames: Frames of the file.
    """

    cut: Cut
    path: Path
    head: int
    frames: int


@dataclass(frozen=True)
class Placed:
    """A styled shot that lies where it should; Resolve was asked again.

    Attributes:
        styled: What it is.
        how: "kept" was there from an earlier run, "replaced" took the place of another recipe's.
        warnings: What is not as it should be, a line each.
    """

    styled: Styled
    how: Literal["placed", "replaced", "kept"]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotPlaced:
    """A styled shot that does not lie on the timeline, and why."""

    styled: Styled
    error: EditorError


@dataclass(frozen=True)
class _Earlier:
    """A styled shot of an earlier run."""

    id: str
    item: Item
    spot: Spot
    clip: PoolClip
    note: Note


class Placing:
    """Puts styled shots onto tracks named "Brushreel: <style>".

    Each goes onto a track right above its clip's, so that what lay above the clip still does. The
    clips are never touched. A shot with the same recipe at its place is left there; one
    with another recipe, as long as it does not reach beyond the cut, is taken off first.

    Args:
        resolve: The running program.
        project: The open project.
        timeline: Where the cuts lie; the current one.
        recipe: What the shots were painted with.
    """

    def __init__(self, resolve: Resolve, project: Project, timeline: Timeline, recipe: Recipe):
        self._resolve, self._timeline, self._recipe = resolve, timeline, recipe
        self._pool = project.media_pool()
        self._append = Appending(resolve, project)
        self._name = f"{TRACK_PREFIX}{recipe.style}"
        self._inserted: list[int] = []

    def __call__(self, shots: Sequence[Styled]) -> Iterator[Placed | NotPlaced]:
        """Place them all; what goes wrong with one does not stop the others."""
        earlier = self._earlier()
        kept = [shot for shot in shots if any(self._is(shot, one) for one in earlier)]
        new = [_as_it_lies(shot) for shot in shots if shot not in kept]
        gone = [one for one in earlier if any(_replaces(shot, one) for shot in new)]
        yield from (Placed(shot, "kept") for shot in kept)
        stuck = self._take_off(gone)
        placed: dict[str, Spot] = {}
        for shot in new:
            replaced = [one for one in gone if _replaces(shot, one)]
            yield self._placed_or_not(shot, replaced, stuck, placed)
        self._check_all(placed)

    def _take_off(self, gone: Sequence[_Earlier]) -> dict[str, EditorError]:
        """All at once, or one by one if one on a locked track keeps the others; what stays."""
        stuck: dict[str, EditorError] = {}
        with self._resolve.edit_page():
            try:
                self._timeline.delete([one.item for one in gone])
            except EditorError:
                there = self._timeline.all_items()
                for one in gone:
                    try:
                        self._timeline.delete([there[one.id]] if one.id in there else [])
                    except EditorError as error:
                        stuck[one.id] = error
        return stuck

    def _placed_or_not(
        self,
        shot: Styled,
        replaced: list[_Earlier],
        stuck: Mapping[str, EditorError],
        placed: dict[str, Spot],
    ) -> Placed | NotPlaced:
        try:
            for one in replaced:
                if one.id in stuck:
                    raise stuck[one.id]
            item, spot, warnings = self._place(shot)
        except EditorError as error:
            for one in replaced:
                if one.id not in stuck:
                    self._put_back(one)
            return NotPlaced(shot, error)
        placed[item.id] = spot
        return Placed(shot, "replaced" if replaced else "placed", warnings)

    def _place(self, shot: Styled) -> tuple[Item, Spot, tuple[str, ...]]:
        cut = shot.cut
        check_unmoved(cut)
        clip = self._pool.bring_in(shot.path, self._pool.bin(BIN))
        _check_clip(clip, shot, self._timeline)
        spot = Spot(self._track(cut), cut.record, shot.head, cut.frames)
        item = self._append(clip, spot, self._timeline)
        try:
            self._mark(item, shot)
        except EditorError:
            with self._resolve.edit_page():
                self._timeline.delete([item])
            raise
        return item, spot, self._warnings(item, clip, shot)

    def _mark(self, item: Item, shot: Styled) -> None:
        # Whether a marker's frame counts from the clip's or the item's start, it is seen.
        frame = shot.head if shot.head < shot.cut.frames else 0
        item.mark(frame, self._name, self.note(shot).spoken(), self.note(shot).to_json())

    def note(self, shot: Styled) -> Note:
        """What the marker of a shot says."""
        recipe, cut = self._recipe, shot.cut
        return Note(recipe.to_json(), recipe.digest, str(cut.media), cut.first, cut.frames)

    def _warnings(self, item: Item, clip: PoolClip, shot: Styled) -> tuple[str, ...]:
        warnings = [
            f"it covers {other.name} on track {other.track[1]}"
            for other in self._covered(item, shot)
        ]
        if not item.frame_as(shot.cut.item.framing()):
            warnings.append("Resolve did not take over all of the clip's position, size and crop")
        wanted = _timecode(shot, self._timeline)
        if wanted is not None and Timecode.parse(clip.start_timecode) != wanted:
            warnings.append(f"its timecode starts at {clip.start_timecode} instead of {wanted}")
        return tuple(warnings)

    def _covered(self, item: Item, shot: Styled) -> list[Item]:
        """What lay above the clip and lies below the shot: where no track could be inserted."""
        own, above = own_tracks(self._timeline), self._now(shot.cut.track) + 1
        between = [track for track in range(above, item.track[1]) if track not in own]
        items = [other for track in between for other in self._timeline.items(track)]
        return [other for other in items if other.start < item.end and other.end > item.start]

    def _earlier(self) -> list[_Earlier]:
        """The styled shots on the tracks that are ours."""
        found = []
        for track in own_tracks(self._timeline):
            for item in self._timeline.items(track):
                note, clip = Note.on(item), item.clip
                if note is not None and clip is not None:
                    spot = Spot(track, item.start, item.left_offset, item.duration)
                    found.append(_Earlier(item.id, item, spot, clip, note))
        return found

    def _is(self, shot: Styled, one: _Earlier) -> bool:
        """Whether a shot of an earlier run is this very one."""
        same_place = (one.spot.record, one.spot.first) == (shot.cut.record, shot.head)
        return one.note == self.note(shot) and same_place and one.clip.path == shot.path

    def _put_back(self, one: _Earlier) -> None:
        """A shot that was taken off for one that could not be placed; as well as it goes."""
        spot = replace(one.spot, track=self._now(one.spot.track))
        try:
            item = self._append(one.clip, spot, self._timeline)
            item.mark(0, self._timeline.track_name(spot.track), "", one.note.to_json())
        except EditorError:
            return

    def _now(self, track: int) -> int:
        """The number that a track has by now; those above an inserted one have moved up."""
        for inserted in self._inserted:
            track += inserted <= track
        return track

    def _track(self, cut: Cut) -> int:
        """The track of this style right above the cut's, free where it lies; else a new one."""
        timeline, own = self._timeline, own_tracks(self._timeline)
        top = below = self._now(cut.track)
        while top + 1 in own:
            top += 1
        own_above = range(below + 1, top + 1)
        # Above whatever of ours stays there.
        covered = max((n for n in own_above if not _free(timeline, n, cut)), default=below)
        usable = [n for n in range(covered + 1, top + 1) if not timeline.track_is_locked(n)]
        for track in usable:
            if timeline.track_name(track) == self._name:
                return track
        for track in usable:
            if not timeline.items(track):
                timeline.name_track(track, self._name)
                return track
        added = timeline.add_track(self._name, top + 1)
        self._inserted.append(added)
        return added

    def _check_all(self, placed: dict[str, Spot]) -> None:
        """Look at everything once more: what came later must not have pushed anything away."""
        there = self._timeline.all_items()
        for key, spot in placed.items():
            if key not in there or not replace(spot, track=there[key].track[1]).holds(there[key]):
                raise EditorError(
                    f"what was put at frame {spot.record} is not there any more",
                    hint="undo, and run it again",
                )


def _replaces(shot: Styled, one: _Earlier) -> bool:
    cut, spot = shot.cut, one.spot
    inside = cut.record <= spot.record and spot.record + spot.frames <= cut.record + cut.frames
    return inside and one.note.source == str(cut.media)


def _free(timeline: Timeline, track: int, cut: Cut) -> bool:
    end = cut.record + cut.frames
    return all(item.end <= cut.record or item.start >= end for item in timeline.items(track))


def _as_it_lies(shot: Styled) -> Styled:
    """The editor may have added tracks while the shot was painted."""
    try:
        track = shot.cut.item.track[1]
    except EditorError:
        return shot
    return replace(shot, cut=replace(shot.cut, track=track))


def check_unmoved(cut: Cut) -> None:
    """The editor may have gone on cutting while the shot was painted.

    Raises:
        EditorError: The clip is not where it was.
    """
    item = cut.item
    try:
        here = item.start <= cut.record and cut.record + cut.frames <= item.end
        unmoved = here and item.left_offset + cut.record - item.start == cut.first
    except EditorError:
        unmoved = False
    if not unmoved:
        raise EditorError(
            f"{cut.name!r} was moved or trimmed meanwhile",
            hint="run it again: what is painted is kept",
        )


def _check_clip(clip: PoolClip, shot: Styled, timeline: Timeline) -> None:
    """Whether Resolve has understood the file as it is meant."""
    if clip.frames not in (None, shot.frames):
        raise EditorError(
            f"Resolve counts {clip.frames} frames instead of {shot.frames}", path=shot.path
        )
    if not same_rate(clip.rate, timeline.rate):
        raise EditorError("Resolve reads another frame rate than the timeline's", path=shot.path)


def _timecode(shot: Styled, timeline: Timeline) -> Timecode | None:
    start = Timecode.parse(shot.cut.start_timecode)
    return None if start is None else start.later(shot.cut.first - shot.head, timeline.rate)
