"""Sources of a command's flags: the command line, a configuration file, a delivery."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..core.arguments import path
from ..core.errors import UsageError
from ..core.options import nearest

# What a delivery sets, under the flags' own names.
DELIVERIES: Mapping[str, Mapping[str, object]] = {
    "prores-master": {"codec": "prores", "container": "mov"},
    "h264-review": {"codec": "h264", "profile": "high", "container": "mp4", "crf": 20},
    "dnxhr-resolve": {"codec": "dnxhr", "container": "mov"},
}


class Flags:
    """The flags of a subcommand that a configuration file and deliveries can set as well.

    Args:
        parser: Parser that is given the flags, and ``--config`` and ``--delivery``.
    """

    def __init__(self, parser: argparse.ArgumentParser):
        self._group: argparse._ActionsContainer = parser
        self._parser = parser
        self._actions: dict[str, argparse.Action] = {}
        self._defaults: dict[str, object] = {}

    def group(self, title: str) -> None:
        """Show the flags that follow under a title."""
        self._group = self._parser.add_argument_group(title)

    def add(self, *names: str, default: object = None, **facts: Any) -> None:  # noqa: ANN401
        """Add a flag; the arguments are those of `ArgumentParser.add_argument`."""
        facts["help"] = facts["help"] % {"default": default}
        # Left out of the namespace unless given, so that "given" can be told from "default".
        action = self._group.add_argument(*names, default=argparse.SUPPRESS, **facts)
        self._actions[names[-1].removeprefix("--")] = action
        self._defaults[action.dest] = default

    def add_sources(self) -> None:
        """Add ``--config`` and ``--delivery``."""
        self.add(
            "--delivery",
            choices=tuple(DELIVERIES),
            help="Codec, quality and container for a purpose; other flags override it.",
        )
        self._group.add_argument(
            "--config",
            type=path,
            metavar="FILE",
            help="Read flags from a TOML file, whose keys are the flags' names without dashes.",
        )

    def settle(self, given: argparse.Namespace) -> argparse.Namespace:
        """Return every flag's value: as given, else the file's, the delivery's, or the default.

        Raises:
            UsageError: The file can't be read or parsed, or has a key or value that no flag has.
        """
        chosen = vars(given)
        file = {} if given.config is None else self._read(given.config)
        delivery = chosen.get("delivery", file.get("delivery"))
        preset = {} if delivery is None else self._values(DELIVERIES[delivery], None)
        return argparse.Namespace(**{**self._defaults, **preset, **file, **chosen})

    def arguments(self, settled: argparse.Namespace, *, but: Collection[str]) -> list[str]:
        """Return the arguments that give the settled values; those of defaults are left out.

        Args:
            settled: See `settle`.
            but: Names of flags that are left out.
        """
        words: list[str] = []
        for name, value in self.values(settled).items():
            if name in but or value == self._defaults[self._actions[name].dest]:
                continue
            if isinstance(value, bool):
                words.append(f"--{name}" if value else f"--no-{name}")
            else:
                words += [f"--{name}", str(value)]
        return words

    def values(self, settled: argparse.Namespace) -> dict[str, object]:
        """Return the settled values under the flags' names, in types that JSON has."""
        found = {name: getattr(settled, action.dest) for name, action in self._actions.items()}
        return {name: _plain(value) for name, value in found.items()}

    def _read(self, path: Path) -> dict[str, object]:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError.because(error, "can't be read", path=path) from error
        except (ValueError, RecursionError) as error:
            raise UsageError.because(
                error, "is not a valid TOML file", path=path, otherwise="a number is too long"
            ) from error
        return self._values(table, path)

    def _values(self, table: Mapping[str, object], path: Path | None) -> dict[str, object]:
        return {
            self._action(key, path).dest: _converted(key, value, self._actions[key], path)
            for key, value in table.items()
        }

    def _action(self, key: str, path: Path | None) -> argparse.Action:
        if key in self._actions:
            return self._actions[key]
        near = nearest(key, self._actions)
        hint = f"did you mean {near}?" if near else f"keys are {', '.join(self._actions)}"
        raise UsageError(f"unknown key {key}", path=path, hint=hint)


def _plain(value: object) -> object:
    if isinstance(value, range):
        return f"{value.start}-{value.stop - 1}"
    return str(value) if isinstance(value, Path) else value


def _converted(key: str, value: object, action: argparse.Action, path: Path | None) -> object:
    """Convert a value of the file as the command line converts text."""
    is_switch = action.nargs == 0
    if isinstance(value, bool) != is_switch or not isinstance(value, bool | int | float | str):
        wanted = "true or false" if is_switch else "text or a number"
        raise UsageError(f"{key} must be {wanted}, not {value!r}", path=path)
    if is_switch:
        return value
    try:
        made = action.type(str(value)) if callable(action.type) else str(value)
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise UsageError(f"{key} can't be {value!r}", path=path) from error
    if action.choices is not None and made not in action.choices:
        offered = ", ".join(map(str, action.choices))
        near = nearest(str(made), map(str, action.choices))
        hint = f"did you mean {near}?" if near else None
        raise UsageError(f"{key} must be one of {offered}, not {value!r}", path=path, hint=hint)
    return made
