from __future__ import annotations

import dataclasses

import pytest
import torch

from brushreel.core.consistency import temporal_error
from brushreel.core.network import StylizingNetwork
from brushreel.training.data.disturbance import Example
from brushreel.training.fast_loss_network import FastLossNetwork
from brushreel.training.loss_network import CONTENT_LAYER, STYLE_LAYERS, LossNetwork
from brushreel.training.losses import (
    HybridLoss,
    LossWeights,
    content_loss,
    gram_matrix,
    hybrid_loss,
    style_loss,
    style_losses,
    style_targets,
    total_variation,
)
from brushreel.training.recipe import HOUSE


def features(*values: float) -> dict[str, torch.Tensor]:
    """Make features of one constant map of 2 channels, 2 x 3 pixels, a value, at every layer."""
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

    def test_flat_image_has_a_gradient(self):
        flat = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
        total_variation(flat).backward()
        assert flat.grad is not None
        assert flat.grad.isfinite().all()
        assert total_variation(flat.detach()) < 1e-3


NAMES = [field.name for field in dataclasses.fields(LossWeights)]


class TestWeights:
    def test_total_is_the_weighted_sum(self):
        parts = HybridLoss(*map(torch.tensor, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)))
        weights = LossWeights(
            content=10,
            style=100,
            total_variation=1000,
            temporal=10000,
            overlay=100000,
            palette=1000000,
            hues=1e7,
        )
        assert parts.total(weights) == 76543210

    @pytest.mark.parametrize("part", NAMES)
    def test_every_part_counts_by_its_own_weight(self, part):
        parts = HybridLoss(*map(torch.tensor, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)))
        total = parts.total(LossWeights(**{**dict.fromkeys(NAMES, 0.0), part: 2.0}))
        assert total == 2 * getattr(parts, part)


@pytest.fixture(scope="module")
def network(vgg_file) -> LossNetwork:
    network = LossNetwork(vgg_file)
    network.rescale([images(2)])
    return network


def images(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 24, 24, generator=torch.Generator().manual_seed(seed))


class TestHybridLoss:
    def test_targets_are_the_painting_s_gram_matrices(self, network):
        painting = images(1)
        targets = style_targets(network, painting)
        assert targets.keys() == set(STYLE_LAYERS)
        for layer, gram in targets.items():
            torch.testing.assert_close(gram, gram_matrix(network(painting)[layer]))
            assert not gram.requires_grad

    def test_parts(self, network):
        stylized, targets = images(2, seed=1), style_targets(network, images(1, seed=2))
        flow, mask = torch.ones(1, 2, 24, 24), (images(1)[:, :1] > 0.5).float()
        example = make_example(flow=flow, mask=mask)
        loss = hybrid_loss(network, example, stylized, targets)
        own = network(stylized)
        torch.testing.assert_close(loss.content, content_loss(own, network(example.clean)))
        torch.testing.assert_close(loss.style, style_loss(own, targets))
        torch.testing.assert_close(loss.total_variation, total_variation(stylized))
        # The current frame is the second one, and the flow goes from it into the first.
        temporal = temporal_error(stylized[1:], stylized[:1], flow, mask)
        torch.testing.assert_close(loss.temporal, temporal)
        assert temporal != temporal_error(stylized[:1], stylized[1:], flow, mask)
        assert loss.overlay == 0

    def test_is_least_where_it_should_be(self, network):
        source = images(1).repeat(2, 1, 1, 1)
        targets = style_targets(network, source[:1])
        loss = hybrid_loss(network, make_example(seen=source), source, targets)
        assert loss.content == 0
        assert loss.style < 1e-6
        assert loss.temporal < 1e-9

    def test_content_is_that_of_the_clean_scene(self, network):
        example = make_example()
        targets = style_targets(network, images(1, seed=2))
        noisy = dataclasses.replace(example, seen=images(2, seed=8))
        assert hybrid_loss(network, noisy, example.clean, targets).content == 0
        assert hybrid_loss(network, noisy, noisy.seen, targets).content > 0

    def test_gradient_reaches_both_frames(self, network):
        stylized = images(2, seed=1).requires_grad_()
        targets = style_targets(network, images(1, seed=2))
        loss = hybrid_loss(network, make_example(), stylized, targets)
        for name in ("content", "style", "total_variation", "temporal"):
            assert (gradients(getattr(loss, name), stylized) > 0).all()
        assert (gradients(loss.overlay, stylized) == 0).all()

    def test_previous_frame_alone_counts_twice(self, network):
        stylized = images(2, seed=1).requires_grad_()
        targets = style_targets(network, images(1, seed=2))
        example = make_example()
        both = hybrid_loss(network, example, stylized, targets)
        one = hybrid_loss(network, example, stylized, targets, both_judged=False)
        own, clean = network(stylized[:1]), network(example.clean[:1])
        torch.testing.assert_close(one.content, 2 * content_loss(own, clean))
        torch.testing.assert_close(one.style, 2 * style_loss(own, targets))
        torch.testing.assert_close(one.total_variation, 2 * total_variation(stylized[:1]))
        assert one.temporal == both.temporal
        for name in ("content", "style", "total_variation"):
            previous, current = gradients(getattr(one, name), stylized)
            assert previous > 0
            assert current == 0

    def test_layers_count_by_their_shares(self, network):
        stylized, targets = images(2, seed=1), style_targets(network, images(1, seed=2))
        each = style_losses(network(stylized), targets)
        shares: dict[str, float] = dict(zip(STYLE_LAYERS, (1.0, 0.0, 3.0, 0.5), strict=True))
        loss = hybrid_loss(network, make_example(), stylized, targets, shares=shares)
        expected = sum(shares[name] * each[name] for name in STYLE_LAYERS)
        torch.testing.assert_close(loss.style, expected)

    def test_content_counts_so_many_times(self, network):
        stylized, targets = images(2, seed=1), style_targets(network, images(1, seed=2))
        once, twice = (
            hybrid_loss(network, make_example(), stylized, targets, content=times)
            for times in (1, 2)
        )
        torch.testing.assert_close(twice.content, 2 * once.content)
        assert twice.style == once.style

    @pytest.mark.parametrize("fast", [False, True])
    def test_content_that_does_not_count_looks_at_no_clean_frame(self, network, fast):
        stylized, targets = images(2, seed=1), style_targets(network, images(1, seed=2))
        spoilt = dataclasses.replace(make_example(), clean=torch.full((2, 3, 24, 24), torch.nan))
        judge = FastLossNetwork(network) if fast else network
        none = hybrid_loss(judge, spoilt, stylized.requires_grad_(), targets, content=0)
        once = hybrid_loss(judge, make_example(), stylized, targets)
        assert none.content == 0
        assert none.style == once.style
        (slope,) = torch.autograd.grad(none.style, stylized)
        assert slope.isfinite().all()

    def test_palette_is_that_of_the_judged_frames(self, network):
        stylized, targets = images(2, seed=1), style_targets(network, images(1, seed=2))
        options = {"both_judged": False, "palette": lambda frames, _clean: frames.sum()}
        loss = hybrid_loss(network, make_example(), stylized, targets, **options)
        torch.testing.assert_close(loss.palette, 2 * stylized[:1].sum())
        assert hybrid_loss(network, make_example(), stylized, targets).palette == 0

    @pytest.mark.parametrize("both_judged", [False, True])
    def test_equal_pairs_give_what_one_gives(self, network, both_judged):
        """No weight depends on the size of a batch."""
        targets = style_targets(network, images(1, seed=2))
        matte, overlay = (images(1, seed=4)[:, :1] > 0.5).float(), images(1, seed=5)
        for overlaid in (False, True):
            one = make_example(overlaid=overlaid, matte=matte, overlay=overlay)
            stylized = images(2, seed=1)
            options = {"both_judged": both_judged}
            lone = hybrid_loss(network, one, stylized, targets, **options)
            both = hybrid_loss(network, twice(one), in_batch(stylized), targets, **options)
            for name in NAMES:
                found, expected = getattr(both, name), getattr(lone, name)
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("both_judged", [False, True])
    def test_pairs_of_a_batch_are_not_mixed_up(self, network, both_judged):
        """A batch of different pairs gives the mean."""
        targets = style_targets(network, images(1, seed=2))
        singles = [
            make_example(images(2, seed=10)),
            make_example(images(2, seed=11), overlaid=True, overlay=images(1, seed=12)),
        ]
        outputs = [images(2, seed=13), images(2, seed=14)]
        batch = Example(
            **{
                field.name: torch.cat([getattr(single, field.name) for single in singles])
                for field in dataclasses.fields(Example)
            }
            | {name: in_batch(*(getattr(s, name) for s in singles)) for name in ("seen", "clean")}
        )
        options = {"both_judged": both_judged}
        whole = hybrid_loss(network, batch, in_batch(*outputs), targets, **options)
        parts = [
            hybrid_loss(network, single, output, targets, **options)
            for single, output in zip(singles, outputs, strict=True)
        ]
        for name in NAMES:
            mean = (getattr(parts[0], name) + getattr(parts[1], name)) / 2
            torch.testing.assert_close(getattr(whole, name), mean, rtol=1e-4, atol=1e-6)


class TestOverlaid:
    def test_does_not_matter_where_the_previous_frame_alone_is_judged(self, network, monkeypatch):
        """The indices of overlaid frames would have to be fetched from the device."""
        targets, stylized = style_targets(network, images(1, seed=2)), images(2, seed=1)
        example = make_example(overlaid=True)
        loss = hybrid_loss(network, example, stylized, targets, both_judged=False)
        monkeypatch.delattr(Example, "scenes")
        again = hybrid_loss(network, example, stylized, targets, both_judged=False)
        assert vars(again) == vars(loss)

    def test_current_frame_is_asked_for_neither_content_nor_style(self, network):
        stylized = images(2, seed=1).requires_grad_()
        targets = style_targets(network, images(1, seed=2))
        loss = hybrid_loss(network, make_example(overlaid=True), stylized, targets)
        for name in ("content", "style", "total_variation"):
            previous, current = gradients(getattr(loss, name), stylized)
            assert previous > 0
            assert current == 0
        assert (gradients(loss.overlay, stylized) > 0).all()

    def test_counts_as_overlay_and_not_as_flicker(self, network):
        targets = style_targets(network, images(1, seed=2))
        loss = hybrid_loss(network, make_example(overlaid=True), images(2, seed=1), targets)
        assert loss.temporal == 0
        assert loss.overlay > 0

    def test_expects_the_stylized_scene_under_the_same_overlay(self, network):
        stylized = images(1, seed=1)
        matte, overlay = images(1, seed=4)[:, :1], images(1, seed=5)
        wanted = matte * stylized + (1 - matte) * overlay
        example = make_example(overlaid=True, matte=matte, overlay=overlay)
        targets = style_targets(network, images(1, seed=2))
        loss = hybrid_loss(network, example, torch.cat((stylized, wanted)), targets)
        assert loss.overlay < 1e-12
        off = hybrid_loss(network, example, torch.cat((stylized, wanted + 0.1)), targets)
        torch.testing.assert_close(off.overlay, torch.tensor(0.01))

    def test_full_fade_to_black_wants_black(self, network):
        example = make_example(overlaid=True, matte=torch.zeros(1, 1, 24, 24))
        stylized = torch.cat((images(1), torch.zeros(1, 3, 24, 24)))
        targets = style_targets(network, images(1, seed=2))
        assert hybrid_loss(network, example, stylized, targets).overlay == 0


class TestFlatFrames:
    @pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
    @pytest.mark.parametrize("overlaid", [False, True])
    def test_whole_step_has_bounded_gradients(self, network, level, overlaid):
        targets = style_targets(network, images(1, seed=2))
        steepest = []
        for seen in (torch.full((2, 3, 24, 24), level), images(2)):
            torch.manual_seed(3)
            net = StylizingNetwork(HOUSE.network)
            loss = hybrid_loss(network, make_example(seen, overlaid=overlaid), net(seen), targets)
            parts = torch.autograd.grad(loss.total(HOUSE.weights), list(net.parameters()))
            gradient = torch.cat([part.flatten() for part in parts])
            assert gradient.isfinite().all()
            steepest.append(gradient.abs().max())
        assert 0 < steepest[0] < 10 * steepest[1]


def make_example(
    seen: torch.Tensor | None = None, *, overlaid: bool = False, **parts: torch.Tensor
) -> Example:
    """Make a pair without motion, and without an overlay unless given."""
    seen = images(2) if seen is None else seen
    nothing = {
        "flow": torch.zeros(1, 2, 24, 24),
        "mask": torch.ones(1, 1, 24, 24),
        "matte": torch.ones(1, 1, 24, 24),
        "overlay": torch.zeros(1, 3, 24, 24),
    }
    return Example(seen=seen, clean=seen, overlaid=torch.tensor([overlaid]), **nothing | parts)


def in_batch(*pairs: torch.Tensor) -> torch.Tensor:
    """Order pairs of frames as batches do, all previous frames first; a lone pair twice."""
    pairs = pairs if len(pairs) > 1 else 2 * pairs
    return torch.cat([pair[:1] for pair in pairs] + [pair[1:] for pair in pairs])


def twice(one: Example) -> Example:
    doubled = {name: torch.cat((part, part)) for name, part in vars(one).items()}
    return Example(**doubled | {"seen": in_batch(one.seen), "clean": in_batch(one.clean)})


def gradients(part: torch.Tensor, stylized: torch.Tensor) -> torch.Tensor:
    """Compute how much the part depends on each frame, (N,)."""
    if not part.requires_grad:
        return torch.zeros(len(stylized))
    (gradient,) = torch.autograd.grad(part, stylized, retain_graph=True, allow_unused=True)
    return torch.zeros(len(stylized)) if gradient is None else gradient.abs().sum((1, 2, 3))
