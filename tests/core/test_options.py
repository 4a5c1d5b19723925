"""The tables of options stay importable without torch, and name no value twice."""

from __future__ import annotations

import subprocess
import sys

import pytest

from brushreel.core import options

TABLES = [name for name, value in vars(options).items() if isinstance(value, tuple)]


def test_importing_them_does_not_import_torch():
    code = (
        "import sys, brushreel.core.options\n"
        "print(*({'torch', 'av', 'numpy'} & sys.modules.keys()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (0, "\n"), ended.stderr


@pytest.mark.parametrize("name", TABLES)
def test_names_are_unique(name: str):
    table = getattr(options, name)
    assert table
    assert len(set(table)) == len(table)


def test_automatic_choices_are_offered_where_they_are_documented():
    assert options.ENCODERS[:2] == ("software", "auto")
    for table in (options.CODECS, options.RUNTIMES, options.PRECISIONS):
        assert table[0] == "auto"
