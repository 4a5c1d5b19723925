"""Jobs that meet an earlier one, an editor who goes on working, or another place than a track."""

from __future__ import annotations

import pytest

from brushreel.core.errors import EditorError

from .fake.cut import START, STYLIZED
from .fake.model import Lying, Sequence, Track
from .fake.seen import check_places, snapshot, styled


def test_shot_that_is_not_replaced_after_all_is_put_back(cut, job, monkeypatch):
    the = cut()
    job(the)
    before = [(item.media, item.start, item.duration, item.left) for item in styled(the)]
    from brushreel.plugin_resolve.script import place

    def refuse(clip, shot, timeline):
        raise EditorError("no")

    monkeypatch.setattr(place, "_check_clip", refuse)
    outcome, _ = job(the, strength=0.5)
    assert outcome.placed == 0
    check_places(the)
    assert [(item.media, item.start, item.duration, item.left) for item in styled(the)] == before


def test_same_recipe_is_kept_and_another_replaces(cut, job):
    the = cut()
    job(the)
    ids = [item.id for item in styled(the)]
    outcome, _ = job(the)
    assert outcome.placed == 8
    assert [item.id for item in styled(the)] == ids
    job(the, strength=0.5)
    assert len(the.timeline.tracks) == 4
    assert not set(ids) & {item.id for item in styled(the)}
    check_places(the)


def test_another_style_takes_over_the_emptied_track(cut, job):
    the = cut()
    job(the)
    job(the, style="other")
    names = [track.name for track in the.timeline.tracks]
    assert names == ["Video 1", "Brushreel: other", "Video 2", "Brushreel: other"]
    check_places(the, style="other")


def test_longer_shot_stays_and_the_new_one_lies_above_it(cut, job):
    the = cut()
    job(the, style="other", extent="track 1")
    the.timeline.tracks.insert(1, Track("Brushreel: tiny"))
    the.timeline.marks = (2, 5)
    job(the, extent="range 1")
    names = [track.name for track in the.timeline.tracks]
    assert names == [
        "Video 1",
        "Brushreel: tiny",
        "Brushreel: other",
        "Brushreel: tiny",
        "Video 2",
    ]
    assert not the.timeline.tracks[1].items
    (above,) = the.timeline.tracks[3].items
    assert (above.start - START, above.duration) == (2, 4)
    assert len(styled(the, "other")) == 6


def test_copy_of_the_timeline_is_made_and_the_first_stays(cut, job):
    the = cut()
    first = the.timeline
    before = snapshot(first)
    outcome, _ = job(the, mode="copy")
    assert outcome.placed == 8
    assert [one.name for one in the.world.timelines] == ["Cut", "Cut tiny"]
    assert the.timeline.name == "Cut tiny"
    assert snapshot(first) == before
    check_places(the)


@pytest.mark.parametrize("end_inclusive", [False, True])
def test_takes_keep_place_and_length(cut, job, end_inclusive):
    the = cut(end_inclusive=end_inclusive)
    places = [(one.start, one.duration) for track in the.timeline.tracks for one in track.items]
    outcome, _ = job(the, mode="take")
    assert outcome.placed == 8
    assert [
        (one.start, one.duration) for track in the.timeline.tracks for one in track.items
    ] == places
    assert all(len(the.item(name).takes) == 2 and the.item(name).take == 2 for name in STYLIZED)
    _, bridge = job(the, mode="take")
    assert sum("stylized take" in line for line in bridge.lines) == 8


def test_locked_track_is_left_alone(cut, job):
    the = cut()
    job(the, extent="track 2")
    held = the.timeline.tracks[2]
    held.locked = True
    kept = list(held.items)
    outcome, _ = job(the, extent="track 2", strength=0.5)
    assert outcome.placed == 0
    assert len(outcome.failed) == len(kept)
    assert all("locked" in line for line in outcome.failed)
    assert held.items == kept


def test_one_locked_track_does_not_cost_the_shots_of_another(cut, job):
    the = cut()
    job(the)
    ours = [track for track in the.timeline.tracks if track.name == "Brushreel: tiny"]
    ours[0].locked = True
    held, free = list(ours[0].items), len(ours[1].items)
    outcome, _ = job(the, strength=0.5)
    assert (outcome.placed, len(outcome.failed)) == (free, len(held))
    assert ours[0].items == held
    assert len(ours[1].items) == free
    check_places(the)


def test_take_of_a_clip_deleted_meanwhile_does_not_stop_the_others(cut, job, monkeypatch):
    from brushreel.plugin_resolve.script import session

    the = cut()
    real = session._Job._place

    def place(self, stylized):
        for track in the.timeline.tracks:
            track.items = [item for item in track.items if item.name != "b2"]
        return real(self, stylized)

    monkeypatch.setattr(session._Job, "_place", place)
    outcome, _ = job(the, mode="take")
    assert outcome.placed == 7
    assert "b2" in outcome.failed[0]


def test_take_that_can_not_be_marked_is_taken_back(cut, job):
    the = cut(idle=frozenset({"AddMarker"}))
    outcome, _ = job(the, mode="take")
    assert outcome.placed == 0
    assert all(the.item(name).take <= 1 and len(the.item(name).takes) <= 1 for name in STYLIZED)


def test_what_else_lies_on_our_track_is_left_there(cut, job):
    the = cut()
    title = Lying("own title", None, START + 2, 2)
    the.timeline.tracks.insert(1, Track("Brushreel: tiny", [title]))
    outcome, _ = job(the, extent="track 1")
    assert outcome.placed == 6
    assert title in the.timeline.tracks[1].items
    check_places(the, ("a1", "b1", "c1", "d1", "b2", "c2"))


def test_delete_that_fails_at_first_is_tried_again(cut, job):
    the = cut(first_delete_fails=True)
    job(the, extent="playhead")
    outcome, _ = job(the, extent="playhead", strength=0.5)
    assert outcome.placed == 1
    assert len(styled(the)) == 1


def test_other_page_is_left_and_come_back_to(cut, job):
    the = cut()
    the.world.page = "color"
    job(the)
    job(the, strength=0.5)
    check_places(the)
    assert the.world.page == "color"


def test_stopped_job_places_what_is_stylized(cut, job, monkeypatch):
    from brushreel.plugin_resolve.script import session

    the = cut()
    real = session._Progress.frame
    shots = []

    def frame(self, count):
        shots.append(count)
        if len(shots) > 20:
            self._window.cancelled.set()
        real(self, count)

    monkeypatch.setattr(session._Progress, "frame", frame)
    outcome, _ = job(the, strength=0.25)
    assert outcome.cancelled
    assert 0 < outcome.placed < 8
    assert len(styled(the)) == outcome.placed


def test_shot_that_was_moved_meanwhile_is_named(cut, job, monkeypatch):
    from brushreel.plugin_resolve.script import session

    the = cut()
    real = session._Job._place

    def place(self, stylized):
        the.item("b2").start += 5
        return real(self, stylized)

    monkeypatch.setattr(session._Job, "_place", place)
    outcome, _ = job(the)
    assert outcome.placed == 7
    assert "b2" in outcome.failed[0] and "moved" in outcome.failed[0]


def test_another_timeline_opened_meanwhile_gets_nothing(cut, job, monkeypatch):
    from brushreel.plugin_resolve.script import session

    the = cut()
    the.world.timelines.append(Sequence("Other"))
    real = session._Job._place

    def place(self, stylized):
        the.world.current = 1
        return real(self, stylized)

    monkeypatch.setattr(session._Job, "_place", place)
    job(the)
    assert the.world.current == 1
    assert not the.world.timelines[1].tracks[0].items
    the.world.current = 0
    check_places(the)


def test_track_added_meanwhile_is_counted(cut, job, monkeypatch):
    from brushreel.plugin_resolve.script import session

    the = cut()
    real = session._Job._place

    def place(self, stylized):
        the.timeline.tracks.insert(1, Track("Titles"))
        return real(self, stylized)

    monkeypatch.setattr(session._Job, "_place", place)
    job(the)
    names = [track.name for track in the.timeline.tracks]
    assert names == ["Video 1", "Brushreel: tiny", "Titles", "Video 2", "Brushreel: tiny"]
    check_places(the)
