from __future__ import annotations

import math
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from brushreel.core.consistency import temporal_error, warping_error
from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.training.data.footage import Footage
from brushreel.training.data.sampler import Pair
from brushreel.training.evaluation.evaluate import (
    Figures,
    Measured,
    PaintingLosses,
    held_out_figures,
    measure,
    painting_losses,
    shift,
    shimmer,
)
from brushreel.training.evaluation.judged import judged_frames, judged_pair, judged_size
from brushreel.training.evaluation.sequences import FrameSequence
from brushreel.training.loss_network import LossNetwork
from brushreel.training.losses import content_loss, style_loss, style_targets


def noise(*shape: int, seed: int = 2) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def make_pair(seed: int, height: int = 24, width: int = 32) -> Pair:
    flow = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).repeat(1, 1, height, width)
    mask = (noise(1, 1, height, width, seed=seed + 100) > 0.3).float()
    return Pair(noise(2, 3, height, width, seed=seed), flow, mask)


def sequence(name: str, *seeds: int) -> FrameSequence:
    return FrameSequence(name, tuple(lambda seed=seed: make_pair(seed) for seed in seeds))


def darker(frames: torch.Tensor) -> torch.Tensor:
    return frames / 2


def flat(frames: torch.Tensor) -> torch.Tensor:
    return torch.full_like(frames, 0.25)


@pytest.fixture
def losses(vgg_file) -> PaintingLosses:
    return painting_losses(LossNetwork(vgg_file), noise(1, 3, 32, 32), [sequence("a", 1, 2)])


class TestMeasure:
    def test_formulas(self):
        evaluation = measure({"darker": darker}, [sequence("a", 1, 2, 3)])
        pairs = [make_pair(seed) for seed in (1, 2, 3)]
        for measured, model in (
            (evaluation.source, lambda x: x),
            (evaluation.models["darker"], darker),
        ):
            frames = [model(pair.frames) for pair in pairs]
            motions = [(f[1:], f[:1], p.flow, p.mask) for f, p in zip(frames, pairs, strict=True)]
            squares = [temporal_error(*motion).item() for motion in motions]
            lai = [warping_error(*motion).item() for motion in motions]
            figures = measured.figures["a"]
            assert figures.e_temporal == pytest.approx(math.sqrt(sum(squares) / 3))
            assert figures.warping_error == pytest.approx(sum(lai) / 3)
            assert figures.shimmer == pytest.approx(shimmer(model, pairs[0].frames[1:]))
            assert figures.shift == pytest.approx(shift(model, pairs[0].frames[1:]))
            assert measured.errors["a"] == pytest.approx([math.sqrt(square) for square in squares])
            assert figures.style_loss is figures.content_loss is None
        assert evaluation.models["darker"].mean.style_loss is None

    def test_at_the_working_height(self, losses):
        def model(frames: torch.Tensor) -> torch.Tensor:
            return frames.square()

        wide = FrameSequence("a", (lambda: make_pair(1, 480, 640),))
        evaluation = measure({"m": model}, [wide], losses=losses, stroke_size=4)
        own = make_pair(1, 480, 640)
        size = judged_size(own.frames, 4)
        judged = judged_pair(own, size)
        stylized = judged_frames(model(own.frames), size)
        figures, source = evaluation.models["m"].mean, evaluation.source.mean
        assert size == (108, 144)
        for measured, shown in ((figures, stylized), (source, judged.frames)):
            square = temporal_error(shown[1:], shown[:1], judged.flow, judged.mask).item()
            assert measured.judged_e_temporal == pytest.approx(math.sqrt(square), rel=1e-4)
        square = temporal_error(
            model(own.frames[1:]), model(own.frames[:1]), own.flow, own.mask
        ).item()
        assert figures.e_temporal == pytest.approx(math.sqrt(square), rel=1e-4)
        style = style_loss(losses.network(stylized[1:]), losses.grams).item()
        assert figures.style_loss == pytest.approx(style, rel=1e-4)
        assert source.content_loss == 0
        # Noise that is drawn for every pixel is averaged away, not drawn anew.
        assert source.judged_shimmer is not None
        assert source.judged_shimmer < 0.5 * source.shimmer
        assert figures.shimmer == shimmer(model, own.frames[1:])

    def test_native_strokes_are_judged_at_their_own_size(self):
        mean = measure({"darker": darker}, [sequence("a", 1)]).models["darker"].mean
        assert mean.judged_e_temporal == mean.e_temporal > 0
        assert mean.judged_shimmer == mean.shimmer > 0

    def test_sequences_count_alike(self):
        evaluation = measure({}, [sequence("a", 1), sequence("b", 2, 3, 4)])
        mean, each = evaluation.source.mean, evaluation.source.figures
        assert mean.e_temporal == pytest.approx((each["a"].e_temporal + each["b"].e_temporal) / 2)
        assert mean.shimmer == pytest.approx((each["a"].shimmer + each["b"].shimmer) / 2)
        assert list(each) == ["a", "b"]

    def test_a_constant_output_does_not_flicker(self):
        figures = measure({"flat": flat}, [sequence("a", 1)]).models["flat"].figures["a"]
        still = Figures(0, 0, 0, 0, judged_e_temporal=0, judged_shimmer=0)
        assert figures == still

    def test_style_and_content_of_the_current_frames(self, losses):
        evaluation = measure({"darker": darker}, [sequence("a", 1, 2)], losses=losses)
        frames = torch.cat([make_pair(seed).frames[1:] for seed in (1, 2)])
        seen, stylized = losses.network(frames), losses.network(darker(frames))
        figures, source = evaluation.models["darker"].mean, evaluation.source.mean
        style = style_loss(stylized, losses.grams).item() / 2
        assert figures.style_loss == pytest.approx(style, rel=1e-4)
        content = content_loss(stylized, seen).item() / 2
        assert figures.content_loss == pytest.approx(content, rel=1e-4)
        style = style_loss(seen, losses.grams).item() / 2
        assert source.style_loss == pytest.approx(style, rel=1e-4)
        assert source.content_loss == 0

    def test_one_pair_at_a_time(self):
        alive: list[weakref.ref] = []

        def read(seed: int) -> Pair:
            assert sum(there() is not None for there in alive) <= 1
            pair = make_pair(seed)
            alive.append(weakref.ref(pair.frames))
            return pair

        readers = tuple(lambda seed=seed: read(seed) for seed in range(4))
        measure({"darker": darker}, [FrameSequence("a", readers)])
        assert len(alive) == 4  # each once, however many models there are

    def test_no_gradients_are_kept(self):
        network = StylizingNetwork(NetworkSpec(channels=(4, 6, 8), residual_blocks=1))
        seen = []
        measure({"n": lambda f: seen.append(network(f)) or seen[-1]}, [sequence("a", 1)])
        assert not any(stylized.requires_grad for stylized in seen)

    def test_in_float32_and_not_in_tf32(self):
        seen, before = [], torch.backends.cudnn.allow_tf32
        measure(
            {"n": lambda f: seen.append(torch.backends.cudnn.allow_tf32) or f}, [sequence("a", 1)]
        )
        assert not any(seen)
        assert seen
        assert torch.backends.cudnn.allow_tf32 is before is True


class TestPaintingLosses:
    def test_filters_have_a_mean_activation_of_one_over_the_measured_frames(self, losses):
        frames = [make_pair(seed).frames[1:] for seed in (1, 2)]
        for means in losses.network._mean_activations(frames).values():
            # Not all: a filter that never fires can't be scaled.
            assert means.median().item() == pytest.approx(1, abs=1e-3)

    def test_grams_are_the_paintings(self, losses):
        for layer, gram in style_targets(losses.network, noise(1, 3, 32, 32)).items():
            torch.testing.assert_close(losses.grams[layer], gram)


class TestShimmer:
    def test_of_the_frame_itself_is_that_of_the_noise(self):
        # The mean distance of two draws of a normal distribution is 2 sigma / sqrt(pi).
        frame = torch.full((1, 3, 200, 200), 0.5)
        assert shimmer(lambda x: x, frame) == pytest.approx(4 / math.sqrt(math.pi), rel=0.01)

    def test_frames_stay_in_range(self):
        seen = []
        shimmer(lambda x: seen.append(x) or x, torch.ones(1, 3, 8, 8))
        assert (seen[0].shape, seen[0].max()) == ((2, 3, 8, 8), 1)

    def test_the_same_every_time(self):
        frame = noise(1, 3, 16, 16)
        assert shimmer(darker, frame) == shimmer(darker, frame)


class TestShift:
    def test_what_moves_with_the_frame_does_not_count(self):
        assert shift(darker, noise(1, 3, 64, 80)) == 0

    def test_what_sticks_to_the_grid_does(self):
        def checkered(frames: torch.Tensor) -> torch.Tensor:
            grid = torch.zeros_like(frames)
            grid[..., ::2, :] = 0.5
            return grid

        assert shift(checkered, noise(1, 3, 64, 80)) == pytest.approx(0.5 * 255)

    def test_the_border_may_do_what_it_wants(self):
        def framed(frames: torch.Tensor) -> torch.Tensor:
            out = frames.clone()
            out[..., :8], out[..., -8:] = 1, 1
            return out

        assert shift(framed, noise(1, 3, 64, 80)) == 0


def test_mean_leaves_nothing_out():
    figures = {
        "a": Figures(1, 2, 3, 4, 5, 6, 7, 8, 9, (1.0, 2.0), 11, 12),
        "b": Figures(3, 4, 5, 6, 7, 8, 9, 10, None, (3.0, 6.0), 13, 14),
    }
    mean = Figures(2, 3, 4, 5, 6, 7, 8, 9, 9, (2.0, 4.0), 12, 13)
    assert Measured(figures, {}).mean == mean


class TestHeldOutFigures:
    def footage(self, name: str, count: int, seed: int) -> Footage:
        kind = [("frames", "u1", (2, 24, 32, 3)), ("flow", "f2", (24, 32, 2))]
        kind += [("visible", "?", (24, 32)), ("gap", "u1")]
        pairs = np.zeros(count, np.dtype(kind))
        random = np.random.default_rng(seed)
        pairs["frames"] = random.integers(0, 256, pairs["frames"].shape)
        pairs["visible"], pairs["gap"] = True, 1
        return Footage(Path(name), lambda: pairs, {})

    def test_mean_over_pairs_then_clips(self, losses):
        torch.manual_seed(0)
        network = StylizingNetwork(NetworkSpec(channels=(4, 6, 8), residual_blocks=1))
        clips = [self.footage("a/x.mp4", 1, 1), self.footage("b/x.mp4", 3, 2)]
        figures = held_out_figures(network, losses.network, losses.grams, clips)
        assert figures.keys() == {
            *("style_loss", "content_loss", "e_temporal", "e_temporal_source")
        }
        changes = [
            (clip.pairs["frames"][:, 0] / 255.0 - clip.pairs["frames"][:, 1] / 255.0) ** 2
            for clip in clips
        ]
        expected = sum(math.sqrt(change.mean()) for change in changes) / 2
        assert figures["e_temporal_source"] == pytest.approx(expected, abs=1e-5)
        assert 0 < figures["e_temporal"] < figures["e_temporal_source"]
        assert figures["style_loss"] > 0
        assert all(value == round(value, 5) for value in figures.values())
