"""The source distribution, which MANIFEST.in describes, holds everything that git tracks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from setuptools.command.egg_info import FileList

import brushreel

ROOT = Path(brushreel.__file__).resolve().parent


def tracked() -> set[str]:
    """Return the files that git tracks, or skip where this is no checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    run = ["git", "-c", "core.quotePath=false", "ls-files"]
    return set(
        subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )[:-1]
    )


def test_manifest_names_every_tracked_file_and_nothing_compiled(monkeypatch):
    monkeypatch.chdir(ROOT)
    files = FileList()
    for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            files.process_template_line(line)
    named = {Path(name).as_posix() for name in files.files}
    assert tracked() - named == set()
    assert not [name for name in named if name.endswith((".so", ".pyc")) or ".bundle/" in name]
