"""Cuts of other programs: read, with the right media, or named for what they are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from PIL import Image

from brushreel.cli import main
from brushreel.core.clips.media import probe
from brushreel.core.errors import UsageError
from brushreel.plugin_resolve.bake import Plan
from brushreel.plugin_resolve.timelines.model import FREEZE, GENERATED, RETIMED
from brushreel.plugin_resolve.timelines.styling import Request, plan_timeline, read_timeline

if TYPE_CHECKING:
    import opentimelineio as otio
else:
    otio = pytest.importorskip("opentimelineio")

RATE = "<rate><timebase>25</timebase><ntsc>FALSE</ntsc></rate>"
_OTIO_RANGE = otio.opentime.TimeRange


def item(url: str, extra: str = "", into: str = "0", name: str = "a") -> str:
    path = f"<pathurl>{url}</pathurl>" if url else ""
    return (
        f"<clipitem><name>{name}</name>{RATE}<start>0</start><end>10</end><in>{into}</in>"
        f"<out>{10 + float(into):g}</out>{extra}<file><name>{name}</name>{path}{RATE}</file>"
        "</clipitem>"
    )


def sequence(name: str, *items: str) -> str:
    return (
        f"<sequence><name>{name}</name>{RATE}<media><video><track>{''.join(items)}</track></video>"
        "</media></sequence>"
    )


def xmeml(path: Path, *sequences: str) -> Path:
    path.write_text(f'<?xml version="1.0"?><xmeml version="5">{"".join(sequences)}</xmeml>')
    return path


def fcpxml(path: Path, source: str, *names: str) -> Path:
    projects = "".join(
        f'<project name="{name}"><sequence format="r1"><spine><asset-clip ref="r2" offset="0s" '
        f'duration="10/25s" name="{name}"/></spine></sequence></project>'
        for name in names
    )
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        '<fcpxml version="1.11"><resources><format id="r1" frameDuration="1/25s"/><asset id="r2" '
        f'duration="2s" hasVideo="1" format="r1"><media-rep src="{source}"/></asset></resources>'
        f'<library><event name="e">{projects}</event></library></fcpxml>'
    )
    return path


def span(start: float, frames: float, rate: float = 25) -> otio.opentime.TimeRange:
    time = otio.opentime.RationalTime
    return _OTIO_RANGE(time(start, rate), time(frames, rate))


def otio_file(path: Path, *clips: otio.schema.Clip, audio: float = 25) -> Path:
    timeline = otio.schema.Timeline("cut")
    sound = otio.schema.Track("A1", kind=otio.schema.TrackKind.Audio)
    sound.append(otio.schema.Clip("s", source_range=span(0, 480, audio)))
    video = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    video.extend(clips)
    timeline.tracks.extend([sound, video])
    otio.adapters.write_to_file(timeline, str(path))
    return path


def otio_clip(media, *effects: otio.schema.Effect) -> otio.schema.Clip:
    return otio.schema.Clip("a", media, span(0, 10), effects=list(effects))


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    path = folder / "A001.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 8 * number, np.uint8), "yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def planned(path: Path, style: Path, folder: Path, rate: Fraction | None = None, **options):
    cut = read_timeline(path, rate)
    return [task.plan for task in plan_timeline(cut, Request(str(style)), folder, **options)]


@pytest.fixture
def shoot(tmp_path, media, monkeypatch) -> Path:
    """A folder with a clip and a cut; the working folder has another clip of that name."""
    (tmp_path / "shoot").mkdir()
    (tmp_path / "shoot/A001.mov").write_bytes(media.read_bytes())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/A001.mov").write_bytes(media.read_bytes())
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "shoot"


class TestRelativePaths:
    @pytest.mark.parametrize("url", ["A001.mov", "./A001.mov", "../shoot/A001.mov"])
    def test_they_count_from_the_timeline_file(self, shoot, url, style_file, tmp_path):
        cuts = [
            xmeml(shoot / "cut.xml", sequence("s", item(url))),
            fcpxml(shoot / "cut.fcpxml", url, "p"),
            otio_file(shoot / "cut.otio", otio_clip(otio.schema.ExternalReference(url))),
        ]
        for cut in cuts:
            (plan,) = planned(cut, style_file, tmp_path)
            assert isinstance(plan, Plan), plan
            assert plan.shot.media.samefile(shoot / "A001.mov")
            assert not plan.shot.media.samefile("A001.mov")

    def test_nothing_of_the_working_folder_is_taken(self, shoot, style_file, tmp_path):
        (shoot / "A001.mov").unlink()
        cut = xmeml(shoot / "cut.xml", sequence("s", item("A001.mov")))
        (error,) = planned(cut, style_file, tmp_path)
        assert "is offline" in str(error)
        (plan,) = planned(cut, style_file, tmp_path, search=[tmp_path / "elsewhere"])
        assert isinstance(plan, Plan)

    def test_a_folder_of_final_cut(self, shoot, style_file, tmp_path):
        inner = fcpxml(shoot / "cut.fcpxmld/Info.fcpxml", "./A001.mov", "p")
        (plan,) = planned(inner.parent, style_file, tmp_path)
        assert plan.shot.media.samefile(shoot / "A001.mov")  # type: ignore[attr-defined]
        (inner.parent / "A001.mov").write_bytes((shoot / "A001.mov").read_bytes())
        (plan,) = planned(inner.parent, style_file, tmp_path)
        assert plan.shot.media.samefile(inner.parent / "A001.mov")  # type: ignore[attr-defined]


class TestOtherPrograms:
    def test_whole_numbers_with_a_point(self, tmp_path):
        cut = read_timeline(xmeml(tmp_path / "a.xml", sequence("s", item("a.mov", into="3.0"))))
        assert (cut.uses[0].first, cut.uses[0].frames, cut.uses[0].problem) == (3, 10, "")

    def test_generators_cost_no_exit_status(self, tmp_path, style_file, capsys):
        bars = item("", name="Bars").replace("<file>", "<file><mediaSource>Slug</mediaSource>")
        cut = xmeml(tmp_path / "a.xml", sequence("s", bars))
        assert read_timeline(cut).uses[0].problem == GENERATED
        command = ["timeline", str(cut), "-o", str(tmp_path / "b.xml"), "-s", str(style_file)]
        assert main([*command, "--dry-run"]) == 0
        assert main(command) == 0
        assert "Bars is a title or generator without a clip: left" in capsys.readouterr().err

    def test_the_rate_is_that_of_the_video(self, tmp_path):
        clip = otio_clip(otio.schema.ExternalReference("a.mov"))
        cut = read_timeline(otio_file(tmp_path / "a.otio", clip, audio=48000))
        assert cut.rate == 25
        assert cut.uses[0].problem == ""

    def test_a_scalar_of_one_is_no_retime(self, tmp_path):
        reference = otio.schema.ExternalReference("a.mov")
        effects = (
            otio.schema.LinearTimeWarp(time_scalar=1.0),
            otio.schema.LinearTimeWarp(time_scalar=2.0),
            otio.schema.FreezeFrame(),
            otio.schema.LinearTimeWarp(time_scalar=0.0),
        )
        clips = (otio_clip(reference, effect) for effect in effects)
        cut = read_timeline(otio_file(tmp_path / "a.otio", *clips))
        assert [use.problem for use in cut.uses] == ["", RETIMED, FREEZE, FREEZE]

    def test_image_sequences_are_media(self, tmp_path, style_file):
        (tmp_path / "seq").mkdir()
        for number in range(1001, 1031):
            pixels = np.full((32, 48, 3), number % 200, np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"seq/shot.{number:04}.png")
        reference = otio.schema.ImageSequenceReference(
            target_url_base=(tmp_path / "seq").as_uri(),
            name_prefix="shot.",
            name_suffix=".png",
            start_frame=1001,
            frame_zero_padding=4,
            rate=25,
            available_range=span(1001, 30),
        )
        clip = otio.schema.Clip("a", reference, span(1006, 10))
        (plan,) = planned(otio_file(tmp_path / "a.otio", clip), style_file, tmp_path, handles=2)
        assert isinstance(plan, Plan), plan
        assert (plan.shot.first, plan.frames.first, plan.frames.end) == (5, 3, 17)
        assert (plan.shot.rate, plan.shot.media.name) == (25, "shot.%04d.png")
        url = f"{(tmp_path / 'seq').as_uri()}/shot.[1001-1030].png"
        cut = xmeml(tmp_path / "a.xml", sequence("s", item(url, into="5")))
        (plan,) = planned(cut, style_file, tmp_path)
        assert (plan.shot.media.name, plan.shot.first) == ("shot.%04d.png", 5)  # type: ignore[attr-defined]

    def test_a_shot_of_images_is_written_at_the_timelines_rate(self, tmp_path, style_file):
        for number in range(1, 13):
            Image.new("RGB", (48, 32), (number, 0, 0)).save(tmp_path / f"s.{number:04}.png")
        cut = xmeml(tmp_path / "a.xml", sequence("s", item("s.[0001-0012].png")))
        command = ["timeline", str(cut), "-o", str(tmp_path / "b.xml"), "-s", str(style_file)]
        assert main([*command, "--device", "cpu"]) == 0
        (shot,) = (tmp_path / "b.media").glob("*.mov")
        assert (probe(shot).video.frame_rate, probe(shot).video.frames) == (25, 12)


class TestSeveral:
    def test_the_first_is_named_and_another_can_be_chosen(self, tmp_path):
        cuts = [
            xmeml(
                tmp_path / "a.xml",
                sequence("one", item("a.mov")),
                sequence("two", item("a.mov"), item("b.mov")),
            ),
            fcpxml(tmp_path / "a.fcpxml", "a.mov", "one", "two"),
        ]
        collection = otio.schema.SerializableCollection("all")
        for name in ("one", "two"):
            timeline = otio.schema.Timeline(name)
            track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
            track.append(otio_clip(otio.schema.ExternalReference(f"{name}.mov")))
            timeline.tracks.append(track)
            collection.append(timeline)
        otio.adapters.write_to_file(collection, str(tmp_path / "a.otio"))
        for cut in [*cuts, tmp_path / "a.otio"]:
            (line,) = read_timeline(cut).warnings
            assert " 1 of 2: one; --sequence takes another (two)" in line
            (line,) = read_timeline(cut, sequence="two").warnings
            assert " 2 of 2: two;" in line
            with pytest.raises(UsageError, match=r"has no .* 'three', but 'one', 'two'"):
                read_timeline(cut, sequence="three")

    def test_a_freeze_frame_is_no_moving_shot(self, tmp_path):
        still = item("a.mov", "<stillframe>TRUE</stillframe>")
        cut = read_timeline(xmeml(tmp_path / "a.xml", sequence("s", still, item("a.mov"))))
        assert [use.problem for use in cut.uses] == [FREEZE, ""]

    def test_a_speed_of_nothing_is_a_freeze_frame(self, tmp_path):
        values = "<parameter><parameterid>speed</parameterid><value>{}</value></parameter>"
        effect = f"<filter><effect><effectid>timeremap</effectid>{values}</effect></filter>"
        clips = (item("a.mov", effect.format(speed)) for speed in (100, 50, 0))
        cut = read_timeline(xmeml(tmp_path / "a.xml", sequence("s", *clips)))
        assert [use.problem for use in cut.uses] == ["", RETIMED, FREEZE]
        whole = fcpxml(tmp_path / "a.fcpxml", "a.mov", "one")
        for value, problem in (("5/25s", RETIMED), ("0s", FREEZE)):
            points = f'<timept time="0s" value="0s"/><timept time="10/25s" value="{value}"/>'
            text = whole.read_text().replace(
                'name="one"/>', f'name="one"><timeMap>{points}</timeMap></asset-clip>'
            )
            (tmp_path / "b.fcpxml").write_text(text)
            assert [use.problem for use in read_timeline(tmp_path / "b.fcpxml").uses] == [problem]

    @pytest.mark.parametrize("dry", [["--dry-run"], []])
    def test_a_freeze_frame_is_named_and_costs_no_exit_status(
        self, shoot, tmp_path, style_file, capsys, dry
    ):
        still = item("A001.mov", "<stillframe>TRUE</stillframe>", name="held")
        cut = xmeml(shoot / "a.xml", sequence("s", still, item("A001.mov")))
        command = ["timeline", str(cut), "-o", str(tmp_path / "b.xml"), "-s", str(style_file)]
        assert main([*command, "--device", "cpu", *dry]) == 0
        assert "held is a freeze frame (" in capsys.readouterr().err


def edl(path: Path, *lines: str, mode: str = "NON-DROP FRAME") -> Path:
    path.write_text("\n".join(("TITLE: cut", f"FCM: {mode}", "", *lines)))
    return path


class TestEdl:
    EVENT = "001  {}  V  C  {} 01:00:00:00 01:00:00:10"

    def test_clip_name_then_source_file_then_reel(self, shoot, style_file, tmp_path):
        code = "00:00:00:05 00:00:00:15"
        lists = [
            ["* FROM CLIP NAME: A001.mov"],
            ["* FROM CLIP NAME: A001"],
            [f"* SOURCE FILE: {shoot / 'A001.mov'}", "* FROM CLIP NAME: other"],
            [],
        ]
        for comments in lists:
            cut = edl(shoot / "a.edl", self.EVENT.format("A001", code), *comments)
            (plan,) = planned(cut, style_file, tmp_path, Fraction(25))
            assert isinstance(plan, Plan), plan
            assert plan.shot.media.samefile(shoot / "A001.mov")

    def test_a_reel_that_a_file_states(self, shoot, style_file, tmp_path, monkeypatch):
        (shoot / "A001.mov").rename(shoot / "clip 7.mov")
        monkeypatch.setattr(
            "brushreel.plugin_resolve.timelines.media_search._reel", lambda path: "tape 9"
        )
        cut = edl(shoot / "a.edl", self.EVENT.format("TAPE 9", "00:00:00:05 00:00:00:15"))
        (plan,) = planned(cut, style_file, tmp_path, Fraction(25))
        assert plan.shot.media.name == "clip 7.mov"  # type: ignore[attr-defined]

    @pytest.mark.parametrize("mark", ["01;00;00;02", "01:00:00;02", "01:00:00:02", "01:00:00.02"])
    def test_drop_frame_in_every_spelling(self, tmp_path, mark):
        event = f"001  A  V  C  00:01:00:02 00:01:00:12 {mark} 01:00:00:12"
        rate = Fraction(30000, 1001)
        cut = read_timeline(edl(tmp_path / "a.edl", event, mode="DROP FRAME"), rate)
        # One minute of drop frame is 1800 frames, and its numbers 0 and 1 do not exist.
        assert cut.uses[0].first == 1800
        assert cut.uses[0].frames == 10

    def test_titles_of_other_rates_do_not_drop(self, tmp_path):
        event = self.EVENT.format("A", "00:01:00:02 00:01:00:12")
        cut = read_timeline(edl(tmp_path / "a.edl", event, mode="DROP FRAME"), Fraction(25))
        assert cut.uses[0].first == 1502

    def test_audio_black_speeds_freezes_and_dissolves(self, tmp_path):
        cut = read_timeline(
            edl(
                tmp_path / "a.edl",
                "001  AX  AA  C  00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:00",
                "002  BL  V  C  00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:00",
                "003  A001 V  C  00:00:02:00 00:00:03:00 01:00:01:00 01:00:02:00",
                "* FROM CLIP NAME: one.mov",
                "004  A001 V  C  00:00:03:00 00:00:03:00 01:00:02:00 01:00:02:00",
                "004  A002 V  D 010 00:00:08:00 00:00:09:00 01:00:02:00 01:00:03:00",
                "* FROM CLIP NAME: one.mov",
                "* TO CLIP NAME: two.mov",
                "005  A003 V  C  00:00:00:00 00:00:01:00 01:00:03:00 01:00:04:00",
                "M2   A003   050.0   00:00:00:00",
                "006  A003 V  C  00:00:00:00 00:00:01:00 01:00:04:00 01:00:05:00",
                "M2   A003   000.0   00:00:00:00",
                "007  A003 V  C  00:00:00:00 00:00:01:00 01:00:05:00 01:00:06:00",
                "M2   A003   025.0   00:00:00:00",
                "* LOC: 01:00:05:00 RED style=wave",
            ),
            Fraction(25),
        )
        found = [(use.name, use.start, use.frames, use.first, use.problem) for use in cut.uses]
        assert found == [
            ("one.mov", 25, 30, 50, ""),
            ("two.mov", 55, 20, 205, ""),
            ("A003", 75, 25, 0, RETIMED),
            ("A003", 100, 25, 0, FREEZE),
            ("A003", 125, 25, 0, ""),
        ]
        assert "01:00:05:00 RED style=wave" in cut.uses[-1].texts

    @pytest.mark.parametrize(
        "line", ["001  A  V  C  00:00:00:00 nonsense 01:00:00:00 01:00:00:10", "001  A  V  C  1 2"]
    )
    def test_what_is_no_event_is_named_by_its_line(self, tmp_path, line):
        with pytest.raises(UsageError, match=r"a\.edl: line 4 is not a valid event"):
            read_timeline(edl(tmp_path / "a.edl", line), Fraction(25))
