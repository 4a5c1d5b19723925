"""Floating point frames of linear light: nothing is cut off at 1, and alpha is multiplied in."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from brushreel.core.frames.colour import from_rgb, to_rgb
from brushreel.core.frames.frame import FLOAT_FORMATS, PIXEL_FORMATS, Colour, Frame, Matrix, Range
from brushreel.core.frames.hdr import to_hdr, to_linear, to_sdr

LINEAR = Colour(Matrix.RGB, Range.FULL, 1, 8)
ACES_CG = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)


def frame(name: str, *planes, colour: Colour = LINEAR) -> Frame:
    form = FLOAT_FORMATS.get(name) or PIXEL_FORMATS[name]
    arrays = tuple(np.asarray(plane, form.dtype).reshape(1, -1) for plane in planes)
    width = arrays[0].shape[1]
    return Frame(arrays, form, width, 1, 0, 1, Fraction(1, 24), colour)


@pytest.mark.parametrize("name", ["gbrpf16le", "gbrpf32le"])
def test_any_finite_value_comes_back(name):
    source = frame(name, [0, 1e-5, 0.5], [-0.25, 1, 60000], [100, 3.5, -7])
    rgb = to_rgb(source)
    assert rgb.shape == (1, 3, 1, 3)
    assert rgb[0, :, 0, 1].tolist() == pytest.approx([3.5, float(source.planes[0][0, 1]), 1])
    again = from_rgb(rgb, source)
    for plane, before in zip(again.planes, source.planes, strict=True):
        np.testing.assert_array_equal(plane, before)
        assert plane.dtype == before.dtype


def test_what_is_no_number_is_finite_for_the_network():
    source = frame("gbrpf16le", [np.nan, 1], [np.inf, 1], [-np.inf, 1])
    assert torch.isfinite(to_rgb(source)).all()
    assert to_rgb(source)[0, 1, 0, 0] == 0


def test_what_does_not_fit_is_the_largest_number():
    stylized = torch.full((1, 3, 1, 2), 1e6)
    target = from_rgb(stylized, frame("gbrpf16le", [0, 0], [0, 0], [0, 0]))
    assert {float(value) for plane in target.planes for value in plane.flat} == {65504.0}


def test_colours_are_multiplied_by_alpha():
    source = frame("gbrapf16le", [0.25, 0.5, 3], [0.25, 0.5, 3], [0.25, 0.5, 3], [0.5, 1, 0])
    assert to_rgb(source)[0, 0, 0].tolist() == [0.5, 0.5, 3]
    stylized = from_rgb(torch.full((1, 3, 1, 3), 0.8), source)
    assert stylized.planes[0][0].tolist() == pytest.approx([0.4, 0.8, 3], abs=1e-3)
    np.testing.assert_array_equal(stylized.alpha, source.alpha)


def test_codes_under_alpha_are_not_multiplied():
    source = frame("gbrapf16le", [0.25, 0.5], [0.25, 0.5], [0.25, 0.5], [0.5, 1])
    codes = from_rgb(to_rgb(source), source, pixel_format=PIXEL_FORMATS["gbrap16le"])
    assert codes.planes[0][0].tolist() == [32768, 32768]
    assert codes.alpha[0].tolist() == [32768, 65535]
    again = from_rgb(to_rgb(codes), codes, pixel_format=FLOAT_FORMATS["gbrapf16le"])
    assert again.planes[0][0].tolist() == pytest.approx([0.25, 0.5], abs=1e-3)


@pytest.mark.parametrize("chromaticities", [None, ACES_CG])
def test_a_network_that_changes_nothing_gives_the_light_back(chromaticities):
    colour = Colour(Matrix.RGB, Range.FULL, 1, 8, chromaticities=chromaticities)
    grey = torch.logspace(-4, 4, 200).view(1, 1, 1, -1).repeat(1, 3, 1, 1)
    shown, gain = to_sdr(grey, colour)
    assert float(shown.min()) >= 0
    assert float(shown.max()) <= 1
    torch.testing.assert_close(to_hdr(shown, gain, colour), grey, rtol=1e-3, atol=1e-6)


def test_white_of_another_white_point_is_white():
    colour = Colour(Matrix.RGB, Range.FULL, 2, 8, chromaticities=ACES_CG)
    shown, _ = to_sdr(torch.full((1, 3, 1, 1), 0.3), colour)
    torch.testing.assert_close(shown, shown[:, :1].repeat(1, 3, 1, 1), rtol=0, atol=1e-3)


def test_light_of_xyz_primaries():
    colour = Colour(
        Matrix.RGB, Range.FULL, 2, 8, chromaticities=(1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3)
    )
    shown, gain = to_sdr(torch.full((1, 3, 1, 1), 0.3), colour)
    torch.testing.assert_close(shown, shown[:, :1].repeat(1, 3, 1, 1), rtol=0, atol=1e-3)
    assert to_hdr(shown, gain, colour).flatten().tolist() == pytest.approx([0.3] * 3, rel=1e-3)


def test_a_saturated_colour_of_wide_primaries_is_shown_at_the_border():
    colour = Colour(Matrix.RGB, Range.FULL, 2, 8, chromaticities=ACES_CG)
    shown, _ = to_sdr(torch.tensor([0.0, 0.5, 0.0]).view(1, 3, 1, 1), colour)
    assert shown[0, 0] == shown[0, 2] == 0
    assert shown[0, 1] > 0.7


def test_stylized_light_goes_beyond_one_where_the_source_did():
    source = frame("gbrpf16le", [0.2, 40], [0.2, 40], [0.2, 40])
    shown, gain = to_sdr(to_rgb(source), LINEAR)
    assert float(shown[0, 0, 0, 1]) == 1
    stylized = to_hdr(torch.full_like(shown, 0.9), gain, LINEAR)
    assert float(stylized[0, 0, 0, 0]) < 1
    assert float(stylized[0, 0, 0, 1]) > 30


def test_display_signals_become_light():
    bt709, pq = Colour(Matrix.RGB, Range.FULL, 1, 1), Colour(Matrix.RGB, Range.FULL, 9, 16)
    signal = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3).repeat(1, 3, 1, 1)
    assert to_linear(signal, bt709)[0, 0, 0].tolist() == pytest.approx([0, 0.5**2.4, 1])
    # BT.2408: reference white is 58 % of PQ.
    assert float(to_linear(torch.full((1, 3, 1, 1), 0.5807), pq)[0, 0]) == pytest.approx(
        1, rel=0.01
    )
