"""Shipped styles on material that is not a scene: black, fades, titles, clear skies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from brushreel.core.library import SHIPPED
from brushreel.core.style import SUFFIX, Style

NAMES = sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}"))
SIZE = (96, 128)
SKY = (0.35, 0.55, 0.90), (0.80, 0.88, 0.95)


@pytest.fixture(scope="module", params=NAMES)
def paint(request):
    network = Style.load(SHIPPED / f"{request.param}{SUFFIX}").network()

    @torch.no_grad()
    def stylized(frame: Tensor) -> Tensor:
        return network(frame)

    return stylized


def flat(level: float) -> Tensor:
    return torch.full((1, 3, *SIZE), float(level))


def sky() -> Tensor:
    top, bottom = (torch.tensor(colour)[:, None, None] for colour in SKY)
    return torch.lerp(top, bottom, torch.linspace(0, 1, SIZE[0])[:, None].expand(SIZE))[None]


def scene() -> Tensor:
    """Return edges and texture of every size."""
    random, layers = torch.Generator().manual_seed(1), torch.zeros(1, 3, *SIZE)
    for size in (3, 6, 12, 24, 48):
        noise = torch.rand((1, 3, size, size), generator=random)
        layers += torch.nn.functional.interpolate(noise, SIZE, mode="bilinear")
    return layers / 5


def noisy(frame: Tensor, sigma: float, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(frame.shape, generator=random) * sigma / 255
    return (frame + noise).clamp(0, 1)


def shimmer(paint, frame: Tensor, sigma: float) -> float:
    """Compute the mean change between two draws of noise, in codes of 8 bits."""
    one, other = (paint(noisy(frame, sigma, seed)) for seed in (1, 2))
    return (one - other).abs().mean().item() * 255


def test_eight_ship():
    assert len(NAMES) >= 8


def test_black_stays_dark_and_calm(paint):
    assert paint(flat(0)).mean() < 0.1
    assert shimmer(paint, flat(0), 2) <= 2


def test_white_stays_bright_and_calm(paint):
    assert paint(flat(1)).mean() > 0.75
    assert shimmer(paint, flat(1), 2) <= 4.5


@pytest.mark.parametrize("frame", [flat(0.5), sky()], ids=["grey", "sky"])
def test_noise_on_a_frame_without_texture_is_not_stylized(paint, frame):
    assert shimmer(paint, frame, 0.5) <= 4


@pytest.mark.parametrize("end", [0.0, 1.0], ids=["black", "white"])
def test_fades_are_followed(paint, end):
    shares = np.linspace(0, 1, 9)
    means = [paint(torch.lerp(scene(), flat(end), float(share))).mean().item() for share in shares]
    assert (np.diff(means) * (1 if end else -1) > 0).all(), means


def test_white_titles_on_black_are_readable(paint):
    title = flat(0)
    title[..., 40:56, 20:24] = title[..., 40:44, 20:40] = title[..., 40:56, 60:72] = 1
    stylized = paint(title)
    written = title == 1
    assert stylized[written].mean() - stylized[~written].mean() > 0.5
