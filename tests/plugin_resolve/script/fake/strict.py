"""Objects that know the documented methods alone, with the documented number of arguments."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Any, get_type_hints

_FILE = Path(__file__).with_name("methods.json")


def _table() -> dict[str, dict[str, range]]:
    """Read the methods of each class and their numbers of arguments (names: README, July 2026)."""
    table: dict[str, dict[str, range]] = {}
    for kind, groups in json.loads(_FILE.read_text(encoding="utf-8")).items():
        table[kind] = {}
        for arity, names in groups.items():
            least, most = map(int, arity.split("-"))
            table[kind] |= dict.fromkeys(names.split(), range(least, most + 1))
    return table


METHODS = _table()


class Strict:
    """An object of the API. What a method does is done by `acting`, under its snake-case name.

    Another name is an AttributeError, unless names that do not exist are to be there as None
    (`answers_all`); another number or type of arguments is a TypeError.
    """

    def __init__(
        self,
        kind: str,
        acting: Any,
        *,
        missing: frozenset[str] = frozenset(),
        answers_all: bool = False,
        frozen: Callable[[], bool] = lambda: False,
    ):
        self._kind, self._acting = kind, acting
        self._missing, self._answers_all, self._frozen = missing, answers_all, frozen

    def __dir__(self) -> list[str]:
        return [name for name in METHODS[self._kind] if name not in self._missing]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._missing or name not in METHODS[self._kind]:
            if self._answers_all:
                return None
            raise AttributeError(f"{self._kind} has no {name}")
        return lambda *arguments: self._call(name, arguments)

    def _call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if len(arguments) not in METHODS[self._kind][name]:
            raise TypeError(f"{self._kind}.{name} does not take {len(arguments)} arguments")
        act = getattr(self._acting, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), None)
        if act is None:
            raise NotImplementedError(f"the double does not act {self._kind}.{name}")
        _check_types(f"{self._kind}.{name}", act, arguments)
        return None if self._frozen() else act(*arguments)


def _check_types(name: str, act: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    hints = get_type_hints(act)
    for parameter, value in zip(
        inspect.signature(act).parameters.values(), arguments, strict=False
    ):
        wanted = hints.get(parameter.name, Any)
        if isinstance(wanted, UnionType):
            wanted = wanted.__args__[0]
        if wanted is Any or type(value) is wanted or (wanted is float and type(value) is int):
            continue
        raise TypeError(f"{name}: {parameter.name} is {value!r}, not {wanted.__name__}")
