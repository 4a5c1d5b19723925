"""Mistakes of a new user: each ends in one line that says what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from brushreel.cli import main


@pytest.fixture
def complaint(capsys) -> Callable[..., tuple[int, str]]:
    """Runs a command that fails before it starts; returns its exit status and what it said."""

    def run(*words: str) -> tuple[int, str]:
        try:
            status = main(list(words))
        except SystemExit as ended:
            assert isinstance(ended.code, int)
            status = ended.code
        return status, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    "words",
    [
        ["demo", "-o", "{}/out.mp4"],
        ["watch", "{}", "{}/out.mp4", "-s", "wave"],
        ["evaluate", "wave", "--clips", "{}", "-o", "{}/out.json"],
        ["timeline", "cut.xml", "-o", "styled.xml", "--media", "{}/out.mov"],
    ],
)
def test_a_folder_that_is_named_like_a_file(complaint, tmp_path, words):
    status, said = complaint(*(word.format(tmp_path) for word in words))
    assert status == 2
    assert f"names a file; name a folder, such as {tmp_path / 'out'}\n" in said
    assert list(tmp_path.iterdir()) == []
