"""Arrivals in a watched folder, which are converted once, when they are complete."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from brushreel.batch.run import BatchResult
from brushreel.batch.watch import open_for_writing, watch
from brushreel.core.errors import MediaError, OutputError, UsageError

from .folders import outputs


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
    command, pipe = [sys.executable, "-c", program], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as writer:
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

    def vanished(_pass_over):
        raise MediaError("no such folder", path=folders.inbox)

    work = replace(folders.work(), plan=vanished)
    assert watch(folders.inbox, folders.outbox, work, once=True) == 1


def test_what_is_no_clip_is_said_once(folders, capsys):
    notes = folders.inbox / "notes.txt"
    notes.write_text("day one")
    assert folders.once() == 0
    assert capsys.readouterr().err == f"{notes}: passed over: is not a clip\n"


def test_wrong_usage(folders, tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        watch(tmp_path / "none", folders.outbox, folders.work())
    with pytest.raises(UsageError, match="is both watched and written to"):
        watch(folders.inbox, folders.inbox, folders.work())
    wrong: tuple[dict[str, Any], ...] = (
        {"settle": -1.0},
        {"poll": 0.0},
        {"settle": float("nan")},
    )
    for times in wrong:
        with pytest.raises(UsageError, match="--settle must be"):
            watch(folders.inbox, folders.outbox, folders.work(), **times)
    assert not folders.outbox.exists()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc")
def test_processes_may_end_while_their_files_are_looked_at(tmp_path, monkeypatch):
    listed = Path.iterdir

    def ended(path):
        if path.name == "fd":
            raise FileNotFoundError(path)
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", ended)
    assert not open_for_writing(tmp_path / "a.mp4")
