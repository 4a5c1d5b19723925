"""Timeline files read: source frames, disabled clips, malformed values."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from brushreel.core.errors import UsageError
from brushreel.plugin_resolve.recipe import Recipe
from brushreel.plugin_resolve.timelines.model import SWITCHED_OFF, ClipUse
from brushreel.plugin_resolve.timelines.styling import Request, read_timeline

from .cuts import FORMATS

otio = pytest.importorskip("opentimelineio")


@pytest.fixture
def cut(tmp_path) -> Callable[..., Path]:
    """Writes a cut, changed by pairs of what to replace by what."""

    def write(suffix: str, *changes: tuple[str, str]) -> Path:
        path = tmp_path / f"cut{suffix}"
        media = Path("/clips/one.mov"), Path("/clips/two.mov")
        text = FORMATS[suffix](Fraction(25), *media, 0, "look")
        for old, new in changes:
            assert re.search(old, text)
            text = re.sub(old, new, text, count=1)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def _uses(path: Path) -> dict[str, ClipUse]:
    return {use.name: use for use in read_timeline(path).uses}


def test_a_subclip_counts_from_its_own_start(cut):
    info = "<subclipinfo><startoffset>7</startoffset><endoffset>3</endoffset></subclipinfo>"
    before = _uses(cut(".xml"))
    after = _uses(
        cut(".xml", (r"(?=<file id=.file-1.>)", info), (r"(?=<file id=.file-1./>)", info))
    )
    assert after["A"].first == before["A"].first + 7
    # Under a transition.
    assert after["C"].first == before["C"].first + 7
    assert after["B"] == before["B"]


def test_clips_of_a_switched_off_track_are_switched_off_in_xml(cut):
    track = r'(<track MZ.TrackTargeted="1">.*?)(?=</track>)'
    path = cut(".xml", (f"(?s){track}", r"\1<enabled>FALSE</enabled><locked>FALSE</locked>"))
    problems = {name: use.problem for name, use in _uses(path).items()}
    assert problems.pop("Title") != SWITCHED_OFF
    assert set(problems.values()) == {SWITCHED_OFF}


def test_clips_of_a_switched_off_track_are_switched_off_in_otio(cut):
    path = cut(".otio")
    timeline = otio.adapters.read_from_file(str(path))
    timeline.tracks[0].enabled = False
    otio.adapters.write_to_file(timeline, str(path))
    problems = {name: use.problem for name, use in _uses(path).items()}
    assert problems.pop("Title") != SWITCHED_OFF
    assert set(problems.values()) == {SWITCHED_OFF}


@pytest.mark.parametrize(
    ("suffix", "old", "new", "says"),
    [
        (".xml", "<timebase>25<", "<timebase>29.97<", "'29.97'"),
        (".xml", "<timebase>25<", "<timebase><", "no frame rate"),
        (".xml", "<timebase>25<", "<timebase>0<", "no frame rate"),
        (".xml", "<value>50<", "<value>50,0<", "'50,0'"),
        (".xml", "<start>0<", "<start>now<", "start 'now'"),
        (".xml", "file://localhost/clips", "file://[localhost/clips", "not a valid file URL"),
        (".fcpxml", '<sequence format="r1" tc', '<sequence format="r7" tc', "no frame rate"),
        (".fcpxml", 'frameDuration="1/25s"', 'frameDuration="0s"', "no frame rate"),
        (".fcpxml", 'frameDuration="1/25s"', 'frameDuration="1/0s"', "'1/0s'"),
        (".fcpxml", 'lane="1"', 'lane="a"', "'a'"),
        (".fcpxml", 'version="1.8"', 'version="new"', "'new'"),
        (".otio", '"rate": 25.0', '"rate": Infinity', "Infinity"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_file(cut, suffix, old, new, says):
    path = cut(suffix, (old, new))
    with pytest.raises(UsageError) as error:
        read_timeline(path)
    assert str(error.value).startswith(f"{path}: ")
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        # OpenTimelineIO ends its process on this one.
        ([('"Clip.2"', '"Clip.0"')] * 7, "it is damaged, or not OpenTimelineIO's JSON"),
        ([("^", '{"a":' * 9000), ("$", "}" * 9000)], "it is nested too deeply"),
        ([('"rate": 25.0,', '"rate": ,')], "it goes wrong at line "),
    ],
)
def test_a_damaged_otio_file_is_refused(cut, changes, says):
    path = cut(".otio", *changes)
    with pytest.raises(UsageError) as error:
        read_timeline(path)
    assert str(error.value).startswith(f"{path}: can't be read as a timeline: {says}")


def test_a_name_that_is_not_utf_8_is_named_with_its_file(cut):
    path = cut(".otio", ('"slow"', '"sl?w"'))
    path.write_bytes(path.read_bytes().replace(b"sl?w", b"sl\xf6w"))
    with pytest.raises(UsageError, match=r"can't be read as a timeline: its byte \d+ is not UTF-8"):
        read_timeline(path)


def test_a_clip_without_a_range_is_named_with_its_file(cut):
    path = cut(".otio")
    timeline = otio.adapters.read_from_file(str(path))
    timeline.tracks[0].append(otio.schema.Clip("bare"))
    otio.adapters.write_to_file(timeline, str(path))
    with pytest.raises(UsageError, match=r"its clip bare has no range") as error:
        read_timeline(path)
    assert error.value.path == path


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.xml", "<xmeml", "is not valid XML"),
        ("a.xml", "\ufeff<xmeml/>".encode("utf-16-le"), "UTF-16"),
        ("a.xml", "<xmeml/>", "has no sequence"),
        ("a.fcpxml", "<fcpxml/>", "has no project"),
        ("a.otio", "{", "can't be read as a timeline"),
        ("a.edl", "TITLE: cut", "--fps"),
        ("a.aaf", "", "is not a supported timeline file"),
    ],
)
def test_a_file_that_is_no_cut_is_refused(tmp_path, name, text, says):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as error:
        read_timeline(tmp_path / name)
    assert says in str(error.value)


def test_strokes_of_the_request_are_for_clips_without_a_recipe():
    request = Request("wave", stroke_size=2.0, detail=0.1, by_color={"orange": "style=wave"})
    use = ClipUse(0, 0, "one", 0, 10)
    assert request.recipe(use) == Recipe("wave", stroke_size=2.0, detail=0.1)
    assert request.recipe(replace(use, color="Orange")) == Recipe("wave")
    named = replace(use, texts=("style=wave stroke_size=0.5",))
    assert request.recipe(named) == Recipe("wave", stroke_size=0.5)
