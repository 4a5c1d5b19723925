from __future__ import annotations

import numpy as np
import pytest
import torch

from brushreel.core.consistency import temporal_error, visibility_mask, warp, warping_error


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(2), dtype=dtype)


def uniform(x: float, y: float, height: int = 20, width: int = 24, count: int = 1) -> torch.Tensor:
    return torch.tensor([float(x), float(y)]).view(1, 2, 1, 1).repeat(count, 1, height, width)


class TestWarp:
    @pytest.mark.parametrize(("x", "y"), [(0, 0), (3, 0), (0, -4), (-2, 5)])
    def test_whole_pixels_are_a_roll(self, x, y):
        other = noise(2, 3, 20, 24)
        warped = warp(other, uniform(x, y, count=2)).numpy()
        rolled = np.roll(other.numpy(), (-y, -x), axis=(2, 3))
        inner = np.s_[..., 5:-5, 5:-5]
        np.testing.assert_allclose(warped[inner], rolled[inner], atol=2e-5)

    def test_half_a_pixel_is_the_mean_of_two(self):
        other = noise(1, 1, 8, 8)
        warped = warp(other, uniform(0.5, 0, 8, 8))
        mean = (other[..., :-1] + other[..., 1:]) / 2
        torch.testing.assert_close(warped[..., :-1], mean, atol=1e-5, rtol=0)

    def test_beyond_the_border_lies_its_nearest_pixel(self):
        other = noise(1, 3, 8, 8)
        warped = warp(other, uniform(30, 0, 8, 8))
        torch.testing.assert_close(warped, other[..., -1:].expand_as(other))

    def test_each_pixel_follows_its_own_flow(self):
        flow = torch.zeros(1, 2, 8, 8)
        flow[0, :, 2, 3] = torch.tensor([4.0, 1.0])
        other = noise(1, 3, 8, 8)
        warped = warp(other, flow)
        torch.testing.assert_close(warped[..., 2, 3], other[..., 3, 7], atol=1e-5, rtol=0)
        torch.testing.assert_close(warped[..., 3, 3], other[..., 3, 3], atol=1e-5, rtol=0)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
    def test_dtype_of_the_frame_is_kept(self, dtype):
        assert warp(noise(1, 3, 20, 24, dtype=dtype), uniform(1, 1)).dtype == dtype

    def test_single_pixel(self):
        other = noise(1, 3, 1, 1)
        assert torch.equal(warp(other, torch.zeros(1, 2, 1, 1)), other)


def square_flows(step: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Return exact flows of a square of 12 pixels that moved to the right over a still ground.

    It lies in columns 10 to 21 now, and lay `step` columns further left before.
    """
    flow, back = torch.zeros(1, 2, 40, 40), torch.zeros(1, 2, 40, 40)
    flow[0, 0, 14:26, 10:22] = -step
    back[0, 0, 14:26, 10 - step : 22 - step] = step
    return flow, back


class TestVisibilityMask:
    def test_moving_square(self):
        mask = visibility_mask(*square_flows())
        assert mask.shape == (1, 1, 40, 40)
        assert mask.dtype == torch.float32
        visible = mask[0, 0] > 0
        assert visible[15:25, 11:21].all()  # the square itself
        assert not visible[14:26, 7:10].any()  # ground that the square has uncovered
        assert not visible[14:26, 21].any()  # motion boundaries
        assert not visible[13, 10:22].any()
        far = torch.ones(40, 40, dtype=torch.bool)
        far[12:28, 5:24] = False
        assert visible[far].all()

    def test_still_scene_is_visible_everywhere(self):
        still = torch.zeros(2, 2, 9, 7)
        assert visibility_mask(still, still).eq(1).all()

    def test_what_comes_from_outside_is_not_visible(self):
        visible = visibility_mask(uniform(-3, 2), uniform(3, -2))[0, 0] > 0
        assert not visible[:, :3].any()
        assert not visible[-2:].any()
        assert visible[:-2, 3:].all()

    @pytest.mark.parametrize(("error", "seen"), [(0.85, True), (0.90, False)])
    def test_threshold_of_occlusion(self, error, seen):
        # |w + w_back|^2 > 0.01 (|w|^2 + |w_back|^2) + 0.5 with w = (4, 0), w_back = (e - 4, 0):
        # 0.85 gives 0.722 against 0.759, 0.90 gives 0.810 against 0.756.
        mask = visibility_mask(uniform(4, 0), uniform(error - 4, 0))
        assert mask[0, 0, 10, 10] == seen

    @pytest.mark.parametrize("axis", [2, 3])
    @pytest.mark.parametrize(("slope", "seen"), [(0.10, True), (0.12, False)])
    def test_threshold_of_motion_boundaries(self, axis, slope, seen):
        # |grad w|^2 > 0.01 |w|^2 + 0.002 at a pixel with w = (1, 0): 0.010 and 0.0144 to 0.012.
        ramp = slope * (torch.arange(21.0) - 10) + 1
        flow = torch.zeros(1, 2, 21, 21)
        flow[0, 0] = ramp.view(-1, 1) if axis == 2 else ramp.view(1, -1)
        mask = visibility_mask(flow, -flow)
        assert mask[0, 0, 10, 10] == seen


class TestTemporalError:
    def test_perfect_motion_has_none(self):
        world = noise(1, 3, 20, 30)
        current, other = world[..., 3:27], world[..., :24]
        mask = torch.ones(1, 1, 20, 24)
        mask[..., -3:] = 0  # comes from outside the other frame
        assert temporal_error(current, other, uniform(3, 0), mask) < 1e-10
        assert temporal_error(current, other, uniform(-3, 0), mask) > 0.01

    def test_formula_counts_occluded_pixels_in_the_denominator(self):
        current, other = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
        current[0, :, 0, 0] = torch.tensor([0.5, 0.1, 0.0])
        current[0, :, 1, 1] = 0.9
        mask = torch.zeros(1, 1, 2, 2)
        mask[0, 0, 0, :] = 1
        error = temporal_error(current, other, torch.zeros(1, 2, 2, 2), mask)
        torch.testing.assert_close(error, torch.tensor((0.25 + 0.01) / 12))

    def test_batch_is_the_mean_of_its_pairs(self):
        current, other = noise(2, 3, 20, 24), noise(2, 3, 20, 24).flip(-1)
        flow, mask = uniform(1, 0, count=2), (noise(2, 1, 20, 24) > 0.5).float()
        parts = [slice(0, 1), slice(1, 2)]
        each = [temporal_error(current[p], other[p], flow[p], mask[p]) for p in parts]
        together = temporal_error(current, other, flow, mask)
        torch.testing.assert_close(together, torch.stack(each).mean())

    def test_both_frames_are_told_to_change(self):
        current = noise(1, 3, 20, 24).requires_grad_()
        other = noise(1, 3, 20, 24).flip(-1).requires_grad_()
        temporal_error(current, other, uniform(1, 0), torch.ones(1, 1, 20, 24)).backward()
        assert current.grad is not None
        assert other.grad is not None
        assert current.grad.abs().sum() > 0
        assert other.grad.abs().sum() > 0


class TestWarpingError:
    def test_formula_counts_visible_pixels_only(self):
        current, other = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
        current[0, :, 0, 0] = torch.tensor([0.5, 0.1, 0.0])
        current[0, :, 1, 1] = 0.9
        mask = torch.zeros(1, 1, 2, 2)
        mask[0, 0, 0, :] = 1
        error = warping_error(current, other, torch.zeros(1, 2, 2, 2), mask)
        torch.testing.assert_close(error, torch.tensor((0.25 + 0.01) / 6))

    def test_follows_the_flow(self):
        world = noise(1, 3, 20, 30)
        current, other = world[..., 3:27], world[..., :24]
        mask = torch.ones(1, 1, 20, 24)
        mask[..., -3:] = 0
        assert warping_error(current, other, uniform(3, 0), mask) < 1e-10
        assert warping_error(current, other, uniform(-3, 0), mask) > 0.01

    def test_every_pair_counts_alike(self):
        current, other = noise(2, 3, 20, 24), noise(2, 3, 20, 24).flip(-1)
        flow, mask = uniform(1, 0, count=2), torch.ones(2, 1, 20, 24)
        mask[1, :, 2:] = 0
        parts = [slice(0, 1), slice(1, 2)]
        each = [warping_error(current[p], other[p], flow[p], mask[p]) for p in parts]
        together = warping_error(current, other, flow, mask)
        torch.testing.assert_close(together, torch.stack(each).mean())

    def test_where_nothing_is_visible_there_is_none(self):
        nothing = torch.zeros(1, 1, 20, 24)
        assert warping_error(noise(1, 3, 20, 24), noise(1, 3, 20, 24), uniform(1, 0), nothing) == 0
