from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from brushreel.training.evaluation.levels import (
    flat,
    follows_fade,
    measure_levels,
    noise_change,
    scene,
)

SIZE = (64, 80)


def test_of_the_frames_themselves():
    levels = measure_levels(lambda frames: frames, SIZE)
    assert (levels.black, levels.white) == (0, 255)
    assert levels.grey == pytest.approx(127.5)
    # The mean distance of two draws of a normal distribution is 2 sigma / sqrt(pi); black and white
    # lose the half that leaves the range.
    assert levels.noise_on_grey == pytest.approx(4 / math.sqrt(math.pi), rel=0.02)
    assert 0 < levels.noise_on_black < 0.8 * levels.noise_on_grey
    assert 0 < levels.noise_on_white < 0.8 * levels.noise_on_grey
    assert levels.fades


@pytest.mark.parametrize("end", [0, 1])
def test_one_tone_for_every_level_follows_no_fade(end):
    def normalised(frames: Tensor) -> Tensor:
        return frames - frames.mean() + 0.5

    assert not follows_fade(normalised, scene(SIZE), end)


@pytest.mark.parametrize("end", [0, 1])
def test_an_output_that_stays_follows_no_fade(end):
    assert not follows_fade(torch.ones_like, scene(SIZE), end)


def test_a_fade_that_turns_round_is_not_followed():
    assert follows_fade(lambda frames: frames.square(), scene(SIZE), 1)
    assert not follows_fade(lambda frames: (frames - 0.5).square(), flat(0.9, SIZE), 0)
    levels = measure_levels(lambda frames: (frames - 0.5).square(), SIZE)
    assert not levels.fades


def test_noise_is_the_same_every_time():
    changes = [noise_change(torch.square, flat(0.5, SIZE), 0.01) for _ in range(2)]
    assert changes[0] == changes[1] > 0
