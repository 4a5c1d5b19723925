"""Recipes as they are written on markers."""

from __future__ import annotations

import pytest

from brushreel.core.errors import StyleError, UsageError
from brushreel.plugin_resolve.recipe import Recipe


@pytest.mark.parametrize(
    ("text", "recipe"),
    [
        ("style=wave", Recipe("wave")),
        ("SHOT 12 style=wave strength=0.7", Recipe("wave", 0.7)),
        ("style=wave strength=0,7,keep-colors=yes", Recipe("wave", 0.7, keep_colors=True)),
        ("style=wave, strength=.5, keep-colors=yes", Recipe("wave", 0.5, keep_colors=True)),
        ("style=wave:0.6+udnie:0.4 and more words", Recipe("wave:0.6+udnie:0.4")),
        ('style="my styles/wave.safetensors"', Recipe("my styles/wave.safetensors")),
        (r"style=C:\styles\wave.safetensors", Recipe(r"C:\styles\wave.safetensors")),
        ("it's style=wave", Recipe("wave")),
        ("style=wave stroke_size=1.5 detail=0.3", Recipe("wave", stroke_size=1.5, detail=0.3)),
        ("style=wave,stroke-size=2,5,detail=0", Recipe("wave", stroke_size=2.5, detail=0)),
        ("style=wave stroke_size=native", Recipe("wave", stroke_size="native")),
        ("a wave", None),
        ("lifestyle=good", None),
    ],
)
def test_a_recipe_is_found_in_a_text(text, recipe):
    assert Recipe.parse(text) == recipe


@pytest.mark.parametrize(
    "text",
    [
        "style=wave strength=much",
        "style=wave strength=2",
        "style=wave keep=maybe",
        "style=a b=c",
        "style=wave stroke_size=0",
        "style=wave stroke_size=nan",
        "style=wave stroke_size=large",
        "style=wave detail=-1",
        "style=wave detail=nan",
        "style=wave detail=fine",
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(text):
    with pytest.raises(UsageError):
        Recipe.parse(text)


def test_a_recipe_is_read_as_it_was_written():
    recipe = Recipe(
        "wave:0.6+udnie", 0.25, keep_colors=True, codec="dnxhr", stroke_size=2.0, detail=0.1
    )
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_marker_of_an_earlier_version_has_default_strokes():
    text = '{"style": "wave", "strength": 0.5, "keep_colors": true, "codec": "dnxhr"}'
    assert Recipe.from_json(text) == Recipe("wave", 0.5, keep_colors=True, codec="dnxhr")


def test_number_s_type_does_not_change_the_digest(style_file):
    whole = Recipe(str(style_file), stroke_size=2, detail=1)
    assert whole.digest == Recipe(str(style_file), stroke_size=2.0, detail=1.0).digest


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"style": "wave", "colour": 1}', '"wave"'])
def test_what_is_no_recipe_is_refused(text):
    with pytest.raises(UsageError):
        Recipe.from_json(text)


def test_a_digest_is_the_weights_and_every_setting(style_file, tmp_path, tiny_style):
    renamed = tmp_path / "elsewhere" / "tiny.safetensors"
    renamed.parent.mkdir()
    tiny_style.save(renamed)
    plain = Recipe(str(style_file))
    assert Recipe(str(renamed)).digest == plain.digest
    others = [
        Recipe(str(style_file), 0.5),
        Recipe(str(style_file), keep_colors=True),
        Recipe(str(style_file), codec="dnxhr"),
        Recipe(str(style_file), stroke_size=1.5),
        Recipe(str(style_file), stroke_size="native"),
        Recipe(str(style_file), detail=0.1),
        Recipe("wave"),
    ]
    assert len({plain.digest, *(other.digest for other in others)}) == 8


def test_a_digest_needs_the_style():
    with pytest.raises(StyleError):
        _ = Recipe("nobody").digest
