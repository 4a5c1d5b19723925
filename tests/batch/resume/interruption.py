"""Clips of a few segments, and comparison of what came of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.clips.work_folder import work_folder

FRAMES, PER_SEGMENT = 23, 5
SHORT = WriteSettings(segment=0.2)


def assert_same(one, other) -> None:
    """Check that frames, times and audio are bit-exact."""
    assert one.times == other.times
    assert one.others == other.others
    assert (one.duration, one.frame_rate) == (other.duration, other.frame_rate)
    for mine, theirs in zip(one.frames, other.frames, strict=True):
        assert all(map(np.array_equal, mine, theirs))


def segments(output: Path) -> list[Path]:
    """Return the segments that an interrupted run has kept."""
    return sorted(work_folder(output).glob("*.segment"))
