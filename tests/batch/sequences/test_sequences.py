"""Sequences in and out: every picture, every bit."""

from __future__ import annotations

import json
from fractions import Fraction

import av
import numpy as np
import OpenEXR
import pytest

from brushreel.batch.clips.clip import inspect_clip
from brushreel.batch.clips.settings import ReadSettings, WriteSettings
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.cli import main
from brushreel.core.clips.range import FrameRange
from brushreel.core.pictures.picture import read_picture

from .drawn import codes, light, names_in, same_pictures


class TestSequences:
    @pytest.mark.parametrize("form", ["gbrp", "gbrp16le", "gbrap16le", "gray16le"])
    @pytest.mark.parametrize("suffix", ["png", "tif"])
    def test_strength_zero_keeps_every_bit(self, tmp_path, make, run, suffix, form):
        source = make(f"in/a.%04d.{suffix}", range(1001, 1004), form)
        report = run(source, f"out/a.%04d.{suffix}")
        assert (report.frames, report.audio_tracks) == (3, 0)
        same_pictures(source, tmp_path / f"out/a.%04d.{suffix}", range(1001, 1004))
        assert len(names_in(tmp_path / "out")) == 3

    def test_exr_of_strength_zero_is_the_same_file(self, tmp_path, make, run):
        source = make("in/a.%06d.exr", range(86400, 86403))
        run(source, "out/a.%06d.exr")
        for path in source.parent.iterdir():
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()

    def test_sixteen_bits_are_painted_with_sixteen(self, tmp_path, make, run, painter):
        source = make("in/a.%d.png", range(1), "gbrap16le")
        run(source, "out/a.%d.png", painter)
        painted = read_picture(tmp_path / "out/a.0.png").frame
        assert painted.pixel_format.name == "gbrap16le"
        assert len(np.unique(painted.planes[0])) > 256
        np.testing.assert_array_equal(painted.alpha, codes("gbrap16le", 0).alpha)

    def test_light_above_one_stays_above_one(self, tmp_path, make, run, painter):
        source = make("in/a.%d.exr", range(2))
        run(source, "out/a.%d.exr", painter)
        painted = OpenEXR.File(str(tmp_path / "out/a.0.exr"), separate_channels=True).channels()
        before = light(0)
        bright = [painted[name].pixels[4:9, 4:9].astype(np.float32) for name in "RGB"]
        assert np.max(bright) > 5
        assert all(np.isfinite(painted[name].pixels).all() for name in "RGB")
        for name in "AZ":
            np.testing.assert_array_equal(painted[name].pixels, before[name])
        assert not np.array_equal(painted["R"].pixels, before["R"])

    def test_numbers_are_the_sources_also_of_an_excerpt(self, tmp_path, make, run):
        source = make("in/a.%04d.png", range(1001, 1009))
        report = run(source, "out/b.%04d.png", read=ReadSettings(range=FrameRange(2, 4)))
        assert report.frames == 2
        assert names_in(tmp_path / "out") == ["b.1003.png", "b.1004.png"]

    def test_one_picture(self, tmp_path, make, run):
        make("in/a.%d.tif", range(1))
        report = run(tmp_path / "in/a.0.tif", "out/b.tif")
        assert report.frames == 1
        same_pictures(tmp_path / "in/a.%d.tif", tmp_path / "out/b.tif", range(0))
        assert not [line for line in report.warnings if "second" in line]

    def test_linear_light_to_png_is_what_a_display_shows(self, tmp_path, make, run):
        report = run(make("in/a.%d.exr", range(1)), "out/a.%d.png")
        assert any("highlights are rolled off" in line for line in report.warnings)
        frame = read_picture(tmp_path / "out/a.0.png").frame
        assert frame.pixel_format.name == "gbrap16le"
        assert frame.planes[0][5, 5] == 65535


class TestClips:
    def test_sequence_to_clip_and_back(self, tmp_path, make, run):
        source = make("in/a.%04d.png", range(7, 12))
        run(source, "a.mkv", write=WriteSettings(encode=EncodeSettings(codec="ffv1")))
        run(tmp_path / "a.mkv", "out/b.%04d.png")
        same_pictures(source, tmp_path / "out/b.%04d.png", range(7, 12), shift=-6)

    def test_rate_and_timecode_of_a_clip(self, tmp_path, make, run):
        code = OpenEXR.TimeCode(1, 2, 3, 4, *[0] * 14)
        source = make("in/a.%04d.exr", range(7, 12), timeCode=code, pixelAspectRatio=2.0)
        read = ReadSettings(frame_rate=Fraction(24000, 1001))
        run(source, "a.mov", read=read, write=WriteSettings(encode=EncodeSettings(codec="prores")))
        with av.open(str(tmp_path / "a.mov")) as clip:
            stream = clip.streams.video[0]
            times = [
                (frame.pts or 0) * Fraction(frame.time_base or 0) for frame in clip.decode(stream)
            ]
            assert times == [Fraction(1001 * n, 24000) for n in range(5)]
            assert stream.metadata["timecode"] == "01:02:03:04"
            assert stream.sample_aspect_ratio == 2
            assert stream.codec_context.color_trc == 1

    def test_timecode_of_a_clip_goes_into_each_picture(self, tmp_path, make_clip, run):
        clip = make_clip("a.mov", frames=9, metadata={"timecode": "10:00:00:22"})
        run(clip, "out/a.%d.exr", read=ReadSettings(range=FrameRange(2, 5)))
        codes = [read_picture(tmp_path / f"out/a.{n}.exr").timecode for n in (1, 2, 3)]
        assert codes == ["10:00:00:24", "10:00:01:00", "10:00:01:01"]
        header = OpenEXR.File(str(tmp_path / "out/a.1.exr")).header()
        assert header["framesPerSecond"] == 25

    @pytest.mark.parametrize(
        ("header", "rate"), [({}, 24), ({"framesPerSecond": Fraction(30)}, 30)]
    )
    def test_rate_where_none_is_given(self, tmp_path, make, run, header, rate):
        source = make("in/a.%04d.exr", range(2), **header)
        report = run(source, "a.mov", write=WriteSettings(encode=EncodeSettings(codec="prores")))
        assert (rate == 24) == any("24 images a second" in line for line in report.warnings)
        with av.open(str(tmp_path / "a.mov")) as clip:
            assert clip.streams.video[0].average_rate == rate

    def test_sound_is_left_out_and_said_so(self, tmp_path, make_clip, sound, run):
        report = run(make_clip("a.mp4", frames=4, sounds=(sound(),)), "out/a.%03d.png")
        assert "track 1 (audio, aac) is left out: images have no place for it" in report.warnings
        assert names_in(tmp_path / "out") == [f"a.00{n}.png" for n in range(1, 5)]

    def test_fields_are_named(self, make_clip, tmp_path):
        fields = {"x264-params": "interlaced=1"}
        clip = make_clip("a.mp4", frames=4, options=fields)
        _, told = inspect_clip(clip, tmp_path / "out/a.%d.png")
        assert "is interlaced: deinterlaced with bwdif, one frame for each" in told

    def test_clip_to_light(self, tmp_path, make_clip, run):
        run(make_clip("a.mp4", frames=1), "out/a.%d.exr")
        frame = read_picture(tmp_path / "out/a.1.exr").frame
        assert frame.pixel_format.name == "gbrpf16le"
        assert 0 <= frame.planes[0].min() < frame.planes[0].max() <= 1

    def test_a_clip_on_its_side_becomes_upright_pictures(self, tmp_path, make_clip, run):
        turn = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
        clip = make_clip("a.mp4", frames=1, size=(48, 32), display_matrix=turn)
        run(clip, "out/a.%d.png")
        frame = read_picture(tmp_path / "out/a.1.png").frame
        assert (frame.width, frame.height) == (32, 48)


class TestCommand:
    def events(self, capsys) -> list[dict]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def stylize(self, *arguments: object) -> int:
        return main(["stylize", *map(str, arguments), "-s", "wave", "--strength", "0"])

    def test_json_report_and_dry_run(self, tmp_path, make, capsys):
        source = make("in/a.%06d.png", range(86400, 86404))
        output = tmp_path / "out/a.%06d.png"
        told = ("--json", "--report", tmp_path / "report.json")
        assert self.stylize(source, "-o", output, "--dry-run", *told) == 0
        planned = self.events(capsys)[0]
        assert (planned["event"], planned["frames"]) == ("clip_planned", 4)
        assert not output.parent.exists()
        assert self.stylize(source, "-o", output, *told) == 0
        done = next(event for event in self.events(capsys) if event["event"] == "clip_done")
        assert (done["input"], done["output"]) == (str(source), str(output))
        assert (done["frames"], done["audio_tracks"]) == (4, 0)
        clip = json.loads((tmp_path / "report.json").read_text())["clips"][0]
        assert (clip["status"], clip["frames"]) == ("done", 4)
        assert any("24 images a second" in line for line in clip["warnings"])

    def test_gaps_in_one_line(self, tmp_path, make, capsys):
        source = make("in/a.%04d.png", [1, 3])
        assert self.stylize(source, "-o", tmp_path / "out/a.%04d.png") == 1
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1
        assert "but not 2" in lines[0]
