"""The version has one home; the project file, which packaging tools read, repeats it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from brushreel.core.version import __version__


def test_the_project_file_has_the_same():
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"] == __version__
