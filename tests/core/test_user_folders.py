"""Folders of a user who has no home: cron, containers, services."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from brushreel.cli import main
from brushreel.core import user_folders
from brushreel.core.errors import BrushreelWarning, UsageError
from brushreel.core.library import list_styles

posix = pytest.mark.skipif(os.name != "posix", reason="Windows knows every user's folders")


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """No HOME, no XDG folders, and no account that would have one."""
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(_user: int):
        raise KeyError("uid not found")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    user_folders._temporary.cache_clear()
    yield tmp_path
    user_folders._temporary.cache_clear()


@posix
def test_folders_are_temporary_and_private_and_that_is_said_once(homeless):
    with pytest.warns(BrushreelWarning, match="has no home folder: .* are kept in") as said:
        folders = user_folders.cache_folder(), user_folders.data_folder()
    assert len(said) == 1
    assert all(folder.is_relative_to(homeless) for folder in folders)
    (top,) = homeless.iterdir()
    assert stat.S_IMODE(top.stat().st_mode) == 0o700


@posix
def test_a_folder_of_somebody_else_is_not_taken(homeless):
    taken = homeless / f"brushreel-of-{os.getuid()}"
    taken.mkdir()
    taken.chmod(0o777)
    with pytest.warns(BrushreelWarning):
        assert not user_folders.cache_folder().is_relative_to(taken)


@posix
@pytest.mark.usefixtures("homeless")
def test_styles_that_ship_need_no_home(capsys):
    assert main(["styles"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") >= 8
    assert err.startswith("brushreel: this account has no home folder")
    with pytest.warns(BrushreelWarning):
        user_folders._temporary.cache_clear()
        assert "wave" in {style.name for style in list_styles()}


@posix
@pytest.mark.usefixtures("homeless")
def test_what_needs_a_home_says_so():
    with pytest.raises(UsageError, match=r"no home folder \(set HOME\)"):
        user_folders.home_folder()


def test_with_a_home_nothing_changes(home):
    assert user_folders.data_folder() == home / "data" / "brushreel"
    assert isinstance(user_folders.cache_folder(), Path)
