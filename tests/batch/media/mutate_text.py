"""Damage to timeline files that leaves them readable: odd values, lost and moved parts."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable

import numpy as np

from .mutate import Change

_VALUES = (
    *("", "0", "-1", "1", "2.5", "29.97", "1/0s", "0/1s", "-7/25s", "1/25", "99999999999999999999"),
    *("NaN", "Infinity", "-Infinity", "1e400", "1e-400", "null", "true", "[]", "{}", '"', "'"),
    *(
        "TRUE",
        "FALSE",
        "DF",
        "none",
        "x" * 5000,
        "\x00",
        "\x1b[31m",
        "é",
        "\ud7ff",
        "\u202e",
        "%s",
        "%d",
    ),
    *(
        "/",
        ".",
        "..",
        "~",
        "file:///",
        "file://[",
        "http://a/b",
        "file://localhost/%zz",
        "C:\\a\\b",
    ),
    *("&amp;", "&#0;", "&x;", "<a>", "</a>", "<!--", "]]>", "-2147483649", "9223372036854775808"),
    *("00:00:00:00", "99:99:99:99", "01:00:00;02", "style=wave strength=9", "style=nobody", "r1"),
)
_NUMBERS = (0, -1, 1, 0.5, 23.976, 1e9, -1e18, 1e300, "nan", "inf")
_TOKEN = re.compile(r"-?\d+(?:\.\d+)?(?:/\d+s)?|[A-Za-z_][\w.:-]*")
_QUOTED = re.compile(r'(?<=")[^"<>]*(?=")|(?<=>)[^<>]+(?=<)')
_PART = re.compile(r"<(\w[\w-]*)[^<>]*?(?:/>|>[^<>]*</\1>)|\{[^{}]*\}|\[[^\[\]]*\]|[^\n]+\n")
# A tree that is deeper than any parser's stack.
_DEEP = 20_000


def _text(change: Callable[[str, np.random.Generator], str]) -> Change:
    def changed(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        text = content.tobytes().decode()
        new = change(text, rng).encode(errors="surrogatepass")
        return np.frombuffer(new, np.uint8)

    changed.__name__ = change.__name__
    return changed


def _spans(pattern: re.Pattern[str], text: str, rng: np.random.Generator, count: int) -> list:
    spans = [match.span() for match in pattern.finditer(text)]
    chosen = rng.choice(len(spans), min(count, len(spans)), replace=False) if spans else []
    # From the end, so that places stay right.
    return sorted((spans[int(index)] for index in chosen), reverse=True)


def _odd(rng: np.random.Generator) -> str:
    return _VALUES[rng.integers(len(_VALUES))]


def _replaced(pattern: re.Pattern[str], text: str, rng: np.random.Generator) -> str:
    for start, end in _spans(pattern, text, rng, int(rng.integers(1, 4))):
        text = text[:start] + _odd(rng) + text[end:]
    return text


def _word(text: str, rng: np.random.Generator) -> str:
    """Replace words, numbers, names of tags and keys."""
    return _replaced(_TOKEN, text, rng)


def _value(text: str, rng: np.random.Generator) -> str:
    """Replace whole values between quotes or tags."""
    return _replaced(_QUOTED, text, rng)


def _number(text: str, rng: np.random.Generator) -> str:
    """Change numbers by a little or a lot."""
    for start, end in _spans(re.compile(r"\d+"), text, rng, int(rng.integers(1, 6))):
        new = int(text[start:end]) * int(rng.choice([-1, 0, 1, 2, 1000])) + int(rng.integers(-2, 3))
        text = f"{text[:start]}{new}{text[end:]}"
    return text


def _part_lost(text: str, rng: np.random.Generator) -> str:
    """Remove elements, objects, lists or lines."""
    for start, end in _spans(_PART, text, rng, int(rng.integers(1, 4))):
        text = text[:start] + text[end:]
    return text


def _part_twice(text: str, rng: np.random.Generator) -> str:
    """Repeat an element, object, list or line."""
    for start, end in _spans(_PART, text, rng, 1):
        text = text[:end] + text[start:end] * int(rng.integers(1, 40)) + text[end:]
    return text


def _part_moved(text: str, rng: np.random.Generator) -> str:
    """Put an element, object, list or line in another's place."""
    spans = _spans(_PART, text, rng, 2)
    if len(spans) == 2 and spans[0][0] >= spans[1][1]:
        (start, end), (first, last) = spans
        text = text[:start] + text[first:last] + text[end:]
    return text


def _node(text: str, rng: np.random.Generator) -> str:
    """Replace, remove or move values of JSON, so that it stays JSON; else see `_value`."""
    if not text.startswith("{"):
        return _value(text, rng)
    whole = json.loads(text)
    places = [(whole, key) for key in whole]
    for parent, key in places:
        inner = parent[key]
        if isinstance(inner, dict | list):
            keys = inner if isinstance(inner, dict) else range(len(inner))
            places += [(inner, one) for one in keys]
    for index in rng.integers(0, len(places), rng.integers(1, 4)):
        parent, key = places[index]
        other, its = places[rng.integers(len(places))]
        odd = [_odd(rng), float(_NUMBERS[rng.integers(len(_NUMBERS))]), None, [], {}]
        parent[key] = [*odd, copy.deepcopy(other[its]), *odd[:2]][rng.integers(8)]
    return json.dumps(whole, indent=1)


def _deep(text: str, rng: np.random.Generator) -> str:
    """Insert thousands of elements or lists."""
    opening, closing = [("<a>", "</a>"), ("[", "]"), ('{"a":', "}")][rng.integers(3)]
    for start, end in _spans(_PART, text, rng, 1):
        text = f"{text[:start]}{opening * _DEEP}{text[start:end]}{closing * _DEEP}{text[end:]}"
    return text


def _encoded(text: str, rng: np.random.Generator) -> str:
    """Put a byte order mark, other line ends or a stated encoding."""
    return [
        "\ufeff" + text,
        text.replace("\n", "\r\n"),
        text.replace("\n", "\r"),
        text.replace("UTF-8", "UTF-16"),
        text.replace("UTF-8", "no-such-thing"),
        "\n" + text,
    ][rng.integers(6)]


TEXT_CHANGES = tuple(
    map(
        _text,
        (
            *(_word, _value, _number, _part_lost, _part_twice, _part_moved, _word, _value),
            *(_number, _deep, _encoded, _node, _node),
        ),
    )
)
"""Damage that leaves most of a text readable, most of it to values."""
