"""The fuzz of timeline files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

from .each import fuzz_each
from .fuzz import Outcome
from .make import make_clip
from .mutate_text import TEXT_CHANGES


def fuzz_timelines(
    folder: Path,
    style: Path,
    formats: Mapping[str, Callable[[Path, Path], str]],
    count: int,
    seed: int,
) -> Outcome:
    """Damage timeline files, stylize the clips of each, and judge.

    Args:
        folder: An empty one.
        style: Any style file.
        formats: By suffix, what writes an intact timeline of two clips of 60 frames, 25 a second.
        count: How many files.
        seed: Of the damage.
    """
    codes = {"timecode": "10:00:00:00"}
    clips = [
        make_clip(folder / "clips", f"{name}.mov", frames=60, size=(64, 48), metadata=codes)
        for name in ("one", "two")
    ]
    media = folder / "media"

    def written(path: Path) -> Path:
        return folder / "out" / path.stem / f"styled{path.suffix}"

    def command(path: Path) -> list[str]:
        options = ["-s", str(style), "--media", str(media), "--handles", "2", "--device", "cpu"]
        rate = ["--fps", "25"] if path.suffix == ".edl" else []
        return ["timeline", str(path), "-o", str(written(path)), *options, *rate]

    return fuzz_each(
        folder,
        {f"cut{suffix}": write(*clips).encode() for suffix, write in formats.items()},
        command,
        count,
        seed,
        changes=TEXT_CHANGES,
        written=written,
        check=_check,
    )


def _check(path: Path) -> None:
    """Parse a timeline that was written."""
    if path.suffix == ".otio":
        json.loads(path.read_bytes())
    elif path.suffix == ".edl":
        assert path.read_text(encoding="utf-8").startswith("TITLE: ")
    else:
        ElementTree.parse(path)  # noqa: S314  written here
