from __future__ import annotations

import torch

from brushreel.core.frames.stroke_size import Size
from brushreel.training.data.sampler import Pair
from brushreel.training.evaluation.judged import judged_frames, judged_pair, judged_size


def pair(height: int, width: int) -> Pair:
    flow = torch.tensor([8.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, height, width).clone()
    return Pair(torch.rand(2, 3, height, width), flow, torch.ones(1, 1, height, width))


def test_size_is_the_working_size_of_a_style():
    frames = torch.empty(2, 3, 1080, 1920)
    assert judged_size(frames, 1) == (432, 768)
    assert judged_size(frames, 2) == (216, 384)
    assert judged_size(frames.mT, 1) == (768, 432)
    assert judged_size(frames, "native") == (1080, 1920)


def test_own_size_is_left_as_it_is():
    own = pair(40, 60)
    assert judged_pair(own, Size(40, 60)) is own


def test_flow_counts_pixels_of_the_smaller_frame():
    judged = judged_pair(pair(80, 120), Size(40, 30))
    assert judged.frames.shape == (2, 3, 40, 30)
    assert judged.flow.shape == (1, 2, 40, 30)
    torch.testing.assert_close(judged.flow[0, :, 20, 15], torch.tensor([2.0, -1.0]))


def test_a_pixel_counts_where_all_of_it_counted():
    own = pair(80, 120)
    own.mask[..., 41, 61] = 0
    judged = judged_pair(own, Size(40, 60))
    assert judged.mask.shape == (1, 1, 40, 60)
    assert (judged.mask == 0).nonzero().tolist() == [[0, 0, 20, 30]]


def test_frames_are_antialiased_and_stay_in_range():
    stripes = torch.zeros(1, 3, 80, 120)
    stripes[..., ::2, :] = 1
    judged = judged_frames(stripes, Size(32, 48))
    assert (judged[..., 4:-4, :] - 0.5).abs().max() < 0.05
    edge = torch.zeros(1, 3, 80, 120)
    edge[..., 60:] = 1
    judged = judged_frames(edge, Size(32, 48))
    assert (judged.min(), judged.max()) == (0, 1)
