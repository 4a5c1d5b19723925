"""The script inside Resolve: under every Python that is there, against a child that asks it."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from brushreel.plugin_resolve.script.install import CONFIG, SCRIPTS

LUA = shutil.which("lua") or shutil.which("lua5.1")
MODULES = sorted(SCRIPTS.glob("*.py"))
# Speaks as Brushreel does: asks for names, calls with arguments and objects, says, ends.
CHILD = """
import json, os, sys
def tell(**message):
    print(json.dumps(message)); sys.stdout.flush()
def ask(**message):
    tell(id=1, **message)
    return json.loads(sys.stdin.readline())
hello = json.loads(sys.stdin.readline())
foreign = [name for name in ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ]
names = ask(do="names", object=0)["value"]
made = ask(do="call", object=0, method="Make", arguments=[{"pairs": [["a", 1]]}])["value"]
same = ask(do="call", object=0, method="Same", arguments=[made, [made]])["value"]
wrong = ask(do="call", object=0, method="Wrong", arguments=[])
hidden = ask(do="call", object=0, method="__init__", arguments=[])
markers = ask(do="call", object=0, method="GetMarkers", arguments=[])["value"]
tell(do="say", text=json.dumps([hello["window"], foreign, "Make" in names, made, same]))
tell(do="say", text=json.dumps([wrong["error"], "error" in hidden, markers]))
tell(do="end")
"""
# What Resolve hands to a script, and the script itself run as Resolve runs it: without a name.
HOST = """
import sys
class Thing(object):
    pass
class Api(object):
    def GetProductName(self): return sys.argv[2]
    def Make(self, part):
        assert part == {"a": 1}
        self.made = Thing()
        return self.made
    def Same(self, one, others): return one is self.made and others == [self.made]
    def Wrong(self): raise ValueError("no")
    def GetMarkers(self): return {96.0: {"customData": "x"}}
class Part(object):
    UIManager = UIDispatcher = None
given = {"__name__": "__main__", "resolve": Api(), "fusion": Part(), "bmd": Part()}
given["fusion"].UIManager = Part()
with open(sys.argv[1]) as file:
    source = file.read()
exec(compile(source, sys.argv[1], "exec"), given)
"""


def interpreters() -> list[str]:
    """Find Pythons from 3.6 on: those of pyenv and those on the path."""
    root = Path(os.environ.get("PYENV_ROOT", "/root/.pyenv")) / "versions"
    found = {path.parents[1].name: str(path) for path in root.glob("3.*/bin/python")}
    for minor in range(6, 15):
        path = shutil.which(f"python3.{minor}")
        if path and not any(name.startswith(f"3.{minor}.") for name in found):
            found[f"3.{minor}"] = path
    return list(found.values()) or [sys.executable]


def install_at(folder: Path, child: str) -> Path:
    """Run the launcher with settings that start a small program."""
    program = folder / "child.py"
    program.write_text(child, encoding="utf-8")
    shutil.copy(SCRIPTS / "Brushreel.py", folder)
    settings = {
        "python": sys.executable,
        "arguments": [str(program)],
        "scripts": str(SCRIPTS),
        "log": str(folder / "log" / "resolve.log"),
    }
    (folder / CONFIG).write_text(json.dumps(settings), encoding="utf-8")
    return folder / "Brushreel.py"


def start(
    python: str, script: Path, folder: Path, product: str = "DaVinci Resolve"
) -> subprocess.CompletedProcess[str]:
    host = folder / "host.py"
    host.write_text(HOST, encoding="utf-8")
    foreign = {"PYTHONPATH": str(folder), "LD_LIBRARY_PATH": "/nowhere"}
    return subprocess.run(
        [python, "-B", str(host), str(script), product],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **foreign},
        check=False,
    )


@pytest.mark.parametrize("product", ["DaVinci Resolve", "DaVinci Resolve Studio"])
@pytest.mark.parametrize("python", interpreters(), ids=lambda path: Path(path).parts[-3])
def test_script_serves_its_child(python, product, tmp_path):
    ended = start(python, install_at(tmp_path, CHILD), tmp_path, product)
    assert (ended.returncode, ended.stderr) == (0, "")
    first, second = (json.loads(line.split(": ", 1)[1]) for line in ended.stdout.splitlines())
    has_window = product.endswith("Studio")
    assert first == [has_window, [], True, {"object": 1}, True]
    assert second == ["ValueError: no", True, {"pairs": [[96.0, {"pairs": [["customData", "x"]]}]]}]


def test_child_that_dies_is_told_with_its_log(tmp_path):
    script = install_at(tmp_path, "import sys; sys.stderr.write('why'); sys.exit(3)")
    ended = start(sys.executable, script, tmp_path)
    assert "ended unexpectedly" in ended.stdout
    log = ended.stdout.strip().rsplit(" ", 1)[1]
    assert Path(log).read_text(encoding="utf-8") == "why"


def test_child_that_babbles_ends_the_talk(tmp_path):
    ended = start(sys.executable, install_at(tmp_path, "print('Welcome')"), tmp_path)
    assert ended.returncode == 0
    assert "ended unexpectedly" in ended.stdout


@pytest.mark.parametrize("lost", ["python", "scripts"])
def test_moved_program_says_what_to_do(tmp_path, lost):
    script = install_at(tmp_path, CHILD)
    settings = json.loads((tmp_path / CONFIG).read_text(encoding="utf-8"))
    (tmp_path / CONFIG).write_text(json.dumps({**settings, lost: "/nowhere"}), encoding="utf-8")
    ended = start(sys.executable, script, tmp_path)
    assert ended.returncode == 0
    assert "brushreel resolve install" in ended.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_only_the_standard_library_is_imported(path):
    own = {module.stem for module in MODULES}
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))
    named = {
        (alias.name if isinstance(node, ast.Import) else node.module or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert named <= own | set(sys.stdlib_module_names)


@pytest.mark.skipif(LUA is None, reason="needs Lua")
@pytest.mark.parametrize(
    ("product", "version", "road"),
    [
        ("DaVinci Resolve Studio", "21.1.0", "the other entry"),
        ("DaVinci Resolve", "21.0.3", "the other entry"),
        ("DaVinci Resolve", "21.1.0", "brushreel timeline"),
    ],
)
def test_canary_names_the_road(tmp_path, product, version, road):
    host = tmp_path / "host.lua"
    host.write_text(
        f"""resolve = {{}}
        function resolve:GetProductName() return "{product}" end
        function resolve:GetVersionString() return "{version}" end
        dofile("{SCRIPTS / "Brushreel.lua"}")""",
        encoding="utf-8",
    )
    said = subprocess.run([str(LUA), str(host)], capture_output=True, text=True, check=True).stdout
    assert re.search(re.escape(road), said)
