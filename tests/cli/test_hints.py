"""Hints lead somewhere: what each proposes is tried, and works."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import brushreel
from brushreel.cli import _parser, main
from brushreel.core.arguments import every_parser

ROOT = Path(str(brushreel.__file__)).resolve().parent


@dataclass(frozen=True)
class Case:
    """A command that fails, what its hint says, and the command that follows it.

    Placeholders in the words: a clip, a folder with a subfolder of clips, an empty folder, a style.
    """

    words: str
    hint: str
    follow: str
    prepare: Callable[[Path], object] | None = None


STYLIZE = "stylize {clip} -s {style} --device cpu"
CASES = {
    "codec in another container": Case(
        f"{STYLIZE} -o {{tmp}}/o.mp4 --codec prores",
        "write a .mov or .mkv: -o NAME.mov, or --container mov",
        f"{STYLIZE} -o {{tmp}}/o.mov --codec prores",
    ),
    "codec in another container, by the flag": Case(
        f"{STYLIZE} -o {{tmp}}/o.mp4 --codec prores",
        "--container mov",
        f"{STYLIZE} --codec prores --container mov",
    ),
    "container and name": Case(
        f"{STYLIZE} -o {{tmp}}/o.mp4 --container mov",
        "name it o.mov",
        f"{STYLIZE} -o {{tmp}}/o.mov --container mov",
    ),
    "unknown suffix": Case(
        f"{STYLIZE} -o {{tmp}}/o.xyz", "use .mp4, .mov, .mkv", f"{STYLIZE} -o {{tmp}}/o.mkv"
    ),
    "unknown suffix, for a folder": Case(
        f"{STYLIZE} -o {{tmp}}/o.xyz",
        "for a folder of that name, create it first",
        f"{STYLIZE} -o {{tmp}}/o.xyz",
        prepare=lambda folder: (folder / "o.xyz").mkdir(),
    ),
    "container that is not written": Case(
        f"{STYLIZE} -o {{tmp}}/o.avi", "use .mp4, .mov, .mkv", f"{STYLIZE} -o {{tmp}}/o.mov"
    ),
    "a file for several": Case(
        "stylize {clip} {folder}/deep/b.mp4 -s {style} --device cpu -o {tmp}/o.mp4",
        "name a folder, such as {tmp}/o",
        "stylize {clip} {folder}/deep/b.mp4 -s {style} --device cpu -o {tmp}/o",
    ),
    "an output that exists": Case(
        f"{STYLIZE} -o {{tmp}}/there.mp4",
        "--overwrite replaces it",
        f"{STYLIZE} -o {{tmp}}/there.mp4 --overwrite",
    ),
    "a comparison that exists": Case(
        "compare {clip} {tmp}/there.mp4 -o {tmp}/wipe.mp4",
        "--overwrite replaces it)",
        "compare {clip} {tmp}/there.mp4 -o {tmp}/wipe.mp4 --overwrite",
    ),
    "a comparison of another kind": Case(
        "compare {clip} {tmp}/there.mp4 -o {tmp}/new.png",
        "use .mp4, .mov, .mkv, .webm)",
        "compare {clip} {tmp}/there.mp4 -o {tmp}/new.mkv",
    ),
    "a sheet of another kind": Case(
        "preview {clip} -o {tmp}/sheet.jpg --styles {style}",
        "use .png",
        "preview {clip} -o {tmp}/sheet.png --styles {style}",
    ),
    "clips in subfolders": Case(
        "stylize {folder} -s {style} --device cpu",
        "--recursive searches subfolders",
        "stylize {folder} -s {style} --device cpu --recursive",
    ),
    "no style": Case("stylize {clip}", "-s NAME; brushreel styles lists them", STYLIZE),
    "a profile alone": Case(
        f"{STYLIZE} --profile main10", "--codec", f"{STYLIZE} --profile main10 --codec hevc"
    ),
    "a bitrate in words": Case(
        f"{STYLIZE} --bitrate fast", "write 8M or 800k", f"{STYLIZE} --bitrate 800k"
    ),
    "devices and jobs": Case(
        "stylize {clip} -s {style} --device cpu,cpu --jobs 1",
        "name as many devices as clips at a time, or fewer",
        "stylize {clip} -s {style} --device cpu --jobs 1",
    ),
    "a weight alone": Case(
        "stylize {clip} -s wave:0.5 --device cpu",
        "stylize -s wave --strength 0.5",
        "stylize {clip} -s wave --strength 0.5 --device cpu",
    ),
}


@pytest.fixture
def places(clip, style_file, tmp_path) -> dict[str, str]:
    """Fill the placeholders."""
    deep = tmp_path / "in" / "deep"
    deep.mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(clip, deep / name)
    clip.unlink()
    for name in ("there.mp4", "wipe.mp4"):
        shutil.copy(deep / "a.mp4", tmp_path / name)
    return {
        "clip": str(deep / "a.mp4"),
        "folder": str(deep.parent),
        "style": str(style_file),
        "tmp": str(tmp_path),
    }


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_hint_proposes_works(case, places, tmp_path, capsys):
    assert main(case.words.format(**places).split()) != 0
    said = capsys.readouterr().err
    complaints = [line for line in said.splitlines() if line.startswith("brushreel: ")]
    assert len(complaints) == 1
    assert case.hint.format(**places) in complaints[0]
    if case.prepare:
        case.prepare(tmp_path)
    assert main(case.follow.format(**places).split()) == 0


def test_nothing_is_proposed_that_was_done(places, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["stylize", str(empty), "-s", places["style"], "--recursive"]) == 2
    assert capsys.readouterr().err.endswith("no clips here\n")


def hints(path: Path) -> Iterator[str]:
    """Yield the texts that a module gives as ``hint=``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "hint":
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def test_flags_in_hints_are_flags():
    flags = {
        flag
        for one in every_parser(_parser())
        for action in one._actions
        for flag in action.option_strings
    }
    folders = ("core", "batch", "training", "plugin_resolve")
    named = {
        flag
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for text in hints(path)
        for flag in re.findall(r"--[a-z][a-z-]+", text)
    }
    assert len(named) > 15
    assert named <= flags
