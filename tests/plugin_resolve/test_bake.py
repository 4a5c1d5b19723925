"""Shots become files that an editing program can lay above them."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from brushreel.core.clips.media import read
from brushreel.core.clips.range import FrameRange
from brushreel.core.stylizer import Stylizer
from brushreel.plugin_resolve.bake import BakedShot, FailedShot, Shot, bake
from brushreel.plugin_resolve.recipe import Recipe

NTSC = Fraction(30000, 1001)
FRAMES = 40


def _clip(path: Path, *, codec: str = "libx264", form: str = "yuv420p", ticks=None) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=NTSC)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 256, 128, form
        stream.metadata.update({"timecode": "01:00:59;20", "reel_name": "A003"})
        stream.codec_context.time_base = Fraction(1, 30000)
        for number in range(FRAMES):
            image = np.full((128, 256, 3), 3 * number, np.uint8)
            image[:, 6 * number : 6 * number + 9] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=form)
            frame.pts = 1001 * number if ticks is None else ticks(number)
            frame.time_base = Fraction(1, 30000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def baked(style_file, tmp_path, monkeypatch):
    # Which runtime is the fastest is not measured for a few small frames.
    plain = partial(Stylizer, runtime="torch", precision="fp32")
    monkeypatch.setattr("brushreel.plugin_resolve.bake.Stylizer", plain)

    def run(*shots: Shot, handles: int = 4, **recipe):
        made = Recipe(str(style_file), **recipe)
        return list(bake(shots, made, tmp_path / "baked", handles=handles, device="cpu"))

    return run


@pytest.mark.parametrize(
    ("codec", "form", "written"),
    [("prores", "yuv420p", "yuv422p10le"), ("dnxhr", "yuv420p", "yuv422p10le")],
)
def test_a_file_has_the_clips_rate_timecode_and_reel(baked, tmp_path, codec, form, written):
    (shot,) = baked(Shot("a", _clip(tmp_path / "a.mov", form=form), 10, 20), codec=codec)
    assert (shot.first, shot.frames, shot.reused) == (6, 18, False)
    assert shot.path.suffix == ".mov"
    with av.open(str(shot.path)) as container:
        stream = container.streams.video[0]
        assert (stream.average_rate, stream.frames) == (NTSC, 18)
        assert stream.pix_fmt == written
        # 01:00:59;26, then the numbers ;00 and ;01 of minute 1 are dropped.
        assert stream.metadata["timecode"] == "01:00:59;26"
        assert "A003" in [track.metadata.get("reel_name") for track in container.streams]
        assert [p.pts for p in container.demux(stream) if p.size] == [1001 * n for n in range(18)]


def test_alpha_is_kept_in_prores(baked, tmp_path):
    clip = _clip(tmp_path / "a.mov", codec="prores_ks", form="yuva444p10le")
    (shot,) = baked(Shot("a", clip, 0, 3))
    with av.open(str(shot.path)) as container:
        assert (container.streams.video[0].pix_fmt or "").startswith("yuva444p")


def test_frames_before_encoding_are_those_of_the_whole_clip(baked, tmp_path, monkeypatch):
    stylized: list[list[np.ndarray]] = []
    stylize = Stylizer.stylize

    def noted(self, frame, **how):
        done = stylize(self, frame, **how)
        stylized.append([plane.copy() for plane in done.planes])
        return done

    monkeypatch.setattr(Stylizer, "stylize", noted)
    clip = _clip(tmp_path / "a.mov")
    assert isinstance(baked(Shot("a", clip, 10, 12), handles=1)[0], BakedShot)
    of_the_shot = list(stylized)
    stylized.clear()
    (whole,) = baked(Shot("all", clip, 0, FRAMES), handles=0)
    assert isinstance(whole, BakedShot)
    assert len(of_the_shot) == 4
    for one, other in zip(of_the_shot, stylized[9:13], strict=True):
        assert all(map(np.array_equal, one, other))


def test_strokes_of_the_recipe_are_the_stylizer_s(baked, tmp_path, monkeypatch):
    seen = []
    stylize = Stylizer.stylize

    def noted(self, frame, **how):
        seen.append((self.stroke_size, self.detail))
        return stylize(self, frame, **how)

    monkeypatch.setattr(Stylizer, "stylize", noted)
    baked(Shot("a", _clip(tmp_path / "a.mov"), 0, 1), handles=0, stroke_size=1.5, detail=0.2)
    assert seen == [(1.5, 0.2)]


@pytest.mark.parametrize(
    ("first", "end", "held"), [(0, 5, (0, 9)), (38, 40, (34, 6)), (0, 40, (0, 40))]
)
def test_handles_end_where_the_clip_does(baked, tmp_path, first, end, held):
    (shot,) = baked(Shot("a", _clip(tmp_path / "a.mov"), first, end))
    assert (shot.first, shot.frames) == held


def test_the_same_again_is_used_again(baked, tmp_path):
    clip = _clip(tmp_path / "a.mov")
    shot = Shot("a", clip, 10, 20)
    (one,) = baked(shot)
    (again,) = baked(Shot("another name", clip, 10, 20))
    assert (again.path, again.reused) == (one.path, True)
    (weaker,) = baked(shot, strength=0.5)
    assert not weaker.reused
    (larger,) = baked(shot, stroke_size=2.0)
    assert not larger.reused
    (plainer,) = baked(shot, detail=0.0)
    assert not plainer.reused
    (longer,) = baked(Shot("a", clip, 10, 21))
    assert not longer.reused
    _clip(clip)
    assert not baked(shot)[0].reused


def test_a_damaged_file_is_made_again(baked, tmp_path):
    shot = Shot("a", _clip(tmp_path / "a.mov"), 10, 20)
    (one,) = baked(shot)
    one.path.write_bytes(one.path.read_bytes()[:3000])
    (again,) = baked(shot)
    assert not again.reused
    assert len(list(read(again.path))) == again.frames


def test_one_bad_shot_does_not_stop_the_others(baked, tmp_path):
    clip = _clip(tmp_path / "a.mov")
    uneven = _clip(tmp_path / "vfr.mov", ticks=lambda n: 1001 * n + 40 * n * n)
    results = baked(
        Shot("gone", tmp_path / "gone.mov", 0, 3),
        Shot("long", clip, 30, 50),
        Shot("vfr", uneven, 0, 3),
        Shot("good", clip, 0, 3),
    )
    assert [type(result) for result in results] == [FailedShot] * 3 + [BakedShot]
    said = [str(result.error) for result in results[:3]]
    for line, why in zip(said, ("no such file", "has 40 frames", "not evenly spaced"), strict=True):
        assert why in line


def test_long_names_in_any_script_fit_the_file_system(baked, tmp_path):
    clip = _clip(tmp_path / ("画" * 80 + ".mov"))
    (shot,) = baked(Shot("a", clip, 0, 3))
    assert shot.path.name.startswith("画" * 20)


def test_rounded_times_come_evenly(baked, tmp_path):
    # Matroska counts in milliseconds.
    (shot,) = baked(Shot("a", _clip(tmp_path / "a.mkv"), 3, 9))
    assert FrameRange(shot.first, shot.first + shot.frames) == FrameRange(0, 13)
    with av.open(str(shot.path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == NTSC
        assert [p.pts for p in container.demux(stream) if p.size] == [1001 * n for n in range(13)]
