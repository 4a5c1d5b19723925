from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest
import torch

from brushreel.core.blend import blend, interpolate, parse_blend
from brushreel.core.errors import StyleError, UsageError
from brushreel.core.library import load_style, user_styles
from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.core.style import SUFFIX, Painting, Style

Make = Callable[..., Style]


@pytest.fixture
def child(tiny_style) -> Make:
    """A style of the family "f", its weights nudged away from the tiny one's."""

    def make(name: str, seed: int, *, family: str | None = "f", **changes) -> Style:
        random = torch.Generator().manual_seed(seed)
        weights = {
            key: value + 0.1 * torch.randn(value.shape, generator=random)
            for key, value in tiny_style.weights.items()
        }
        training = {} if family is None else {"family": family}
        changes = {"name": name, "weights": weights, "training": training, **changes}
        return dataclasses.replace(tiny_style, **changes)

    return make


@pytest.fixture
def wave(child) -> Style:
    painting = Painting("The Great Wave", "Hokusai", "c. 1831", "public domain")
    return child("wave", 1, painting=painting, figures={"e_temporal": 0.04})


@pytest.fixture
def udnie(child) -> Style:
    return child("udnie", 2, painting=Painting("Udnie", "Picabia", "1913", "public domain"))


def assert_weights_equal(weights, expected):
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


class TestParse:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("wave", [("wave", 1)]),
            ("wave:0.6+udnie:0.4", [("wave", 0.6), ("udnie", 0.4)]),
            ("wave+udnie:3+ink", [("wave", 1), ("udnie", 3), ("ink", 1)]),
            (" wave : 0.6 + udnie:.4 ", [("wave", 0.6), ("udnie", 0.4)]),
            ("wave+wave:1e-3", [("wave", 1), ("wave", 0.001)]),
        ],
    )
    def test_names_and_weights(self, text, parts):
        assert parse_blend(text) == parts

    @pytest.mark.parametrize(
        "path", [r"C:\styles\mine", r"c:mine.safetensors", "a:3/mine", "take:2.safetensors", "a:b"]
    )
    def test_colon_of_a_path_stays_in_it(self, path):
        assert parse_blend(path) == [(path, 1)]
        assert parse_blend(f"{path}:0.5+wave") == [(path, 0.5), ("wave", 1)]
        assert parse_blend(f"wave+{path}") == [("wave", 1), (path, 1)]

    @pytest.mark.parametrize(
        "weight", ["0", "-1", "0.0", "nan", "inf", "1e999", "", "0,6", "60%", "1.2.3", "1e-999"]
    )
    @pytest.mark.parametrize("text", ["wave:{}+udnie", "udnie+wave:{}", "wave:{}"])
    def test_weight_must_be_a_number_above_0(self, text, weight):
        with pytest.raises(UsageError, match="is not a valid weight") as caught:
            parse_blend(text.format(weight))
        assert repr(weight) in caught.value.what
        assert caught.value.hint == "a number above 0, as in wave:0.6+udnie:0.4"

    @pytest.mark.parametrize("text", ["+", "wave+", "+wave", "wave++udnie", "wave+ ", ":0.5+wave"])
    def test_missing_part(self, text):
        with pytest.raises(UsageError, match=r"lacks a style next to a \+"):
            parse_blend(text)

    def test_lone_style_with_a_weight_is_sent_to_strength(self):
        with pytest.raises(UsageError, match="a weight needs several styles") as caught:
            parse_blend("wave:0.5")
        assert caught.value.hint is not None
        assert "stylize -s wave --strength 0.5" in caught.value.hint

    def test_lone_style_is_not_sent_to_a_strength_above_1(self):
        with pytest.raises(UsageError, match="a weight needs several styles") as caught:
            parse_blend("wave:2")
        assert "--strength" not in str(caught.value)


class TestInterpolate:
    def test_is_the_mean_in_float64(self, wave, udnie):
        mixed = interpolate([(wave, 0.6), (udnie, 0.4)])
        for name, tensor in mixed.items():
            exact = 0.6 * wave.weights[name].double() + 0.4 * udnie.weights[name].double()
            assert tensor.dtype == torch.float32
            assert torch.equal(tensor, exact.float())

    def test_only_the_ratio_counts(self, wave, udnie):
        expected = interpolate([(wave, 0.75), (udnie, 0.25)])
        for scale in (4.0, 2.0**1023, 2.0**-1000):
            scaled = interpolate([(wave, 0.75 * scale), (udnie, 0.25 * scale)])
            assert_weights_equal(scaled, expected)

    def test_largest_weights_do_not_overflow(self, wave, udnie):
        expected = interpolate([(wave, 1), (udnie, 1)])
        assert_weights_equal(interpolate([(wave, 1.5e308), (udnie, 1.5e308)]), expected)

    def test_order_does_not_count(self, wave, udnie, child):
        parts = [(wave, 0.1), (udnie, 0.2), (child("ink", 3), 0.7)]
        first, *others = [interpolate(order) for order in permutations(parts)]
        for other in others:
            assert_weights_equal(other, first)

    def test_at_its_ends_it_is_the_style_itself(self, wave, udnie):
        assert_weights_equal(interpolate([(wave, 1), (udnie, 0)]), wave.weights)
        assert_weights_equal(interpolate([(wave, 0), (udnie, 1)]), udnie.weights)

    def test_a_style_with_itself_is_that_style(self, wave):
        assert_weights_equal(interpolate([(wave, 0.5), (wave, 0.5)]), wave.weights)

    @pytest.mark.parametrize("weights", [(0, 0), (1, -1), (1, math.nan), (math.inf, 1), ()])
    def test_weights_that_make_no_mean(self, wave, udnie, weights):
        with pytest.raises(UsageError, match="weights must be 0 or more and not all 0"):
            interpolate(list(zip((wave, udnie), weights, strict=False)))


class TestFamily:
    def test_strangers_can_t_be_mixed(self, wave, child):
        with pytest.raises(StyleError) as caught:
            blend([(wave, 0.6), (child("mine", 2, family="other"), 0.4)])
        assert str(caught.value) == (
            "wave and mine were not trained from one parent, so they can't be blended "
            "(train mine again with --from wave)"
        )

    def test_every_part_is_checked(self, wave, udnie, child):
        with pytest.raises(StyleError, match="wave and mine were not"):
            blend([(wave, 1), (udnie, 1), (child("mine", 3, family="other"), 1)])

    def test_styles_of_no_known_descent_are_strangers(self, child):
        with pytest.raises(StyleError, match="not trained from one parent"):
            blend([(child("a", 1, family=None), 1), (child("b", 2, family=None), 1)])

    def test_child_of_a_style_of_no_known_descent_is_of_its_family(self, child):
        parent = child("parent", 1, family=None)
        blend([(parent, 1), (child("b", 2, family=parent.family), 1)])

    def test_a_family_s_networks_must_have_one_shape(self, wave):
        spec = NetworkSpec(channels=(4, 6, 8), residual_blocks=2)
        other = dataclasses.replace(
            wave, name="mine", spec=spec, weights=StylizingNetwork(spec).state_dict()
        )
        with pytest.raises(StyleError, match="wave and mine were not"):
            blend([(wave, 1), (other, 1)])


class TestBlend:
    def test_says_what_it_is_made_of(self, wave, udnie):
        style = blend([(wave, 3), (udnie, 2)])
        assert style.name == "wave-60_udnie-40"
        assert style.title == "wave 60 %, udnie 40 %"
        assert style.painting == Painting(
            "The Great Wave; Udnie", "Hokusai; Picabia", "c. 1831; 1913", "public domain"
        )
        assert style.training["blend"] == [
            {"name": "wave", "digest": wave.digest, "share": 0.6},
            {"name": "udnie", "digest": udnie.digest, "share": 0.4},
        ]
        assert style.figures == {}

    def test_digest_is_the_same_every_time_and_in_every_order(self, wave, udnie):
        style = blend([(wave, 0.6), (udnie, 0.4)])
        assert blend([(wave, 0.6), (udnie, 0.4)]).digest == style.digest
        assert blend([(udnie, 0.4), (wave, 0.6)]).digest == style.digest
        assert blend([(udnie, 0.6), (wave, 0.4)]).digest != style.digest
        assert style.digest not in (wave.digest, udnie.digest)

    def test_same_style_twice_adds_up(self, wave, udnie):
        once = blend([(wave, 0.5), (udnie, 0.5)])
        twice = blend([(wave, 0.25), (udnie, 0.5), (wave, 0.25)])
        assert (twice.name, twice.digest) == (once.name, once.digest)

    def test_of_one_style_is_that_style(self, wave):
        assert blend([(wave, 0.3), (wave, 0.3)]) is wave

    def test_saved_it_can_be_blended_on(self, wave, udnie, tmp_path):
        first = blend([(wave, 1), (udnie, 1)])
        first.save(tmp_path / "b.safetensors")
        again = blend([(Style.load(tmp_path / "b.safetensors"), 1), (udnie, 1)])
        assert again.title == "wave-50_udnie-50 50 %, udnie 50 %"

    def test_shares_are_rounded_in_the_name_and_finer_in_the_title(self, wave, udnie):
        style = blend([(wave, 1), (udnie, 2)])
        assert (style.name, style.title) == ("wave-33_udnie-67", "wave 33.3 %, udnie 66.7 %")

    def test_long_names_are_cut_and_stay_apart(self, child):
        long = [child(letter * 64, seed) for seed, letter in enumerate("abc")]
        one, other = blend([(long[0], 1), (long[1], 1)]), blend([(long[0], 1), (long[2], 1)])
        assert one.name.startswith("a" * 51 + "_")
        assert len(one.name) == 64
        assert one.name != other.name
        assert blend([(long[0], 1), (long[1], 1)]).name == one.name

    def test_longest_name_is_not_cut(self, child):
        style = blend([(child("a" * 29, 1), 1), (child("b" * 28, 2), 1)])
        assert style.name == f"{'a' * 29}-50_{'b' * 28}-50"
        assert len(style.name) == 64


class TestLoad:
    @pytest.fixture(autouse=True)
    def library(self, wave, udnie) -> None:
        for style in (wave, udnie):
            style.save(user_styles() / f"{style.name}{SUFFIX}")

    def test_blend_of_library_styles(self, wave, udnie):
        style = load_style("wave:0.6+udnie:0.4")
        assert style.name == "wave-60_udnie-40"
        assert_weights_equal(style.weights, interpolate([(wave, 0.6), (udnie, 0.4)]))

    def test_weights_default_to_equal_shares(self):
        assert load_style("wave+udnie").title == "wave 50 %, udnie 50 %"

    def test_paths_and_names_together(self, child, tmp_path):
        child("ink", 5).save(tmp_path / "a:b" / f"ink{SUFFIX}")
        assert load_style(f"{tmp_path}/a:b/ink{SUFFIX}:1+wave:3").name == "ink-25_wave-75"

    def test_unknown_part(self):
        with pytest.raises(StyleError, match="no style named 'wav'") as caught:
            load_style("udnie:0.5+wav:0.5")
        assert caught.value.hint == "did you mean wave?"

    def test_missing_file_as_a_part(self):
        with pytest.raises(StyleError, match="no such style file"):
            load_style(f"wave+./mine{SUFFIX}:0.5")

    def test_of_more_parts_than_a_file_name_has_room_for(self, wave, tmp_path):
        wave.save(tmp_path / f"w{SUFFIX}")
        assert load_style(f"{'wave+' * 60}{tmp_path}/w{SUFFIX}").digest == wave.digest

    def test_lone_style_with_a_weight(self):
        with pytest.raises(UsageError, match="a weight needs several styles"):
            load_style("wave:0.5")

    @pytest.mark.parametrize("as_path", [Path, str])
    def test_style_file_below_a_folder_with_a_plus(self, wave, tmp_path, as_path):
        path = tmp_path / "c++" / f"mine{SUFFIX}"
        wave.save(path)
        assert load_style(as_path(path)).digest == wave.digest

    def test_a_blend_paints_between_its_parts(self, wave):
        near = load_style("wave:999+udnie:1").network()
        frames = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(near(frames), wave.network()(frames), atol=0.02)
        far = load_style("wave:1+udnie:1").network()
        assert not torch.allclose(far(frames), wave.network()(frames), atol=0.02)
