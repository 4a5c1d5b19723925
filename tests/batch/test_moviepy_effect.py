"""A style as an effect, in compositions of the real MoviePy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from moviepy import (
    AudioClip,
    ColorClip,
    CompositeVideoClip,
    ImageClip,
    VideoClip,
    VideoFileClip,
    concatenate_videoclips,
)
from moviepy.video.fx import FadeIn, MultiplySpeed

from brushreel.batch import moviepy_effect
from brushreel.batch.moviepy_effect import Stylize
from brushreel.core.errors import StyleError, UsageError
from brushreel.core.stylizer import Stylizer

SIZE = (64, 48)


def scene(t: float) -> np.ndarray:
    """Make a clip of noise that changes every 1/10 s."""
    rng = np.random.default_rng(round(t * 10))
    return rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


def tone(t):
    return np.sin(2 * np.pi * 440 * np.asarray(t))


@pytest.fixture
def clip() -> VideoClip:
    return VideoClip(scene, duration=2).with_audio(AudioClip(tone, duration=2, fps=8000))


@pytest.fixture
def painted(tiny_style):
    """Return what a `Stylizer` makes of 8 bit codes."""

    def paint(codes: np.ndarray, **settings) -> np.ndarray:
        rgb = torch.tensor(codes.astype(np.float32) / 255).permute(2, 0, 1)[None]
        result = Stylizer(tiny_style, device="cpu", **settings)(rgb)
        return (result[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()

    return paint


@pytest.fixture
def effect(tiny_style) -> Stylize:
    return Stylize(tiny_style, device="cpu")


def test_frames_are_the_stylizer_s_pixels(clip, effect, painted):
    frame = clip.with_effects([effect]).get_frame(0.7)
    assert (frame.shape, frame.dtype) == ((48, 64, 3), np.uint8)
    assert np.array_equal(frame, painted(scene(0.7)))
    assert not np.array_equal(frame, scene(0.7))


@pytest.mark.parametrize("settings", [{"strength": 0.4}, {"keep_colors": True}])
def test_settings_are_the_stylizer_s(clip, tiny_style, painted, settings):
    frame = clip.with_effects([Stylize(tiny_style, device="cpu", **settings)]).get_frame(0)
    assert np.array_equal(frame, painted(scene(0), **settings))
    assert not np.array_equal(frame, painted(scene(0)))


def test_strength_0_gives_the_very_codes(clip, tiny_style):
    frame = clip.with_effects([Stylize(tiny_style, strength=0, device="cpu")]).get_frame(1)
    assert np.array_equal(frame, scene(1))


def letterboxed(t: float) -> np.ndarray:
    return np.pad(scene(t)[8:-6], ((8, 6), (0, 0), (0, 0)))


def test_bars_pass_through_and_what_lies_between_is_stylized_by_itself(effect, painted):
    stylized = VideoClip(letterboxed, duration=2).with_effects([effect]).get_frame(0.5)
    assert (stylized[:8] == 0).all()
    assert (stylized[-6:] == 0).all()
    np.testing.assert_array_equal(stylized[8:-6], painted(letterboxed(0.5)[8:-6]))


def test_bars_are_stylized_if_asked(tiny_style, painted):
    clip = VideoClip(letterboxed, duration=2)
    stylized = clip.with_effects([Stylize(tiny_style, device="cpu", bars="style")]).get_frame(0.5)
    np.testing.assert_array_equal(stylized, painted(letterboxed(0.5)))


def test_the_clip_itself_stays(clip, effect):
    clip.with_effects([effect])
    assert np.array_equal(clip.get_frame(0.3), scene(0.3))


def test_sound_and_length_stay(clip, effect):
    result = clip.with_effects([effect])
    assert result.duration == 2
    times = np.arange(0, 0.01, 1 / 8000)
    assert np.array_equal(result.audio.get_frame(times), clip.audio.get_frame(times))


def test_a_part_at_another_speed(clip, effect, painted):
    part = clip.subclipped(0.5, 1.5).with_effects([effect, MultiplySpeed(2)])
    assert part.duration == 0.5
    assert np.array_equal(part.get_frame(0.2), painted(scene(0.9)))


def test_the_effect_after_a_change_of_speed(clip, effect, painted):
    part = clip.with_effects([MultiplySpeed(2), effect]).subclipped(0.25)
    assert np.array_equal(part.get_frame(0.25), painted(scene(1.0)))


def test_a_layer_of_a_composition(clip, effect, painted):
    hole = np.zeros((48, 64))
    hole[:, 32:] = 1
    layer = clip.with_mask(ImageClip(hole, is_mask=True, duration=2)).with_effects([effect])
    assert np.array_equal(layer.mask.get_frame(0), hole)
    below = ColorClip(SIZE, (10, 200, 30), duration=2)
    frame = CompositeVideoClip([below, layer]).get_frame(1)
    assert np.array_equal(frame[:, 32:], painted(scene(1))[:, 32:])
    assert (frame[:, :32] == (10, 200, 30)).all()


def test_a_whole_composition_with_sound(clip, effect, painted):
    top = ColorClip((20, 10), (255, 0, 0), duration=2).with_position((5, 6)).with_opacity(0.5)
    whole = CompositeVideoClip([clip.with_effects([FadeIn(1)]), top])
    result: Any = whole.with_effects([effect])
    assert result.size == whole.size
    assert np.array_equal(result.get_frame(0.5), painted(whole.get_frame(0.5)))
    assert result.audio.duration == 2


def test_a_picture_is_painted_once(effect, painted, monkeypatch):
    count = 0

    def counted(frame):
        nonlocal count
        count += 1
        return painted(frame)

    monkeypatch.setattr(effect, "_stylized", counted)
    result: Any = ImageClip(scene(0), duration=3).with_effects([effect])
    assert np.array_equal(result.get_frame(0), result.get_frame(2.5))
    assert count == 1


def test_the_network_is_loaded_once(clip, tiny_style, monkeypatch):
    made = []

    class Counted(Stylizer):
        def __init__(self, *arguments, **settings):
            made.append(1)
            super().__init__(*arguments, **settings)

    monkeypatch.setattr(moviepy_effect, "Stylizer", Counted)
    effect = Stylize(tiny_style, device="cpu")
    parts = [clip.subclipped(start, start + 0.5).with_effects([effect]) for start in (0, 1)]
    joined = concatenate_videoclips(parts)
    for time in (0, 0.4, 0.6, 0.9):
        joined.get_frame(time)
    assert len(made) == 1


def test_alpha_of_a_frame_is_no_colour(effect, painted):
    with_alpha = np.dstack([scene(0), np.full((48, 64), 7, np.uint8)])
    assert np.array_equal(effect._stylized(with_alpha), painted(scene(0)))


def test_floating_point_frames_are_8_bit_codes(effect, painted):
    clip: Any = VideoClip(lambda t: scene(t).astype(float), duration=1)
    assert np.array_equal(clip.with_effects([effect]).get_frame(0.2), painted(scene(0.2)))


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # MoviePy's own pipes
def test_written_to_a_file_and_read_back(make_clip, sound, effect, tmp_path, read_clip):
    source = make_clip(frames=10, sounds=(sound(),))
    output = tmp_path / "out.mp4"
    with VideoFileClip(str(source)) as clip:
        part = clip.subclipped(0.04, 0.36).with_effects([effect])
        part.write_videofile(str(output), logger=None)
    written = read_clip(output)
    assert (written.size, len(written.frames), len(written.audio)) == ((96, 64), 8, 1)


def test_a_wrong_name_is_refused_at_once():
    with pytest.raises(StyleError, match="no style named 'waev'"):
        Stylize("waev")


@pytest.mark.parametrize(
    "other", [ColorClip(SIZE, is_mask=True, color=1.0, duration=1), AudioClip(tone, duration=1)]
)
def test_what_has_no_colours_is_refused(effect, other):
    with pytest.raises(UsageError, match="only video in colour"):
        other.with_effects([effect])
