from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from housestyle.core.consistency import warp
from housestyle.core.errors import TrainingError
from housestyle.training.motion import FlowEstimator

INNER = np.s_[24:-24, 24:-24]


@pytest.mark.parametrize(("right", "down"), [(3, 0), (-5, 2), (0, -4), (1, 1)])
def test_flow_points_to_where_each_pixel_lay_before(texture, right, down):
    world = texture(160, 200)
    previous = world[16:-16, 16:-16]
    current = np.roll(world, (down, right), axis=(0, 1))[16:-16, 16:-16]
    motion = FlowEstimator()(np.ascontiguousarray(previous), np.ascontiguousarray(current))
    assert motion.flow.shape == (128, 168, 2)
    assert motion.flow.dtype == np.float32
    error = np.abs(motion.flow[INNER] - np.array([-right, -down], np.float32))
    assert error.max() < 0.3
    assert motion.visible.dtype == np.bool_
    assert motion.visible[INNER].mean() > 0.99
    tensors = [
        torch.from_numpy(f.copy()).permute(2, 0, 1)[None].float() for f in (previous, motion.flow)
    ]
    warped = warp(*tensors)[0].permute(1, 2, 0).numpy()
    assert np.abs(warped - current)[INNER].mean() < 2  # of 255
    assert np.abs(previous.astype(float) - current)[INNER].mean() > 5


def test_half_a_pixel(texture):
    world = texture(256, 320).astype(np.float32)
    half = world.reshape(128, 2, 160, 2, 3).mean((1, 3)).astype(np.uint8)
    shifted = np.roll(world, 1, axis=1).reshape(128, 2, 160, 2, 3).mean((1, 3)).astype(np.uint8)
    motion = FlowEstimator()(half, shifted)
    error = np.abs(motion.flow[INNER] - np.array([-0.5, 0], np.float32))
    assert error.mean() < 0.1
    assert np.percentile(error, 99) < 0.3


def test_unrelated_pictures_can_t_be_compared(texture):
    motion = FlowEstimator()(texture(128, 160, 1), texture(128, 160, 2))
    assert motion.visible.mean() < 0.5


def test_one_pair_does_not_depend_on_the_one_before(texture):
    one, other, third = (texture(96, 128, seed) for seed in range(3))
    estimate = FlowEstimator()
    first = estimate(one, other).flow.copy()
    kept = estimate(one, other)
    estimate(other, third)
    np.testing.assert_array_equal(kept.flow, first)
    np.testing.assert_array_equal(estimate(one, other).flow, first)


def test_without_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(TrainingError, match="optical flow needs OpenCV") as caught:
        FlowEstimator()
    assert "housestyle[train]" in str(caught.value)
