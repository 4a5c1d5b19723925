from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from brushreel.core.frames.resampling import Axis, resampled, taps


def axis(source: int, target: int) -> Axis:
    return Axis(source, target, source / target)


@pytest.mark.parametrize(("source", "target"), [(1080, 432), (432, 1080), (7, 50), (50, 7), (3, 3)])
def test_weights_add_up_to_one_and_stay_inside(source, target):
    made = taps(axis(source, target))
    np.testing.assert_allclose(made.weights.sum(1), 1, atol=1e-6)
    assert made.first.min() >= 0
    assert (made.first + made.count).max() <= source


def test_at_a_ratio_of_one_nothing_changes():
    plane = torch.rand(9, 14)
    assert torch.equal(resampled(plane, axis(14, 14), axis(9, 9)), plane)


@pytest.mark.parametrize("size", [(40, 90), (20, 31)])
def test_it_is_bicubic_with_antialiasing(size):
    plane = torch.rand(1, 1, 60, 80)
    mine = resampled(plane, axis(80, size[1]), axis(60, size[0]))
    # Where no border is near: PyTorch leaves out what lies beyond it. Its a is -1/2 here, too.
    other = F.interpolate(plane, size, mode="bicubic", antialias=True)
    inside = (..., slice(6, -6), slice(6, -6))
    torch.testing.assert_close(mine[inside], other[inside], atol=2e-5, rtol=0)


def test_a_ramp_stays_a_ramp_whatever_the_siting():
    # Chroma that shares its place with the left of two samples of luma.
    luma = torch.arange(64) + 0.5
    chroma = torch.arange(32) * 2 + 0.5
    there = resampled(chroma[None], Axis(32, 16, 64 / 2 / 16, at_source=0.25), axis(1, 1))
    where = (torch.arange(16) + 0.5) * 4
    torch.testing.assert_close(there[0, 2:-2], where[2:-2], atol=1e-4, rtol=0)
    back = resampled(where[None], Axis(16, 32, 16 / 32, at_target=0.25), axis(1, 1))
    torch.testing.assert_close(back[0, 6:-6], chroma[6:-6], atol=1e-4, rtol=0)
    assert luma[0] == chroma[0]


def test_rows_of_the_result_are_those_of_the_whole():
    plane = torch.rand(50, 30)
    across, down = axis(30, 12), axis(50, 20)
    whole = resampled(plane, across, down)
    lines = taps(down).rows(4, 9)
    torch.testing.assert_close(resampled(plane[lines], across, down, slice(4, 9)), whole[4:9])
