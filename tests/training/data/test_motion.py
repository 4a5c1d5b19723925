from __future__ import annotations

import numpy as np
import pytest
import torch

from brushreel.core.consistency import warp
from brushreel.training.data.motion import (
    FlowEstimator,
    camera_motion,
    shift_motion,
    synthetic_motion,
)

INNER = np.s_[24:-24, 24:-24]


@pytest.mark.parametrize(("right", "down"), [(3, 0), (-5, 2), (0, -4), (1, 1)])
def test_flow_points_to_where_each_pixel_was_before(texture, right, down):
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


def test_unrelated_images_can_t_be_compared(texture):
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


class TestMadeUpMotion:
    @pytest.mark.parametrize("motion", [synthetic_motion, camera_motion, shift_motion])
    def test_depends_on_the_generator_alone(self, motion):
        one, same, other = (motion(90, 160, np.random.default_rng(seed)) for seed in (1, 1, 2))
        assert one.shape == (90, 160, 2)
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, same)
        assert np.abs(one - other).max() > 1

    def test_warp_is_smooth_and_never_folds(self):
        random = np.random.default_rng(0)
        steepest = []
        for _ in range(20):
            flow = synthetic_motion(256, 320, random)
            # Below 1 no two pixels of current come from the same place.
            steepest.append(max(np.abs(np.diff(flow, axis=axis)).max() for axis in (0, 1)))
        assert np.mean(steepest) > 0.1
        assert max(steepest) < 0.5

    def test_warp_moves_by_pixels(self):
        random = np.random.default_rng(0)
        flows = np.stack([synthetic_motion(200, 200, random) for _ in range(60)])
        # The shift's uniform(-10, 10) and the cells' N(0, 8), averaged by the spline.
        assert flows.std((0, 1, 2)) == pytest.approx([6.9, 6.9], rel=0.2)
        within = flows - flows.mean((1, 2), keepdims=True)
        assert 1.5 < within.std() < 4

    def test_shift_is_of_whole_pixels_and_one_for_all(self):
        random = np.random.default_rng(0)
        shifts = [shift_motion(9, 16, random) for _ in range(300)]
        assert all((shift == shift[0, 0]).all() for shift in shifts)
        assert {float(shift[0, 0, 0]) for shift in shifts} == set(range(-10, 11))
        assert {float(shift[0, 0, 1]) for shift in shifts} == set(range(-10, 11))

    def test_camera_moves_the_frame_as_a_whole(self):
        random = np.random.default_rng(0)
        for _ in range(20):
            flow = camera_motion(90, 160, random)
            assert np.abs(flow.mean((0, 1))).max() <= 10
            # Zoom and roll: the same change from each pixel to the next.
            across, down = np.diff(flow, axis=1), np.diff(flow, axis=0)
            np.testing.assert_allclose(
                across, np.broadcast_to(across[0, 0], across.shape), atol=1e-4
            )
            np.testing.assert_allclose(down[0, 0], across[0, 0, ::-1] * [-1, 1], atol=1e-4)
            assert np.abs(across).max() < 0.04
