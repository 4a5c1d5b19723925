"""The queue's rules and what it makes of events, with children that only print."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from brushreel.studio import job_queue
from brushreel.studio.job import Job
from brushreel.studio.job_events import Follower
from brushreel.studio.job_queue import JobQueue

from .waiting import wait

# Prints what it is told to, then waits to be ended, or ends with a status.
CHILD = """import json, sys, time
told, said, status = json.loads(sys.argv[1])
for event in told:
    print(json.dumps(event), flush=True)
print(said, file=sys.stderr, flush=True)
if status is None:
    time.sleep(60)
sys.exit(status)
"""


@pytest.fixture
def started(monkeypatch) -> list[list[str]]:
    """The command lines of children that were started; the words of a job say what they print."""
    lines: list[list[str]] = []

    def child(words: list[str]) -> subprocess.Popen[str]:
        lines.append(words)
        return subprocess.Popen(
            [sys.executable, "-c", CHILD, words[0]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    monkeypatch.setattr(job_queue, "_child", child)
    return lines


@pytest.fixture
def queue(started, tmp_path) -> Iterator[JobQueue]:
    queue = JobQueue(tmp_path / "queue.json")
    yield queue
    queue.close()


def script(*told: dict[str, Any], said: str = "", status: int | None = None) -> list[str]:
    return [json.dumps([told, said, status])]


def state_of(queue: JobQueue, job: Job) -> Callable[[], str]:
    return lambda: queue.job(job.id).state


def test_renders_and_trainings_wait_for_their_like_alone(queue):
    kinds = ("render", "render", "watch", "watch", "train", "train")
    jobs = [queue.add("", script(), "a", kind) for kind in kinds]
    running, waiting = "running", "waiting"
    assert [job.state for job in jobs] == [running, waiting, running, running, running, waiting]
    queue.pause(jobs[4].id)
    wait(lambda: jobs[5].state == "running")
    assert (jobs[1].state, jobs[4].state) == ("waiting", "paused")


def test_what_a_child_says_last_is_why_it_failed(queue):
    job = queue.add("", script(said="brushreel: no such style", status=2), "a")
    wait(lambda: job.state == "failed")
    assert job.error == "no such style"


def training(name: str, /, **fields: Any) -> dict[str, Any]:
    return {"version": 1, "event": f"training_{name}", **fields}


def test_training_that_is_stopped_goes_on_from_its_checkpoint(queue, started, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    begun = training("started", name="new", step=0, steps=9, checkpoint=str(checkpoint), footage="")
    job = queue.add("", script(begun), "new", "train")
    wait(lambda: job.expected == 9)
    queue.pause(job.id)
    wait(lambda: not queue._running)
    queue.resume(job.id)
    assert "--resume" not in started[-1]
    checkpoint.write_bytes(b"a run")
    queue.pause(job.id)
    queue.close()
    other = JobQueue(tmp_path / "queue.json")
    try:
        (found,) = other.jobs()
        assert (found["state"], found["expected"]) == ("paused", 9)
        other.resume(job.id)
        assert started[-1] == [*job.words, "--resume", "--json"]
        other.remove(job.id)
        assert other.jobs() == []
        assert not checkpoint.exists()
    finally:
        other.close()


def test_studio_that_was_killed_finds_its_jobs(queue, tmp_path):
    queue.add("", script(), "a", "train")
    assert queue._lock is not None
    queue._lock.release()
    other = JobQueue(tmp_path / "queue.json")
    assert [job["state"] for job in other.jobs()] == ["paused"]
    other.close()


def test_list_that_cannot_be_written_is_told_and_jobs_go_on(queue, monkeypatch):
    def full(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(job_queue, "atomic_write", full)
    job = queue.add("", script(status=0), "a")
    wait(lambda: job.state == "done")
    assert "the list of jobs can't be written: the disk is full" in queue.trouble
    monkeypatch.undo()
    queue.remove(job.id)
    assert queue.trouble == ""


def test_child_that_cannot_be_started_is_told(queue, monkeypatch):
    def child(_words: list[str]) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(job_queue, "_child", child)
    job = queue.add("", [], "a")
    assert job.state == "failed"
    assert "memory" in job.error


def clip(event: str, **fields: Any) -> dict[str, Any]:
    about = {"input": "/in/a.mp4", "output": "/out/a.mp4", "warnings": []}
    return {"version": 2, "event": f"clip_{event}", **about, **fields}


def test_watched_folder_counts_its_clips():
    job = Job("", [], "in", "watch")
    follower = Follower(job)
    follower.hear("watching /in, writing to /out; Ctrl-C ends it")
    follower.note(clip("started", frames_expected=9))
    follower.note(clip("progress", frames=3))
    assert (job.facts["clip"], job.frames, job.expected) == ("a.mp4", 3, 9)
    follower.note(clip("done", frames=9))
    follower.note(clip("started", frames_expected=9))
    follower.note(clip("failed", what="is damaged", hint="copy it again"))
    assert (job.facts["done"], job.facts["failed"], job.facts["clip"]) == (1, 1, "")
    assert (job.frames, job.expected) == (0, None)
    assert job.warnings == ["/in/a.mp4: is damaged (copy it again)"]
    assert job.facts["said"].startswith("watching /in")
    assert job.error == ""


def test_curves_of_a_long_run_are_thinned_out_and_cut_where_it_is_resumed():
    job = Job("", [], "new", "train")
    follower = Follower(job)
    begun = training("started", name="new", step=0, steps=99999, checkpoint="", footage="")
    follower.note(begun)
    for step in range(20, 20 * 1000, 20):
        event = training("progress", step=step, steps=99999, losses={"style": 1 / step})
        assert not follower.note(event)
    points = job.facts["losses"]["style"]
    assert 200 < len(points) <= 400
    assert points[0] == [20, 1 / 20]
    assert [step for step, _ in points] == sorted(step for step, _ in points)
    follower.note(begun | {"step": 5000})
    assert job.facts["losses"]["style"][-1][0] <= 5000


def test_pictures_are_worth_keeping_the_list(queue):
    frames = [{"clip": "a.mp4", "before": "/x/0.before.jpg", "after": "/x/0.after.jpg"}]
    job = Job("", [], "new", "train")
    assert Follower(job).note(training("frames", step=7, frames=frames))
    assert (job.facts["step"], job.facts["pictures"]) == (7, frames)


def test_jobs_can_be_looked_at_from_many_threads(queue):
    threads = [threading.Thread(target=queue.jobs) for _ in range(8)]
    for thread in threads:
        thread.start()
    queue.add("", script(status=0), "a")
    for thread in threads:
        thread.join()
    wait(lambda: queue.jobs()[0]["state"] == "done")
