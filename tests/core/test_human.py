"""Numbers as people read them."""

from __future__ import annotations

import pytest

from brushreel.core.human import counted, human_bytes, human_seconds


@pytest.mark.parametrize(("count", "said"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames")])
def test_one_is_singular(count, said):
    assert counted(count, "frame") == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1234, "1.23 kB"), (5.6e9, "5.6 GB"), (2e12, "2.0 TB")],
)
def test_bytes_for_people(count, said):
    assert human_bytes(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (3599, "1 h 0 min"), (12_000, "3 h 20 min")],
)
def test_seconds_for_people(seconds, said):
    assert human_seconds(seconds) == said
