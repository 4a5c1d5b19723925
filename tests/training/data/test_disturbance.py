from __future__ import annotations

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from brushreel.core.consistency import warp
from brushreel.training.data.disturbance import Disturbances, Example, disturbed
from brushreel.training.data.sampler import Pair
from brushreel.training.recipe import HOUSE

OVERLAYS = Disturbances(overlays=1.0)
SYNTHETIC = Disturbances(synthetic=1.0)


@pytest.fixture
def pair(texture) -> Pair:
    return make_pair(texture)


@pytest.fixture
def pairs(texture) -> list[Pair]:
    return [make_pair(texture, seed) for seed in range(3)]


def make_pair(texture, seed: int = 0, size: int = 64) -> Pair:
    """Make a pair of two different images, so that they cannot be confused."""
    frames = np.stack([texture(size, size, 10 * seed), texture(size, size, 10 * seed + 1)])
    generator = torch.Generator().manual_seed(seed)
    return Pair(
        torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255,
        torch.randn(1, 2, size, size, generator=generator),
        (torch.rand(1, 1, size, size, generator=generator) > 0.3).float(),
    )


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def many(pair: Pair, how: Disturbances, count: int = 60) -> list[Example]:
    return [disturbed([pair], how, random(seed)) for seed in range(count)]


def same(one: Example, other: Example) -> bool:
    return all(torch.equal(mine, vars(other)[name]) for name, mine in vars(one).items())


class TestExample:
    def test_shapes_and_ranges(self, pairs):
        for seed in range(10):
            example = disturbed(pairs, HOUSE.disturbances, random(seed))
            assert {name: tuple(tensor.shape) for name, tensor in vars(example).items()} == {
                "seen": (6, 3, 64, 64),
                "clean": (6, 3, 64, 64),
                "flow": (3, 2, 64, 64),
                "mask": (3, 1, 64, 64),
                "overlaid": (3,),
                "matte": (3, 1, 64, 64),
                "overlay": (3, 3, 64, 64),
            }
            assert example.overlaid.dtype == torch.bool
            for name in ("seen", "clean", "mask", "matte", "overlay"):
                tensor = getattr(example, name)
                assert tensor.dtype == torch.float32
                assert 0 <= tensor.min() <= tensor.max() <= 1

    def test_previous_frames_come_first(self, pairs):
        example = disturbed(pairs, Disturbances(), random())
        expected = torch.stack([p.frames[0] for p in pairs] + [p.frames[1] for p in pairs])
        assert torch.equal(example.seen, expected)
        assert torch.equal(example.clean, expected)
        for index, pair in enumerate(pairs):
            assert torch.equal(example.flow[index], pair.flow[0])
            assert torch.equal(example.mask[index], pair.mask[0])

    def test_scenes_leave_out_the_current_frames_under_an_overlay(self, pair):
        parts = {field.name: torch.zeros(4) for field in fields(Example)}
        overlaid = torch.tensor([False, True, False, True])
        example = Example(**{**parts, "overlaid": overlaid})
        assert example.scenes.tolist() == [0, 1, 2, 3, 4, 6]

    def test_moved_to_a_device_it_is_the_same(self, pairs):
        example = disturbed(pairs, HOUSE.disturbances, random())
        moved = example.to(torch.device("cpu"))
        assert same(moved, example)
        assert moved.seen.is_contiguous(memory_format=torch.channels_last)
        assert moved.clean.is_contiguous(memory_format=torch.channels_last)

    def test_indices_of_overlaid_frames_stay_on_the_cpu(self, pairs):
        example = disturbed(pairs, OVERLAYS, random()).to(torch.device("meta"))
        assert example.seen.device.type == "meta"
        assert example.scenes.tolist() == [0, 1, 2]

    def test_what_is_drawn_depends_on_the_generator_alone(self, pairs):
        examples = [disturbed(pairs, HOUSE.disturbances, random(seed)) for seed in (1, 1, 2)]
        assert same(examples[0], examples[1])
        assert not torch.equal(examples[0].seen, examples[2].seen)

    def test_the_pairs_themselves_stay_as_they_are(self, pair):
        before = [tensor.clone() for tensor in vars(pair).values()]
        many(pair, Disturbances(noise=4, compression=0.5, overlays=0.5, synthetic=0.5), 10)
        assert all(map(torch.equal, before, vars(pair).values()))


class TestShares:
    def test_no_disturbances_leave_pairs_untouched(self, pair):
        for example in many(pair, Disturbances(), 5):
            assert torch.equal(example.seen, pair.frames)
            assert torch.equal(example.clean, pair.frames)
            assert torch.equal(example.flow, pair.flow)
            assert torch.equal(example.mask, pair.mask)
            assert not example.overlaid.any()
            assert (example.matte == 1).all()

    def test_overlays_are_as_frequent_as_asked(self, pair):
        share = np.mean([e.overlaid.item() for e in many(pair, Disturbances(overlays=0.3), 300)])
        assert share == pytest.approx(0.3, abs=0.08)

    def test_synthetic_motion_is_as_frequent_as_asked(self, pair):
        examples = many(pair, Disturbances(synthetic=0.3), 300)
        share = np.mean([not torch.equal(e.flow, pair.flow) for e in examples])
        assert share == pytest.approx(0.3, abs=0.08)

    def test_compression_is_as_frequent_as_asked(self, pair):
        examples = many(pair, Disturbances(compression=0.3), 300)
        share = np.mean([not torch.equal(e.seen, e.clean) for e in examples])
        assert share == pytest.approx(0.3, abs=0.08)

    def test_every_pair_of_a_batch_draws_its_own(self, pair):
        example = disturbed(40 * [pair], Disturbances(overlays=0.5), random())
        assert 0 < example.overlaid.float().mean() < 1
        mattes = example.matte[example.overlaid]
        assert any(not torch.equal(mattes[0], matte) for matte in mattes)


class TestNoise:
    def test_has_the_stated_deviation_at_most(self, pair):
        grey = Pair(torch.full_like(pair.frames, 0.5), pair.flow, pair.mask)
        examples = many(grey, Disturbances(noise=4), 200)
        noise = torch.stack([(example.seen - example.clean) * 255 for example in examples])
        deviations = noise.std((1, 2, 3, 4))
        assert deviations.max() < 4.1
        # Uniform between 0 and 4.
        assert deviations.mean() == pytest.approx(2, abs=0.3)
        assert deviations.min() < 0.3
        assert noise.mean((1, 2, 3, 4)).abs().max() < 0.2

    def test_every_frame_and_channel_has_its_own(self, pair):
        grey = Pair(torch.full_like(pair.frames, 0.5), pair.flow, pair.mask)
        noise = disturbed([grey], Disturbances(noise=4), random()).seen - 0.5
        for one, other in itertools.combinations(noise.flatten(0, 1), 2):
            assert torch.corrcoef(torch.stack((one.flatten(), other.flatten())))[0, 1].abs() < 0.1

    def test_the_scene_stays_clean(self, pair):
        example = disturbed([pair], Disturbances(noise=4, compression=1), random())
        assert torch.equal(example.clean, pair.frames)

    def test_black_does_not_go_below_black(self, pair):
        black = Pair(torch.zeros_like(pair.frames), pair.flow, pair.mask)
        example = disturbed([black], Disturbances(noise=4), random())
        assert example.seen.min() == 0


class TestCompression:
    def test_shows_but_keeps_the_image(self, pair):
        for example in many(pair, Disturbances(compression=1), 5):
            error = (example.seen - pair.frames).abs().mean((1, 2, 3)) * 255
            assert (error > 0.5).all()
            assert (error < 20).all()

    def test_colours_stay_in_order(self, pair):
        orange = torch.tensor([0.9, 0.5, 0.1]).view(1, 3, 1, 1).expand_as(pair.frames)
        example = disturbed(
            [Pair(orange, pair.flow, pair.mask)], Disturbances(compression=1), random()
        )
        torch.testing.assert_close(example.seen, orange, atol=5 / 255, rtol=0)


class TestSyntheticMotion:
    def test_warping_the_previous_frame_gives_the_current_one(self, pair):
        for example in many(pair, SYNTHETIC, 10):
            previous, current = example.clean.chunk(2)
            assert torch.equal(previous, pair.frames[:1])
            torch.testing.assert_close(warp(previous, example.flow), current, atol=1e-6, rtol=0)
            assert example.flow.abs().max() > 0.5

    def test_mask_leaves_out_what_comes_from_outside(self, pair):
        outside = 0
        for example in many(pair, SYNTHETIC, 20):
            rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
            x, y = columns + example.flow[0, 0], rows + example.flow[0, 1]
            inside = (x >= 0) & (x <= 63) & (y >= 0) & (y <= 63)
            assert torch.equal(example.mask[0, 0].bool(), inside)
            outside += (~inside).sum().item()
        assert outside

    def test_has_no_overlay(self, pair):
        for example in many(pair, SYNTHETIC, 3):
            assert not example.overlaid.any()
            assert (example.matte == 1).all()


class TestShifts:
    def test_every_pixel_is_one_of_the_previous_frame_s(self, pair):
        """Interpolation would blur the frame as well, and hide the effect of the pixel grid."""
        for example in many(pair, Disturbances(shifted=1.0), 10):
            previous, current = example.clean.chunk(2)
            x, y = (int(part) for part in example.flow[0, :, 0, 0])
            inside = example.mask[0, 0].bool()
            expected = previous.roll((-y, -x), (2, 3))[..., inside]
            torch.testing.assert_close(current[..., inside], expected, atol=1e-5, rtol=0)

    def test_kinds_come_as_often_as_asked_for(self, pair):
        shares = Disturbances(overlays=0.3, synthetic=0.3, shifted=0.3)
        examples = many(pair, shares, 400)
        flows = [example.flow for example in examples if not example.overlaid.any()]
        shifted = sum(bool((flow == flow[:, :, :1, :1]).all() and flow.any()) for flow in flows)
        real = sum(bool(torch.equal(flow, pair.flow)) for flow in flows)
        assert (400 - len(flows)) / 400 == pytest.approx(0.3, abs=0.08)
        assert shifted / 400 == pytest.approx(0.3, abs=0.08)
        assert real / 400 == pytest.approx(0.1, abs=0.06)


class TestOverlays:
    def test_are_laid_over_the_first_frame_which_stays(self, pair):
        for example in many(pair, OVERLAYS):
            previous, current = example.seen.chunk(2)
            assert example.overlaid.all()
            assert torch.equal(previous, pair.frames[:1])
            assert torch.equal(example.clean, pair.frames[:1].expand(2, -1, -1, -1))
            composed = example.matte * previous + (1 - example.matte) * example.overlay
            assert torch.equal(current, composed)

    def test_nothing_moves_and_everything_counts(self, pair):
        for example in many(pair, OVERLAYS, 5):
            assert not example.flow.any()
            assert (example.mask == 1).all()

    def test_come_before_synthetic_motion(self, pair):
        for example in many(pair, Disturbances(overlays=1, synthetic=1), 5):
            assert not example.flow.any()

    def test_every_overlay_hides_something(self, pair):
        for example in many(pair, OVERLAYS):
            assert example.matte.min() < 1

    def test_every_frame_has_its_own_noise(self, pair):
        """Black bars and the ends of fades must stay stable under it."""
        grey = Pair(torch.full_like(pair.frames, 0.5), pair.flow, pair.mask)
        for example in many(grey, Disturbances(noise=4, overlays=1), 20):
            previous, current = example.seen.chunk(2)
            assert not torch.equal(previous, current)
            assert previous.std() > 0

    def test_fades_reach_black_and_white_exactly(self, pair):
        currents = [example.seen[1] for example in many(pair, OVERLAYS, 300)]
        assert any((current == 0).all() for current in currents)
        assert any((current == 1).all() for current in currents)

    def test_fades_are_uniform_and_come_at_every_depth(self, pair):
        fades = [
            example
            for example in many(pair, OVERLAYS, 300)
            if example.matte.unique().numel() == 1 and example.overlay.unique().numel() == 1
        ]
        left = np.array([example.matte[0, 0, 0, 0].item() for example in fades])
        level = np.array([example.overlay[0, 0, 0, 0].item() for example in fades])
        assert len(fades) > 60
        for low, high in ((0, 0.01), (0.01, 0.3), (0.3, 0.6), (0.6, 1)):
            assert ((left >= low) & (left < high)).any()
        assert np.mean(level == 0) == pytest.approx(0.4, abs=0.15)
        assert np.mean(level == 1) == pytest.approx(0.4, abs=0.15)
        assert ((level > 0.1) & (level < 0.9)).any()

    def test_bars_are_black_and_along_any_side(self, pair):
        sides = set()
        for example in many(pair, OVERLAYS, 200):
            hidden = example.matte[0, 0] == 0
            rows, columns = hidden.all(1), hidden.all(0)
            bar = (rows.any() ^ columns.any()) and hidden.sum() == 64 * (rows.sum() + columns.sum())
            if bar and not hidden.all() and not example.overlay.any():
                assert not example.seen[1][:, hidden].any()
                first, last = (rows[0], rows[-1]) if rows.any() else (columns[0], columns[-1])
                assert first ^ last
                sides.add((bool(rows.any()), bool(first)))
        assert len(sides) == 4

    def test_titles_are_white_over_the_scene_or_over_black(self, pair):
        grounds = set()
        for example in many(pair, OVERLAYS, 200):
            letters = (example.overlay == 1).all(1) & (example.matte[:, 0] == 0)
            share = letters.float().mean()
            if 0 < share < 1 and set(example.overlay.unique().tolist()) == {0, 1}:
                assert (example.seen[1][:, letters[0]] == 1).all()
                grounds.add(example.matte[0, 0][~letters[0]].unique().item())
        assert grounds == {0, 1}

    @pytest.mark.parametrize("size", [32, 48])
    def test_fit_small_crops(self, texture, size):
        pair = make_pair(texture, size=size)
        for example in many(pair, replace(HOUSE.disturbances, overlays=1.0), 40):
            assert example.seen.shape == (2, 3, size, size)
