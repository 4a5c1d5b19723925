"""Layers of plugin_resolve: timeline files need no Resolve, and its API has one user."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import brushreel

ROOT = Path(brushreel.__file__).parent
PACKAGE = "brushreel.plugin_resolve"


def imports_of(path: Path) -> Iterator[str]:
    """Yield the full names of all modules that a file of the package imports, anywhere in it."""
    parent = ".".join(["brushreel", *path.relative_to(ROOT).parent.parts])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), parent)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def importers(prefix: str, folder: Path) -> set[str]:
    """Find the files below a folder that import a package or something in it."""
    return {
        str(path.relative_to(ROOT))
        for path in folder.rglob("*.py")
        if any(name == prefix or name.startswith(f"{prefix}.") for name in imports_of(path))
    }


def sources() -> Iterator[Path]:
    for name in ("core", "batch", "training", "plugin_resolve"):
        yield ROOT / name


def test_timelines_import_nothing_of_scripting():
    assert importers(f"{PACKAGE}.timelines", ROOT / "plugin_resolve" / "timelines")
    assert not importers(f"{PACKAGE}.script", ROOT / "plugin_resolve" / "timelines")


def test_timelines_load_nothing_of_scripting():
    code = (
        f"import sys, {PACKAGE}.timelines.styling; "
        f"sys.exit(any(name.startswith('{PACKAGE}.script') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_resolve_s_api_is_imported_by_scripting_alone():
    found = {
        name for folder in sources() for name in importers(f"{PACKAGE}.script.resolve", folder)
    }
    assert "plugin_resolve/script/survey.py" in found
    assert all(name.startswith("plugin_resolve/script/") for name in found)


def test_the_effect_imports_nothing_of_scripting():
    assert not importers(f"{PACKAGE}.script", ROOT / "plugin_resolve" / "ofx")
