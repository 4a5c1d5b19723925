"""The hybrid loss of Huang et al. 2017: content + style + total variation + temporal; a palette.

All weights hold for pixels in [0, 1] and loss-network features rescaled to a mean activation of
1 per filter (see `LossNetwork.rescale`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from ..core.consistency import warp
from .data.disturbance import Example
from .fast_loss_network import FastLossNetwork
from .loss_network import CONTENT_LAYER, STYLE_LAYERS, LossNetwork

Features = dict[str, Tensor]


@dataclass(frozen=True)
class LossWeights:
    """Weights: alpha, beta, gamma and lambda of the paper; overlays, palette and hues."""

    content: float
    style: float
    total_variation: float
    temporal: float
    overlay: float
    palette: float = 0.0
    hues: float = 0.0


class _Gram(torch.autograd.Function):
    """Gram matrix with a gradient of one matrix product, as it is symmetric; autograd has two.

    Features keep their memory layout, (H W, C) in channels_last, and their gradient is computed in
    their own type; the matrix itself is float32, in autocast too.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor) -> Tensor:
        pixels = features.movedim(1, -1).flatten(1, 2)
        ctx.save_for_backward(pixels)
        ctx.sizes = features.shape[-2:]  # type: ignore[attr-defined]
        with torch.autocast(features.device.type, enabled=False):
            wide = pixels.float()
            return wide.transpose(1, 2) @ wide / wide.shape[1]

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (pixels,) = ctx.saved_tensors  # type: ignore[attr-defined]
        both = (gradient + gradient.transpose(1, 2)) / pixels.shape[1]
        with torch.autocast(pixels.device.type, enabled=False):
            product = pixels @ both.to(pixels.dtype)
        return product.unflatten(1, ctx.sizes).movedim(-1, 1)  # type: ignore[attr-defined]


def gram_matrix(features: Tensor) -> Tensor:
    """Compute (N, C, C) of (N, C, H, W): phi phi^T / (H W), in float32."""
    return _Gram.apply(features)  # type: ignore[return-value]


def content_loss(stylized: Features, source: Features) -> Tensor:
    """Compute ||phi(x) - phi(y)||^2 / (C H W) at relu4_2, summed over the frames of the batch."""
    difference = stylized[CONTENT_LAYER].float() - source[CONTENT_LAYER].float()
    return difference.square().mean((1, 2, 3)).sum()


def style_losses(stylized: Features, style_grams: dict[str, Tensor]) -> dict[str, Tensor]:
    """Compute ||G(s) - G(y)||_F^2 / C^2 of each style layer, summed over frames of the batch."""
    return {
        layer: (gram_matrix(stylized[layer]) - style_grams[layer]).square().mean((1, 2)).sum()
        for layer in STYLE_LAYERS
    }


def style_loss(
    stylized: Features, style_grams: dict[str, Tensor], shares: dict[str, float] | None = None
) -> Tensor:
    """Compute the sum of `style_losses` over the layers, each times its share; 1 without."""
    losses = style_losses(stylized, style_grams)
    return torch.stack(
        [(shares or {}).get(name, 1.0) * loss for name, loss in losses.items()]
    ).sum()


def total_variation(stylized: Tensor) -> Tensor:
    """Sum (dx^2 + dy^2)^(1/2) over frames, pixels and channels; not a mean, as in the paper."""
    dx = stylized[..., :-1, 1:] - stylized[..., :-1, :-1]
    dy = stylized[..., 1:, :-1] - stylized[..., :-1, :-1]
    # The root has no gradient at zero: where nothing changes, nothing needs to be smoothed.
    return (dx.square() + dy.square() + 1e-10).sqrt().sum()


def style_targets(network: LossNetwork, painting: Tensor) -> dict[str, Tensor]:
    """Compute the painting's Gram matrices, (1, C, C) for each style layer."""
    with torch.no_grad():
        features = network(painting)
    return {layer: gram_matrix(features[layer]) for layer in STYLE_LAYERS}


@dataclass(frozen=True)
class HybridLoss:
    """Parts of one step's loss, unweighted scalars: sums over a pair, means over pairs."""

    content: Tensor
    style: Tensor
    total_variation: Tensor
    temporal: Tensor
    overlay: Tensor
    palette: Tensor = field(default_factory=lambda: torch.zeros(()))
    hues: Tensor = field(default_factory=lambda: torch.zeros(()))

    def total(self, weights: LossWeights) -> Tensor:
        """Return the weighted sum that training minimises."""
        return (
            weights.content * self.content
            + weights.style * self.style
            + weights.total_variation * self.total_variation
            + weights.temporal * self.temporal
            + weights.overlay * self.overlay
            + weights.palette * self.palette
            + weights.hues * self.hues
        )


def hybrid_loss(
    network: nn.Module,
    example: Example,
    stylized: Tensor,
    style_grams: dict[str, Tensor],
    *,
    both_judged: bool = True,
    shares: dict[str, float] | None = None,
    content: float = 1,
    palette: Callable[[Tensor, Tensor], Tensor] | None = None,
    hues: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> HybridLoss:
    """Compute the two-frame synergic loss: both frames through the same network in one step.

    Frames under a fade, a title or bars have no content or style loss; they should be the stylized
    scene under the same overlay.

    Args:
        network: The rescaled `LossNetwork`, compiled or not, or a `FastLossNetwork`.
        example: N pairs.
        stylized: (2N, 3, H, W), `example.seen` out of the stylizing network.
        style_grams: From `style_targets`.
        both_judged: Whether both frames of a pair have a content and style loss. The two frames
            are nearly the same; if False, the previous one counts twice.
        shares: Factor of each style layer; 1 without.
        content: Factor of the content loss; 0 leaves the clean frames out.
        palette: Distance of frames' colours to the painting's, summed over the frames; of frames
            and clean frames.
        hues: Distance of frames' hues to those that clean frames become, summed over the frames.
    """
    pairs = len(example.flow)
    share = (1 if both_judged else 2) / pairs
    pixels = stylized.float()
    # The previous frames never have an overlay.
    judged = _on(pixels.device, example.scenes) if both_judged else slice(pairs)
    overlaid = _on(pixels.device, example.overlaid)
    scenes = pixels[judged]
    clean = example.clean[judged]
    of_content, of_style = _judged(network, scenes, clean if content else None, style_grams, shares)
    previous, current = pixels.chunk(2)
    scene = warp(previous, example.flow)
    expected = example.matte * scene + (1 - example.matte) * example.overlay
    errors = (example.mask * (current - expected).square()).mean((1, 2, 3))
    return HybridLoss(
        content=share * content * of_content,
        style=share * of_style,
        total_variation=share * total_variation(scenes),
        temporal=(errors * ~overlaid).mean(),
        overlay=(errors * overlaid).mean(),
        palette=share * palette(scenes, clean) if palette else torch.zeros_like(of_style),
        hues=share * hues(scenes, clean) if hues else torch.zeros_like(of_style),
    )


def _judged(
    network: nn.Module,
    scenes: Tensor,
    clean: Tensor | None,
    style_grams: dict[str, Tensor],
    shares: dict[str, float] | None,
) -> tuple[Tensor, Tensor]:
    """Return content, 0 without clean frames, and style loss."""
    if isinstance(network, FastLossNetwork):
        return network(scenes, clean, style_grams, shares or dict.fromkeys(STYLE_LAYERS, 1.0))
    features = network(scenes)
    style = style_loss(features, style_grams, shares)
    if clean is None:
        return torch.zeros_like(style), style
    with torch.no_grad():
        source_features = network(clean)
    return content_loss(features, source_features), style


def _on(device: torch.device, tensor: Tensor) -> Tensor:
    return tensor.to(device, non_blocking=True)
