from __future__ import annotations

import ast
import importlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import brushreel


def names_for_type_checkers() -> set[str]:
    """Return the names that the `if TYPE_CHECKING` block of the package imports."""
    tree = ast.parse(Path(brushreel.__file__).read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [line for block in blocks for line in block.body if isinstance(line, ast.ImportFrom)]
    return {alias.name for line in imports for alias in line.names}


def test_names_are_sorted_once_each():
    assert brushreel.__all__ == sorted(set(brushreel.__all__))


def test_all_is_what_is_exported():
    assert set(brushreel.__all__) == set(brushreel._HOMES) == names_for_type_checkers()


@pytest.mark.parametrize("name", brushreel.__all__)
def test_name_is_the_object_of_its_home(name):
    home = importlib.import_module(brushreel._HOMES[name], "brushreel")
    assert getattr(brushreel, name) is getattr(home, name)
    assert getattr(brushreel, name).__doc__


def test_star_import_gives_exactly_these():
    space: dict[str, object] = {}
    exec("from brushreel import *", space)  # noqa: S102  the only way to try it
    assert set(brushreel.__all__) == space.keys() - {"__builtins__"}


def test_dir_has_them_before_they_are_used():
    code = "import brushreel; print(*dir(brushreel))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(brushreel.__all__) < set(ended.stdout.split())


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="'brushreel' has no attribute 'styleize'"):
        _ = brushreel.styleize


def test_version_is_the_distribution_s():
    assert brushreel.__version__ == importlib.metadata.version("brushreel")


@pytest.mark.parametrize("module", ["torch", "av", "cv2", "moviepy", "PIL", "ffmpeg"])
def test_import_is_light(module):
    code = f"import sys, brushreel; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
