from __future__ import annotations

import numpy as np
import pytest
import torch

from brushreel.training.palette import Palette


def coloured(*colours: tuple[float, float, float], side: int = 128) -> torch.Tensor:
    """Make vertical stripes of equal width."""
    stripes = [torch.tensor(colour)[:, None, None].expand(3, side, side) for colour in colours]
    return torch.cat(stripes, 2)[None]


RED, BLUE, GREEN = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9), (0.1, 0.9, 0.1)


def distance(palette: Palette, frames: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return palette.distance(frames, np.random.default_rng(seed))


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
