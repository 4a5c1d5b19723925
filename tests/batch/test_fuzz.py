"""Damaged files are done or named; none brings the batch down."""

from __future__ import annotations

import sys

import pytest

from ..plugin_resolve.timelines.cuts import at_25
from .media.fuzz import Outcome, fuzz
from .media.fuzz_timelines import fuzz_timelines
from .media.images import fuzz_images

forks = pytest.mark.skipif(sys.platform != "linux", reason="needs processes that are forked")
slow = pytest.mark.slow


@pytest.mark.parametrize(("count", "seed"), [(60, 0), pytest.param(400, 1, marks=slow)])
def test_damaged_files_are_done_or_named(tmp_path, style_file, count, seed):
    place = tmp_path / "files"
    place.mkdir()
    outcome = fuzz(place, style_file, count, seed)
    assert outcome.wrong == []
    assert outcome.files == outcome.done + sum(outcome.failed.values()) == count
    # Damage is real, and most of what is left of a clip is still worth painting.
    assert outcome.done > count / 4
    assert sum(outcome.failed.values()) > count / 8


def _judge(outcome: Outcome, count: int) -> None:
    assert outcome.wrong == []
    assert outcome.files == outcome.done + sum(outcome.failed.values()) == count
    # Some damage is harmless.
    assert outcome.done > count / 20
    assert sum(outcome.failed.values()) > count / 4


@forks
@pytest.mark.parametrize(
    ("kinds", "count"),
    [
        (["png", "tiff", "jpeg", "exr"], 48),
        *(pytest.param([kind], 2000, marks=slow) for kind in ("png", "tiff", "jpeg", "exr")),
        pytest.param(["painting"], 2000, marks=slow),
    ],
)
def test_damaged_images_are_done_or_named(tmp_path, style_file, kinds, count):
    _judge(fuzz_images(tmp_path / "images", style_file, kinds, count, seed=2), count)


@forks
@pytest.mark.parametrize(
    ("suffixes", "count"),
    [
        ([".xml", ".fcpxml", ".otio", ".edl"], 46),
        *(pytest.param([suffix], 2000, marks=slow) for suffix in (".xml", ".fcpxml", ".otio")),
        pytest.param([".edl"], 2000, marks=slow),
    ],
)
def test_damaged_timelines_are_done_or_named(tmp_path, style_file, suffixes, count):
    formats = {suffix: write for suffix, write in at_25().items() if suffix in suffixes}
    _judge(fuzz_timelines(tmp_path / "timelines", style_file, formats, count, seed=2), count)
