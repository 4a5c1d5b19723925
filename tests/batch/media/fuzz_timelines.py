"""The fuzz of timeline files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from .each import fuzz_each
from .fuzz import Outcome
from .make import make_clip
from .mutate_text import TEXT_CHANGES

START = 10 * 3600 * 25
"""First frame of the clips' timecode, 10:00:00:00."""


def fuzz_timelines(
    folder: Path,
    style: Path,
    suffix: str,
    write: Callable[[Path, Path], str],
    count: int,
    seed: int,
) -> Outcome:
    """Damage timeline files of a format, stylize the clips of each, and judge.

    Args:
        folder: An empty one.
        style: Any style file.
        suffix: Of the format.
        write: Writes an intact timeline at 25 frames a second of two clips of 60 frames.
        count: How many files.
        seed: Of the damage.
    """
    codes = {"timecode": "10:00:00:00"}
    clips = [
        make_clip(folder / "clips", f"{name}.mov", frames=60, size=(64, 48), metadata=codes)
        for name in ("one", "two")
    ]
    media, rate = folder / "media", ["--fps", "25"] if suffix == ".edl" else []

    def written(path: Path) -> Path:
        return folder / "out" / path.stem / f"styled{suffix}"

    def command(path: Path) -> list[str]:
        options = ["-s", str(style), "--media", str(media), "--handles", "2", "--device", "cpu"]
        return ["timeline", str(path), "-o", str(written(path)), *options, *rate]

    return fuzz_each(
        folder,
        {f"cut{suffix}": write(clips[0], clips[1]).encode()},
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
