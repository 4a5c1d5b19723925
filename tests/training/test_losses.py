from __future__ import annotations

import dataclasses

import pytest
import torch

from housestyle.core.consistency import temporal_error
from housestyle.training.loss_network import CONTENT_LAYER, STYLE_LAYERS, LossNetwork
from housestyle.training.losses import (
    HybridLoss,
    LossWeights,
    content_loss,
    gram_matrix,
    hybrid_loss,
    style_loss,
    style_targets,
    total_variation,
)


def features(*values: float) -> dict[str, torch.Tensor]:
    """One constant feature map of 2 channels and 2 x 3 pixels a value, at every layer."""
    maps = torch.stack([torch.full((2, 2, 3), value) for value in values])
    return dict.fromkeys(STYLE_LAYERS, maps)


class TestGramMatrix:
    def test_by_hand(self):
        # phi = [[1, 2, 3, 4], [0, 1, 0, 2]], phi phi^T = [[30, 10], [10, 5]], H W = 4
        phi = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [0.0, 2.0]]]])
        expected = torch.tensor([[[7.5, 2.5], [2.5, 1.25]]])
        torch.testing.assert_close(gram_matrix(phi), expected)

    def test_each_frame_has_its_own(self):
        grams = gram_matrix(features(1.0, 3.0)[CONTENT_LAYER])
        torch.testing.assert_close(grams, torch.tensor([1.0, 9.0]).view(2, 1, 1).expand(2, 2, 2))

    def test_is_float32_whatever_comes_in(self):
        # 300^2 x 6 overflows half precision.
        gram = gram_matrix(torch.full((1, 2, 2, 3), 300.0, dtype=torch.float16))
        assert gram.dtype == torch.float32
        torch.testing.assert_close(gram, torch.full((1, 2, 2), 90000.0))


class TestContentLoss:
    def test_by_hand(self):
        # Mean over C H W of each frame, summed over frames: 2^2 + 3^2.
        loss = content_loss(features(3.0, 5.0), features(1.0, 2.0))
        torch.testing.assert_close(loss, torch.tensor(13.0))

    def test_of_one_layer_only(self):
        stylized = {**features(7.0), CONTENT_LAYER: torch.ones(1, 2, 2, 3)}
        assert content_loss(stylized, features(1.0)) == 0


class TestStyleLoss:
    def test_by_hand(self):
        # Grams are v^2 everywhere; the mean over C x C of (4 - 1)^2 and (9 - 1)^2, four layers.
        targets = {layer: gram_matrix(features(1.0)[layer]) for layer in STYLE_LAYERS}
        loss = style_loss(features(2.0, 3.0), targets)
        torch.testing.assert_close(loss, torch.tensor(4 * (9.0 + 64.0)))

    def test_counts_every_layer(self):
        targets = {layer: gram_matrix(features(1.0)[layer]) for layer in STYLE_LAYERS}
        for layer in STYLE_LAYERS:
            stylized = {**features(1.0), layer: torch.full((1, 2, 2, 3), 2.0)}
            torch.testing.assert_close(style_loss(stylized, targets), torch.tensor(9.0))


class TestTotalVariation:
    def test_by_hand(self):
        pixels = torch.zeros(1, 1, 3, 3)
        pixels[0, 0, 1, 1] = 3.0
        # At (0, 0): none; (0, 1): dy = 3; (1, 0): dx = 3; (1, 1): dx = dy = -3.
        expected = torch.tensor(3 + 3 + 18**0.5)
        torch.testing.assert_close(total_variation(pixels), expected, atol=1e-3, rtol=0)

    def test_is_a_sum_over_frames_channels_and_pixels(self):
        ramp = torch.arange(5.0).expand(2, 3, 4, 5)
        loss = total_variation(ramp)
        torch.testing.assert_close(loss, torch.tensor(2.0 * 3 * 3 * 4), atol=1e-2, rtol=0)

    def test_flat_picture_has_a_slope(self):
        flat = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
        total_variation(flat).backward()
        assert flat.grad is not None
        assert flat.grad.isfinite().all()
        assert total_variation(flat.detach()) < 1e-3


class TestWeights:
    def test_total_is_the_weighted_sum(self):
        parts = HybridLoss(*map(torch.tensor, (1.0, 2.0, 3.0, 4.0)))
        weights = LossWeights(content=10, style=100, total_variation=1000, temporal=10000)
        assert parts.total(weights) == 43210

    @pytest.mark.parametrize("part", [field.name for field in dataclasses.fields(LossWeights)])
    def test_every_part_counts_by_its_own_weight(self, part):
        zero = dict.fromkeys(("content", "style", "total_variation", "temporal"), 0.0)
        parts = HybridLoss(*map(torch.tensor, (1.0, 2.0, 3.0, 4.0)))
        total = parts.total(LossWeights(**{**zero, part: 2.0}))
        assert total == 2 * getattr(parts, part)


@pytest.fixture(scope="module")
def network(vgg_file) -> LossNetwork:
    network = LossNetwork(vgg_file)
    network.rescale([pictures(2)])
    return network


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 24, 24, generator=torch.Generator().manual_seed(seed))


class TestHybridLoss:
    def test_targets_are_the_painting_s_gram_matrices(self, network):
        painting = pictures(1)
        targets = style_targets(network, painting)
        assert targets.keys() == set(STYLE_LAYERS)
        for layer, gram in targets.items():
            torch.testing.assert_close(gram, gram_matrix(network(painting)[layer]))
            assert not gram.requires_grad

    def test_parts(self, network):
        source, stylized = pictures(2), pictures(2, seed=1).requires_grad_()
        flow, mask = torch.ones(1, 2, 24, 24), (pictures(1)[:, :1] > 0.5).float()
        targets = style_targets(network, pictures(1, seed=2))
        loss = hybrid_loss(network, source, stylized, targets, flow, mask)
        own = network(stylized)
        torch.testing.assert_close(loss.content, content_loss(own, network(source)))
        torch.testing.assert_close(loss.style, style_loss(own, targets))
        torch.testing.assert_close(loss.total_variation, total_variation(stylized))
        # The current frame is the second one, and the flow goes from it into the first.
        temporal = temporal_error(stylized[1:], stylized[:1], flow, mask)
        torch.testing.assert_close(loss.temporal, temporal)
        assert temporal != temporal_error(stylized[:1], stylized[1:], flow, mask)

    def test_is_least_where_it_should_be(self, network):
        source = pictures(1).repeat(2, 1, 1, 1)
        still, mask = torch.zeros(1, 2, 24, 24), torch.ones(1, 1, 24, 24)
        targets = style_targets(network, source[:1])
        loss = hybrid_loss(network, source, source, targets, still, mask)
        assert loss.content == 0
        assert loss.style < 1e-6
        assert loss.temporal < 1e-9

    def test_gradient_reaches_both_frames(self, network):
        stylized = pictures(2, seed=1).requires_grad_()
        targets = style_targets(network, pictures(1, seed=2))
        still, mask = torch.zeros(1, 2, 24, 24), torch.ones(1, 1, 24, 24)
        loss = hybrid_loss(network, pictures(2), stylized, targets, still, mask)
        for part in vars(loss).values():
            (slope,) = torch.autograd.grad(part, stylized, retain_graph=True)
            assert (slope.abs().sum((1, 2, 3)) > 0).all()
