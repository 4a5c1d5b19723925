from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch

from brushreel.core.errors import UsageError
from brushreel.core.options import TRAINING_RECIPES
from brushreel.training.data.disturbance import Disturbances
from brushreel.training.losses import LossWeights
from brushreel.training.recipe import CALM, HOUSE, PAPER, RECIPES, fastest_precision, scaled_size


class TestRecipes:
    def test_names(self):
        assert {name: recipe.recipe for name, recipe in RECIPES.items()} == {
            "house": "house",
            "calm": "calm",
            "paper": "paper",
        }
        assert tuple(RECIPES) == TRAINING_RECIPES

    def test_paper_is_the_paper_s(self):
        """Huang et al. 2017: Table 1, Adam at 1e-3, nothing done to the frames."""
        assert (PAPER.network.upsampling, PAPER.network.normalization) == (
            "transposed",
            "everywhere",
        )
        assert PAPER.disturbances == Disturbances()
        assert PAPER.weights.overlay == 0
        assert PAPER.longest_gap == 1
        rates = {PAPER.learning_rate_at(step) for step in range(0, PAPER.iterations + 1, 100)}
        assert rates == {1e-3}

    def test_house_sees_what_a_style_meets_later(self):
        assert min(vars(HOUSE.disturbances).values()) > 0
        assert HOUSE.weights.overlay > 0
        assert HOUSE.network.normalization == "residual"

    def test_calm_is_the_house_recipe_of_the_first_styles(self):
        weights = LossWeights(8.0, 420.0, 1e-4, 1.2e5, 1e4)
        assert (
            replace(
                HOUSE,
                recipe="calm",
                weights=weights,
                layer_weights=None,
                content_every=1,
                crop=192,
                learning_rate=1e-3,
                optimizer="adam",
            )
            == CALM
        )

    def test_content_counts_once_a_step_in_the_mean(self):
        for every in (1, 2, 5):
            settings = replace(HOUSE, content_every=every)
            assert sum(settings.content_at(step) for step in range(20)) == 20

    @pytest.mark.parametrize("weights", [(0, 0, 0, 0), (1, 1, 1, -1), (1, 1, 1, math.nan)])
    def test_layer_weights_out_of_range(self, weights):
        with pytest.raises(UsageError, match="layer weights"):
            replace(HOUSE, layer_weights=weights)

    def test_json_holds_every_setting(self):
        fields = json.loads(json.dumps(HOUSE.to_json()))
        assert fields == HOUSE.to_json()
        assert fields.keys() == vars(HOUSE).keys()
        assert fields["weights"] == vars(HOUSE.weights)
        assert fields["layer_weights"] == [1, 1, 3, 6]
        assert fields["disturbances"] == vars(HOUSE.disturbances)
        assert fields["network"] == json.loads(json.dumps(HOUSE.network.to_json()))

    def test_precision_is_one_that_training_knows(self):
        assert fastest_precision(torch.device("cpu")) in ("bf16", "fp32")

    @pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "fp32")])
    def test_a_gpu_that_would_emulate_bfloat16_trains_in_float32(
        self, monkeypatch, native, precision
    ):
        def supported(*, including_emulation: bool = True) -> bool:
            return native or including_emulation

        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
        assert fastest_precision(torch.device("cuda")) == precision


class TestRanges:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("iterations", 0),
            ("seed", -1),
            ("batch", 0),
            ("crop", 31),
            ("style_size", 0),
            ("longest_gap", 0),
            ("longest_gap", 3),
            ("precision", "fp16"),
        ],
    )
    def test_setting_out_of_range_is_named(self, name, value):
        with pytest.raises(UsageError, match=name):
            replace(HOUSE, **{name: value})

    @pytest.mark.parametrize("weight", [-1.0, math.inf, math.nan])
    @pytest.mark.parametrize("name", ["content", "temporal"])
    def test_weight_out_of_range_is_named(self, name, weight):
        with pytest.raises(UsageError, match=f"the {name} weight"):
            replace(HOUSE, weights=replace(HOUSE.weights, **{name: weight}))

    @pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
    @pytest.mark.parametrize("name", ["compression", "overlays", "synthetic"])
    def test_share_out_of_range_is_named(self, name, share):
        with pytest.raises(UsageError, match=name):
            replace(HOUSE, disturbances=replace(HOUSE.disturbances, **{name: share}))

    def test_smallest_settings_are_allowed(self):
        least = {"iterations": 1, "seed": 0, "batch": 1, "crop": 32, "style_size": 64}
        replace(HOUSE, **least, weights=LossWeights(*5 * [0.0]), disturbances=Disturbances())


class TestTemporalRamp:
    def test_weight_rises_from_nothing(self):
        settings = replace(HOUSE, iterations=100, temporal_ramp=0.5)
        weights = settings.weights
        ramp = [settings.weights_at(step).temporal / weights.temporal for step in (0, 25, 50, 99)]
        assert ramp == pytest.approx([0, 0.5, 1, 1])

    def test_other_weights_stay(self):
        for step in (0, 7, HOUSE.iterations - 1):
            at = HOUSE.weights_at(step)
            assert replace(at, temporal=HOUSE.weights.temporal) == HOUSE.weights

    @pytest.mark.parametrize("step", [0, 50, 99])
    def test_none(self, step):
        settings = replace(HOUSE, iterations=100, temporal_ramp=0.0)
        assert settings.weights_at(step) == settings.weights

    @pytest.mark.parametrize("step", [0, 50, 99])
    def test_twin_has_none_at_any_time(self, step):
        twin = replace(HOUSE, iterations=100, weights=replace(HOUSE.weights, temporal=0.0))
        assert twin.weights_at(step) == twin.weights


class TestLearningRate:
    def test_falls_along_a_cosine_to_its_share(self):
        settings = replace(HOUSE, iterations=100, learning_rate=1.0, last_rate=0.05)
        rates = [settings.learning_rate_at(step) for step in range(101)]
        assert rates[0] == 1
        assert rates[50] == pytest.approx(0.525)
        assert rates[100] == pytest.approx(0.05)
        assert rates == sorted(rates, reverse=True)

    def test_stays_where_all_of_it_is_left(self):
        settings = replace(HOUSE, iterations=100, learning_rate=0.5, last_rate=1.0)
        assert {settings.learning_rate_at(step) for step in range(101)} == {0.5}


def test_a_painting_is_scaled_relative_to_the_recipes_size():
    assert scaled_size(1.25, 512) == 640
    assert scaled_size(0.5, 300) == 150


@pytest.mark.parametrize("scale", [0, -1, math.nan, math.inf])
def test_a_scale_is_above_0(scale):
    with pytest.raises(UsageError, match="--style-scale must be above 0"):
        scaled_size(scale, 512)
