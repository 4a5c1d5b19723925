"""Flags from the command line, a file and a delivery: who wins, and what is refused."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from brushreel.batch import command, config
from brushreel.batch.config import DELIVERIES
from brushreel.batch.flags import add_stylize
from brushreel.core.errors import UsageError


@pytest.fixture
def settled(tmp_path) -> Callable[..., argparse.Namespace]:
    """The settings of a command line, with a file of this text."""

    def settle(*arguments: str, file: str | None = None) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        add_stylize(parser)
        if file is not None:
            path = tmp_path / "house.toml"
            path.write_text(file, encoding="utf-8")
            arguments = ("--config", str(path), *arguments)
        options = parser.parse_args(["a.mp4", *arguments])
        return options.flags.settle(options)

    return settle


def test_defaults_where_nothing_is_said(settled):
    settings = settled()
    assert (settings.strength, settings.codec, settings.crf) == (1.0, "auto", None)
    assert (settings.overwrite, settings.resume) == (False, True)
    assert settings.inputs == [Path("a.mp4")]


def test_the_file_sets_what_the_flags_set(settled):
    settings = settled(
        file='style = "wave"\nstrength = 1\ncrf = 20\noutput = "painted"\n'
        'keep-colors = true\nresume = false\ndevice = "cuda:0,cuda:1"\n'
    )
    flags = ["-s", "wave", "--strength", "1", "--crf", "20", "-o", "painted", "--keep-colors"]
    given = settled(*flags, "--no-resume", "--device", "cuda:0,cuda:1")
    assert settings.flags.values(settings) == given.flags.values(given)


def test_flags_win_over_the_file_and_the_file_over_the_delivery(settled):
    file = 'delivery = "h264-review"\ncrf = 25\noverwrite = true\n'
    settings = settled(file=file)
    assert (settings.codec, settings.container, settings.crf) == ("h264", "mp4", 25)
    settings = settled("--crf", "30", "--no-overwrite", file=file)
    assert (settings.codec, settings.crf, settings.overwrite) == ("h264", 30, False)
    settings = settled("--delivery", "prores-master", file=file)
    assert (settings.codec, settings.container, settings.crf) == ("prores", "mov", 25)


def test_a_flag_given_as_its_default_wins_too(settled):
    assert settled("--codec", "auto", "--strength", "1", file="strength = 0.5").strength == 1.0
    assert settled("--codec", "auto", "--delivery", "prores-master").codec == "auto"


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("keep_colors", "did you mean keep-colors?"),
        ("contaner", "did you mean container?"),
        ("inputs", "keys are"),
        ("zzz", "keys are"),
    ],
)
def test_an_unknown_key_names_the_nearest(settled, tmp_path, key, near):
    with pytest.raises(UsageError, match=f"unknown key {key}") as caught:
        settled(file=f"{key} = 1")
    assert caught.value.path == tmp_path / "house.toml"
    assert near in str(caught.value)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('codec = "h265"', "codec must be one of auto, h264"),
        ('strength = "much"', "strength can't be 'much'"),
        ("crf = 1.5", "crf can't be 1.5"),
        ("overwrite = 1", "overwrite must be true or false"),
        ("crf = true", "crf must be text or a number"),
        ('device = ["cuda:0"]', "device must be text or a number"),
        ('delivery = "vhs"', "delivery must be one of prores-master"),
        ("crf =", "is not a valid TOML file"),
        ("[encode]\ncrf = 3", "unknown key encode"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_file_s_name(settled, tmp_path, line, complaint):
    with pytest.raises(UsageError, match=r"house\.toml") as caught:
        settled(file=line)
    assert complaint in str(caught.value)


def test_a_file_that_is_not_there(settled, tmp_path):
    with pytest.raises(UsageError, match="can't be read") as caught:
        settled("--config", str(tmp_path / "none.toml"))
    assert caught.value.path == tmp_path / "none.toml"


@pytest.mark.parametrize("name", DELIVERIES)
def test_a_delivery_sets_values_that_the_codec_takes(settled, name):
    settings = settled("--delivery", name)
    assert {key: getattr(settings, key) for key in DELIVERIES[name]} == DELIVERIES[name]
    job = command.job_settings_of(settled("-s", "wave", "--delivery", name))
    assert job.write.encode.codec in name


def test_a_delivery_with_a_misspelt_key_would_be_refused(settled, monkeypatch):
    monkeypatch.setitem(config.DELIVERIES, "prores-master", {"kodec": "prores"})
    with pytest.raises(UsageError, match="did you mean codec"):
        settled("--delivery", "prores-master")
