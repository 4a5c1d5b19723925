"""The help of every subcommand: each option explained by a sentence, with its default."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from brushreel.cli import _parser
from brushreel.core.arguments import every_parser

# What a script starts, not a person.
INTERNAL = {"brushreel resolve run"}
PARSERS = {parser.prog: parser for parser in every_parser(_parser())}
COMMANDS = sorted(PARSERS.keys() - {"brushreel"} - INTERNAL)


def described(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, object]]:
    """Yield each argument's name, help as it is printed, and default."""
    flags = parser.get_default("flags")
    defaults = {} if flags is None else flags._defaults
    formatter = parser._get_formatter()
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        name = "/".join(action.option_strings) or action.dest
        assert action.help, f"{parser.prog} {name} has no help"
        yield name, formatter._expand_help(action), defaults.get(action.dest, action.default)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_argument_is_a_sentence(command):
    for name, text, _ in described(PARSERS[command]):
        assert text[0].isupper(), f"{name}: {text}"
        assert text.endswith("."), f"{name}: {text}"
        assert "  " not in text, f"{name}: {text}"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_argument_has_its_default(command):
    for name, text, default in described(PARSERS[command]):
        if default not in (None, False, True, argparse.SUPPRESS) and default != []:
            shown = f"{default:g}" if isinstance(default, float) else str(default)
            assert f"Default: {shown}" in text, f"{name}: {text}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command, capsys):
    with pytest.raises(SystemExit) as ended:
        _parser().parse_args([*command.split()[1:], "--help"])
    assert ended.value.code == 0
    description = PARSERS[command].description
    assert description
    assert description[0].isupper()
    assert description.endswith(".")
    assert description in " ".join(capsys.readouterr().out.split())
