from __future__ import annotations

from fractions import Fraction

import pytest

from brushreel.core.errors import UsageError
from brushreel.core.frames.stroke_size import (
    believable_aspect,
    check_stroke_size,
    detail_size,
    working_size,
)


@pytest.mark.parametrize(
    ("width", "height"),
    [(640, 360), (960, 540), (1280, 720), (1920, 1080), (3840, 2160), (7680, 4320)],
)
def test_every_resolution_is_stylized_at_the_same_size(width, height):
    assert working_size(width, height, 1) == (432, 768)


def test_strokes_twice_as_large_take_half_the_lines():
    assert working_size(1920, 1080, 2) == (216, 384)
    assert working_size(1920, 1080, 0.5) == (864, 1536)
    assert working_size(1920, 1080, 1.5) == (288, 512)


def test_a_style_may_have_other_lines():
    assert working_size(1920, 1080, 1, lines=864) == (864, 1536)


def test_portrait_is_landscape_turned():
    for size in (0.3, 1, 1.7, 4):
        assert working_size(1080, 1920, size) == working_size(1920, 1080, size)[::-1]


def test_pixels_of_the_working_size_are_square():
    anamorphic = working_size(1440, 1080, 1, sample_aspect_ratio=Fraction(4, 3))
    assert anamorphic == working_size(1920, 1080, 1)
    # PAL, wide: 1024 x 576 as shown.
    assert working_size(720, 576, 1, sample_aspect_ratio=Fraction(64, 45)) == (432, 768)
    # The shorter side is that of the picture as shown, not of its samples.
    assert working_size(1080, 1080, 1, sample_aspect_ratio=Fraction(1, 2)) == (864, 432)


def test_proxies_of_nearly_the_same_shape_are_stylized_at_one_size():
    for width, height in ((853, 480), (854, 480), (852, 480), (640, 360)):
        assert working_size(width, height, 1) == (432, 768)


def test_native_has_no_working_size():
    assert working_size(1920, 1080, "native") is None
    assert detail_size(1920, 1080, "native") is None


def test_a_tiny_frame_is_not_stylized_at_many_times_its_size():
    assert working_size(108, 108, 1) == (432, 432)
    with pytest.raises(UsageError, match="too small for a frame of 100x100"):
        working_size(100, 100, 0.9)
    # The default takes any frame.
    assert working_size(100, 100, 1) == detail_size(100, 100, 1) == (400, 400)


def test_large_strokes_do_not_let_more_of_the_source_through():
    assert detail_size(1920, 1080, 4) == detail_size(1920, 1080, 1) == (432, 768)
    assert detail_size(1920, 1080, 0.5) == working_size(1920, 1080, 0.5)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 0.2, 4.1, "large", None])
def test_what_is_no_stroke_size_is_refused_in_one_line(value):
    with pytest.raises(UsageError) as caught:
        check_stroke_size(value)
    assert str(caught.value) == f"stroke size must be native or from 0.25 to 4, not {value}"


def test_stroke_sizes_are_continuous_and_may_be_text():
    assert check_stroke_size("1.37") == 1.37
    assert check_stroke_size(0.25) == 0.25
    assert check_stroke_size("native") == "native"


@pytest.mark.parametrize("ratio", [None, 0, -1, 65_535, 1 / 65_535, float("nan"), float("inf")])
def test_pixels_of_a_shape_that_can_not_be_are_square(ratio):
    assert believable_aspect(ratio) == 1


@pytest.mark.parametrize("ratio", [Fraction(64, 45), 2, Fraction(1, 2)])
def test_shapes_of_pixels_are_kept(ratio):
    assert believable_aspect(ratio) == ratio
