"""Documents: their links lead somewhere, their commands parse, the tests that they name exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from brushreel.cli import _parser

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
# Where words stand for what a reader fills in.
_BLANK = re.compile(r"\.\.\.|…|\[|\bKIND\b|<")


def anchors(path: Path) -> set[str]:
    """Return the names of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def commands(path: Path) -> Iterator[str]:
    """Yield the lines of a document's code blocks that call the command, continued ones whole."""
    fenced, held = False, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    ") or held:
            text = held + line.strip().removeprefix("$ ")
            held = text[:-1] if text.endswith("\\") else ""
            if text.startswith("brushreel ") and not held:
                yield text.partition(" #")[0]


def test_the_documents_are_found():
    assert {"README.md", "batch.md", "torture.md"} <= {path.name for path in DOCUMENTS}
    assert sum(len(list(commands(path))) for path in DOCUMENTS) > 40


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for link in _LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_parse(path, capsys):
    for command in commands(path):
        if _BLANK.search(command):
            continue
        words = shlex.split(re.split(r" [|>&]", command)[0])[1:]
        try:
            _parser().parse_args(words)
        except SystemExit as end:
            assert end.code in (0, None), f"{command}: {capsys.readouterr().err}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_that_are_named_exist(path):
    for file, name in _TEST.findall(path.read_text(encoding="utf-8")):
        code = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert f"def {name}(" in code, f"{file}::{name}"
