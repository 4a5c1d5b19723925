"""A run that hears what is said, and may be cut off."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from brushreel.batch.clips.report import Observer
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.clips.work_folder import work_folder

FRAMES, PER_SEGMENT = 23, 5
SHORT = WriteSettings(segment=0.2)


@dataclass
class Heard:
    """What an observer heard; interrupts after a frame if told to."""

    stop_at: int | None = None
    frames: list[int] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)
    kept: list[tuple[Path, int]] = field(default_factory=list)

    def observer(self) -> Observer:
        return Observer(
            on_frame=self._frame,
            on_resume=self.resumed.append,
            on_kept=lambda folder, frames: self.kept.append((folder, frames)),
        )

    def _frame(self, count: int) -> None:
        self.frames.append(count)
        if count == self.stop_at:
            raise KeyboardInterrupt


def assert_same(one, other) -> None:
    """Frames, times and sound, to the last bit."""
    assert one.times == other.times
    assert one.others == other.others
    assert (one.duration, one.frame_rate) == (other.duration, other.frame_rate)
    for mine, theirs in zip(one.frames, other.frames, strict=True):
        assert all(map(np.array_equal, mine, theirs))


def segments(output: Path) -> list[Path]:
    """What an interrupted run has kept."""
    return sorted(work_folder(output).glob("*.segment"))
