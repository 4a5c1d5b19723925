"""A cut in three formats: what was there stays, the styled clips lie above it to the frame."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import av
import jsonschema
import numpy as np
import pytest

from brushreel.cli import main
from brushreel.core.clips.timecode import Timecode
from brushreel.core.errors import StyleError
from brushreel.core.stylizer import Stylizer
from brushreel.plugin_resolve.bake import Plan
from brushreel.plugin_resolve.timelines.earlier_run import is_styled_shot
from brushreel.plugin_resolve.timelines.model import start_timecode
from brushreel.plugin_resolve.timelines.styling import (
    Request,
    Task,
    bake_tasks,
    plan_timeline,
    read_timeline,
)

from .cuts import FORMATS, GAP, A, B, C, fcpxml

if TYPE_CHECKING:
    import opentimelineio as otio
else:
    otio = pytest.importorskip("opentimelineio")

RATES = {
    "25": (Fraction(25), "10:00:00:00"),
    "23.976": (Fraction(24000, 1001), "01:00:00:00"),
    "29.97df": (Fraction(30000, 1001), "01:00:00;00"),
}
HANDLES = 3


def _clip(path: Path, rate: Fraction, code: str, shade: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"g": "12", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["timecode"] = code
        for number in range(60):
            image = np.full((48, 64, 3), shade, np.uint8)
            image[:, number : number + 4] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@dataclass
class Made:
    """A cut on the disk."""

    path: Path
    rate: Fraction
    start: int
    styles: tuple[str, str]

    @property
    def output(self) -> Path:
        return self.path.with_name(f"styled{self.path.suffix}")

    def run(self, *flags: str) -> int:
        style = ["-s", self.styles[0], "--handles", str(HANDLES), "--device", "cpu"]
        return main(["timeline", str(self.path), "-o", str(self.output), *style, *flags])


@pytest.fixture(autouse=True)
def plain(monkeypatch) -> None:
    """Name the runtime, so that it is not measured for a few small frames."""
    stylizer = partial(Stylizer, runtime="torch", precision="fp32")
    monkeypatch.setattr("brushreel.plugin_resolve.bake.Stylizer", stylizer)


@pytest.fixture(scope="session")
def media(tmp_path_factory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("the media")
    made: dict[str, Path] = {}

    def of(rate: str) -> Path:
        if rate not in made:
            made[rate] = folder / rate
            made[rate].mkdir()
            for name, shade in (("one", 40), ("two", 90)):
                _clip(made[rate] / f"{name}.mov", *RATES[rate], shade)
        return made[rate]

    return of


@pytest.fixture
def make(media, tiny_style, tmp_path) -> Callable[..., Made]:
    styles = tmp_path / "tiny.safetensors", tmp_path / "other.safetensors"
    for path in styles:
        tiny_style.save(path)

    def cut(suffix: str, rate: str = "25", write=None, mark: str | None = None, **about) -> Made:
        exact, code = RATES[rate]
        start = Timecode.parse(code)
        assert start is not None
        number = start.number(exact)
        said = f"style={styles[1]} strength=0.5" if mark is None else mark
        folder = media(rate)
        write = write or FORMATS[suffix]
        text = write(exact, folder / "one.mov", folder / "two.mov", number, said, **about)
        path = tmp_path / f"cut{suffix}"
        path.write_text(text, encoding="utf-8")
        return Made(path, exact, number, (str(styles[0]), str(styles[1])))

    return cut


def _tracks(path: Path) -> list[list[str]]:
    """Describe everything that OpenTimelineIO reads from a file, line by line, track by track."""
    found = otio.adapters.read_from_file(str(path))
    timeline = found if isinstance(found, otio.schema.Timeline) else found[0]
    return [[track.kind, track.name, *_lines(track)] for track in timeline.tracks]


def _lines(track: otio.schema.Track) -> Iterator[str]:
    for item in track:
        yield f"{type(item).__name__} {item.name}"
        if isinstance(item, otio.schema.Transition):
            yield f"{item.in_offset} {item.out_offset}"
            continue
        yield f"{item.range_in_parent()} {item.source_range} {item.metadata}"
        yield f"{[(m.name, m.marked_range, m.comment) for m in item.markers]} {item.effects}"
        if isinstance(item, otio.schema.Clip):
            reference = item.media_reference
            yield f"{getattr(reference, 'target_url', '')} {reference.available_range}"


def _without_new(path: Path) -> list[list[str]]:
    return [track for track in _tracks(path) if not any("Brushreel" in line for line in track)]


def _unnumbered(tracks: list[list[str]]) -> list[list[str]]:
    """Remove the names that the adapter of .fcpxml makes from lanes, which are positions."""
    return [[kind, "" if name.isdigit() else name, *lines] for kind, name, *lines in tracks]


def test_every_byte_of_an_xml_file_stays(make):
    made = make(".xml")
    made.run()
    old, new = made.path.read_bytes(), made.output.read_bytes()
    start = next(n for n, (one, other) in enumerate(zip(old, new, strict=False)) if one != other)
    start = old.rindex(b"<track", 0, start + len(b"<track>"))
    end = start + len(new) - len(old)
    assert new[:start] + new[end:] == old
    assert new[start:end].count(b"<track") == new[start:end].count(b"</track>") == 1


def test_clips_of_an_fcpxml_file_stay_but_for_the_lanes_above(make):
    made = make(".fcpxml")
    made.run()
    new = made.output.read_text()
    for piece in re.findall(
        r"<asset id=\"brushreel.*?/>\n|<asset-clip [^>]*Brushreel.*?</asset-clip>\n", new
    ):
        new = new.replace(piece, "")
    old = made.path.read_text().replace('lane="1"', 'lane="2"')
    assert new.replace(">\n</asset-clip>", "/>", 1) == old


def test_linked_clips_are_still_named_by_their_track(make):
    def linked(*about):
        link = "<link><mediatype>video</mediatype><trackindex>{}</trackindex></link>"
        text = FORMATS[".xml"](*about)
        inner = link.format(1) + link.format(2) + link.format(2).replace("video", "audio")
        return text.replace("<audio><track>", f"<audio><track><clipitem>{inner}</clipitem>")

    made = make(".xml", write=linked)
    made.run()
    indices = re.findall(r"<mediatype>(\w+)</mediatype><trackindex>(\d)", made.output.read_text())
    assert indices == [("video", "1"), ("video", "3"), ("audio", "2")]


def _new_clips(path: Path) -> list[tuple[int, int, int, str]]:
    """Place, first frame of the file that is seen, length and file of each styled clip."""
    cut = read_timeline(path)
    return [
        (use.start, use.first, use.frames, str(use.media))
        for use in cut.uses
        if use.media is not None and use.media.parent.name == "styled.media"
    ]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("rate", RATES)
def test_only_the_new_track_differs_and_lies_to_the_frame(make, suffix, rate):
    made = make(suffix, rate)
    assert made.run() == 1  # a retimed, a nested and an offline clip
    before, after = _tracks(made.path), _tracks(made.output)
    assert _unnumbered(_without_new(made.output)) == _unnumbered(before)
    assert len(after) == len(before) + 1
    new = _new_clips(made.output)
    assert [clip[:3] for clip in new] == [
        (0, HANDLES, A),
        (A + GAP, HANDLES, B),
        (A + GAP + B, HANDLES, C),
    ]
    for (*_, path), first in zip(new, (10, 20, 40), strict=True):
        with av.open(path) as container:
            stream = container.streams.video[0]
            code = Timecode.parse(stream.metadata["timecode"])
            assert code is not None
            assert code.number(made.rate) == made.start + first - HANDLES
            assert code.drop == (rate == "29.97df")
            assert stream.average_rate == made.rate
            assert stream.codec_context.name == "prores"


def _strengths(tasks: list[Task]) -> dict[str, float]:
    assert len({task.use.name for task in tasks}) == len(tasks)
    return {task.use.name: task.recipe.strength for task in tasks if task.recipe}


def test_a_marker_says_how_its_clip_is_stylized(make):
    made = make(".xml")
    tasks = plan_timeline(read_timeline(made.path), Request(), made.path.parent / "m")
    assert _strengths(tasks) == {"B": 0.5}


@pytest.mark.parametrize("text", ["style=none", "look style=none"])
def test_a_marked_clip_can_be_left_alone(make, text):
    made = make(".fcpxml", mark=text)
    request = Request(made.styles[0])
    tasks = plan_timeline(read_timeline(made.path), request, made.path.parent / "m")
    assert "B" not in [task.use.name for task in tasks]


def test_an_unknown_style_in_a_note_is_its_clips_problem(make):
    made = make(".xml", mark="style=nobody")
    request = Request(made.styles[0])
    tasks = plan_timeline(read_timeline(made.path), request, made.path.parent / "m")
    (failed,) = [task for task in tasks if isinstance(task.plan, StyleError)]
    assert isinstance(failed.plan, StyleError)
    assert re.match(r"B at [\d:]+: there is no style named 'nobody'", failed.plan.what)
    assert any(isinstance(task.plan, Plan) for task in tasks)
    with pytest.raises(StyleError, match="'nobody'"):
        plan_timeline(read_timeline(made.path), Request("nobody"), made.path.parent / "m")


def test_an_unknown_style_on_a_clip_that_is_offline_is_its_clips_problem(make):
    made = make(".xml", mark="style=nobody")
    made.path.write_text(made.path.read_text().replace("two.mov", "gone.mov"))
    folder = made.path.parent / "m"
    tasks = plan_timeline(read_timeline(made.path), Request(), folder)
    reporter = mock.Mock()
    result, done = bake_tasks(tasks, folder, reporter)
    assert done == []
    assert len(result.failed) == len(tasks) > 0


def test_clips_of_a_colour_have_their_style(make):
    made = make(".xml")
    labelled = made.path.read_text().replace(
        "<name>C</name>", "<name>C</name><labels><label2>Iris</label2></labels>"
    )
    made.path.write_text(labelled)
    request = Request(by_color={"iris": f"style={made.styles[1]} strength=0.25"})
    tasks = plan_timeline(read_timeline(made.path), request, made.path.parent / "m")
    assert _strengths(tasks) == {"B": 0.5, "C": 0.25}


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_cant_be_done_is_named_and_the_rest_goes_on(make, suffix, capsys):
    made = make(suffix)
    assert made.run("--dry-run") == 1
    said = capsys.readouterr()
    for name, why in (("slow", "is retimed"), ("nest", "is a nested"), ("gone", "is offline")):
        assert any(name in line and why in line for line in said.out.splitlines())
    assert "Title is a title" in said.err
    assert "3 to do, 3 can't be done" in said.out
    assert not made.output.exists()
    assert not made.output.with_suffix(".media").exists()


def test_events_are_those_of_the_schema(make, capsys):
    schema = json.loads((Path(__file__).parents[3] / "docs/events.schema.json").read_text())
    made = make(".otio")
    made.run("--json", "--dry-run")
    made.run("--json")
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    validator = jsonschema.Draft202012Validator(schema)
    for event in events:
        validator.validate(event)
    names = [event["event"] for event in events]
    assert names.count("clip_planned") == names.count("clip_done") == 3
    assert names.count("clip_failed") == 6


def test_the_same_again_stylizes_nothing(make, capsys):
    made = make(".xml")
    made.run()
    first = made.output.read_bytes()
    times = {path: path.stat().st_mtime_ns for path in made.output.with_suffix(".media").iterdir()}
    made.run("--overwrite")
    assert made.output.read_bytes() == first
    assert times == {path: path.stat().st_mtime_ns for path in times}
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_command_on_a_cut_with_our_track_in_it_changes_nothing(make, suffix, capsys):
    made = make(suffix)
    made.run()
    first = made.output.read_bytes()
    stylized = sorted(made.output.with_suffix(".media").iterdir())
    made.path.write_bytes(first)
    capsys.readouterr()
    made.run("--overwrite")
    assert made.output.read_bytes() == first
    assert sorted(made.output.with_suffix(".media").iterdir()) == stylized
    assert capsys.readouterr().err.count("is there already") == 3


def test_a_subclip_is_stylized_from_its_frames_of_the_file(make):
    def subclip(*about):
        info = "<subclipinfo><startoffset>7</startoffset><endoffset>0</endoffset></subclipinfo>"
        return FORMATS[".xml"](*about).replace('<file id="file-1">', f'{info}<file id="file-1">')

    made = make(".xml", write=subclip)
    made.run()
    start, first, frames, path = _new_clips(made.output)[0]
    assert (start, first, frames) == (0, HANDLES, A)
    code = start_timecode(Path(path))
    assert code is not None
    assert code.number(made.rate) == made.start + 7 + 10 - HANDLES


def test_newer_fcpxml_names_its_media_in_an_element(make):
    made = make(".fcpxml", version="1.10")
    made.run()
    assert len(_new_clips(made.output)) == 3
    assert b'<media-rep kind="original-media" src="file://' in made.output.read_bytes()


def test_media_of_another_rate_is_refused(make, media):
    slow = media("25")

    def other(rate, _one, two, start, mark):
        return fcpxml(rate, slow / "one.mov", two, start, mark)

    made = make(".fcpxml", "23.976", write=other)
    tasks = plan_timeline(read_timeline(made.path), Request(made.styles[0]), made.path.parent / "m")
    errors = [str(task.plan) for task in tasks if task.use.name in ("A", "C")]
    assert len(errors) == 2
    assert all("25 fps on a timeline of 23.976" in error for error in errors)


def test_moved_media_is_searched_by_name(make, media, tmp_path):
    made = make(".xml")
    gone = made.path.read_text().replace("/25/one.mov", "/away/one.mov")
    made.path.write_text(gone)
    request, cut = Request(made.styles[0]), read_timeline(made.path)
    assert sum(isinstance(t.plan, Exception) for t in plan_timeline(cut, request, tmp_path)) > 3
    found = plan_timeline(cut, request, tmp_path, search=[media("25")])
    assert sum(isinstance(t.plan, Exception) for t in found) == 3


def test_media_of_one_name_in_several_places_is_its_clips_problem(make, media, tmp_path):
    made = make(".xml")
    made.path.write_text(made.path.read_text().replace("/25/one.mov", "/away/one.mov"))
    for card in ("card1", "card2"):
        (tmp_path / card).mkdir()
        shutil.copy(media("25") / "one.mov", tmp_path / card)
    cut, request = read_timeline(made.path), Request(made.styles[0])
    plans = {t.use.name: t.plan for t in plan_timeline(cut, request, tmp_path, search=[tmp_path])}
    assert "matches each of" in str(plans["A"])
    assert "matches each of" in str(plans["C"])
    assert isinstance(plans["B"], Plan)


EDL = """TITLE: cut
FCM: NON-DROP FRAME

001  AX       V     C        10:00:00:10 10:00:01:05 01:00:00:00 01:00:00:20
* FROM CLIP NAME: one.mov

002  AX       V     C        10:00:00:20 10:00:01:05 01:00:01:00 01:00:01:10
* FROM CLIP NAME: two.mov
"""


def test_a_list_of_the_styled_shots_is_written_for_an_edit_decision_list(make, media):
    made = make(".edl", write=lambda *_: EDL)
    assert made.run("--fps", "25", "--search", str(media("25"))) == 0
    events = [line.split() for line in made.output.read_text().splitlines() if " AX " in line]
    assert [event[4:] for event in events] == [
        ["10:00:00:10", "10:00:01:05", "01:00:00:00", "01:00:00:20"],
        ["10:00:00:20", "10:00:01:05", "01:00:01:00", "01:00:01:10"],
    ]
    folder = made.output.with_suffix(".media")
    written = read_timeline(made.output, Fraction(25)).uses
    assert [is_styled_shot(use, folder) for use in written] == [True, True]


def test_connected_clips_and_storylines_are_styled_in_their_place(make):
    def connected(rate, one, two, start, mark):
        text = fcpxml(rate, one, two, start, mark)
        above = (
            f'<asset-clip name="X" lane="1" ref="r3" offset="{start + 14}/25s" '
            f'start="{start + 30}/25s" duration="5/25s" format="r1"/>'
            f'<spine lane="2" offset="{start + 16}/25s"><asset-clip name="Y" ref="r3" '
            f'offset="3/25s" start="{start + 50}/25s" duration="4/25s" format="r1"/></spine>'
        )
        return re.sub(r'(<asset-clip name="A"[^>]*)/>', rf"\1>{above}</asset-clip>", text)

    made = make(".fcpxml", write=connected)
    cut = read_timeline(made.path)
    places = {use.name: (use.track, use.start, use.first, use.frames) for use in cut.uses}
    assert places["X"] == (1, 4, 30, 5)
    assert places["Y"] == (2, 9, 50, 4)
    made.run()
    again = {
        use.name.split(" (")[0]: use for use in read_timeline(made.output).uses if "(" in use.name
    }
    assert {name: (use.track, use.start, use.frames) for name, use in again.items()} == {
        "A": (1, 0, A),
        "B": (1, A + GAP, B),
        "C": (1, A + GAP + B, C),
        "X": (3, 4, 5),
        "Y": (5, 9, 4),
    }
