from __future__ import annotations

import pytest
import torch

from brushreel.training.evaluation.look import (
    PaintingLook,
    lab,
    local_deviation,
    style_distance,
    style_distances,
)
from brushreel.training.loss_network import STYLE_LAYERS
from brushreel.training.losses import gram_matrix


def noise(seed: int = 0, side: int = 64) -> torch.Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


class TestStyle:
    def test_by_layer_relative_to_the_painting(self):
        features = {name: noise(seed) for seed, name in enumerate(STYLE_LAYERS)}
        grams = {name: 2 * gram_matrix(values) for name, values in features.items()}
        assert style_distances(features, grams) == pytest.approx(4 * (0.5,), rel=1e-5)
        none = {name: gram_matrix(values) for name, values in features.items()}
        assert style_distances(features, none) == pytest.approx(4 * (0.0,))

    def test_layers_count_alike(self):
        assert style_distance((0.1, 0.2, 0.3, 0.6)) == pytest.approx(0.3)


class TestPalette:
    def test_lab_of_known_colours(self):
        colours = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]]).T[None, :, None]
        expected = [[100.0, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]
        found = lab(colours)[0, :, 0].T
        torch.testing.assert_close(found, torch.tensor(expected), atol=0.05, rtol=0)

    def test_own_colours_elsewhere_are_at_no_distance(self):
        painting = torch.nn.functional.interpolate(noise(side=8), (64, 64))
        look = PaintingLook(painting)
        assert look.palette_distance(painting.flip(-1)) == pytest.approx(0, abs=1e-3)

    def test_of_grey_from_grey_is_along_lightness(self):
        """Along random directions half of what lies between them, in the mean."""
        look = PaintingLook(torch.full((1, 3, 32, 32), 0.5))
        lighter = torch.full((1, 3, 32, 32), 0.7)
        between = (lab(lighter) - lab(torch.full_like(lighter, 0.5)))[0, 0, 0, 0].item()
        assert look.palette_distance(lighter) == pytest.approx(between / 2, rel=0.2)


class TestFlatTexture:
    def test_deviation_of_noise(self):
        frame = 0.5 + 0.05 * torch.randn(
            1, 1, 128, 128, generator=torch.Generator().manual_seed(1)
        ).expand(1, 3, 128, 128)
        assert local_deviation(frame).mean() == pytest.approx(0.05, rel=0.02)

    def test_small_deviations_on_bright_frames_are_not_lost(self):
        frame = torch.ones(1, 3, 32, 32)
        frame[..., ::2] -= 0.2 / 255
        assert local_deviation(frame).mean() * 255 == pytest.approx(0.1, rel=0.05)

    def test_painted_texture_counts_only_where_the_source_is_flat(self):
        painting = noise(1)
        look, source = PaintingLook(painting), torch.full((1, 3, 64, 128), 0.5)
        source[..., :64] = noise(2)
        painted = torch.cat((torch.zeros(1, 3, 64, 64), noise(3)), 3)
        found = look.flat_texture(painted, source)
        assert found == pytest.approx(1, rel=0.1)
        assert look.flat_texture(source, source) < 0.2

    def test_nothing_flat(self):
        assert PaintingLook(noise(1)).flat_texture(noise(2), noise(3)) is None
