"""Jobs from end to end on the double of Resolve: real clips, real stylized files."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from brushreel import stylize_clip
from brushreel.core.clips.timecode import Timecode
from brushreel.core.errors import EditorError, UsageError
from brushreel.plugin_resolve.script.marker import MarkerData

from ...batch.media.read import read_clip
from .fake.cut import START
from .fake.model import Media
from .fake.seen import check_places, notes, snapshot, styled

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


def test_eight_of_twelve_are_stylized_and_the_rest_is_named(cut, job):
    the = cut()
    before = snapshot(the.timeline)
    outcome, bridge = job(the)
    assert (outcome.placed, outcome.failed) == (8, ())
    assert snapshot(the.timeline) == before
    names = [track.name for track in the.timeline.tracks]
    assert names == ["Video 1", "Brushreel: tiny", "Video 2", "Brushreel: tiny"]
    check_places(the)
    for name, why in LEFT_OUT.items():
        assert any(line.startswith(f"Left out: {name} ") and why in line for line in bridge.lines)
    assert [one.name for one in the.world.root.bins] == ["Brushreel"]
    assert the.world.current_bin is the.world.root
    assert not the.world.sound_appended


def test_stylized_frames_are_those_of_the_command(cut, job, tmp_path, style_file):
    the = cut()
    job(the)
    whole = {
        name: read_clip(
            stylize_clip(media.path, tmp_path / f"{name}.mov", style_file, codec="prores").output
        )
        for name, media in the.clips.items()
    }
    for item in styled(the):
        data = MarkerData.from_json(notes(item)[0])
        assert data is not None and item.media is not None
        shot = read_clip(Path(item.media.path))
        first = data.first - item.left
        expected = whole[Path(data.source).stem].frames[first : first + len(shot.frames)]
        for here, there in zip(shot.frames, expected, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))


def test_stylized_files_keep_timecode_and_rate(cut, job):
    the = cut()
    _, bridge = job(the)
    for item in styled(the):
        data, media = MarkerData.from_json(notes(item)[0]), item.media
        assert data is not None and media is not None
        source = next(one for one in the.clips.values() if one.path == data.source)
        start = Timecode.parse(source.start_timecode)
        assert start is not None
        assert media.start_timecode == str(start.later(data.first - item.left, Fraction(25)))
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


def test_other_rates_are_refused_by_name(cut, job):
    the = cut()
    item = the.item("a1")
    item.media = replace(item.media, rate=Fraction(24))
    _, bridge = job(the)
    assert any(line.startswith("Left out: a1 ") and "24 fps" in line for line in bridge.lines)


def test_image_sequences_are_refused_by_name(cut, job):
    the = cut()
    the.item("a1").media = Media("shot", "/media/shot.[0001-0100].exr", 100, Fraction(25))
    _, bridge = job(the)
    assert "Left out: a1 is an image sequence" in "\n".join(bridge.lines)


def test_shots_that_can_not_be_stylized_are_named_and_others_go_on(cut, job, clips, tmp_path):
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


def test_nothing_open_is_told(cut, job):
    the = cut()
    the.world.project_open = False
    with pytest.raises(EditorError, match="no project"):
        job(the)
