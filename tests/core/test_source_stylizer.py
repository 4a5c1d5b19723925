"""Frames of one source: their aspect decides the working size, and their bars pass through."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from brushreel.core.clips.clip_info import VideoInfo
from brushreel.core.errors import UsageError
from brushreel.core.frames.bars import Bars
from brushreel.core.frames.frame import PIXEL_FORMATS, Colour, Frame, Matrix, Range
from brushreel.core.source_stylizer import SourceStylizer
from brushreel.core.style import Style
from brushreel.core.stylizer import Stylizer

BARS = Bars(top=16, bottom=16)
COLOUR = Colour(Matrix.BT709, Range.LIMITED)
HEIGHT, WIDTH = 144, 256


def video(**changes: object) -> VideoInfo:
    form = PIXEL_FORMATS["yuv420p"]
    described = VideoInfo(
        index=0,
        codec="h264",
        width=WIDTH,
        height=HEIGHT,
        native_format=form.name,
        pixel_format=form,
        colour=COLOUR,
        frame_rate=Fraction(25),
        constant_rate=True,
        time_base=Fraction(1, 25),
        duration=Fraction(1),
        frames=25,
        sample_aspect_ratio=None,
        display_matrix=None,
        rotation=0,
        fields=None,
        has_alpha=False,
    )
    return replace(described, **changes)


def letterboxed() -> Frame:
    form = PIXEL_FORMATS["yuv420p"]
    random = np.random.default_rng(0)
    planes = []
    for index in range(3):
        plane = random.integers(60, 200, form.plane_shape(index, WIDTH, HEIGHT)).astype(np.uint8)
        rows = BARS.top >> (index > 0)
        plane[:rows] = plane[-rows:] = 17 if index == 0 else 129
        planes.append(plane)
    return Frame(tuple(planes), form, WIDTH, HEIGHT, 0, 1, Fraction(1, 25), COLOUR)


@pytest.fixture
def stylizer(tiny_style: Style) -> Stylizer:
    return Stylizer(tiny_style, device="cpu", precision="fp32", runtime="torch")


def test_bars_keep_their_very_codes(stylizer: Stylizer) -> None:
    frame = letterboxed()
    stylized = SourceStylizer(stylizer, video(), BARS)(frame)
    for index, plane in enumerate(stylized.planes):
        rows = BARS.top >> (index > 0)
        assert np.array_equal(plane[:rows], frame.planes[index][:rows])
        assert np.array_equal(plane[-rows:], frame.planes[index][-rows:])
        assert not np.array_equal(plane[rows:-rows], frame.planes[index][rows:-rows])


def test_what_lies_between_is_stylized_as_if_it_were_the_frame(stylizer: Stylizer) -> None:
    frame = letterboxed()
    whole = SourceStylizer(stylizer, video(), BARS)(frame)
    alone = stylizer.stylize(BARS.inside(frame))
    for one, other in zip(BARS.inside(whole).planes, alone.planes, strict=True):
        assert np.array_equal(one, other)


def test_bars_follow_into_another_pixel_format(stylizer: Stylizer) -> None:
    form = PIXEL_FORMATS["yuv444p10le"]
    stylized = SourceStylizer(stylizer, video(), BARS)(letterboxed(), pixel_format=form)
    assert stylized.pixel_format == form
    assert np.unique(stylized.planes[0][: BARS.top]).tolist() == [17 * 4]


def test_strength_0_is_the_very_frame(tiny_style: Style) -> None:
    stylizer = Stylizer(tiny_style, device="cpu", strength=0)
    frame = letterboxed()
    assert SourceStylizer(stylizer, video(), BARS)(frame) is frame


def test_pixel_aspect_and_bars_decide_the_working_size(stylizer: Stylizer) -> None:
    plain = SourceStylizer(stylizer, video(), Bars()).identity
    anamorphic = video(sample_aspect_ratio=Fraction(4, 3))
    for other in (
        SourceStylizer(stylizer, anamorphic, Bars()),
        SourceStylizer(stylizer, video(), BARS),
    ):
        assert other.identity != plain
    assert "1024x432" in str(SourceStylizer(stylizer, anamorphic, Bars()).identity)


def test_too_small_strokes_are_refused_before_the_first_frame(tiny_style: Style) -> None:
    stylizer = Stylizer(tiny_style, device="cpu", stroke_size=0.25)
    with pytest.raises(UsageError, match="too small for a frame of 256x144"):
        SourceStylizer(stylizer, video(), Bars())
