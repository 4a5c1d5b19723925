"""Destinations: what may be written, what is there, and the final name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from brushreel.batch.clips.destination import (
    FileDestination,
    ImageDestination,
    destination,
    removed_on_failure,
)
from brushreel.batch.clips.work_folder import work_folder
from brushreel.core.errors import OutputError, UsageError


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("o.mp4", FileDestination),
        ("o.avi", FileDestination),
        ("o.%04d.png", ImageDestination),
        ("o.exr", ImageDestination),
    ],
)
def test_the_name_tells_a_file_from_images(tmp_path, name, kind):
    assert isinstance(destination(tmp_path / name), kind)


def test_a_name_with_two_places_for_a_number_is_refused(tmp_path):
    with pytest.raises(UsageError, match="several places"):
        destination(tmp_path / "o.%d.%d.png")


class TestFile:
    def test_a_free_name_is_not_finished(self, tmp_path):
        target = FileDestination(tmp_path / "o.mov")
        target.check(tmp_path / "a.mp4")
        assert (target.is_finished, target.is_untidied, target.muxer) == (False, False, "mov")

    def test_a_file_that_exists_is_refused_unless_it_may_be_replaced(self, tmp_path):
        path = tmp_path / "o.mp4"
        path.write_bytes(b"precious")
        assert FileDestination(path).is_finished
        with pytest.raises(OutputError, match="exists already"):
            FileDestination(path).check_free()
        with pytest.raises(OutputError, match="exists already"):
            FileDestination(path).check(tmp_path / "a.mp4")
        FileDestination(path, overwrite=True).check(tmp_path / "a.mp4")

    @pytest.mark.parametrize(
        ("name", "error"), [("a.mp4", "same file"), ("o.avi", "can't write"), ("o", "suffix")]
    )
    def test_what_would_harm_or_is_not_supported(self, tmp_path, name, error):
        (tmp_path / "a.mp4").touch()
        with pytest.raises(UsageError, match=error):
            FileDestination(tmp_path / name, overwrite=True).check(tmp_path / "a.mp4")

    def test_a_folder(self, tmp_path):
        (tmp_path / "o.mp4").mkdir()
        with pytest.raises(OutputError, match="is a folder"):
            FileDestination(tmp_path / "o.mp4").check(tmp_path / "a.mp4")

    def test_the_partial_file_gets_the_name_only_when_all_went_well(self, tmp_path, listing):
        target = FileDestination(tmp_path / "o.mp4", overwrite=True)
        with pytest.raises(KeyboardInterrupt), target.partial() as partial:
            partial.write_bytes(b"half")
            raise KeyboardInterrupt
        assert listing(tmp_path) == []
        with target.partial() as partial:
            partial.write_bytes(b"whole")
            assert not target.path.exists()
        assert listing(tmp_path) == ["o.mp4"]
        assert target.path.read_bytes() == b"whole"

    def test_the_content_is_on_the_disk_before_the_name(self, tmp_path, monkeypatch):
        done: list[str] = []
        fsync, replace = os.fsync, Path.replace
        monkeypatch.setattr(os, "fsync", lambda file: (done.append("content"), fsync(file)))
        monkeypatch.setattr(
            Path, "replace", lambda one, other: (done.append("name"), replace(one, other))
        )
        partial = tmp_path / "partial"
        partial.write_bytes(b"whole")
        FileDestination(tmp_path / "o.mp4").give_name(partial)
        assert done[:2] == ["content", "name"]


class TestImages:
    @pytest.fixture
    def target(self, tmp_path) -> ImageDestination:
        found = destination(tmp_path / "o.%03d.png")
        assert isinstance(found, ImageDestination)
        return found

    def test_images_are_finished_unless_a_run_was_cut_off(self, tmp_path, target):
        assert not target.is_finished
        (tmp_path / "o.004.png").touch()
        assert target.is_finished
        folder = work_folder(target.path)
        folder.mkdir()
        (folder / "pictures.jsonl").touch()
        assert not target.is_finished

    def test_those_that_are_not_its_own_are_refused(self, tmp_path, target):
        target.check_free([])
        (tmp_path / "o.004.png").touch()
        with pytest.raises(OutputError, match="1 of its images exist already"):
            target.check_existing()
        ImageDestination(target.pattern, overwrite=True).check_existing()

    def test_a_single_image(self, tmp_path):
        target = destination(tmp_path / "o.png")
        assert not target.is_finished
        (tmp_path / "o.png").touch()
        assert target.is_finished
        assert isinstance(target, ImageDestination)
        with pytest.raises(OutputError, match="exists already"):
            target.check_existing()


def test_removed_on_failure(tmp_path):
    path = tmp_path / "a"
    with removed_on_failure(path):
        path.touch()
    assert path.exists()
    with pytest.raises(ValueError, match="no"), removed_on_failure(path):
        raise ValueError("no")
    assert not path.exists()
