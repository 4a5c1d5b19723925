"""Jobs from end to end on the double of Resolve: real clips, real painted files."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from housestyle import stylize_clip
from housestyle.core.errors import EditorError, UsageError
from housestyle.core.timecode import Timecode
from housestyle.plugin_resolve.note import Note

from ..batch.media.read import read_clip
from .fake.cut import PAINTED, START, Cut
from .fake.model import Lying, Media, Sequence, Track

LEFT_OUT = {
    "fast": "retimed",
    "compound": "Compound",
    "offline": "offline",
    "title": "generator",
}
LIES = [
    {"end_inclusive": True},
    {"answers_all": True},
    {"page_gate": False},
    {"source_start_off": True},
    {"source_unknown": True},
    {"appends_in_vain": 1},
    {"tracks_on_top": True},
]


def snapshot(sequence: Sequence) -> list:
    """The editor's own tracks: nothing of them may change."""
    return [
        (
            track.name,
            [
                (one.id, one.start, one.duration, one.left, one.media, one.take)
                for one in track.items
            ],
        )
        for track in sequence.tracks
        if not track.name.startswith("Housestyle")
    ]


def styled(cut: Cut, style: str = "tiny") -> list[Lying]:
    tracks = [one for one in cut.timeline.tracks if one.name == f"Housestyle: {style}"]
    return sorted((item for one in tracks for item in one.items), key=lambda item: item.start)


def check_places(cut: Cut, names: tuple[str, ...] = PAINTED, style: str = "tiny") -> None:
    """Every painted shot lies over its clip, to the frame, and shows the same frames."""
    ours = [item for item in styled(cut, style) if item.media is not None]
    found = {(Note.read(notes(item)[0]).source, item.start): item for item in ours}  # type: ignore[union-attr]
    assert len(found) == len(names)
    for name in names:
        below = cut.item(name)
        above = found[below.media.path, below.start]  # type: ignore[union-attr]
        head = min(3, below.left)
        assert (above.duration, above.left) == (below.duration, head)
        note = Note.read(notes(above)[0])
        assert note is not None
        assert (note.first, note.frames) == (below.left, below.duration)


def notes(item: Lying) -> list[str]:
    return [marker["customData"] for marker in item.markers.values()]


def test_eight_of_twelve_are_painted_and_the_rest_is_named(cut, job):
    the = cut()
    before = snapshot(the.timeline)
    outcome, bridge = job(the)
    assert (outcome.placed, outcome.failed) == (8, ())
    assert snapshot(the.timeline) == before
    names = [track.name for track in the.timeline.tracks]
    assert names == ["Video 1", "Housestyle: tiny", "Video 2", "Housestyle: tiny"]
    check_places(the)
    for name, why in LEFT_OUT.items():
        assert any(line.startswith(f"Left out: {name} ") and why in line for line in bridge.lines)
    assert [one.name for one in the.world.root.bins] == ["Housestyle"]
    assert the.world.current_bin is the.world.root
    assert not the.world.sound_appended


def test_painted_frames_are_those_of_the_command(cut, job, tmp_path, style_file):
    the = cut()
    job(the)
    whole = {
        name: read_clip(
            stylize_clip(media.path, tmp_path / f"{name}.mov", style_file, codec="prores").output
        )
        for name, media in the.clips.items()
    }
    for item in styled(the):
        note = Note.read(notes(item)[0])
        assert note is not None and item.media is not None
        shot = read_clip(Path(item.media.path))
        first = note.first - item.left
        expected = whole[Path(note.source).stem].frames[first : first + len(shot.frames)]
        for here, there in zip(shot.frames, expected, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))


def test_painted_files_keep_timecode_and_rate(cut, job):
    the = cut()
    _, bridge = job(the)
    for item in styled(the):
        note, media = Note.read(notes(item)[0]), item.media
        assert note is not None and media is not None
        source = next(one for one in the.clips.values() if one.path == note.source)
        start = Timecode.parse(source.start_timecode)
        assert start is not None
        assert media.start_timecode == str(start.later(note.first - item.left, Fraction(25)))
        assert media.rate == 25
    assert not [line for line in bridge.lines if "timecode" in line]


@pytest.mark.parametrize("lies", LIES, ids=lambda lies: next(iter(lies)))
def test_no_lie_moves_a_shot(cut, job, lies):
    the = cut(**lies)
    before = snapshot(the.timeline)
    outcome, _ = job(the)
    assert (outcome.placed, outcome.failed) == (8, ())
    assert snapshot(the.timeline) == before
    check_places(the)


@pytest.mark.parametrize("method", ["AddTrack", "SetTrackName", "AddMarker", "ImportMedia"])
def test_true_without_effect_is_noticed(cut, job, method):
    the = cut(idle=frozenset({method}))
    before = snapshot(the.timeline)
    outcome, _ = job(the)
    assert outcome.placed == 0
    assert len(outcome.failed) == 8
    assert snapshot(the.timeline) == before
    assert not styled(the)


def test_shot_that_is_not_replaced_after_all_is_put_back(cut, job, monkeypatch):
    the = cut()
    job(the)
    before = [(item.media, item.start, item.duration, item.left) for item in styled(the)]
    from housestyle.plugin_resolve import place

    def refuse(clip, shot, timeline):
        raise EditorError("no")

    monkeypatch.setattr(place, "_check_clip", refuse)
    outcome, _ = job(the, strength=0.5)
    assert outcome.placed == 0
    check_places(the)
    assert [(item.media, item.start, item.duration, item.left) for item in styled(the)] == before


def test_framing_follows_and_is_told_where_it_does_not(cut, job):
    for idle in (frozenset(), frozenset({"SetProperty"})):
        the = cut(idle=idle)
        the.item("a1").framing["ZoomX"] = 1.25
        _, bridge = job(the)
        told = [line for line in bridge.lines if "position, size and crop" in line]
        assert len(told) == len(idle)
        assert styled(the)[0].framing["ZoomX"] == (1.0 if idle else 1.25)


def test_shot_that_covers_what_lay_above_says_so(cut, job):
    the = cut(tracks_on_top=True)
    _, bridge = job(the)
    assert [line for line in bridge.lines if "covers d2 on track 2" in line]


def test_other_page_is_left_and_come_back_to(cut, job):
    the = cut()
    the.world.page = "color"
    job(the)
    job(the, strength=0.5)
    check_places(the)
    assert the.world.page == "color"


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
    assert names == ["Video 1", "Housestyle: other", "Video 2", "Housestyle: other"]
    check_places(the, style="other")


def test_longer_shot_stays_and_the_new_one_lies_above_it(cut, job):
    the = cut()
    job(the, style="other", extent="track 1")
    the.timeline.tracks.insert(1, Track("Housestyle: tiny"))
    the.timeline.marks = (2, 5)
    job(the, extent="range 1")
    names = [track.name for track in the.timeline.tracks]
    assert names == [
        "Video 1",
        "Housestyle: tiny",
        "Housestyle: other",
        "Housestyle: tiny",
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
    assert all(len(the.item(name).takes) == 2 and the.item(name).take == 2 for name in PAINTED)
    _, bridge = job(the, mode="take")
    assert sum("painted take" in line for line in bridge.lines) == 8


def test_in_to_out_is_cut_off_there(cut, job):
    for absolute in (False, True):
        the = cut(marks_absolute=absolute)
        the.timeline.marks = (4, 21)
        job(the, extent="range 1")
        found = [(item.start - START, item.duration) for item in styled(the)]
        assert found == [(4, 4), (8, 7), (19, 3)]


@pytest.mark.parametrize(("extent", "count"), [("playhead", 1), ("track 1", 6), ("track 2", 2)])
def test_extent(cut, job, extent, count):
    the = cut(no_selection=True)
    outcome, _ = job(the, extent=extent)
    assert outcome.placed == count


def test_names_that_are_not_listed_are_not_called(cut, job):
    the = cut(answers_all=True, no_selection=True)
    outcome, _ = job(the, extent="track 1")
    assert outcome.placed == 6


def test_delete_that_fails_at_first_is_tried_again(cut, job):
    the = cut(first_delete_fails=True)
    job(the, extent="playhead")
    outcome, _ = job(the, extent="playhead", strength=0.5)
    assert outcome.placed == 1
    assert len(styled(the)) == 1


@pytest.mark.parametrize("speed", [Fraction(-1), Fraction(1, 2), Fraction(2)])
@pytest.mark.parametrize("unknown", [False, True])
def test_every_retime_is_seen(cut, job, speed, unknown):
    the = cut(source_unknown=unknown)
    if unknown and speed < 0:
        pytest.skip("nothing tells a clip that runs backwards at full speed then")
    the.item("b2").speed = speed
    _, bridge = job(the, extent="track 1")
    assert any(line.startswith("Left out: b2 is retimed") for line in bridge.lines)


def test_selection_is_not_offered_where_it_is_unknown(cut, job):
    with pytest.raises(UsageError):
        job(cut(no_selection=True), extent="selection")


def test_locked_track_is_left_alone(cut, job):
    the = cut()
    job(the, extent="track 2")
    held = the.timeline.tracks[2]
    held.locked = True
    kept = list(held.items)
    with pytest.raises(EditorError, match="locked"):
        job(the, extent="track 2", strength=0.5)
    assert held.items == kept


def test_what_else_lies_on_our_track_is_left_there(cut, job):
    the = cut()
    title = Lying("own title", None, START + 2, 2)
    the.timeline.tracks.insert(1, Track("Housestyle: tiny", [title]))
    outcome, _ = job(the, extent="track 1")
    assert outcome.placed == 6
    assert title in the.timeline.tracks[1].items
    check_places(the, ("a1", "b1", "c1", "d1", "b2", "c2"))


def test_shot_that_was_moved_meanwhile_is_named(cut, job, monkeypatch):
    from housestyle.plugin_resolve import session

    the = cut()
    real = session._Job._place

    def place(self, painted):
        the.item("b2").start += 5
        return real(self, painted)

    monkeypatch.setattr(session._Job, "_place", place)
    outcome, _ = job(the)
    assert outcome.placed == 7
    assert "b2" in outcome.failed[0] and "moved" in outcome.failed[0]


def test_another_timeline_opened_meanwhile_gets_nothing(cut, job, monkeypatch):
    from housestyle.plugin_resolve import session

    the = cut()
    the.world.timelines.append(Sequence("Other"))
    real = session._Job._place

    def place(self, painted):
        the.world.current = 1
        return real(self, painted)

    monkeypatch.setattr(session._Job, "_place", place)
    job(the)
    assert the.world.current == 1
    assert not the.world.timelines[1].tracks[0].items
    the.world.current = 0
    check_places(the)


def test_other_rates_are_refused_by_name(cut, job):
    the = cut()
    item = the.item("a1")
    item.media = replace(item.media, rate=Fraction(24))
    _, bridge = job(the)
    assert any(
        line.startswith("Left out: a1 ") and "24 frames a second" in line for line in bridge.lines
    )


def test_sequences_of_pictures_are_refused_by_name(cut, job):
    the = cut()
    the.item("a1").media = Media("shot", "/media/shot.[0001-0100].exr", 100, Fraction(25))
    _, bridge = job(the)
    assert "Left out: a1 is a sequence of pictures" in "\n".join(bridge.lines)


def test_shots_that_can_not_be_painted_are_named_and_others_go_on(cut, job, clips, tmp_path):
    the = cut()
    broken = tmp_path / "broken.mov"
    content = Path(clips["a"].path).read_bytes()
    at = content.index(b"mdat") + 2_000
    broken.write_bytes(content[:at] + b"\0" * 9_000 + content[at + 9_000 :])
    the.item("a3").media = Media("broken", str(broken), 30, Fraction(25))
    outcome, bridge = job(the)
    assert outcome.placed == 7
    assert outcome.failed[0].startswith("a3: ") and "broken.mov" in outcome.failed[0]
    assert outcome.failed[0] in bridge.lines


def test_subclips_are_refused_by_name(cut, job):
    the = cut()
    part = Media("part", the.clips["a"].path, 12, Fraction(25))
    the.item("a1").media = part
    _, bridge = job(the)
    assert any(line.startswith("Left out: a1 ") and "subclips" in line for line in bridge.lines)


def test_stopped_job_places_what_is_painted(cut, job, monkeypatch):
    from housestyle.plugin_resolve import session

    the = cut()
    real = session._Watch.frame
    shots = []

    def frame(self, count):
        shots.append(count)
        if len(shots) > 20:
            self._window.cancelled.set()
        real(self, count)

    monkeypatch.setattr(session._Watch, "frame", frame)
    outcome, _ = job(the, strength=0.25)
    assert outcome.cancelled
    assert 0 < outcome.placed < 8
    assert len(styled(the)) == outcome.placed


def test_nothing_open_is_told(cut, job):
    the = cut()
    the.world.project_open = False
    with pytest.raises(EditorError, match="no project"):
        job(the)
