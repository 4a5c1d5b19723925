"""Burnt-in bars: found where there are some, never in dark scenes, and passed through untouched."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from brushreel.core.frames.bars import Bars, brightness, find_bars
from brushreel.core.frames.colour import chroma_levels, luma_levels
from brushreel.core.frames.frame import PIXEL_FORMATS, Colour, Frame, Matrix, Range

HEIGHT, WIDTH = 90, 160
NONE = Bars()
LETTERBOX = Bars(top=12, bottom=12)


def scene(
    bars: Bars = NONE,
    *,
    form: str = "yuv420p",
    seed: int = 0,
    noise: int = 0,
    values: tuple[Range, float, float] = (Range.LIMITED, 0.2, 0.9),
) -> Frame:
    """Make a frame of random texture with black around it."""
    random = np.random.default_rng(seed)
    pixel_format = PIXEL_FORMATS[form]
    rgb = pixel_format.family == "rgb"
    colour = Colour(Matrix.RGB if rgb else Matrix.BT709, values[0])
    planes = []
    for index in range(pixel_format.plane_count):
        is_chroma = pixel_format.family == "yuv" and index in (1, 2)
        levels = (chroma_levels if is_chroma else luma_levels)(pixel_format, colour)
        shape = pixel_format.plane_shape(index, WIDTH, HEIGHT)
        low, high = (-0.2, 0.2) if is_chroma else values[1:]
        plane = levels.zero + levels.span * random.uniform(low, high, shape)
        across, down = pixel_format.chroma_shift if is_chroma else (0, 0)
        black = np.ones(shape, bool)
        rows = slice(-(-bars.top >> down), (HEIGHT - bars.bottom) >> down)
        columns = slice(-(-bars.left >> across), (WIDTH - bars.right) >> across)
        black[rows, columns] = False
        plane[black] = levels.zero + random.integers(0, noise + 1, int(black.sum()))
        planes.append(np.rint(plane).astype(pixel_format.dtype))
    return Frame(tuple(planes), pixel_format, WIDTH, HEIGHT, 0, 1, Fraction(1, 25), colour)


@pytest.mark.parametrize("form", ["yuv420p", "yuv422p10le", "yuv444p", "gbrp", "gbrp16le", "gray"])
@pytest.mark.parametrize(
    "bars", [LETTERBOX, Bars(left=20, right=20), Bars(12, 12, 20, 20), Bars(top=10, bottom=14)]
)
def test_bars_are_found(bars, form):
    assert find_bars([scene(bars, form=form, seed=seed) for seed in range(3)]) == bars


@pytest.mark.parametrize("range_", [Range.LIMITED, Range.FULL])
def test_compression_noise_in_bars(range_):
    frames = [scene(LETTERBOX, seed=seed, noise=6, values=(range_, 0.2, 0.9)) for seed in range(3)]
    assert find_bars(frames) == LETTERBOX


def test_no_bars():
    assert not find_bars([scene()])
    assert not find_bars([])


def test_a_black_clip_has_none():
    assert not find_bars([scene(values=(Range.LIMITED, 0, 0.02))] * 3)


def test_what_one_scene_lights_is_no_bar():
    assert find_bars([scene(LETTERBOX), scene()]) == Bars()


def test_a_lamp_in_the_dark_is_not_framed():
    frame = scene(values=(Range.LIMITED, 0, 0.02))
    yy, xx = np.mgrid[:HEIGHT, :WIDTH]
    frame.planes[0][np.hypot(yy - 45, xx - 80) < 40] = 180
    assert not find_bars([frame])


def test_titles_on_black_are_not_framed():
    frame = scene(values=(Range.LIMITED, 0, 0.02))
    for row in range(10, 80, 12):
        frame.planes[0][row : row + 4, 70:90:3] = 235
    assert not find_bars([frame])


def test_dark_colours_count_as_light():
    frame = scene(LETTERBOX)
    frame.planes[1][:6] = 190
    assert find_bars([frame]) == Bars(bottom=12)
    assert brightness(frame)[0].min() > 60


@pytest.mark.parametrize("form", ["yuv420p", "yuva420p", "yuv422p", "gbrap16le"])
def test_the_active_picture_goes_back_between_the_bars(form):
    bars = Bars(12, 14, 20, 6)
    frame = scene(bars, form=form)
    active = bars.inside(frame)
    assert (active.width, active.height) == (WIDTH - 26, HEIGHT - 26)
    grey = replace(active, planes=tuple(np.full_like(plane, 77) for plane in active.planes))
    framed = bars.around(frame, grey)
    assert all((plane == 77).all() for plane in bars.inside(framed).planes)
    for plane, own in zip(framed.planes, frame.planes, strict=True):
        outside = plane != 77
        assert np.array_equal(plane[outside], own[outside])
        assert not np.shares_memory(plane, own)


@pytest.mark.parametrize("form", ["yuv420p", "yuv444p", "gbrp"])
def test_odd_bars_take_a_row_of_the_picture(form):
    brightest = brightness(scene(Bars(top=11, bottom=13, left=3), form="yuv444p"))
    bars = Bars.of_brightest(brightest)
    assert bars == Bars(top=12, bottom=14, left=4)
    active = bars.inside(scene(form=form))
    assert (active.width, active.height) == bars.active_size(WIDTH, HEIGHT)
    assert (active.width, active.height) == (WIDTH - 4, HEIGHT - 26)


def test_the_last_row_of_an_odd_frame_is_its_own():
    brightest = np.full((91, 161), 200, np.uint8)
    brightest[:20] = 0
    assert Bars.of_brightest(brightest) == Bars(top=20)


def test_none_in_black_and_in_nearly_all_black():
    brightest = np.zeros((100, 100), np.uint8)
    assert not Bars.of_brightest(brightest)
    brightest[45:55, 45:55] = 200
    assert not Bars.of_brightest(brightest)
    brightest[:, 30:70] = 200
    assert Bars.of_brightest(brightest) == Bars(left=30, right=30)


def test_bars_need_not_be_alike():
    brightest = np.full((100, 100), 12, np.uint8)
    brightest[10:70] = 13
    assert Bars.of_brightest(brightest) == Bars(top=10, bottom=30)


@pytest.mark.parametrize(("black", "found"), [((20, 34), (20, 20)), ((20, 14), (20, 14))])
def test_a_dark_edge_is_taken_to_have_a_bar_like_the_other(black, found):
    brightest = np.full((100, 100), 200, np.uint8)
    brightest[: black[0]] = 0
    brightest[-black[1] :] = 0
    brightest[-black[1] - 20 : -black[1], :80] = 0  # a dark floor, lit at the side
    assert Bars.of_brightest(brightest) == Bars(*found)
    assert Bars.of_brightest(brightest[::-1]) == Bars(*found[::-1])


def test_odd_bars_of_pixels_without_chroma_planes():
    brightest = np.full((91, 160), 200, np.uint8)
    brightest[:11] = 0
    brightest[:, -7:] = 0
    assert Bars.of_brightest(brightest, even=False) == Bars(top=11, right=7)
    assert Bars(top=11, right=7).wider(2) == Bars(top=13, right=9)
