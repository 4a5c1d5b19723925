"""A folder that converts what arrives: complete files, once each, nobody else's files touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

from housestyle.batch import watch as module
from housestyle.batch.plan import Job, plan
from housestyle.batch.report import BatchResult, TerminalReporter
from housestyle.batch.run import Writing, run_batch
from housestyle.batch.watch import LOCK, STATE, Work, open_for_writing, watch
from housestyle.core.errors import MediaError, OutputError, UsageError


@dataclass
class Folders:
    """A watched folder and what is done in it."""

    inbox: Path
    outbox: Path
    run: Callable[[list[Job], bool], BatchResult]
    key: str = "key"
    batches: list[tuple[list[str], bool]] = field(default_factory=list)

    def work(self) -> Work:
        def noted(jobs, overwrite):
            self.batches.append(([job.source.name for job in jobs], overwrite))
            return self.run(jobs, overwrite)

        return Work(self.plan, noted, self.key)

    def plan(self) -> list[Job]:
        return plan([self.inbox], self.outbox, style_name="tiny", recursive=True)

    def once(self, **settings) -> int:
        return watch(self.inbox, self.outbox, self.work(), once=True, **settings)

    def taken(self) -> list[str]:
        """Names of the clips taken since the last question."""
        names = [name for batch, _ in self.batches for name in batch]
        self.batches.clear()
        return names

    def state(self) -> dict:
        return json.loads((self.outbox / STATE).read_text())["clips"]


class Clock:
    """Time that passes only when somebody sleeps; then, what was planned for it happens."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: list[tuple[float, Callable[[], object]]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for event in [event for event in self.events if event[0] <= self.now]:
            self.events.remove(event)
            event[1]()

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        self.events.append((seconds, event))

    def end(self, seconds: float) -> None:
        self.at(seconds, interrupt)


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def folders(tmp_path, painter) -> Folders:
    def run(jobs, overwrite):
        return run_batch(jobs, painter, Writing(overwrite=overwrite), TerminalReporter())

    (tmp_path / "in").mkdir()
    return Folders(tmp_path / "in", tmp_path / "out", run)


@pytest.fixture
def arrive(make_clip, folders) -> Callable[..., Path]:
    """Puts a clip into the folder."""

    def put(name: str = "a.mp4", **facts) -> Path:
        return make_clip(folders.inbox / name, **{"frames": 3} | facts)

    return put


def outputs(folders: Folders) -> list[str]:
    own = {STATE, LOCK}
    return sorted(
        path.relative_to(folders.outbox).as_posix()
        for path in folders.outbox.rglob("*")
        if path.is_file() and path.name not in own
    )


def test_what_is_there_is_done_once(arrive, folders, read_clip):
    arrive()
    arrive("deep/er/b.mov", frames=4)
    assert folders.once() == 0
    assert outputs(folders) == ["a.mp4", "deep/er/b.mov"]
    assert len(read_clip(folders.outbox / "deep/er/b.mov").frames) == 4
    assert sorted(folders.taken()) == ["a.mp4", "b.mov"]
    assert folders.once() == 0
    assert folders.taken() == []


def test_what_arrives_later_is_done_until_ctrl_c(arrive, folders, clock):
    arrive()
    clock.at(100, lambda: arrive("b.mp4"))
    clock.end(200)
    with pytest.raises(KeyboardInterrupt):
        watch(folders.inbox, folders.outbox, folders.work())
    assert folders.taken() == ["a.mp4", "b.mp4"]
    assert outputs(folders) == ["a.mp4", "b.mp4"]


def test_an_empty_folder_is_waited_at(folders, clock):
    clock.end(30)
    with pytest.raises(KeyboardInterrupt):
        watch(folders.inbox, folders.outbox, folders.work())
    assert folders.once() == 0
    assert outputs(folders) == []


def test_a_file_that_grows_is_left_alone_until_it_rests(arrive, folders, clock, tmp_path):
    whole = arrive().rename(tmp_path / "whole.mp4").read_bytes()
    copy = folders.inbox / "a.mp4"
    taken_at = []
    run = folders.run

    def timed(jobs, overwrite):
        taken_at.append((clock.now, copy.stat().st_size))
        return run(jobs, overwrite)

    folders.run = timed
    for step in range(1, 6):
        # Pauses of 8 s are not enough to be taken for the end.
        clock.at(8 * step, partial(copy.write_bytes, whole[: len(whole) * step // 5]))
    clock.end(100)
    with pytest.raises(KeyboardInterrupt):
        watch(folders.inbox, folders.outbox, folders.work(), settle=10, poll=1)
    assert taken_at == [(50, len(whole))]


def test_a_file_of_full_size_that_is_still_written_to_is_left_alone(arrive, folders, clock):
    clip = arrive()
    for second in range(1, 20):
        clock.at(second, lambda: os.utime(clip))
    clock.end(25)
    with pytest.raises(KeyboardInterrupt):
        watch(folders.inbox, folders.outbox, folders.work(), settle=10, poll=1)
    assert folders.taken() == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux says")
def test_a_file_open_for_writing_is_left_alone(arrive, folders, clock):
    clip = arrive()
    program = f"f = open({str(clip)!r}, 'ab'); print(flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], **pipes) as writer:
        assert writer.stdout is not None and writer.stdout.readline()
        assert open_for_writing(clip)
        assert folders.once() == 0
        assert folders.taken() == []
        writer.communicate(b"\n")
    with clip.open("rb"):
        assert not open_for_writing(clip)
        folders.once()
    assert folders.taken() == ["a.mp4"]


def test_once_leaves_what_is_not_complete(arrive, folders, clock, capsys):
    arrive("a.mp4")
    clip = arrive("b.mp4")
    clock.at(10, lambda: os.utime(clip))
    assert folders.once() == 0
    assert folders.taken() == ["a.mp4"]
    assert f"{clip}: not complete yet, left for the next time" in capsys.readouterr().err
    assert folders.once() == 0
    assert folders.taken() == ["b.mp4"]


def test_a_bad_file_stops_nothing_and_is_tried_once(arrive, folders, clock, capsys):
    bad = folders.inbox / "bad.mp4"
    bad.write_bytes(b"no clip at all")
    arrive("good.mp4")
    clock.end(100)
    with pytest.raises(KeyboardInterrupt):
        watch(folders.inbox, folders.outbox, folders.work())
    assert sorted(folders.taken()) == ["bad.mp4", "good.mp4"]
    assert outputs(folders) == ["good.mp4"]
    assert "bad.mp4: can't be opened as a clip" in capsys.readouterr().err
    assert folders.once() == 0
    assert folders.taken() == []


def test_a_bad_file_is_tried_again_when_it_changes(arrive, folders):
    bad = folders.inbox / "a.mp4"
    bad.write_bytes(b"no clip at all")
    assert folders.once() == 1
    arrive("a.mp4")
    assert folders.once() == 0
    assert folders.taken() == ["a.mp4", "a.mp4"]
    assert outputs(folders) == ["a.mp4"]


def test_a_full_disk_is_no_fault_of_the_clip(arrive, folders, clock):
    arrive()
    run, full = folders.run, OutputError("can't be written: No space left on device")
    folders.run = lambda jobs, _: BatchResult(failed=[(job, full) for job in jobs])
    clock.end(100)
    with pytest.raises(KeyboardInterrupt):
        watch(folders.inbox, folders.outbox, folders.work())
    assert folders.taken() == ["a.mp4"]
    folders.run = run
    assert folders.once() == 0
    assert outputs(folders) == ["a.mp4"]


def test_a_clip_that_vanishes_is_forgotten(arrive, folders):
    clip = arrive()

    def gone(jobs, _):
        clip.unlink()
        return BatchResult(failed=[(job, MediaError("no such file")) for job in jobs])

    folders.run = gone
    folders.once()
    assert folders.state() == {}


def test_outputs_that_were_fetched_are_not_made_again(arrive, folders):
    arrive()
    folders.once()
    (folders.outbox / "a.mp4").unlink()
    folders.taken()
    assert folders.once() == 0
    assert folders.taken() == []


def test_a_changed_clip_is_done_anew_over_the_own_output(arrive, folders, fingerprint):
    arrive()
    folders.once()
    before = fingerprint(folders.outbox / "a.mp4")
    arrive("a.mp4", frames=5, first=40)
    assert folders.once() == 0
    assert folders.batches == [(["a.mp4"], False), (["a.mp4"], True)]
    assert fingerprint(folders.outbox / "a.mp4") != before


def test_other_settings_do_everything_anew(arrive, folders):
    arrive()
    folders.once()
    folders.key = "other"
    folders.once()
    assert folders.batches == [(["a.mp4"], False), (["a.mp4"], True)]


def test_what_others_wrote_is_never_replaced(arrive, folders, capsys):
    arrive()
    folders.outbox.mkdir()
    (folders.outbox / "a.mp4").write_text("somebody's")
    assert folders.once() == 1
    assert "a.mp4: exists already" in capsys.readouterr().err
    assert (folders.outbox / "a.mp4").read_text() == "somebody's"


def test_an_output_that_somebody_changed_is_theirs(arrive, folders):
    arrive()
    folders.once()
    (folders.outbox / "a.mp4").write_text("graded")
    arrive("a.mp4", frames=5)
    assert folders.once() == 1
    assert (folders.outbox / "a.mp4").read_text() == "graded"


def test_the_output_of_a_clip_that_left_is_not_another_s(arrive, folders, fingerprint):
    clip = arrive("a.avi")
    folders.once()
    before = fingerprint(folders.outbox / "a.mp4")
    clip.unlink()
    arrive("a.mpg", codec="mpeg2video")
    folders.once()
    assert fingerprint(folders.outbox / "a.mp4") == before


def test_nothing_but_the_outputs_is_touched(arrive, folders, fingerprint, listing):
    arrive()
    (folders.inbox / "notes.txt").write_text("mine")
    (folders.inbox / "bad.mp4").write_text("bad")
    (folders.inbox / ".hidden.mp4").write_text("mine")
    folders.outbox.mkdir()
    (folders.outbox / "notes.txt").write_text("mine")
    arrived = {path: fingerprint(path) for path in folders.inbox.iterdir()}
    folders.once()
    assert {path: fingerprint(path) for path in folders.inbox.iterdir()} == arrived
    assert listing(folders.outbox) == [STATE, LOCK, "a.mp4", "notes.txt"]
    assert (folders.outbox / "notes.txt").read_text() == "mine"


def test_an_output_folder_inside_is_no_input(arrive, folders):
    folders.outbox = folders.inbox / "done"
    arrive()
    folders.once()
    folders.once()
    assert folders.taken() == ["a.mp4"]


def test_killed_after_the_rename_it_is_done(arrive, folders, capsys):
    arrive()
    run = folders.run

    def killed(jobs, overwrite):
        run(jobs, overwrite)
        raise KeyboardInterrupt

    folders.run = killed
    with pytest.raises(KeyboardInterrupt):
        folders.once()
    folders.run = run
    folders.taken()
    assert folders.once() == 0
    assert folders.taken() == []


@pytest.mark.parametrize("replaced", [False, True])
def test_killed_before_the_rename_it_is_done_again(arrive, folders, replaced, read_clip):
    if replaced:
        arrive()
        folders.once()
    arrive("a.mp4", frames=5)
    run = folders.run
    folders.run = lambda *_: interrupt()
    with pytest.raises(KeyboardInterrupt):
        folders.once()
    folders.run = run
    assert folders.once() == 0
    assert len(read_clip(folders.outbox / "a.mp4").frames) == 5


def test_a_clip_that_changes_while_it_is_done_is_done_anew(arrive, folders):
    clip, run = arrive(), folders.run

    def changed(jobs, overwrite):
        result = run(jobs, overwrite)
        os.utime(clip, (1, 1))
        return result

    folders.run = changed
    folders.once()
    folders.run = run
    assert folders.once() == 0
    assert folders.taken() == ["a.mp4", "a.mp4"]


def test_two_into_one_folder_are_refused(folders):
    folders.outbox.mkdir()
    with FileLock(folders.outbox / LOCK), pytest.raises(OutputError, match="another process"):
        folders.once()
    assert folders.once() == 0


def test_a_share_that_comes_and_goes(arrive, folders, clock, capsys, tmp_path):
    arrive()
    clock.at(3, lambda: folders.inbox.rename(tmp_path / "away"))
    clock.at(60, lambda: (tmp_path / "away").rename(folders.inbox))
    clock.end(100)
    with pytest.raises(KeyboardInterrupt):
        watch(folders.inbox, folders.outbox, folders.work())
    assert outputs(folders) == ["a.mp4"]
    assert capsys.readouterr().err.count("can't be read at the moment") == 1


def test_once_on_a_share_that_goes_fails(arrive, folders):
    arrive()

    def vanished():
        raise MediaError("no such folder", path=folders.inbox)

    work = replace(folders.work(), plan=vanished)
    assert watch(folders.inbox, folders.outbox, work, once=True) == 1


def test_wrong_usage(folders, tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        watch(tmp_path / "none", folders.outbox, folders.work())
    with pytest.raises(UsageError, match="is watched and written to"):
        watch(folders.inbox, folders.inbox, folders.work())
    for times in ({"settle": -1.0}, {"poll": 0.0}, {"settle": float("nan")}):
        with pytest.raises(UsageError, match="--settle takes"):
            watch(folders.inbox, folders.outbox, folders.work(), **times)
    assert not folders.outbox.exists()


def test_an_output_folder_that_can_t_be(folders, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        watch(folders.inbox, tmp_path / "file" / "out", folders.work(), once=True)


def test_skipped_outputs_are_left_alone_for_good(arrive, folders, painter):
    def skipping(jobs, overwrite):
        return run_batch(jobs, painter, Writing(skip_existing=not overwrite), TerminalReporter())

    folders.run = skipping
    arrive()
    folders.outbox.mkdir()
    (folders.outbox / "a.mp4").write_text("somebody's")
    assert folders.once() == 0
    assert folders.once() == 0
    assert folders.taken() == ["a.mp4"]
    assert (folders.outbox / "a.mp4").read_text() == "somebody's"
