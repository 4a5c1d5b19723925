"""Commands on a plain install, without the packages that only extras bring."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import brushreel
from brushreel.core.errors import ExtraError, extra

ROOT = Path(str(brushreel.__file__)).resolve().parent
EXTRAS = ("train", "timeline", "onnx", "studio", "live")
MODULES = {
    "opencv-contrib-python-headless": "cv2",
}
"""Names by which packages are imported, where they differ."""


def modules_of_extras() -> dict[str, str]:
    """Return the extra of each module."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        str(MODULES.get(package, package)): name
        for name in EXTRAS
        for requirement in listed["project"]["optional-dependencies"][name]
        for package in [requirement.split(">")[0]]
    }


WITHOUT = """
import json, sys
for module in json.loads(sys.argv[1]):
    sys.modules[module] = None
from brushreel.cli import main
for words in json.loads(sys.argv[2]):
    status = main(words)
    print("status", status, file=sys.stderr)
"""


def test_every_command_names_the_extra_that_it_needs(style_file, clip, tmp_path):
    otio, edl, source = tmp_path / "cut.otio", tmp_path / "cut.edl", str(clip)
    otio.write_text("{}")
    edl.write_text("TITLE: cut\n")
    style = ["-s", str(style_file), "--device", "cpu"]
    out = str(tmp_path / "out.mp4")
    measured = ["--clips", str(clip.parent)]
    needing = {
        "train": [
            ["train", "p.png", *measured, "--name", "mine"],
            ["evaluate", str(style_file), *measured],
            ["evaluate", str(style_file), *measured, "-o", str(tmp_path / "report")],
        ],
        "timeline": [
            ["timeline", str(otio), "-o", str(tmp_path / "styled.otio"), *style],
        ],
        "studio": [
            ["studio", str(clip.parent), "--no-browser"],
        ],
        "live": [
            ["live", source, "-o", "camera", *style],
        ],
        "onnx": [
            ["export", str(style_file)],
            ["stylize", source, "-o", out, *style, "--runtime", "onnxruntime"],
            ["stylize", source, "-o", out, *style, "--runtime", "onnxruntime", "--dry-run"],
        ],
    }
    fine = [
        ["styles"],
        ["doctor"],
        ["stylize", source, "-o", out, *style],
        ["preview", source, "-o", str(tmp_path / "sheet.png"), "--styles", str(style_file)],
        ["compare", source, out, "-o", str(tmp_path / "wipe.mp4")],
    ]
    ran = [words for commands in needing.values() for words in commands] + fine
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, json.dumps([*modules_of_extras()]), json.dumps(ran)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=180,
        check=True,
    )
    told = iter(ended.stderr.split("status "))
    before = next(told)
    for name, commands in needing.items():
        for words in commands:
            line, after = before.strip(), next(told)
            assert after[0] == "1", (words, line)
            assert f"'.[{name}]'" in line, words
            assert "is not installed (" in line, words
            page = "speed" if "onnxruntime" in line else "install"
            assert line.endswith(f"; see docs/{page}.md"), words
            assert line.count("\n") == 0, words
            before = after[1:]
    assert [after[0] for after in told] == ["0"] * len(fine)


def test_a_package_that_does_not_load_is_no_missing_one():
    told = r"^cv2 is installed, but does not load: libGL\.so\.1 is missing .*\[train\]"
    with pytest.raises(ExtraError, match=told), extra("train"):
        raise ImportError("libGL.so.1: cannot open shared object file", name="cv2")
    told = r"^cv2 is installed, but does not load \("
    with pytest.raises(ExtraError, match=told), extra("train"):
        raise ImportError("DLL load failed while importing cv2", name="cv2")


def unguarded(path: Path) -> Iterator[str]:
    """Yield imports of extras' modules outside of a `with extra(...)` that names the extra."""
    owners = modules_of_extras()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded: dict[ast.AST, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.With):
            call = node.items[0].context_expr
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "extra":
                guarded |= dict.fromkeys(node.body, ast.literal_eval(call.args[0]))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            guarded |= dict.fromkeys(node.body, "")
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        for name in names:
            owner = owners.get(name.split(".")[0])
            if owner and guarded.get(node) not in ("", owner):
                yield f"{path}: {name}"


def test_packages_of_extras_are_imported_where_their_extra_is_named():
    folders = ("core", "batch", "training", "plugin_resolve", "studio")
    paths = [path for name in folders for path in (ROOT / name).rglob("*.py")]
    assert [line for path in paths for line in unguarded(path)] == []
