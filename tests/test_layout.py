"""The layout that docs/architecture.md describes: who imports whom, and under which name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import brushreel

ROOT = Path(brushreel.__file__).resolve().parent
FOLDERS = ("core", "batch", "training", "plugin_resolve", "studio")
SCRIPTS = Path("plugin_resolve/script/scripts")
"""A folder for Resolve's own Python, where its files are modules without a package."""
MODULES = sorted(path.relative_to(ROOT) for name in FOLDERS for path in (ROOT / name).rglob("*.py"))
MAY_IMPORT = {
    "core": ("core",),
    "batch": ("batch", "core"),
    "training": ("training", "core"),
    "plugin_resolve": ("plugin_resolve", "batch", "core"),
    "studio": ("studio", "batch", "training", "core"),
}
# Three rooms of one folder that know nothing of each other.
APART = ("plugin_resolve/ofx", "plugin_resolve/script", "plugin_resolve/timelines")


def imports(path: Path, tree: ast.Module) -> Iterator[Path]:
    """Yield what a module imports of this package, as paths from its root without a suffix."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                parts = name.split(".")
                if node.level:
                    yield path.parents[node.level - 1].joinpath(*parts)
                elif parts[0] == "brushreel":
                    yield Path(*parts[1:])
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == "brushreel":
                    yield Path(*parts[1:])


def imported(path: Path) -> set[Path]:
    return set(imports(path, ast.parse((ROOT / path).read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_run_downwards(path):
    folders = MAY_IMPORT[path.parts[0]]
    wrong = [name for name in imported(path) if not name.parts or name.parts[0] not in folders]
    assert wrong == []


@pytest.mark.parametrize("room", APART)
def test_rooms_of_the_plug_in_are_apart(room):
    others = [other for other in APART if other != room]
    for path in MODULES:
        if path.is_relative_to(room):
            wrong = [name for name in imported(path) if any(map(name.is_relative_to, others))]
            assert wrong == [], path


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_the_package_is_imported_by_relative_names(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    absolute = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    absolute += [
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level and node.module
    ]
    own = {"brushreel", "cli", "native", *FOLDERS}
    assert [name for name in absolute if name.split(".")[0] in own] == []


def test_imports_are_found():
    text = "from ..errors import A\nfrom . import b\nimport brushreel.core.c\nfrom os import path"
    found = {str(other) for other in imports(Path("core/clips/a.py"), ast.parse(text))}
    assert found == {"core/errors", "core/clips/b", "core/c"}


def test_packages_that_are_installed_are_all_there_are():
    """The list in pyproject.toml is written by hand."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = listed["tool"]["setuptools"]["packages"]
    found = {path.parent for path in MODULES if path.name == "__init__.py"}
    assert packages == sorted(packages)
    assert packages == sorted(".".join(("brushreel", *path.parts)) for path in (Path(), *found))


def test_every_module_lies_in_a_package():
    packages = {path.parent for path in MODULES if path.name == "__init__.py"}
    assert {path.parent for path in MODULES} == packages | {SCRIPTS}


def files_in_architecture() -> set[Path]:
    """Read the list of files in docs/architecture.md, where folders are given by indentation."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    files: set[Path] = set()
    folders: list[str] = []
    for line in text.split("```")[1].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split("  +", line.strip())[0].split(", ")
        if names[0].endswith("/"):
            folders = [*folders[:depth], names[0]]
        else:
            files |= {Path(*folders[:depth], name) for name in names}
    return files


def test_architecture_lists_every_module():
    listed = {path for path in files_in_architecture() if path.suffix == ".py"}
    modules = {path for path in MODULES if path.name != "__init__.py"}
    assert listed == modules | {Path("cli.py"), Path("native.py")}


IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
for name, module in sorted(sys.modules.items()):
    print(name, getattr(module, "__file__", None), sep="\\t")
"""


def own_modules(lines: list[str]) -> dict[Path, list[str]]:
    """Return the names under which each file of the package was loaded."""
    names: dict[Path, list[str]] = {}
    for name, file in (line.split("\t") for line in lines):
        if Path(file).is_absolute() and Path(file).resolve().is_relative_to(ROOT):
            names.setdefault(Path(file).resolve().relative_to(ROOT), []).append(name)
    return {
        path: found
        for path, found in names.items()
        if (path.parts[0] in FOLDERS or path.parent == Path()) and path.parent != SCRIPTS
    }


def test_no_module_is_loaded_under_two_names():
    """An error class that exists twice is not caught by its own name."""
    wanted = [
        ".".join(("brushreel", *path.with_suffix("").parts)).removesuffix(".__init__")
        for path in (*MODULES, Path("cli.py"), Path("__init__.py"))
        if "scripts" not in path.parts
    ]
    run = [sys.executable, "-c", IMPORT_ALL, *wanted]
    lines = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = own_modules(lines.splitlines())
    assert names
    assert sorted(name for found in names.values() for name in found) == sorted(wanted)


def test_no_module_is_loaded_under_two_names_by_the_tests():
    lines = [f"{name}\t{getattr(module, '__file__', None)}" for name, module in sys.modules.items()]
    names = own_modules(lines)
    assert names
    assert {path: found for path, found in names.items() if len(found) > 1} == {}
    assert all(found[0].split(".")[0] == "brushreel" for found in names.values())
