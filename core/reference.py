"""The command's reference, made from its parsers: Markdown, manual page, completion in shells."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator

import shtab

from .arguments import every_parser, path

_EXIT_STATUS = {
    0: "All done.",
    1: "Some clips failed; each is named, with the reason.",
    2: "Wrong usage; nothing was started.",
    130: "Interrupted.",
}


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return a script that completes commands, flags, choices and file names.

    Args:
        parser: The command's.
        shell: One of `options.SHELLS`.
    """
    for one in every_parser(parser):
        for action in one._actions:
            if action.type is path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(parser, shell)


def markdown(parser: argparse.ArgumentParser) -> str:
    """Return a section for each command, with its flags in a table."""
    return "\n".join(_sections(parser))


def _sections(parser: argparse.ArgumentParser) -> Iterator[str]:
    for one in _shown(parser):
        yield f"## {one.prog}\n\n{_plain(one.description)}\n\n    {_usage(one)}\n"
        rows = [f"| `{name}` | {_cell(text)} |" for name, text in _arguments(one)]
        if rows:
            yield "\n".join(("| argument | meaning |", "| --- | --- |", *rows, ""))


def _cell(text: str) -> str:
    return re.sub(r"([|<>*_\\])", r"\\\1", text)


def manual(parser: argparse.ArgumentParser, version: str) -> str:
    """Return the manual page, for man(1).

    Args:
        parser: The command's.
        version: Shown at the foot of each page.
    """
    lines = [f'.TH BRUSHREEL 1 "" "brushreel {_roff(version)}" "User Commands"']
    lines += [".SH NAME", f"brushreel \\- {_roff(_lowered(parser.description))}"]
    lines += [".SH SYNOPSIS", ".B brushreel", ".I COMMAND", "[\\fIARGUMENTS\\fR]"]
    lines.append(".SH COMMANDS")
    for one in _shown(parser):
        lines += [f".SS {_roff(one.prog)}", _roff(_plain(one.description)), ".PP", ".nf"]
        lines += [_roff(_usage(one)), ".fi"]
        for name, text in _arguments(one):
            lines += [".TP", f"\\fB{_roff(name)}\\fR", _roff(text)]
    lines.append(".SH EXIT STATUS")
    for status, text in _EXIT_STATUS.items():
        lines += [".TP", str(status), text]
    return "\n".join(lines) + "\n"


def _lowered(description: str | None) -> str:
    text = _plain(description).rstrip(".")
    return text[:1].lower() + text[1:]


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _shown(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parsers that have a description, which people call, the command's own first."""
    return (one for one in every_parser(parser) if one.description)


def _plain(description: str | None) -> str:
    return " ".join((description or "").split())


def _usage(parser: argparse.ArgumentParser) -> str:
    return " ".join(parser.format_usage().removeprefix("usage: ").split())


def _arguments(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yield how each argument is written, and its help."""
    formatter = parser._get_formatter()
    expand: Callable[[argparse.Action], str] = formatter._expand_help
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        commands = isinstance(action, argparse._SubParsersAction)
        for one in action._choices_actions if commands else [action]:
            name = one.dest if commands else formatter._format_action_invocation(one)
            yield name, expand(one) if one.help else ""
