"""Shipped styles on material that is not a scene: black, fades, titles, clear skies.

As users see it at 1080p by default: noise is drawn for every pixel of the frame, as a camera does,
and two thirds of it are averaged away on the way down to the 432 lines that the network gets. So
sigma 2 is 0.65 there.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from brushreel.core.frames.resampling import resized
from brushreel.core.library import SHIPPED
from brushreel.core.style import SUFFIX, Style
from brushreel.training.evaluation.levels import (
    Levels,
    flat,
    measure_levels,
    noise_change,
)

NAMES = sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}"))
# A part of a frame of 1080 lines, and its size where the frame has 432.
SIZE, WORKING = (240, 320), (96, 128)
# Of white; the lightest colours of The Scream are at 0.7 of it.
LEAST_WHITE = {"scream": 0.65}
SKY = (0.35, 0.55, 0.90), (0.80, 0.88, 0.95)


@pytest.fixture(scope="module", params=NAMES)
def paint(request):
    network = Style.load(SHIPPED / f"{request.param}{SUFFIX}").network()

    @torch.no_grad()
    def stylized(frame: Tensor) -> Tensor:
        return network(resized(frame, WORKING).clamp(0, 1))

    return stylized


@pytest.fixture(scope="module")
def levels(paint) -> Levels:
    return measure_levels(paint, SIZE)


def sky() -> Tensor:
    top, bottom = (torch.tensor(colour)[:, None, None] for colour in SKY)
    return torch.lerp(top, bottom, torch.linspace(0, 1, SIZE[0])[:, None].expand(SIZE))[None]


def test_ten_ship():
    assert len(NAMES) == 10
    assert sum((SHIPPED / f"{name}{SUFFIX}").stat().st_size for name in NAMES) < 12e6


def test_black_stays_dark_and_calm(levels):
    assert levels.black < 0.1 * 255
    assert levels.noise_on_black <= 2


def test_white_stays_bright_and_calm(levels, request):
    name = request.node.callspec.params["paint"]
    assert levels.white > LEAST_WHITE.get(name, 0.75) * 255
    assert levels.noise_on_white <= 4.5


def test_noise_on_grey_is_not_stylized(levels):
    assert levels.noise_on_grey <= 4


def test_noise_on_a_clear_sky_is_not_stylized(paint):
    assert noise_change(paint, sky(), 2 / 255) <= 4


def test_fades_are_followed(levels):
    assert levels.fades


def test_white_titles_on_black_are_readable(paint):
    title = flat(0, SIZE)
    title[..., 100:140, 50:60] = title[..., 100:110, 50:100] = 1
    title[..., 100:140, 150:180] = 1
    stylized, written = resized(paint(title), SIZE), title == 1
    assert stylized[written].mean() - stylized[~written].mean() > 0.5
