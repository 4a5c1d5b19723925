"""Stylized shots as takes: another video in the same item of the timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...core.errors import EditorError
from .place import BIN, NotPlaced, Placed, Placing, Styled, check_unmoved
from .resolve.application import Project, Resolve
from .resolve.calls import call
from .resolve.media_pool import PoolClip
from .resolve.timeline import Item


def add_takes(
    resolve: Resolve, project: Project, placing: Placing, shots: Sequence[Styled]
) -> Iterator[Placed | NotPlaced]:
    """Add each stylized shot to its item's take selector, and select it.

    The item keeps its position and length; the earlier take stays in the selector. How these calls
    behave is not documented: a take that does not fit, or that can't be marked, is removed again.
    """
    pool = project.media_pool()
    for shot in shots:
        try:
            check_unmoved(shot.cut)
            _check_whole(shot)
            clip = pool.bring_in(shot.path, pool.bin(BIN))
            data = placing.marker_data(shot).to_json()
            _add(shot, clip, data, exclusive=resolve.ends_exclusively)
        except EditorError as error:
            yield NotPlaced(shot, error)
        else:
            yield Placed(shot, "placed")


def _check_whole(shot: Styled) -> None:
    if shot.cut.frames != shot.cut.item.duration:
        raise EditorError(
            f"only a range of {shot.cut.name!r} is stylized", hint="put it on a new track instead"
        )


def _add(shot: Styled, clip: PoolClip, data: str, *, exclusive: bool) -> None:
    item, end = shot.cut.item, shot.head + shot.cut.frames
    before = int(call(item.raw, "GetSelectedTakeIndex") or 0) or 1

    def undo(number: int) -> None:
        call(item.raw, "SelectTakeByIndex", before)
        call(item.raw, "DeleteTakeByIndex", number)

    for last in (end, end - 1) if exclusive else (end - 1, end):
        call(item.raw, "AddTake", clip.raw, shot.head, last)
        number = _take_of(item, clip)
        if number is None:
            raise EditorError(f"Resolve did not add a take to {shot.cut.name!r}")
        call(item.raw, "SelectTakeByIndex", number)
        if (item.start, item.duration, item.left_offset) == _wanted(shot):
            try:
                item.mark(0, "Brushreel", "", data)
            except EditorError:
                undo(number)
                raise
            return
        undo(number)
    raise EditorError(
        f"a take does not fit {shot.cut.name!r}", hint="put it on a new track instead"
    )


def _wanted(shot: Styled) -> tuple[int, int, int]:
    return shot.cut.record, shot.cut.frames, shot.head


def _take_of(item: Item, clip: PoolClip) -> int | None:
    """Return the number of the last take that shows a clip; None if there is none."""
    for number in range(int(call(item.raw, "GetTakesCount") or 0), 0, -1):
        take = call(item.raw, "GetTakeByIndex", number) or {}
        if PoolClip(take.get("mediaPoolItem")).path == clip.path:
            return number
    return None
