"""Levels: what becomes of black, grey and white, of noise on them, and of fades."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from .models import Model

# Height and width of the frames: as many lines as usual clips have.
SIZE = (1080, 1080)
# Camera noise, of a pixel of 1.
SIGMA = 2 / 255
SHARES = 9


@dataclass(frozen=True)
class Levels:
    """Output of one model for flat frames and fades, in 1/255.

    Attributes:
        black: Mean of the output for black.
        grey: The same for mid grey.
        white: The same for white.
        noise_on_black: Mean absolute change between two draws of noise, sigma 2/255, on black.
        noise_on_grey: The same on mid grey.
        noise_on_white: The same on white.
        fades: A scene gets darker with every step to black, and lighter with every one to white.
    """

    black: float
    grey: float
    white: float
    noise_on_black: float
    noise_on_grey: float
    noise_on_white: float
    fades: bool


@torch.no_grad()
def measure_levels(
    model: Model, size: tuple[int, int] = SIZE, *, device: torch.device | str = "cpu"
) -> Levels:
    """Measure one model.

    Args:
        model: Gets (1, 3, H, W) RGB in [0, 1] on `device`.
        size: Height and width of the frames.
        device: Where they are.
    """
    black, grey, white = (flat(level, size).to(device) for level in (0, 0.5, 1))
    shown = scene(size).to(device)
    return Levels(
        black=model(black).mean().item() * 255,
        grey=model(grey).mean().item() * 255,
        white=model(white).mean().item() * 255,
        noise_on_black=noise_change(model, black, SIGMA),
        noise_on_grey=noise_change(model, grey, SIGMA),
        noise_on_white=noise_change(model, white, SIGMA),
        fades=all(follows_fade(model, shown, end) for end in (0, 1)),
    )


def flat(level: float, size: tuple[int, int]) -> Tensor:
    """Return a frame of one grey, (1, 3, H, W)."""
    return torch.full((1, 3, *size), float(level))


def scene(size: tuple[int, int]) -> Tensor:
    """Return edges and texture of every size, (1, 3, H, W)."""
    random, layers = torch.Generator().manual_seed(1), torch.zeros(1, 3, *size)
    for cells in (3, 6, 12, 24, 48):
        noise = torch.rand((1, 3, cells, cells), generator=random)
        layers += F.interpolate(noise, size, mode="bilinear")
    return layers / 5


def noise_change(model: Model, frame: Tensor, sigma: float) -> float:
    """Return the mean absolute change between two draws of noise, in 1/255.

    Args:
        model: The model.
        frame: (1, 3, H, W) RGB in [0, 1].
        sigma: Of the noise, of a pixel of 1.
    """
    random = torch.Generator().manual_seed(1)
    noise = [torch.randn(frame.shape, generator=random).to(frame.device) for _ in range(2)]
    first, second = (model((frame + sigma * draw).clamp(0, 1)) for draw in noise)
    return (first - second).abs().mean().item() * 255


def follows_fade(model: Model, frame: Tensor, end: float) -> bool:
    """Tell if the output's mean moves with every step of a fade from a frame to a level."""
    shares = torch.linspace(0, 1, SHARES).tolist()
    goal = torch.full_like(frame, end)
    means = [model(torch.lerp(frame, goal, share)).mean().item() for share in shares]
    return all((after > before) if end else (after < before) for before, after in pairwise(means))
