"""Clips in worker processes: dealt, isolated, stopped."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch

from brushreel.batch.clips.settings import JobSettings
from brushreel.batch.plan import Job
from brushreel.batch.reporting.events import (
    ClipDone,
    ClipFailed,
    ClipProgress,
    ClipStarted,
    Event,
)
from brushreel.batch.reporting.progress import TerminalReporter
from brushreel.batch.workers import _PROCESSES, _Crew, _serve, _Worker, run_in_workers
from brushreel.core.clips.media import probe
from brushreel.core.errors import BrushreelError, DeviceError

PATIENCE = 120


@pytest.fixture
def settings(style_file) -> JobSettings:
    return JobSettings(str(style_file), precision="fp32")


@pytest.fixture
def jobs(make_clip, tmp_path) -> list[Job]:
    """Two good clips, one that is missing, and another good one."""
    sources = [make_clip(name) for name in ("a.mp4", "b.mp4")]
    sources += [tmp_path / "none.mp4", make_clip("d.mp4", frames=40)]
    return [Job(source, tmp_path / "out" / source.name) for source in sources]


class Heard(TerminalReporter):
    """Reporter that notes who was under way at a time, and acts at the first frame of a clip."""

    def __init__(self, at_first_frame=lambda _job: None):
        super().__init__()
        self.under_way: set[Job] = set()
        self.most = 0
        self.frames: dict[Job, list[int]] = {}
        self._at_first_frame = at_first_frame

    def handle(self, event: Event) -> None:
        super().handle(event)
        match event:
            case ClipStarted():
                self.under_way.add(Job(*event.clip))
                self.most = max(self.most, len(self.under_way))
            case ClipProgress():
                self.frames.setdefault(Job(*event.clip), []).append(event.frames)
                if event.frames == 1:
                    self._at_first_frame(Job(*event.clip))
            case ClipDone() | ClipFailed():
                self.under_way.discard(Job(*event.clip))


def test_clips_are_dealt_to_devices_and_one_bad_clip_stops_none(jobs, settings, listing, tmp_path):
    reporter = Heard()
    result = run_in_workers(jobs, settings, ["cpu", "cpu"], reporter)
    assert [report.input for report in result.done] == [jobs[n].source for n in (0, 1, 3)]
    assert [job for job, _ in result.failed] == [jobs[2]]
    assert result.failed[0][1].what == "no such file"
    assert listing(tmp_path / "out") == ["a.mp4", "b.mp4", "d.mp4"]
    assert reporter.most == 2
    assert reporter.frames[jobs[3]] == list(range(1, 41))
    assert probe(jobs[3].output).video.frames == 40
    assert multiprocessing.active_children() == []


def kill_everyone(_job: Job) -> None:
    for process in multiprocessing.active_children():
        process.kill()


def test_a_worker_that_dies_costs_its_clip_and_is_replaced(jobs, settings, listing, tmp_path):
    reporter = Heard(lambda job: kill_everyone(job) if job == jobs[0] else None)
    result = run_in_workers(jobs[:2], settings, ["cpu"], reporter)
    [(job, error)] = result.failed
    assert job == jobs[0]
    assert "SIGKILL" in error.what
    assert [report.input for report in result.done] == [jobs[1].source]
    assert [name for name in listing(tmp_path / "out") if not name.startswith(".")] == ["b.mp4"]


def test_fail_fast_finishes_what_is_under_way_and_starts_no_more(jobs, settings):
    order = [jobs[2], jobs[0], jobs[1]]
    result = run_in_workers(order, settings, ["cpu"], Heard(), fail_fast=True)
    assert result.not_started == [jobs[0], jobs[1]]


def test_a_device_that_is_not_there_stops_the_batch_before_it_begins(jobs, settings, tmp_path):
    class Begins(TerminalReporter):
        def handle(self, event: Event) -> None:
            pytest.fail(f"it began: {event}")

    with pytest.raises(DeviceError, match="cuda:99"):
        run_in_workers(jobs, settings, ["cpu", "cuda:99"], Begins())
    assert not (tmp_path / "out").exists()
    assert multiprocessing.active_children() == []


def test_a_batch_without_any_worker_names_every_clip(jobs, settings, monkeypatch):
    def gone(*_):
        raise BrushreelError("no memory")

    def kill_and_hire_none(_job):
        monkeypatch.setattr("brushreel.batch.workers._await_ready", gone)
        kill_everyone(_job)

    result = run_in_workers(jobs, settings, ["cpu"], Heard(kill_and_hire_none))
    assert [error.what for _, error in result.failed][1:] == ["no memory"] * 3
    assert [job for job, _ in result.failed] == jobs
    assert multiprocessing.active_children() == []


def test_stopping_leaves_nothing_unfinished(jobs, settings, listing, tmp_path):
    def stop(job):
        if job == jobs[3]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_in_workers([jobs[3], jobs[0]], settings, ["cpu", "cpu"], Heard(stop))
    assert multiprocessing.active_children() == []
    assert "d.mp4" not in listing(tmp_path / "out")


def _deaf_at_first(connection: Connection) -> None:
    heard: list[int] = []

    def hear(number: int, _frame: object) -> None:
        heard.append(number)
        if len(heard) > 1:
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, hear)
    connection.send(("logged", None))
    with suppress(KeyboardInterrupt):
        while not heard:
            time.sleep(0.01)
        connection.send(("ended", None))
        connection.recv()


def test_a_worker_that_missed_the_signal_is_stopped_when_it_waits(settings):
    ours, theirs = _PROCESSES.Pipe()
    process = _PROCESSES.Process(target=_deaf_at_first, args=(theirs,))
    process.start()
    theirs.close()
    ours.recv()
    crew = _Crew(settings, 1, TerminalReporter())
    crew._workers.append(_Worker("cpu", process, ours))
    stopping = threading.Thread(target=crew.stop, daemon=True)
    stopping.start()
    stopping.join(20)
    process.join(1)
    gone = process.exitcode
    process.kill()
    assert gone == 0


ORPHANS = """
import os, sys
from pathlib import Path
from brushreel.batch.clips.settings import JobSettings
from brushreel.batch.plan import Job
from brushreel.batch.reporting.progress import TerminalReporter
from brushreel.batch.workers import run_in_workers
import multiprocessing
class Dies(TerminalReporter):
    def handle(self, event):
        if event.name == "clip_progress":
            print(*[process.pid for process in multiprocessing.active_children()], flush=True)
            os.kill(os.getpid(), 9)
if __name__ == "__main__":
    source, output, style = map(Path, sys.argv[1:])
    run_in_workers([Job(source, output)], JobSettings(str(style)), ["cpu"], Dies())
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_workers_of_a_parent_that_was_killed_end_too(make_clip, style_file, tmp_path):
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS)
    source = make_clip("long.mp4", frames=400)
    ended = subprocess.run(
        [sys.executable, str(script), str(source), str(tmp_path / "o.mp4"), str(style_file)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == -9, ended.stderr
    worker = Path("/proc") / ended.stdout.split()[0]
    deadline = time.monotonic() + PATIENCE
    while worker.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not worker.exists() or "zombie" in (worker / "status").read_text()
    assert not (tmp_path / "o.mp4").exists()


def test_a_worker_plans_for_its_share_of_the_cores(style_file, monkeypatch):
    threads = [8]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[-1])
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("brushreel.batch.workers._end_with_parent", lambda: None)
    planned = []
    made = JobSettings.stylizer

    def stylizer(self, device):
        planned.append(torch.get_num_threads())
        return made(self, device)

    monkeypatch.setattr(JobSettings, "stylizer", stylizer)
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        theirs.send(None)
        ours.close()
        _serve(theirs, JobSettings(str(style_file), precision="fp32"), "cpu", 4, logging.WARNING)
    assert planned == [2]
