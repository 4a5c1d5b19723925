"""The site's pages: all are in its menu, links among them lead somewhere, references are whole."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest

import brushreel

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def make_site() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_site", ROOT / "docs" / "make_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(make_site, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "docs"
    make_site.pages(folder)
    return folder


def test_every_page_is_in_the_menu_and_the_menu_has_no_other(pages):
    menu = re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    written = {path.relative_to(pages).as_posix() for path in pages.rglob("*.md")}
    assert sorted(menu) == sorted(written)


def test_pages_link_to_pages_alone(pages):
    for path in pages.rglob("*.md"):
        for link in re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", path.read_text(encoding="utf-8")):
            if "://" not in link:
                target = (path.parent / unquote(link)).resolve()
                assert target.is_relative_to(pages.resolve()), (path.name, link)
                assert target.exists(), (path.name, link)


def test_the_reference_of_python_has_every_public_name(pages):
    text = (pages / "reference" / "python.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == brushreel.__all__
    assert "- `strength`: " in text
    assert "### Style.load" in text
    assert "    verify: VerifyLevel = 'standard',\n" in text


def test_the_reference_of_the_command_has_its_commands(pages):
    text = (pages / "reference" / "command.md").read_text(encoding="utf-8")
    assert {"brushreel stylize", "brushreel styles remove"} <= {
        *re.findall(r"^## (.+)$", text, re.MULTILINE)
    }


def test_the_generator_is_pinned_exactly():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^docs = \["zensical==[\d.]+"\]$', project, re.MULTILINE)
    assert "plugins:" not in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
