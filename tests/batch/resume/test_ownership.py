"""A clip under way belongs to one process, and nothing else in its folder is touched."""

from __future__ import annotations

import subprocess
import sys

import pytest

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.work_folder import work_folder
from brushreel.core.errors import OutputError

from ..listening import on_frame
from .interruption import SHORT


def test_files_of_others_in_the_work_folder_stay(run, interrupted, output, listing):
    interrupted(14)
    mine = work_folder(output) / "notes.txt"
    mine.write_text("precious")
    run()
    assert mine.read_text() == "precious"
    assert listing(work_folder(output)) == ["notes.txt"]


HOLDER = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_gone(run, interrupted, output, source):
    interrupted(14)
    lock = work_folder(output) / "lock"
    before = sorted(path.name for path in work_folder(output).iterdir())
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match="is being written by another process") as caught:
            run()
        assert caught.value.path == output
        assert sorted(path.name for path in work_folder(output).iterdir()) == before
        holder.kill()
        holder.wait()
        # The lock went with the process.
        assert run()[0].segments_reused > 0


def test_the_same_process_is_refused_as_well(run, source, output, painter):
    inner: list[OutputError] = []

    def again(_count: int) -> None:
        if not inner:
            with pytest.raises(OutputError, match="another process") as caught:
                convert(source, output, painter, write=SHORT)
            inner.append(caught.value)

    convert(source, output, painter, handle=on_frame(again), write=SHORT)
    assert inner
    assert output.exists()
