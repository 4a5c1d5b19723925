"""Media that is looked for by its name: the right file, or none."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest

from brushreel.core.errors import MediaError
from brushreel.plugin_resolve.timelines.media_search import MediaSearch
from brushreel.plugin_resolve.timelines.model import ClipUse


def found(search: MediaSearch, media: Path) -> Path:
    return search.find(ClipUse(0, 0, media.name, 0, 10, media=media), Fraction(25))


def _made(folder: Path, *names: str) -> list[Path]:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return [folder / name for name in names]


def test_folders_at_the_end_of_the_path_tell_cards_apart(tmp_path):
    _, right, _ = _made(
        tmp_path, "a/card1/clip/C1.mov", "b/card2/clip/C1.mov", "b/card2/proxy/C1.mov"
    )
    search = MediaSearch([tmp_path])
    assert found(search, Path("/gone/shoot/card2/clip/C1.mov")) == right


def test_what_may_be_several_files_is_named_and_not_guessed(tmp_path):
    paths = _made(tmp_path, "card1/C1.mov", "card2/C1.mov")
    with pytest.raises(MediaError) as error:
        found(MediaSearch([tmp_path]), Path("/gone/C1.mov"))
    assert all(str(path) in str(error.value) for path in paths)
    assert "narrow --search" in str(error.value)


def test_a_file_that_is_found_twice_is_one(tmp_path):
    (path,) = _made(tmp_path, "all/card1/C1.mov")
    (tmp_path / "linked").symlink_to(tmp_path / "all", target_is_directory=True)
    folders = [tmp_path / "all", tmp_path / "all/card1", tmp_path / "linked"]
    assert found(MediaSearch(folders), Path("/gone/C1.mov")).samefile(path)


def test_a_linked_card_is_searched(tmp_path):
    (path,) = _made(tmp_path, "card/C1.xyz")
    (tmp_path / "shoot").mkdir()
    (tmp_path / "shoot/card").symlink_to("../card", target_is_directory=True)
    assert found(MediaSearch([tmp_path / "shoot"]), Path("/gone/C1.xyz")).samefile(path)


def test_a_name_without_suffix_means_the_clip_and_no_sidecar(tmp_path):
    *_, clip = _made(tmp_path, "B7.jpg", "B7.xml", "B7.MOV")
    search = MediaSearch([tmp_path])
    assert found(search, Path("B7")) == clip
    with pytest.raises(MediaError, match="is offline"):
        found(search, Path("A1"))


def test_a_name_with_suffix_is_not_taken_for_a_stem(tmp_path):
    _made(tmp_path, "C1.mov.mp4")
    with pytest.raises(MediaError, match="is offline"):
        found(MediaSearch([tmp_path]), Path("/gone/C1.mov"))


def test_folders_are_walked_through_once_and_only_where_something_is_missing(tmp_path, monkeypatch):
    (path,) = _made(tmp_path, "C1.mov")
    walked = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: walked.append(folder) or scan(folder))
    search = MediaSearch([tmp_path])
    assert found(search, path) == path
    assert not walked
    assert [found(search, Path("/gone/C1.mov")), found(search, Path("C1"))] == [path, path]
    assert walked == [tmp_path]
