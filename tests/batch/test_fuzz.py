"""Damaged files are done or named; none brings the batch down."""

from __future__ import annotations

import pytest

from .media.fuzz import fuzz


@pytest.mark.parametrize(("count", "seed"), [(60, 0), pytest.param(400, 1, marks=pytest.mark.slow)])
def test_damaged_files_are_done_or_named(tmp_path, style_file, count, seed):
    place = tmp_path / "files"
    place.mkdir()
    outcome = fuzz(place, style_file, count, seed)
    assert outcome.wrong == []
    assert outcome.files == outcome.done + sum(outcome.failed.values()) == count
    # Damage is real, and most of what is left of a clip is still worth painting.
    assert outcome.done > count / 4
    assert sum(outcome.failed.values()) > count / 8
