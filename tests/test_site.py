"""The site's pages: all are in its menu, links among them lead somewhere, references are whole."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

import brushreel

from .docs_code import from_docs

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "docs"
    from_docs("make_site").pages(folder)
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


def test_without_npm_a_page_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    folder = tmp_path / "try"
    folder.mkdir()
    (folder / "try.js").touch()
    assert "npm" in from_docs("make_try").complete(folder, [])
    assert [path.name for path in folder.iterdir()] == ["index.html"]
    assert "npm" in (folder / "index.html").read_text(encoding="utf-8")


def test_packages_of_npm_are_pinned_exactly_and_name_no_registry():
    locked = (ROOT / "docs" / "try" / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(locked)["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
    wanted = packages[""]["dependencies"]
    assert set(wanted) == {"mediabunny", "onnxruntime-web"}
    assert all(re.fullmatch(r"[\d.]+", version) for version in wanted.values())
    assert '"resolved"' not in locked


def test_the_generator_is_pinned_exactly():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^docs = \["zensical==[\d.]+"\]$', project, re.MULTILINE)
    assert "plugins:" not in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
