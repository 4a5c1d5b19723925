"""Builds the site from the documents, offline.

    python docs/make_site.py

copies docs/ to build/docs, adds the references of the command (from its parsers) and of the Python
package (from its docstrings), and lets Zensical make site/ of it.
"""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import make_try

import brushreel
from brushreel.cli import _parser
from brushreel.core.reference import markdown

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "build" / "docs"
_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$")
_ENTRY = re.compile(r"^    ([\w, *]+): (.*)$")
_LINE = 90
# The site has no page for a source file.
_TO_SOURCE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\.py\)")


def pages(folder: Path) -> None:
    """Write all pages, copied and generated, into a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for path in folder.rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        path.write_text(_TO_SOURCE.sub(r"`\1`", text), encoding="utf-8")
    reference = folder / "reference"
    reference.mkdir()
    command = f"# The command\n\n{markdown(_parser())}"
    (reference / "command.md").write_text(command, encoding="utf-8")
    (reference / "python.md").write_text("\n".join(python_reference()), encoding="utf-8")


def python_reference() -> Iterator[str]:
    """Yield lines of Markdown on every public name of the package."""
    yield "# The Python package\n"
    for name in brushreel.__all__:
        thing = getattr(brushreel, name)
        yield f"## {name}\n"
        yield from _documented(name, thing)
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            for member, value in vars(thing).items():
                function = value.__func__ if isinstance(value, classmethod) else value
                if not member.startswith("_") and inspect.isfunction(function):
                    yield f"### {name}.{member}\n"
                    yield from _documented(member, function)


def _documented(name: str, thing: object) -> Iterator[str]:
    if callable(thing):
        yield f"```python\n{_signature(name, inspect.signature(thing))}\n```\n"
    yield from _as_markdown(inspect.getdoc(thing) or "")


def _signature(name: str, signature: inspect.Signature) -> str:
    """Return a signature as it is called, a parameter a line where it is long."""
    whole = f"{name}{signature}"
    if len(whole) > _LINE:
        lines = [f"    {parameter},\n" for parameter in signature.parameters.values()]
        keyword = [p.kind is p.KEYWORD_ONLY for p in signature.parameters.values()]
        if True in keyword:
            lines.insert(keyword.index(True), "    *,\n")
        whole = f"{name}(\n{''.join(lines)})"
        if signature.return_annotation is not signature.empty:
            whole += f" -> {signature.return_annotation}"
    return re.sub(r"(: |-> )'(\w[^']*)'", r"\1\2", whole)


def _as_markdown(docstring: str) -> Iterator[str]:
    """Yield a docstring's lines, its arguments and errors as lists."""
    for line in docstring.splitlines():
        if section := _SECTION.match(line):
            yield f"**{section[1]}**\n"
        elif entry := _ENTRY.match(line):
            yield f"- `{entry[1]}`: {entry[2]}"
        else:
            yield line.strip()
    yield ""


def main() -> int:
    """Build the site; return the exit status."""
    pages(PAGES)
    if missing := make_try.complete(PAGES / "try", make_try.shipped()):
        print(f"Without the page that runs in the browser. {missing}")
    zensical = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    status = subprocess.run(zensical, cwd=ROOT, check=False).returncode
    if not status:
        reach_no_hidden_controls(ROOT / "site")
    return status


def reach_no_hidden_controls(site: Path) -> None:
    """Take the hidden inputs of the theme's colours out of the order of the tab key."""
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        fixed = text.replace('<input class="md-option"', '<input tabindex="-1" class="md-option"')
        path.write_text(fixed, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
