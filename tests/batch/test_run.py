"""A batch in one process: what stops it, what does not, and what is left alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.plan import Job
from brushreel.batch.reporting.events import ClipDone, ClipFailed, ClipSkipped, Event
from brushreel.batch.reporting.progress import TerminalReporter
from brushreel.batch.run import BatchResult, run_batch
from brushreel.core.errors import OutputError, UsageError
from brushreel.core.stylizer import Stylizer


class Heard(TerminalReporter):
    """Reporter that notes what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.news: list[tuple[str, str]] = []

    def handle(self, event: Event) -> None:
        super().handle(event)
        if isinstance(event, ClipDone | ClipFailed | ClipSkipped):
            self.news.append((event.name, event.input.name))


@pytest.fixture
def jobs(make_clip, tmp_path) -> list[Job]:
    """A good clip, one that is missing, and another good one."""
    sources = [make_clip("a.mp4"), tmp_path / "none.mp4", make_clip("c.mp4")]
    return [Job(source, tmp_path / "out" / source.name) for source in sources]


def test_one_bad_clip_does_not_stop_the_others(jobs, painter, listing, tmp_path):
    reporter = Heard()
    result = run_batch(jobs, painter, reporter)
    assert reporter.news == [
        ("clip_done", "a.mp4"),
        ("clip_failed", "none.mp4"),
        ("clip_done", "c.mp4"),
    ]
    assert (len(result.done), len(result.failed), result.exit_status) == (2, 1, 1)
    assert listing(tmp_path / "out") == ["a.mp4", "c.mp4"]


def test_fail_fast_starts_no_clip_after_one_that_failed(jobs, painter, listing, tmp_path, capsys):
    result = run_batch(jobs, painter, TerminalReporter(), fail_fast=True)
    assert result.not_started == [jobs[2]]
    assert listing(tmp_path / "out") == ["a.mp4"]
    lines = capsys.readouterr().err.splitlines()
    assert f"  not started  {jobs[2].source}" in lines
    assert lines[-1].startswith("1 done, 1 failed, 1 not started, ")


def test_outputs_that_exist_are_left_alone_when_asked(jobs, painter, tmp_path, capsys):
    there = jobs[0].output
    there.parent.mkdir()
    there.write_text("mine")
    reporter = Heard()
    result = run_batch(jobs, painter, reporter, write=WriteSettings(skip_existing=True))
    assert reporter.news[0] == ("clip_skipped", "a.mp4")
    assert (result.skipped, len(result.done)) == ([jobs[0]], 1)
    assert there.read_text() == "mine"
    assert capsys.readouterr().err.splitlines()[-1].startswith("1 done, 1 failed, 1 skipped, ")
    assert BatchResult(skipped=[jobs[0]]).exit_status == 0


def test_replacing_and_skipping_at_once_makes_no_sense():
    with pytest.raises(UsageError, match="replaced or skipped"):
        WriteSettings(overwrite=True, skip_existing=True)


def test_a_disk_too_small_is_found_out_before_the_first_frame(
    jobs, painter, monkeypatch, listing, tmp_path
):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1234))
    painted = []
    monkeypatch.setattr(Stylizer, "stylize", lambda *_, **__: painted.append(1))
    result = run_batch([jobs[0]], painter, TerminalReporter())
    error = result.failed[0][1]
    assert isinstance(error, OutputError)
    assert error.path == jobs[0].output
    assert "1.23 kB are free" in error.what
    assert "kB of disk" in error.what
    assert "another disk" in str(error.hint)
    assert not painted
    assert not Path(tmp_path / "out").exists() or listing(tmp_path / "out") == []


class Fails(Stylizer):
    """Stylizer that fails in a way nobody foresaw, at one clip of several."""

    def stylize(self, frame, **options):
        if frame.height == 48:
            raise RuntimeError("the driver is gone")
        return super().stylize(frame, **options)


def test_what_nobody_foresaw_fails_one_clip_and_not_the_batch(
    make_clip, tiny_style, tmp_path, listing
):
    jobs = [
        Job(make_clip("a.mp4", size=(96, 48)), tmp_path / "out" / "a.mp4"),
        Job(make_clip("b.mp4"), tmp_path / "out" / "b.mp4"),
    ]
    result = run_batch(jobs, Fails(tiny_style, device="cpu"), TerminalReporter())
    [(job, error)] = result.failed
    assert job == jobs[0]
    assert error.what == "unexpected RuntimeError"
    assert result.exit_status == 1
    assert listing(tmp_path / "out") == ["b.mp4"]
