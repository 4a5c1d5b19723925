"""The hybrid loss of Huang et al. 2017: content + style + total variation + temporal.

All weights hold for pixels in [0, 1] and loss-network features rescaled to a mean activation of
1 per filter (see `LossNetwork.rescale`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.consistency import temporal_error
from .loss_network import CONTENT_LAYER, STYLE_LAYERS, LossNetwork

Features = dict[str, Tensor]


@dataclass(frozen=True)
class LossWeights:
    """How much each part of the hybrid loss counts (alpha, beta, gamma, lambda of the paper).

    The defaults were chosen by eye on short runs; the paper's own 1 / 10 / 1e-3 / 1e4, and even
    4 / 2 / 1e-4 / 4e4, drown the scene in strokes at this feature scale.
    """

    content: float = 8.0
    style: float = 1.0
    total_variation: float = 1e-4
    temporal: float = 2e4


def gram_matrix(features: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, C): phi phi^T / (H W), in float32 whatever comes in."""
    flat = features.flatten(2).float()
    return flat @ flat.transpose(1, 2) / flat.shape[-1]


def content_loss(stylized: Features, source: Features) -> Tensor:
    """||phi(x) - phi(y)||^2 / (C H W) at relu4_2, summed over the frames of the batch."""
    difference = stylized[CONTENT_LAYER].float() - source[CONTENT_LAYER].float()
    return difference.square().mean((1, 2, 3)).sum()


def style_loss(stylized: Features, style_grams: dict[str, Tensor]) -> Tensor:
    """||G(s) - G(y)||_F^2 / C^2 summed over the style layers and the frames of the batch."""
    return torch.stack(
        [
            (gram_matrix(stylized[layer]) - style_grams[layer]).square().mean((1, 2)).sum()
            for layer in STYLE_LAYERS
        ]
    ).sum()


def total_variation(stylized: Tensor) -> Tensor:
    """Sum over pixels and channels of (dx^2 + dy^2)^(1/2), a sum and not a mean (the paper)."""
    dx = stylized[..., :-1, 1:] - stylized[..., :-1, :-1]
    dy = stylized[..., 1:, :-1] - stylized[..., :-1, :-1]
    # The root has no slope at zero: where nothing changes, nothing needs to be smoothed.
    return (dx.square() + dy.square() + 1e-10).sqrt().sum()


def style_targets(network: LossNetwork, painting: Tensor) -> dict[str, Tensor]:
    """The painting's Gram matrices, (1, C, C) for each style layer."""
    with torch.no_grad():
        features = network(painting)
    return {layer: gram_matrix(features[layer]) for layer in STYLE_LAYERS}


@dataclass(frozen=True)
class HybridLoss:
    """The parts of one step's loss, unweighted scalars."""

    content: Tensor
    style: Tensor
    total_variation: Tensor
    temporal: Tensor

    def total(self, weights: LossWeights) -> Tensor:
        """The weighted sum that training minimises."""
        return (
            weights.content * self.content
            + weights.style * self.style
            + weights.total_variation * self.total_variation
            + weights.temporal * self.temporal
        )


def hybrid_loss(
    network: LossNetwork,
    source: Tensor,
    stylized: Tensor,
    style_grams: dict[str, Tensor],
    flow: Tensor,
    mask: Tensor,
) -> HybridLoss:
    """Two-frame synergic loss: both frames through the same network in one step.

    Args:
        network: The rescaled loss network.
        source: (2N, 3, H, W) in [0, 1], the N previous frames, then the N current ones.
        stylized: The same frames out of the stylizing network.
        style_grams: From `style_targets`.
        flow: (N, 2, H, W) pixels, from the current frames into the previous.
        mask: (N, 1, H, W), see `visibility_mask`.
    """
    with torch.no_grad():
        source_features = network(source)
    features = network(stylized)
    pixels = stylized.float()
    previous, current = pixels.chunk(2)
    return HybridLoss(
        content=content_loss(features, source_features),
        style=style_loss(features, style_grams),
        total_variation=total_variation(pixels),
        temporal=temporal_error(current, previous, flow, mask),
    )
