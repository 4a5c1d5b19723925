"""What a trained network is worth on footage that it never saw."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..core.consistency import temporal_error
from ..core.network import StylizingNetwork
from .footage import Footage
from .loss_network import LossNetwork
from .losses import content_loss, style_loss
from .sampler import to_pair

PAIRS_PER_CLIP = 8


@torch.no_grad()
def evaluate(
    network: StylizingNetwork,
    loss_network: LossNetwork,
    style_grams: dict[str, Tensor],
    footage: list[Footage],
) -> dict[str, float]:
    """Figures per frame, averaged over pairs, then over clips; float32.

    Returns:
        "style_loss" and "content_loss" (unweighted, one frame), "e_temporal" of the stylized
        frames and "e_temporal_source" of the source's (Huang et al. 2017, pixels in [0, 1]).
    """
    per_clip = [_clip_figures(network, loss_network, style_grams, clip) for clip in footage]
    return {
        name: round(float(np.mean([figures[name] for figures in per_clip])), 5)
        for name in per_clip[0]
    }


def _clip_figures(
    network: StylizingNetwork,
    loss_network: LossNetwork,
    style_grams: dict[str, Tensor],
    clip: Footage,
) -> dict[str, float]:
    device = next(network.parameters()).device
    chosen = np.linspace(0, len(clip.pairs) - 1, min(PAIRS_PER_CLIP, len(clip.pairs))).astype(int)
    rows = []
    for record in clip.pairs[chosen]:
        pair = to_pair(record)
        source, flow, mask = (t.to(device) for t in (pair.frames, pair.flow, pair.mask))
        stylized = network(source)
        features = loss_network(stylized)
        rows.append(
            (
                style_loss(features, style_grams) / 2,
                content_loss(features, loss_network(source)) / 2,
                temporal_error(stylized[1:], stylized[:1], flow, mask),
                temporal_error(source[1:], source[:1], flow, mask),
            )
        )
    style, content, stylized_error, source_error = torch.tensor(rows).mean(0).tolist()
    return {
        "style_loss": style,
        "content_loss": content,
        "e_temporal": stylized_error**0.5,
        "e_temporal_source": source_error**0.5,
    }
