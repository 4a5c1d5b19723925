from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from brushreel.core.consistency import temporal_error
from brushreel.core.errors import TrainingError
from brushreel.training.data.extraction import LEAST_DEVIATION, join, pair_record
from brushreel.training.data.footage import Footage
from brushreel.training.data.motion import Motion
from brushreel.training.data.sampler import PairSampler, to_pair


def footage_of(*pairs: tuple[np.ndarray, np.ndarray, tuple[float, float]], gaps=None) -> Footage:
    """Make footage of pairs, each previous frame, current frame and uniform flow."""
    records = []
    for (previous, current, flow), gap in zip(pairs, gaps or len(pairs) * [1], strict=True):
        shape = previous.shape[:2]
        motion = Motion(np.full((*shape, 2), flow, np.float32), np.ones(shape, bool))
        records.append(pair_record(np.stack((previous, current)), motion, gap))
    joined = join(records)
    return Footage(Path("made.mp4"), lambda: joined, {})


@pytest.fixture
def panned(texture) -> Footage:
    """A pair that moves 3 pixels to the right and 1 up."""
    world = texture(104, 134)
    return footage_of((world[2:98, 6:126], world[3:99, 3:123], (-3, 1)))


class TestToPair:
    def test_previous_then_current_in_range(self, panned):
        pair = to_pair(panned.pairs[0])
        assert pair.frames.shape == (2, 3, 96, 120)
        assert pair.flow.shape == (1, 2, 96, 120)
        assert pair.mask.shape == (1, 1, 96, 120)
        assert {t.dtype for t in (pair.frames, pair.flow, pair.mask)} == {torch.float32}
        expected = panned.pairs[0]["frames"].transpose(0, 3, 1, 2) / 255
        np.testing.assert_allclose(pair.frames, expected, atol=1e-6)

    def test_crop_is_cut_from_everything_alike(self, panned):
        panned.pairs[0]["flow"][..., 0] = np.arange(120)
        panned.pairs[0]["visible"][:, :50] = False
        pair = to_pair(panned.pairs[0], slice(5, 37), slice(40, 72))
        whole = to_pair(panned.pairs[0])
        for part, full in zip(vars(pair).values(), vars(whole).values(), strict=True):
            assert torch.equal(part, full[..., 5:37, 40:72])

    def test_does_not_share_memory_with_the_record(self, panned):
        pair = to_pair(panned.pairs[0])
        for tensor in vars(pair).values():
            tensor.zero_()
        assert panned.pairs[0]["frames"].any()
        assert panned.pairs[0]["visible"].all()


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


class TestPairSampler:
    def test_same_state_draws_the_same_crops(self, panned):
        sampler = PairSampler([panned], crop=32)
        drawn = [
            [sampler.draw(random).frames for _ in range(6)]
            for random in map(np.random.default_rng, (5, 5, 6))
        ]
        assert all(torch.equal(a, b) for a, b in zip(drawn[0], drawn[1], strict=True))
        assert not any(torch.equal(a, b) for a, b in zip(drawn[0], drawn[2], strict=True))
        assert not torch.equal(drawn[0][0], drawn[0][1])

    def test_mirrored_pairs_move_the_other_way(self, panned, random):
        sampler = PairSampler([panned], crop=40)
        directions = []
        for _ in range(24):
            pair = sampler.draw(random)
            assert pair.frames.shape == (2, 3, 40, 40)
            (x,), (y,) = (pair.flow[0, axis].unique().tolist() for axis in (0, 1))
            assert (abs(x), y) == (3, 1)
            directions.append(x)
            # The flow fits the images: previous, fetched along it, is current.
            error = temporal_error(pair.frames[1:], pair.frames[:1], pair.flow, pair.mask)
            assert error < 1e-9
        assert set(directions) == {-3.0, 3.0}

    def test_what_comes_from_outside_the_crop_does_not_count(self, panned, random):
        """The border of the crop would be repeated there."""
        sampler = PairSampler([panned], crop=40)
        for _ in range(8):
            pair = sampler.draw(random)
            expected = torch.ones(40, 40)
            expected[-1:] = 0
            # Content moves to the right and up, or, mirrored, to the left and up.
            expected[:, slice(3) if pair.flow[0, 0, 0, 0] < 0 else slice(-3, None)] = 0
            assert torch.equal(pair.mask[0, 0], expected)

    def test_mask_is_mirrored_too(self, panned, random):
        panned.pairs[0]["flow"][:] = 0
        panned.pairs[0]["visible"][:] = panned.pairs[0]["frames"][1, ..., 0] > 127
        sampler = PairSampler([panned], crop=40)
        for _ in range(8):
            pair = sampler.draw(random)
            assert torch.equal(pair.mask[0, 0] > 0, pair.frames[1, 0] > 127.5 / 255)

    def test_crops_reach_every_corner(self, panned, random):
        panned.pairs[0]["flow"][..., 1] = np.arange(96)[:, None]
        panned.pairs[0]["flow"][..., 0] = 0
        sampler = PairSampler([panned], crop=90)
        tops = {int(sampler.draw(random).flow[0, 1].min()) for _ in range(80)}
        assert tops == set(range(7))

    def test_flat_crops_are_left_out(self, texture, random):
        image = texture(64, 200)
        image[:, 60:] = 90
        sampler = PairSampler([footage_of((image, image, (0, 0)))], crop=32)
        for _ in range(20):
            assert sampler.draw(random).frames.std() >= LEAST_DEVIATION

    def test_every_clip_is_drawn_equally_often(self, texture, random):
        bright, dark = texture(40, 40) // 2 + 120, texture(40, 40) // 4
        many = footage_of(*9 * [(bright, bright, (0, 0))])
        one = footage_of((dark, dark, (0, 0)))
        sampler = PairSampler([many, one], crop=32)
        drawn = [sampler.draw(random).frames.mean() < 0.35 for _ in range(100)]
        assert 35 < sum(map(int, drawn)) < 65

    def test_whole_frame_as_crop(self, texture, random):
        clip = footage_of((texture(40, 40), texture(40, 40), (0, 0)))
        assert PairSampler([clip], crop=40).draw(random).frames.shape == (2, 3, 40, 40)

    def test_clip_smaller_than_the_crop(self, panned):
        with pytest.raises(TrainingError, match="120x96 are smaller than the crop of 97") as caught:
            PairSampler([panned], crop=97)
        assert caught.value.path == panned.path

    def test_other_gaps_are_drawn_where_asked(self, texture, random):
        dark, bright = texture(40, 40) // 4, texture(40, 40) // 2 + 120
        # In another order than records are sorted in.
        clip = footage_of((bright, bright, (0, 0)), (dark, dark, (0, 0)), gaps=[4, 1])
        near = PairSampler([clip], crop=32)
        assert max(near.draw(random).frames.mean() for _ in range(20)) < 0.35
        far = PairSampler([clip], crop=32, longest_gap=4)
        drawn = [far.draw(random).frames.mean() < 0.35 for _ in range(40)]
        assert 8 < sum(map(int, drawn)) < 32
        two = PairSampler([clip], crop=32, longest_gap=2)
        assert max(two.draw(random).frames.mean() for _ in range(20)) < 0.35

    def test_more_gaps_in_the_footage_change_nothing(self, panned, texture):
        image = texture(96, 120, 8)
        far = pair_record(
            np.stack((image, image)),
            Motion(np.zeros((96, 120, 2), np.float32), np.ones((96, 120), bool)),
            2,
        )
        more = np.concatenate((panned.pairs, far))
        both = Footage(panned.path, lambda: more, {})
        one, other = (PairSampler([clip], crop=32) for clip in (panned, both))
        for seed in range(6):
            drawn = [sampler.draw(np.random.default_rng(seed)).frames for sampler in (one, other)]
            assert torch.equal(*drawn)

    def test_no_pair_close_enough(self, texture, random):
        image = texture(40, 40)
        clip = footage_of((image, image, (0, 0)), gaps=[4])
        with pytest.raises(TrainingError, match="no clip has a usable pair"):
            PairSampler([clip], crop=32, longest_gap=2)
        assert PairSampler([clip], crop=32, longest_gap=4).draw(random)
