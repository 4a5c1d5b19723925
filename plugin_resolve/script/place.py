"""Stylized shots placed on tracks of their own, above the clips that they were made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ...core.clips.timecode import Timecode
from ...core.errors import EditorError
from ..recipe import Recipe
from ..styled_track import styled_track_name
from .marker import MarkerData
from .resolve.append import Appending, Position
from .resolve.application import Project, Resolve
from .resolve.media_pool import PoolClip
from .resolve.rate import same_rate
from .resolve.timeline import Item, Timeline
from .survey import Cut, own_tracks

BIN = "Brushreel"


@dataclass(frozen=True)
class Styled:
    """A cut and the file of its stylized frames.

    Attributes:
        cut: The cut that it was made from.
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
    """A stylized shot that is on the timeline where it should be, as looked up in Resolve.

    Attributes:
        styled: The shot.
        how: "kept" was there from an earlier run, "replaced" replaced a shot of another recipe.
        warnings: What is not as it should be, a line each.
    """

    styled: Styled
    how: Literal["placed", "replaced", "kept"]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotPlaced:
    """A stylized shot that could not be placed, and why."""

    styled: Styled
    error: EditorError


@dataclass(frozen=True)
class _Earlier:
    """A stylized shot of an earlier run."""

    id: str
    item: Item
    position: Position
    clip: PoolClip
    data: MarkerData


class Placing:
    """Placement of stylized shots on tracks named "Brushreel: <style>".

    Each shot goes onto a track right above its clip's, so that what lay above the clip still does.
    The clips are never touched. A shot of an earlier run with the same recipe and position is
    kept; one with another recipe is removed first, if it does not reach beyond the cut.

    Args:
        resolve: The running program.
        project: The open project.
        timeline: The timeline of the cuts; must be the current one.
        recipe: The recipe of the shots.
    """

    def __init__(self, resolve: Resolve, project: Project, timeline: Timeline, recipe: Recipe):
        self._resolve, self._timeline, self._recipe = resolve, timeline, recipe
        self._pool = project.media_pool()
        self._append = Appending(resolve, project)
        self._name = styled_track_name([recipe.style])
        self._inserted: list[int] = []

    def place(self, shots: Sequence[Styled]) -> Iterator[Placed | NotPlaced]:
        """Place all shots; an error with one does not stop the others.

        Raises:
            EditorError: A placed shot was moved or removed by what was placed after it.
        """
        earlier = self._earlier()
        kept = [shot for shot in shots if any(self._is_same(shot, one) for one in earlier)]
        yield from (Placed(shot, "kept") for shot in kept)
        new = [_on_current_track(shot) for shot in shots if shot not in kept]
        yield from self._place_new(new, earlier)

    def _place_new(
        self, shots: Sequence[Styled], earlier: Sequence[_Earlier]
    ) -> Iterator[Placed | NotPlaced]:
        replaced = [[one for one in earlier if _replaces(shot, one)] for shot in shots]
        stuck = self._remove([one for one in earlier if any(one in group for group in replaced)])
        placed: dict[str, Position] = {}
        for shot, group in zip(shots, replaced, strict=True):
            yield self._place_or_restore(shot, group, stuck, placed)
        self._check_all(placed)

    def _remove(self, unwanted: Sequence[_Earlier]) -> dict[str, EditorError]:
        """Remove earlier shots; return an error for each that stays.

        All are removed at once, or one by one if one on a locked track keeps the others.
        """
        stuck: dict[str, EditorError] = {}
        with self._resolve.edit_page():
            try:
                self._timeline.delete([one.item for one in unwanted])
            except EditorError:
                there = self._timeline.all_items()
                for one in unwanted:
                    try:
                        self._timeline.delete([there[one.id]] if one.id in there else [])
                    except EditorError as error:
                        stuck[one.id] = error
        return stuck

    def _place_or_restore(
        self,
        shot: Styled,
        replaced: list[_Earlier],
        stuck: Mapping[str, EditorError],
        placed: dict[str, Position],
    ) -> Placed | NotPlaced:
        """Place a shot; if that fails, put back the shots that it was to replace."""
        try:
            for one in replaced:
                if one.id in stuck:
                    raise stuck[one.id]
            item, position, warnings = self._place_one(shot)
        except EditorError as error:
            for one in replaced:
                if one.id not in stuck:
                    self._put_back(one)
            return NotPlaced(shot, error)
        placed[item.id] = position
        return Placed(shot, "replaced" if replaced else "placed", warnings)

    def _place_one(self, shot: Styled) -> tuple[Item, Position, tuple[str, ...]]:
        cut = shot.cut
        check_unmoved(cut)
        clip = self._pool.bring_in(shot.path, self._pool.bin(BIN))
        _check_clip(clip, shot, self._timeline)
        position = Position(self._track(cut), cut.record, shot.head, cut.frames)
        item = self._append(clip, position, self._timeline)
        try:
            self._mark(item, shot)
        except EditorError:
            with self._resolve.edit_page():
                self._timeline.delete([item])
            raise
        return item, position, self._warnings(item, clip, shot)

    def _mark(self, item: Item, shot: Styled) -> None:
        # Versions count a marker's frame from the clip's or the item's start: visible either way.
        frame, data = shot.head if shot.head < shot.cut.frames else 0, self.marker_data(shot)
        item.mark(frame, self._name, data.summary(), data.to_json())

    def marker_data(self, shot: Styled) -> MarkerData:
        """Return the data for a shot's marker."""
        recipe, cut = self._recipe, shot.cut
        return MarkerData(recipe.to_json(), recipe.digest, str(cut.media), cut.first, cut.frames)

    def _warnings(self, item: Item, clip: PoolClip, shot: Styled) -> tuple[str, ...]:
        warnings = [
            f"it covers {other.name} on track {other.track[1]}"
            for other in self._covered(item, shot)
        ]
        if not item.frame_as(shot.cut.item.framing()):
            warnings.append("Resolve did not copy all of the clip's position, size and crop")
        wanted = _timecode(shot, self._timeline)
        if wanted is not None and Timecode.parse(clip.start_timecode) != wanted:
            warnings.append(f"its timecode starts at {clip.start_timecode} instead of {wanted}")
        return tuple(warnings)

    def _covered(self, item: Item, shot: Styled) -> list[Item]:
        """Return what lay above the clip and is covered now, as no track could be inserted."""
        own, above = own_tracks(self._timeline), self._current_number(shot.cut.track) + 1
        between = [track for track in range(above, item.track[1]) if track not in own]
        items = [other for track in between for other in self._timeline.items(track)]
        return [other for other in items if other.start < item.end and other.end > item.start]

    def _earlier(self) -> list[_Earlier]:
        """Return the stylized shots on our tracks."""
        found = []
        for track in own_tracks(self._timeline):
            for item in self._timeline.items(track):
                data, clip = MarkerData.on(item), item.clip
                if data is not None and clip is not None:
                    position = Position(track, item.start, item.left_offset, item.duration)
                    found.append(_Earlier(item.id, item, position, clip, data))
        return found

    def _is_same(self, shot: Styled, one: _Earlier) -> bool:
        """Return whether a shot of an earlier run has the same recipe, file and position."""
        same_position = (one.position.record, one.position.first) == (shot.cut.record, shot.head)
        same_data = one.data == self.marker_data(shot)
        return same_data and same_position and one.clip.path == shot.path

    def _put_back(self, one: _Earlier) -> None:
        """Restore a removed shot as far as possible."""
        position = replace(one.position, track=self._current_number(one.position.track))
        try:
            item = self._append(one.clip, position, self._timeline)
            item.mark(0, self._timeline.track_name(position.track), "", one.data.to_json())
        except EditorError:
            return

    def _current_number(self, track: int) -> int:
        """Return a track's number after insertions: tracks above an inserted one moved up."""
        for inserted in self._inserted:
            track += inserted <= track
        return track

    def _track(self, cut: Cut) -> int:
        """Return the track of this style above the cut's, free at the cut; else add one."""
        timeline, own = self._timeline, own_tracks(self._timeline)
        top = below = self._current_number(cut.track)
        while top + 1 in own:
            top += 1
        own_above = range(below + 1, top + 1)
        # Above the stylized shots that stay there.
        covered = max((n for n in own_above if not _is_free(timeline, n, cut)), default=below)
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

    def _check_all(self, placed: dict[str, Position]) -> None:
        """Look everything up once more: a later shot must not have moved an earlier one."""
        there = self._timeline.all_items()
        for key, position in placed.items():
            item = there.get(key)
            if item is None or not replace(position, track=item.track[1]).matches(item):
                raise EditorError(
                    f"the shot placed at frame {position.record} is no longer there",
                    hint="undo, and run it again",
                )


def _replaces(shot: Styled, one: _Earlier) -> bool:
    cut, position = shot.cut, one.position
    starts_inside = cut.record <= position.record
    ends_inside = position.record + position.frames <= cut.record + cut.frames
    return starts_inside and ends_inside and one.data.source == str(cut.media)


def _is_free(timeline: Timeline, track: int, cut: Cut) -> bool:
    end = cut.record + cut.frames
    return all(item.end <= cut.record or item.start >= end for item in timeline.items(track))


def _on_current_track(shot: Styled) -> Styled:
    """Look up the cut's track again: the editor may have added tracks in the meantime."""
    try:
        track = shot.cut.item.track[1]
    except EditorError:
        return shot
    return replace(shot, cut=replace(shot.cut, track=track))


def check_unmoved(cut: Cut) -> None:
    """Refuse a cut that the editor has moved or trimmed while it was stylized.

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
            f"{cut.name!r} was moved or trimmed in the meantime",
            hint="run it again: stylized shots are kept",
        )


def _check_clip(clip: PoolClip, shot: Styled, timeline: Timeline) -> None:
    """Refuse a file whose length or frame rate Resolve reads wrongly."""
    if clip.frames not in (None, shot.frames):
        raise EditorError(
            f"Resolve counts {clip.frames} frames instead of {shot.frames}", path=shot.path
        )
    if not same_rate(clip.rate, timeline.rate):
        raise EditorError("Resolve reads another frame rate than the timeline's", path=shot.path)


def _timecode(shot: Styled, timeline: Timeline) -> Timecode | None:
    start = Timecode.parse(shot.cut.start_timecode)
    return None if start is None else start.later(shot.cut.first - shot.head, timeline.rate)
