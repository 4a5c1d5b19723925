"""The options of a command as the page offers them; their one source is the command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ..batch.config import DELIVERIES
from ..batch.flags import add_stylize, add_watch
from ..core.errors import UsageError
from ..training.command import add_train

# Chosen elsewhere on the page, or of no use there; files that they name are none of the page's.
_CLIPS = frozenset(
    (
        *("--style", "--strength", "--keep-colors", "--stroke-size", "--detail", "--output"),
        *("--dry-run", "--recursive", "--jobs", "--fail-fast", "--log", "--report", "--json"),
        *("--config", "--delivery", "--help", "--resume", "--once"),
    )
)
_TRAINING = frozenset(
    (
        *("--clips", "--name", "--from", "--style-scale", "--style-weight", "--minutes"),
        *("--iterations", "--loss-weights", "--resume", "--json", "--help"),
        *("--title", "--artist", "--year", "--licence"),
    )
)
_LONGEST = 200
_SWITCHES = (argparse.BooleanOptionalAction, argparse._StoreTrueAction)


class CommandOptions:
    """Options of one command.

    Args:
        add: Adds them to a parser.
        left_out: Flags that are not offered.
        others: Flags that are offered elsewhere on the page, and accepted.
    """

    def __init__(
        self,
        add: Callable[[argparse.ArgumentParser], None],
        left_out: Collection[str],
        others: Collection[str] = (),
    ):
        parser = argparse.ArgumentParser(add_help=False)
        add(parser)
        self._groups = list(_groups(parser, left_out))
        offered = [pair for _, options in self._groups for pair in options]
        found = [(flag, action) for flag, action in _flags(parser._actions) if flag in others]
        self._known = dict([*offered, *found])

    def groups(self) -> list[dict[str, Any]]:
        """Return the options by group: flag, help, choices, and whether it is a switch."""
        return [
            {"title": title, "options": [_about(flag, action) for flag, action in options]}
            for title, options in self._groups
        ]

    def words(self, chosen: Mapping[str, object]) -> list[str]:
        """Return the flags of what is chosen, each with its value as one word.

        Args:
            chosen: Values by flag: a text, or True for a switch.

        Raises:
            UsageError: A flag is none of those that are offered, or a value is no text.
        """
        made = []
        for flag, value in chosen.items():
            if flag not in self._known:
                raise UsageError(f"there is no option {flag}")
            if isinstance(self._known[flag], _SWITCHES):
                made += [flag] if value is True else []
            elif not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
                raise UsageError(f"{flag} has no value that can be used")
            elif value:
                made.append(f"{flag}={value}")
        return made


def deliveries() -> list[str]:
    """Return the names of the deliveries."""
    return list(DELIVERIES)


def _groups(
    parser: argparse.ArgumentParser, left_out: Collection[str]
) -> Iterator[tuple[str, list[tuple[str, argparse.Action]]]]:
    for group in parser._action_groups:
        pairs = [pair for pair in _flags(group._group_actions) if pair[0] not in left_out]
        if pairs:
            yield group.title or "", pairs


def _flags(actions: list[argparse.Action]) -> Iterator[tuple[str, argparse.Action]]:
    for action in actions:
        for name in action.option_strings:
            if name.startswith("--"):
                yield name, action
                break


def _about(flag: str, action: argparse.Action) -> dict[str, Any]:
    text = action.help or ""
    return {
        "flag": flag,
        "help": text % vars(action) if "%(" in text else text,
        "choices": None if action.choices is None else list(action.choices),
        "switch": isinstance(action, _SWITCHES),
    }


STYLIZE = CommandOptions(add_stylize, _CLIPS, ["--delivery"])
WATCH = CommandOptions(add_watch, _CLIPS, ["--delivery"])
TRAIN = CommandOptions(add_train, _TRAINING)
