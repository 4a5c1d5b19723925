from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from brushreel.batch import watch as module
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.reporting.progress import TerminalReporter
from brushreel.batch.run import run_batch

from .folders import Clock, Folders


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def folders(tmp_path, painter) -> Folders:
    def run(jobs, overwrite):
        return run_batch(
            jobs, painter, TerminalReporter(), write=WriteSettings(overwrite=overwrite)
        )

    (tmp_path / "in").mkdir()
    return Folders(tmp_path / "in", tmp_path / "out", run)


@pytest.fixture
def arrive(make_clip, folders) -> Callable[..., Path]:
    """Puts a clip into the folder."""

    def put(name: str = "a.mp4", **facts) -> Path:
        return make_clip(folders.inbox / name, **{"frames": 3} | facts)

    return put
