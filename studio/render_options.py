"""The options of `brushreel stylize` as the page offers them; their one source is the command."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from ..batch.config import DELIVERIES
from ..batch.flags import add_stylize
from ..core.errors import UsageError

# Chosen elsewhere on the page, or of no use there.
_LEFT_OUT = frozenset(
    (
        *("--style", "--strength", "--keep-colors", "--stroke-size", "--detail", "--output"),
        *("--dry-run", "--recursive", "--jobs", "--fail-fast", "--log", "--report", "--json"),
        *("--config", "--delivery", "--help", "--resume"),
    )
)
_LONGEST = 200


def groups() -> list[dict[str, Any]]:
    """Return the options by group: flag, help, choices, and whether it is a switch."""
    found = [
        {"title": title, "options": [_about(flag, action) for flag, action in options]}
        for title, options in _options()
    ]
    return [group for group in found if group["options"]]


def deliveries() -> list[str]:
    """Return the names of the deliveries."""
    return list(DELIVERIES)


def words(chosen: Mapping[str, object]) -> list[str]:
    """Return the flags of what is chosen, each with its value as one word.

    Args:
        chosen: Values by flag: a text, or True for a switch.

    Raises:
        UsageError: A flag is none of those that are offered, or a value is no text.
    """
    known = {flag: action for _, options in _options() for flag, action in options}
    known["--delivery"] = argparse.Action(["--delivery"], "delivery")
    made = []
    for flag, value in chosen.items():
        if flag not in known:
            raise UsageError(f"there is no option {flag}")
        if _is_switch(known[flag]):
            made += [flag] if value is True else []
        elif not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
            raise UsageError(f"{flag} has no value that can be used")
        elif value:
            made.append(f"{flag}={value}")
    return made


def _options() -> Iterator[tuple[str, list[tuple[str, argparse.Action]]]]:
    parser = argparse.ArgumentParser()
    add_stylize(parser)
    for group in parser._action_groups:
        flags = [(_flag(action), action) for action in group._group_actions]
        yield group.title or "", [pair for pair in flags if pair[0] and pair[0] not in _LEFT_OUT]


def _flag(action: argparse.Action) -> str:
    return next((name for name in action.option_strings if name.startswith("--")), "")


def _is_switch(action: argparse.Action) -> bool:
    return isinstance(action, argparse.BooleanOptionalAction)


def _about(flag: str, action: argparse.Action) -> dict[str, Any]:
    return {
        "flag": flag,
        "help": action.help,
        "choices": None if action.choices is None else list(action.choices),
        "switch": _is_switch(action),
    }
