"""The painting's colours, and how far a frame's are from them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

# Strokes are wider than a pixel; what varies below this size is no colour of the painting.
AVERAGED = 4
DIRECTIONS = 32


class Palette:
    """The colours of a painting.

    Gram matrices hardly see them: where hues are rare their part in a mean over all pixels is
    small, and a style becomes a map from light and dark to two colours.

    Args:
        painting: (1, 3, H, W) RGB in [0, 1].
    """

    def __init__(self, painting: Tensor):
        self.colours = _colours(painting)[0]

    def distance(self, frames: Tensor, random: np.random.Generator) -> Tensor:
        """Return the squared sliced Wasserstein distance (Bonneel et al. 2015), summed over frames.

        The frame's colours against as many of the painting's, along random directions; both are
        averaged over 4 x 4 pixels.

        Args:
            frames: (N, 3, H, W) RGB in [0, 1].
            random: What is drawn depends on its state alone.
        """
        with torch.autocast(frames.device.type, enabled=False):
            found = _colours(frames.float())
            picks = random.integers(len(self.colours), size=found.shape[1])
            wanted = self.colours[torch.from_numpy(picks).to(frames.device)]
            axes = torch.from_numpy(_directions(random)).to(frames.device)
            along = [torch.sort(colours @ axes.T, dim=-2).values for colours in (found, wanted)]
            return (along[0] - along[1]).square().mean((1, 2)).sum()


def _colours(frames: Tensor) -> Tensor:
    """Return (N, 3, H, W) as (N, P, 3)."""
    return F.avg_pool2d(frames, AVERAGED).flatten(2).transpose(1, 2)


def _directions(random: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    axes = random.standard_normal((DIRECTIONS, 3), np.float32)
    return axes / np.linalg.norm(axes, axis=1, keepdims=True)
