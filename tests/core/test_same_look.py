"""A proxy looks like the final: strokes belong to the picture, not to its pixels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from brushreel.batch.demo.scene import Scene
from brushreel.core.stylizer import Stylizer

SIZE = (1280, 720)


def scaled(image: Tensor, lines: int) -> Tensor:
    size = (lines, image.shape[-1] * lines // image.shape[-2])
    return F.interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)


def ssim(one: Tensor, other: Tensor) -> float:
    """Return the mean structural similarity of two images' green (Wang et al. 2004, 8x8 boxes)."""
    x, y = one[:, 1:2], other[:, 1:2]
    blur = torch.nn.AvgPool2d(8, 1)
    mean_x, mean_y = blur(x), blur(y)
    spread = blur(x * x) - mean_x**2 + blur(y * y) - mean_y**2
    together = blur(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
    return (light * (2 * together + 9e-4) / (spread + 9e-4)).mean().item()


@pytest.fixture(scope="module")
def final() -> Tensor:
    drawn = Scene.build(*SIZE).draw(0, 0.0)
    return torch.from_numpy(drawn).float().permute(2, 0, 1).unsqueeze(0).clamp(0, 1)


@pytest.mark.parametrize("style", ["wave"])
def test_a_proxy_looks_like_the_final(final: Tensor, style: str) -> None:
    stylizer = Stylizer(style, device="cpu", precision="fp32", runtime="torch")
    whole = stylizer(final)
    for lines in (360, 540):
        assert ssim(stylizer(scaled(final, lines)), scaled(whole, lines)) > 0.95


def test_without_a_stroke_size_it_does_not(final: Tensor) -> None:
    stylizer = Stylizer("wave", device="cpu", precision="fp32", stroke_size="native")
    proxy = stylizer(scaled(final, 360))
    assert ssim(proxy, scaled(stylizer(final), 360)) < 0.9
