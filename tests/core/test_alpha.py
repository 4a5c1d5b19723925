"""Opacity: carried beside the colours, never touched."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import torch

from housestyle.core.colour import from_rgb, to_rgb
from housestyle.core.frame import PIXEL_FORMATS, Colour, Frame, Matrix, Range, pixel_format

ALPHAS = [name for name, format_ in PIXEL_FORMATS.items() if format_.alpha]


def noise(width: int, height: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


def frame_of(rgb: torch.Tensor, name: str) -> Frame:
    """A frame made from one without alpha."""
    layout = pixel_format(name)
    colour = Colour(Matrix.RGB if layout.family == "rgb" else Matrix.BT709, Range.LIMITED)
    plane, grey = np.zeros((2, 2), np.uint8), Colour(Matrix.BT709, Range.FULL)
    like = Frame((plane,), pixel_format("gray"), 2, 2, 41, 2, Fraction(1, 24), grey)
    return from_rgb(rgb, like, pixel_format=layout, colour=colour)


def with_alpha(name: str, width: int = 33, height: int = 21) -> Frame:
    """A frame whose alpha takes every kind of value, in rows that are padded."""
    layout = pixel_format(name)
    frame = frame_of(noise(width, height), name)
    codes = np.random.default_rng(5).integers(0, 2**layout.depth, (height, width + 9))
    codes[0, :2] = 0, 2**layout.depth - 1
    alpha = codes.astype(layout.dtype)[:, :width]
    return dataclasses.replace(frame, planes=(*frame.planes[:-1], alpha))


class TestAlpha:
    @pytest.mark.parametrize("name", ALPHAS)
    def test_is_carried_bit_by_bit(self, name):
        frame = with_alpha(name)
        painted = from_rgb(noise(33, 21).flip(-1), frame)
        np.testing.assert_array_equal(painted.alpha, frame.alpha)
        assert not np.array_equal(painted.planes[0], frame.planes[0])

    @pytest.mark.parametrize("name", ALPHAS)
    def test_changes_no_colour(self, name):
        frame, plain = with_alpha(name), name.replace("yuva", "yuv").replace("gbrap", "gbrp")
        without = dataclasses.replace(
            frame, planes=frame.planes[:3], pixel_format=pixel_format(plain)
        )
        assert torch.equal(to_rgb(frame), to_rgb(without))
        painted = from_rgb(noise(33, 21), frame).planes[:3]
        for plane, same in zip(painted, from_rgb(noise(33, 21), without).planes, strict=True):
            np.testing.assert_array_equal(plane, same)

    @pytest.mark.parametrize(
        ("source", "target"),
        [("yuva420p", "yuva444p10le"), ("gbrap", "gbrap12le"), ("yuva444p10le", "yuva422p12le")],
    )
    def test_another_depth_stretches_it_and_back(self, source, target):
        frame = with_alpha(source)
        rgb, target = to_rgb(frame), pixel_format(target)
        deeper = from_rgb(rgb, frame, pixel_format=target)
        top = 2**target.depth - 1
        exact = frame.alpha * (top / (2**frame.pixel_format.depth - 1))
        np.testing.assert_array_equal(deeper.alpha, np.rint(exact))
        assert (deeper.alpha[0, 0], deeper.alpha[0, 1]) == (0, top)
        back = from_rgb(rgb, deeper, pixel_format=frame.pixel_format, colour=frame.colour)
        np.testing.assert_array_equal(back.alpha, frame.alpha)

    @pytest.mark.parametrize("name", ALPHAS)
    def test_is_opaque_where_the_source_has_none(self, name):
        alpha = frame_of(noise(7, 5), name).alpha
        assert alpha.shape == (5, 7)
        assert set(alpha.flat) == {2 ** pixel_format(name).depth - 1}

    def test_is_dropped_where_the_target_has_none(self):
        frame = with_alpha("yuva420p")
        assert from_rgb(to_rgb(frame), frame, pixel_format=pixel_format("yuv420p")).alpha is None
