"""Distance of a stylized frame from the painting: style by layer, colours, flat areas."""

from __future__ import annotations

from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional as F

from ...core.frames.colour import BT709_LUMA
from ..loss_network import STYLE_LAYERS
from ..losses import Features, gram_matrix
from ..palette import AVERAGED

DIRECTIONS, LEVELS = 64, 256
# Side of the window in which texture is measured, and the deviation below which it is flat.
WINDOW, FLAT = 9, 2 / 255
# Of sRGB's primaries in XYZ, each row over that of white (D65).
_TO_XYZ = (
    (0.4339499, 0.3762098, 0.1898402),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0177566, 0.1094680, 0.8727755),
)


class PaintingLook:
    """A painting's colours and texture, to compare frames with.

    Args:
        painting: (1, 3, H, W) RGB in [0, 1], at the scale at which the network was shown it.
    """

    def __init__(self, painting: Tensor):
        generator = torch.Generator().manual_seed(0)
        axes = F.normalize(torch.randn(DIRECTIONS, 3, generator=generator))
        self._axes = axes.to(painting.device)
        self._colours = self._spread(painting)
        self._texture = local_deviation(painting).median()

    def palette_distance(self, frame: Tensor) -> float:
        """Return the sliced Wasserstein distance of the colours in CIE Lab, over 4 x 4 pixels.

        Args:
            frame: (1, 3, H, W) RGB in [0, 1].
        """
        return (self._spread(frame) - self._colours).abs().mean().item()

    def flat_texture(self, stylized: Tensor, source: Tensor) -> float | None:
        """Return the mean local deviation where the source has none, over the painting's median.

        Args:
            stylized: (1, 3, H, W) RGB in [0, 1].
            source: The frame that it was painted from; None comes back where nothing is flat.
        """
        flat = local_deviation(source) < FLAT
        if not flat.any():
            return None
        return (local_deviation(stylized)[flat].mean() / self._texture).item()

    def _spread(self, frame: Tensor) -> Tensor:
        """Return the colours' quantiles along each direction, (levels, directions)."""
        colours = lab(F.avg_pool2d(frame, AVERAGED)).flatten(2)[0].T
        along = (colours @ self._axes.T).sort(0).values
        places = torch.linspace(0, len(along) - 1, LEVELS, device=frame.device).round().long()
        return along[places]


def style_distances(features: Features, grams: dict[str, Tensor]) -> tuple[float, ...]:
    """Return |G - Gs| / |Gs| (Frobenius) at every style layer.

    Args:
        features: The loss network's, of one frame.
        grams: The painting's.
    """
    return tuple(
        ((gram_matrix(features[layer]) - grams[layer]).norm() / grams[layer].norm()).item()
        for layer in STYLE_LAYERS
    )


def style_distance(by_layer: tuple[float, ...]) -> float:
    """Return the mean over the layers."""
    return fmean(by_layer)


def lab(frames: Tensor) -> Tensor:
    """Return (N, 3, H, W) sRGB in [0, 1] as CIE Lab (D65)."""
    linear = torch.where(frames <= 0.04045, frames / 12.92, ((frames + 0.055) / 1.055) ** 2.4)
    xyz = torch.einsum("ij,njhw->nihw", torch.tensor(_TO_XYZ, device=frames.device), linear)
    root = torch.where(xyz > 216 / 24389, xyz.clamp_min(1e-6) ** (1 / 3), xyz * 841 / 108 + 4 / 29)
    x, y, z = root.unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), 1)


def local_deviation(frames: Tensor) -> Tensor:
    """Return the luma's standard deviation around every pixel, (N, H, W)."""
    luma = (frames * frames.new_tensor(BT709_LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    # Around its mean: squares of values near 1 would leave too few digits for a small deviation.
    luma = (luma - luma.mean((2, 3), keepdim=True)).double()
    size, border = WINDOW, WINDOW // 2
    mean, square = (
        F.avg_pool2d(F.pad(values, 4 * [border], mode="reflect"), size, stride=1)
        for values in (luma, luma.square())
    )
    return (square - mean.square()).clamp_min(0).sqrt().float()[:, 0]
