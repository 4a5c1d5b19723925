"""The rule of CONTRIBUTING.md for the first word of a docstring, held over all source files.

A function's docstring opens with a verb in the imperative, a class's or module's with a noun. A
property and a fixture stand for a thing and may open with a noun; a script's module docstring is
what `--help` prints and may open with a verb; a test's docstring says what must hold.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import brushreel

ROOT = Path(brushreel.__file__).parent
FOLDERS = (
    "core",
    "batch",
    "training",
    "plugin_resolve",
    "studio",
    "benchmarks",
    "release",
    "tests",
)


def words(name: str) -> frozenset[str]:
    """Read a list of words from the folder `words`."""
    return frozenset((Path(__file__).parent / "words" / name).read_text(encoding="utf-8").split())


# Areas that do not follow the rule yet. An area is taken off when it does, and none is added.
PENDING: tuple[str, ...] = ()

# They open half a sentence, whose beginning the reader has to guess.
FORBIDDEN = words("forbidden.txt")

VERBS = words("verbs.txt")
# The same word is a noun as well, and in these forms it usually is.
NOUNS = words("nouns.txt")
DESCRIBED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source_files() -> list[Path]:
    """Return every Python file of the checkout, relative to its root."""
    found = [
        *ROOT.glob("*.py"),
        *(path for name in FOLDERS for path in (ROOT / name).rglob("*.py")),
    ]
    return sorted(path.relative_to(ROOT) for path in found)


def is_pending(path: Path) -> bool:
    return any(path.is_relative_to(area) for area in PENDING)


def is_script(module: ast.Module) -> bool:
    return any(
        isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) for node in module.body
    )


def stands_for_a_thing(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function is a property or a fixture."""
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    return any("property" in name or "fixture" in name for name in decorators)


def is_verb(word: str) -> bool:
    """Return whether a word is a verb and nothing else, in the imperative or the third person."""
    stems = {word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"}
    return word not in NOUNS and not stems.isdisjoint(VERBS)


def fault(node: ast.AST, word: str) -> str | None:
    """Return what is wrong with the first word of a docstring, or None."""
    if word in FORBIDDEN:
        return "opens half a sentence"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        free = stands_for_a_thing(node) or node.name.startswith("test_")
        return None if free or word in VERBS else "does not open with a verb in the imperative"
    if isinstance(node, ast.Module) and is_script(node):
        return None
    return "opens with a verb instead of a noun" if is_verb(word) else None


def faults(text: str) -> Iterator[str]:
    """Yield the faults of a file: line, first line of the docstring, and what is wrong with it."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, DESCRIBED) or not (docstring := ast.get_docstring(node)):
            continue
        wrong = fault(node, docstring.split()[0].strip("`'\",.:;()"))
        if wrong:
            yield f"{node.body[0].lineno}: {docstring.splitlines()[0]!r} {wrong}"


@pytest.mark.parametrize("path", [path for path in source_files() if not is_pending(path)], ids=str)
def test_docstrings_open_with_the_right_word(path):
    assert list(faults((ROOT / path).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("area", PENDING)
def test_pending_areas_are_not_clean_already(area):
    paths = [path for path in source_files() if path.is_relative_to(area)]
    assert any(list(faults((ROOT / path).read_text(encoding="utf-8"))) for path in paths)


@pytest.mark.parametrize(
    "text",
    [
        '"""What it does."""',
        '"""Read clips."""',
        'class A:\n    """Keeps frames."""',
        'def f():\n    """The frames."""',
        'def f():\n    """Returns the frames."""',
        'def f():\n    """Whether it is open."""',
        'async def f():\n    """(N, 3, H, W)."""',
        'class A:\n    @property\n    def f(self):\n        """Of the file."""',
    ],
)
def test_a_wrong_first_word_is_found(text):
    assert len(list(faults(text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        '"""Frames of a clip."""\ndef f():\n    """Return the frames."""',
        '"""Measure speed."""\nif __name__ == "__main__":\n    pass',
        'class A:\n    """A clip."""\n    @property\n    def f(self):\n        """Frames."""',
        'def test_frames():\n    """The second frame is the first one."""',
        "def f(): pass",
    ],
)
def test_a_right_first_word_passes(text):
    assert list(faults(text)) == []
