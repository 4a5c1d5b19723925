"""The painting's colours: how far a frame's are from them, and which of them a scene's become."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.frames.colour import BT709_LUMA

# Strokes are wider than a pixel; what varies below this size is no colour of the painting.
AVERAGED = 4
DIRECTIONS = 32
# Sides of squares over which hues are compared, and black and white: strokes inside one are free.
HUE_AREA, LEVEL_AREA = 32, 8
# Lumas below and above which black and white stay what they are.
DARK, LIGHT = 0.3, 0.9


class Palette:
    """The colours of a painting.

    Gram matrices hardly see them: where hues are rare their part in a mean over all pixels is
    small, and a style becomes a map from light and dark to two colours.

    Args:
        painting: (1, 3, H, W) RGB in [0, 1].
    """

    def __init__(self, painting: Tensor):
        self.colours = _colours(painting)[0]

    def distance(self, frames: Tensor, clean: Tensor, random: np.random.Generator) -> Tensor:
        """Return the squared sliced Wasserstein distance (Bonneel et al. 2015), summed over frames.

        The frame's colours against as many of the painting's, along random directions; both are
        averaged over 4 x 4 pixels. Where the scene is black or white the frame may be, too,
        whatever the painting has.

        Args:
            frames: (N, 3, H, W) RGB in [0, 1], stylized.
            clean: The same, what they were stylized from.
            random: What is drawn depends on its state alone.
        """
        with torch.autocast(frames.device.type, enabled=False):
            axes = torch.from_numpy(_directions(random)).to(frames.device)
            coloured = _colours(_neither_black_nor_white(clean.float())).squeeze(2) > 0.5
            total = frames.new_zeros((), dtype=torch.float32)
            for found, inside in zip(_colours(frames.float()), coloured, strict=True):
                picks = torch.from_numpy(random.integers(len(self.colours), size=len(found)))
                wanted = self.colours[picks.to(frames.device)]
                along = [torch.sort(own[inside] @ axes.T, dim=0).values for own in (found, wanted)]
                total = total + (along[0] - along[1]).square().sum() / inside.numel() / DIRECTIONS
            return total


def _neither_black_nor_white(frames: Tensor) -> Tensor:
    """Return 1 at middle lumas, falling to 0 at black and white, (N, 1, H, W)."""
    luma = (frames * frames.new_tensor(BT709_LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    return (luma / DARK).clamp(0, 1) * ((1 - luma) / (1 - LIGHT)).clamp(0, 1)


def _colours(frames: Tensor) -> Tensor:
    """Return (N, C, H, W) as (N, P, C)."""
    return F.avg_pool2d(frames, AVERAGED).flatten(2).transpose(1, 2)


def _directions(random: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    axes = random.standard_normal((DIRECTIONS, 3), np.float32)
    return axes / np.linalg.norm(axes, axis=1, keepdims=True)


class Hues:
    """The painting's colours that a scene's become, by one map for all frames.

    It is the linear map from the distribution of the footage's colours to the painting's that moves
    them least (Monge-Kantorovitch; Pitié and Kokaram 2007): what differs in hue in the scene does
    so in the result, in the painting's own colours. A fixed map of a frame can't flicker.

    Args:
        painting: (1, 3, H, W) RGB in [0, 1].
        footage: (N, 3, H, W) each, RGB in [0, 1], untouched.
    """

    def __init__(self, painting: Tensor, footage: list[Tensor]):
        # On the CPU: not every device has float64.
        wanted = _colours(painting)[0].cpu().double()
        there = torch.cat([_colours(frames).flatten(0, 1) for frames in footage]).cpu().double()
        root = _root(torch.cov(there.T))
        back = torch.linalg.inv(root)
        least = back @ _root(root @ torch.cov(wanted.T) @ root) @ back
        self.there, self.wanted, self.map = (
            values.to(painting.device, torch.float32)
            for values in (there.mean(0), wanted.mean(0), least)
        )

    def of(self, frames: Tensor) -> Tensor:
        """Return (N, 3, H, W) RGB in [0, 1] in the painting's colours, the same shape."""
        moved = (frames.movedim(1, -1) - self.there) @ self.map.T + self.wanted
        moved = moved.movedim(-1, 1).clamp(0, 1)
        return torch.lerp(frames, moved, _neither_black_nor_white(frames))

    def distance(self, frames: Tensor, clean: Tensor) -> Tensor:
        """Return the mean squared distance over squares of pixels, summed over frames.

        Squares of 32 x 32 are to have the scene's colours as the map moves them; those of 8 x 8
        that are black or white are to stay so.

        Args:
            frames: (N, 3, H, W) RGB in [0, 1], stylized.
            clean: The same, what they were stylized from.
        """
        with torch.autocast(frames.device.type, enabled=False):
            wanted = self.of(F.avg_pool2d(clean.float(), HUE_AREA))
            found = F.avg_pool2d(frames.float(), HUE_AREA)
            levels = F.avg_pool2d(clean.float(), LEVEL_AREA)
            moved = F.avg_pool2d(frames.float(), LEVEL_AREA) - levels
            level = (1 - _neither_black_nor_white(levels)) * moved.square()
            return (found - wanted).square().mean((1, 2, 3)).sum() + level.mean((1, 2, 3)).sum()


def _root(matrix: Tensor) -> Tensor:
    """Return the square root of a symmetric matrix; values of almost 0 count as 1e-6."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp_min(1e-6).sqrt() @ vectors.T
