from __future__ import annotations

import pytest
import torch

from brushreel.training.fast_loss_network import FastLossNetwork
from brushreel.training.loss_network import STYLE_LAYERS, LossNetwork
from brushreel.training.losses import content_loss, style_loss, style_targets

SHARES: dict[str, float] = dict(zip(STYLE_LAYERS, (0.5, 1.0, 2.0, 4.0), strict=True))


@pytest.fixture(scope="module")
def network(vgg_file) -> LossNetwork:
    network = LossNetwork(vgg_file)
    network.rescale([images(4, 64)])
    return network


def images(count: int, side: int, seed: int = 0, width: int | None = None) -> torch.Tensor:
    """Make images with detail at several scales."""
    random, shape = torch.Generator().manual_seed(seed), (side, width or side)
    layers = [
        torch.nn.functional.interpolate(
            torch.rand((count, 3, cells, cells), generator=random), shape, mode="bilinear"
        )
        for cells in (2, 4, 8, 16)
    ]
    return sum(layers, torch.zeros(count, 3, *shape)) / 4


def by_autograd(network, frames, clean, grams, weights, *, bf16=False) -> list[torch.Tensor]:
    frames = frames.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        features = network(frames)
        content = content_loss(features, network(clean))
        style = style_loss(features, grams, SHARES)
    (weights[0] * content + weights[1] * style).backward()
    assert frames.grad is not None
    return [content.detach(), style.detach(), frames.grad]


def by_hand(network, frames, clean, grams, weights) -> list[torch.Tensor]:
    frames = frames.clone().requires_grad_()
    content, style = FastLossNetwork(network)(frames, clean, grams, SHARES)
    (weights[0] * content + weights[1] * style).backward()
    assert frames.grad is not None
    return [content.detach(), style.detach(), frames.grad]


@pytest.mark.parametrize(
    "weights", [(1.0, 0.0), (0.0, 1.0), (8.0, 5.0)], ids=["content", "style", "both"]
)
@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 48, 80), (1, 50, 39)])
def test_losses_and_slope_are_those_of_autograd(network, weights, shape):
    count, height, width = shape
    frames, clean = (images(count, height, seed, width) for seed in (1, 2))
    parts = frames, clean, style_targets(network, images(1, 64, 3)), weights
    exact, found = by_autograd(network, *parts), by_hand(network, *parts)
    rounded = by_autograd(network, *parts, bf16=True)
    for index in (0, 1):
        assert found[index].item() == pytest.approx(exact[index].item(), rel=0.02)
    # Random weights double what bfloat16 rounds; those of VGG-19 have a cosine of 0.997.
    least = cosine(rounded[2], exact[2]) - 0.005
    assert cosine(found[2], exact[2]) > least > 0.92
    assert (length(found[2]) / length(exact[2]) - 1).abs().max() < 0.05


def cosine(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cosine_similarity(one.flatten(1), other.flatten(1)).min()


def length(slope: torch.Tensor) -> torch.Tensor:
    return slope.flatten(1).norm(dim=1)


def test_step_down_the_slope_lowers_the_loss(network):
    frames, clean = images(1, 64, 1), images(1, 64, 2)
    parts = clean, style_targets(network, images(1, 64, 3)), (1.0, 1.0)
    content, style, slope = by_hand(network, frames, *parts)
    moved = frames - 1e-3 * slope / slope.abs().mean()
    after = by_autograd(network, moved, *parts)
    assert after[0] + after[1] < 0.99 * (content + style)


def test_under_autocast_the_same(network):
    parts = images(1, 64, 1), images(1, 64, 2), style_targets(network, images(1, 64, 3))
    alone = by_hand(network, *parts, (1.0, 1.0))
    with torch.autocast("cpu", torch.bfloat16):
        within = by_hand(network, *parts, (1.0, 1.0))
    for one, other in zip(alone, within, strict=True):
        assert torch.equal(one, other)
