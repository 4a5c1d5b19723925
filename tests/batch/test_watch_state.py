"""State of a watched folder: which clip, with which settings, became which file."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from brushreel.batch import watch_state
from brushreel.batch.clips.settings import JobSettings, ReadSettings, WriteSettings
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.batch.watch_state import Entry, State, identity, settings_key
from brushreel.core.errors import OutputError

ENTRY = Entry((10, 20), "key", "begun", "deep/a.mp4", None, None)


@pytest.fixture
def memory(tmp_path) -> Path:
    return tmp_path / "out" / "memory.json"


def test_what_is_saved_is_read_back(memory):
    state = State.load(memory)
    failed = Entry((0, 2**62), "key", "failed", "b.mp4", (1, 2), (1, 2))
    state.put("\udcff.mp4", ENTRY)
    state.put("b.mp4", failed)
    state.put("c.mp4", ENTRY)
    state.drop("c.mp4")
    state.save()
    again = State.load(memory)
    assert (again.get("\udcff.mp4"), again.get("b.mp4")) == (ENTRY, failed)
    assert again.get("c.mp4") is None


@pytest.mark.parametrize(
    ("before", "status"), [(None, "done"), ("itself", "begun"), ((1, 2), "done")]
)
def test_what_got_its_name_after_it_was_begun_is_done(tmp_path, memory, before, status):
    output = tmp_path / "deep" / "a.mp4"
    output.parent.mkdir()
    output.write_text("whole")
    state = State.load(memory)
    state.put("a.mp4", replace(ENTRY, before=identity(output) if before == "itself" else before))
    state.put("b.mp4", replace(ENTRY, output="b.mp4"))
    state.put("c.mp4", replace(ENTRY, status="failed"))
    state.complete(tmp_path)
    found = state.get("a.mp4")
    assert found is not None
    assert found.status == status
    assert found.written == (identity(output) if status == "done" else None)
    assert state.get("b.mp4") == replace(ENTRY, output="b.mp4")
    assert state.get("c.mp4") == replace(ENTRY, status="failed")


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"version": 2}', '{"version": 1, "clips": {"a": {}}}']
)
def test_a_damaged_memory_is_said(tmp_path, content):
    (tmp_path / "memory.json").write_text(content)
    with pytest.raises(OutputError, match=r"memory\.json: is not a valid state"):
        State.load(tmp_path / "memory.json")


def test_a_memory_that_can_t_be_written_is_said_and_stops_nothing(memory, monkeypatch, caplog):
    @contextlib.contextmanager
    def full(_path: Path) -> Iterator[None]:
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(watch_state, "atomic_write", full)
    state = State.load(memory)
    state.put("a.mp4", ENTRY)
    state.save()
    assert state.get("a.mp4") == ENTRY
    assert "memory.json: can't be written: the disk is full" in caplog.text


def test_the_key_follows_what_decides_an_output(style_file, tiny_style, tmp_path):
    other = tmp_path / "copy.safetensors"
    shutil.copy(style_file, other)
    base = JobSettings(str(style_file))
    key = settings_key(base, container=None)
    alike = [
        replace(base, style=str(other)),
        replace(base, write=WriteSettings(segment=3, verify="full")),
        replace(base, write=WriteSettings(overwrite=True)),
    ]
    assert {settings_key(settings, container=None) for settings in alike} == {key}
    weights = {name: value + 1 for name, value in tiny_style.weights.items()}
    replace(tiny_style, weights=weights).save(other)
    different = [
        replace(base, style=str(other)),
        replace(base, strength=0.5),
        replace(base, keep_colors=True),
        replace(base, write=WriteSettings(encode=EncodeSettings(codec="hevc"))),
        replace(base, write=WriteSettings(drop_unsupported=True)),
        replace(base, read=ReadSettings(interlaced="keep")),
    ]
    keys = {settings_key(settings, container=None) for settings in different}
    assert len(keys | {settings_key(base, container="mkv")}) == 7
    assert key not in keys
