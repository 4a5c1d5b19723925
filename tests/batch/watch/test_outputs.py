"""Outputs of a watched folder and files of others: only the former are ever replaced."""

from __future__ import annotations

import pytest
from filelock import FileLock

from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.reporting.progress import TerminalReporter
from brushreel.batch.run import run_batch
from brushreel.batch.watch import LOCK, STATE, watch
from brushreel.core.errors import OutputError

from .folders import interrupt


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


def test_two_into_one_folder_are_refused(folders):
    folders.outbox.mkdir()
    with FileLock(folders.outbox / LOCK), pytest.raises(OutputError, match="another process"):
        folders.once()
    assert folders.once() == 0


def test_an_output_folder_that_can_t_be(folders, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        watch(folders.inbox, tmp_path / "file" / "out", folders.work(), once=True)


def test_skipped_outputs_are_left_alone_for_good(arrive, folders, painter):
    def skipping(jobs, overwrite):
        return run_batch(
            jobs, painter, TerminalReporter(), write=WriteSettings(skip_existing=not overwrite)
        )

    folders.run = skipping
    arrive()
    folders.outbox.mkdir()
    (folders.outbox / "a.mp4").write_text("somebody's")
    assert folders.once() == 0
    assert folders.once() == 0
    assert folders.taken() == ["a.mp4"]
    assert (folders.outbox / "a.mp4").read_text() == "somebody's"
