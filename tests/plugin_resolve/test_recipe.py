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
        ("a wave", None),
        ("lifestyle=good", None),
    ],
)
def test_a_recipe_is_found_in_a_text(text, recipe):
    assert Recipe.parse(text) == recipe


@pytest.mark.parametrize(
    "text",
    ["style=wave strength=much", "style=wave strength=2", "style=wave keep=maybe", "style=a b=c"],
)
def test_a_recipe_that_makes_no_sense_is_refused(text):
    with pytest.raises(UsageError):
        Recipe.parse(text)


def test_a_recipe_is_read_as_it_was_written():
    recipe = Recipe("wave:0.6+udnie", 0.25, keep_colors=True, codec="dnxhr")
    assert Recipe.from_json(recipe.to_json()) == recipe


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
        Recipe("wave"),
    ]
    assert len({plain.digest, *(other.digest for other in others)}) == 5


def test_a_digest_needs_the_style():
    with pytest.raises(StyleError):
        _ = Recipe("nobody").digest
