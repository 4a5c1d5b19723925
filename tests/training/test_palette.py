from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from brushreel.training.palette import HUE_AREA, Hues, Palette


def coloured(*colours: tuple[float, float, float], side: int = 128) -> torch.Tensor:
    """Make vertical stripes of equal width."""
    stripes = [torch.tensor(colour)[:, None, None].expand(3, side, side) for colour in colours]
    return torch.cat(stripes, 2)[None]


RED, BLUE, GREEN = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9), (0.1, 0.9, 0.1)


def distance(
    palette: Palette, frames: torch.Tensor, seed: int = 0, clean: torch.Tensor | None = None
) -> torch.Tensor:
    clean = torch.full_like(frames, 0.5) if clean is None else clean
    return palette.distance(frames, clean, np.random.default_rng(seed))


def test_the_painting_s_own_colours_are_at_no_distance_wherever_they_lie():
    palette = Palette(coloured(RED, BLUE))
    assert distance(palette, coloured(BLUE, RED)) < 0.01
    assert distance(palette, coloured(RED, BLUE, RED, BLUE, side=64)) < 0.01


def test_of_one_colour_from_another_by_hand():
    """Along directions of unit length a third of the square of what lies between them."""
    found = [distance(Palette(coloured(RED)), coloured(BLUE), seed).item() for seed in range(40)]
    assert np.mean(found) == pytest.approx(2 * 0.8**2 / 3, rel=0.1)


def test_a_lost_hue_counts():
    palette = Palette(coloured(RED, BLUE, GREEN))
    grey = (0.3667, 0.3667, 0.3667)
    assert distance(palette, coloured(grey)) > 5 * distance(palette, coloured(RED, BLUE, GREEN))


def test_what_varies_below_four_pixels_is_no_colour():
    checks = torch.zeros(1, 3, 128, 128)
    checks[..., ::2, ::2] = checks[..., 1::2, 1::2] = 1
    assert distance(Palette(coloured((0.5, 0.5, 0.5))), checks) < 1e-6


def test_frames_are_added_up():
    palette = Palette(coloured(RED))
    both = distance(palette, torch.cat((coloured(RED), coloured(BLUE))))
    assert both == pytest.approx(distance(palette, coloured(BLUE)).item(), rel=1e-4)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_black_and_white_scenes_are_free(level):
    """Titles, fades and skies stay what they are, in paintings without black or white too."""
    palette, frame = Palette(coloured(RED)), coloured(BLUE, BLUE)
    clean = torch.full_like(frame, 0.5)
    whole = distance(palette, frame, clean=clean)
    clean[..., 128:] = level
    assert distance(palette, frame, clean=clean) == pytest.approx(whole.item() / 2, rel=1e-4)
    assert distance(palette, frame, clean=torch.full_like(frame, level)) == 0


def test_slope_leads_to_the_palette():
    palette, frame = Palette(coloured(RED, BLUE)), torch.rand(1, 3, 128, 256)
    before = distance(palette, frame)
    for step in range(60):
        frame = frame.detach().requires_grad_()
        distance(palette, frame, step).backward()
        assert frame.grad is not None
        frame = frame - 3e4 * frame.grad
    assert distance(palette, frame) < 0.05 * before


def test_in_float32_under_autocast_too():
    palette, frame = Palette(coloured(RED, BLUE)), torch.rand(1, 3, 32, 64)
    with torch.autocast("cpu", torch.bfloat16):
        assert distance(palette, frame) == distance(palette, frame)
        inside = distance(palette, frame)
    assert inside.dtype == torch.float32
    assert inside == distance(palette, frame)


def scattered(mean: tuple[float, float, float], spread: torch.Tensor, seed: int) -> torch.Tensor:
    """Make squares of 8 x 8 pixels whose colours have a mean and a spread."""
    random = torch.Generator().manual_seed(seed)
    colours = torch.tensor(mean) + torch.randn(24 * 24, 3, generator=random) @ spread.T
    return colours.T.reshape(1, 3, 24, 24).repeat_interleave(8, 2).repeat_interleave(8, 3)


GREYISH = 0.05 * (torch.eye(3) + 1)
BLUISH = torch.diag(torch.tensor([0.03, 0.06, 0.12]))


class TestHues:
    footage, painting = (
        scattered((0.5, 0.5, 0.5), GREYISH, 1),
        scattered((0.4, 0.5, 0.6), BLUISH, 2),
    )

    def test_the_footage_gets_mean_and_spread_of_the_painting(self):
        colours = Hues(self.painting, [self.footage]).of(self.footage)[0].flatten(1)
        wanted = self.painting[0].flatten(1)
        assert torch.allclose(colours.mean(1), wanted.mean(1), atol=0.02)
        assert torch.allclose(torch.cov(colours), torch.cov(wanted), atol=0.002)

    def test_colours_like_the_painting_s_stay(self):
        frame = self.footage.clamp(0.2, 0.85)
        assert torch.allclose(Hues(self.footage, [self.footage]).of(frame), frame, atol=1e-4)

    def test_hues_that_differ_differ_afterwards(self):
        warm, cold = (torch.tensor(c).view(1, 3, 1, 1) for c in ((0.6, 0.5, 0.4), (0.4, 0.5, 0.6)))
        hues = Hues(self.painting, [self.footage])
        warm, cold = (hues.of(colour).flatten() for colour in (warm, cold))
        assert warm[0] > cold[0] + 0.05
        assert warm[2] < cold[2] - 0.1

    @pytest.mark.parametrize("level", [0.0, 1.0])
    def test_black_and_white_stay(self, level):
        frame = torch.full((1, 3, 8, 8), level)
        assert torch.equal(Hues(self.painting, [self.footage]).of(frame), frame)

    def test_a_painting_of_one_colour_and_grey_footage(self):
        hues = Hues(coloured((0.2, 0.4, 0.6)), [torch.full((1, 3, 32, 32), 0.5)])
        assert torch.allclose(
            hues.of(torch.full((1, 3, 8, 8), 0.5))[0, :, 0, 0],
            torch.tensor([0.2, 0.4, 0.6]),
            atol=1e-3,
        )

    def test_black_and_white_are_held_in_smaller_squares(self):
        """Squares of 8 x 8 pixels, where colours may change within 32 x 32."""
        hues, grey = Hues(self.painting, [self.footage]), torch.full((1, 3, 64, 64), 0.5)
        stripes = torch.tensor([0.1, -0.1]).repeat_interleave(16).repeat(2)
        free = hues.distance(hues.of(grey) + stripes, grey)
        white = torch.ones_like(grey)
        held = hues.distance(white + stripes, white)
        assert free < 1e-8
        assert held == pytest.approx(0.01, rel=1e-3)

    def test_distance_is_of_squares_and_a_sum_over_frames(self):
        hues = Hues(self.painting, [self.footage])
        clean = self.footage.clamp(0.35, 0.85)  # neither black nor white
        wanted = hues.of(F.avg_pool2d(clean, HUE_AREA)).repeat_interleave(HUE_AREA, 2)
        wanted = wanted.repeat_interleave(HUE_AREA, 3)
        stripes = torch.tensor([0.1, -0.1]).repeat(96)
        assert hues.distance(wanted + stripes, clean) < 1e-8
        assert hues.distance(wanted + 0.1, clean) == pytest.approx(0.01, rel=1e-3)
        both = hues.distance(torch.cat((wanted + 0.1, wanted)), torch.cat((clean, clean)))
        assert both == pytest.approx(0.01, rel=1e-3)
