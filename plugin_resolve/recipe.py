"""A recipe: how a shot is stylized, as stored on markers and written into names."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

from ..core.errors import UsageError
from ..core.frames.stroke_size import DETAIL, NATURAL, StrokeSize, check_stroke_size
from ..core.keys import key_digest
from ..core.library import load_style
from ..core.options import EDIT_CODECS, EditCodec

_WRITTEN = re.compile(r"\bstyle=")
_DECIMAL_COMMA = re.compile(r"(?<==[0-4]),(?=\d)")
_YES = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}


@dataclass(frozen=True)
class Recipe:
    """The settings with which a shot is stylized.

    Attributes:
        style: A name, a file or a blend, see `load_style`.
        strength: 0 (the source) to 1.
        keep_colors: Keep the source's colours.
        codec: "prores" is ProRes 422 HQ, 4444 where there is alpha; "dnxhr" is DNxHR HQX.
        stroke_size: Size of strokes as a share of the frame, see `Stylizer`.
        detail: Share of the source's finest detail that comes back, 0 to 1.

    Raises:
        UsageError: A value is out of range.
    """

    style: str
    strength: float = 1.0
    keep_colors: bool = False
    codec: EditCodec = "prores"
    stroke_size: StrokeSize = NATURAL
    detail: float = DETAIL

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength must be 0 to 1, not {self.strength}")
        if self.codec not in EDIT_CODECS:
            raise UsageError(f"codec must be {' or '.join(EDIT_CODECS)}, not {self.codec!r}")
        if not 0 <= self.detail <= 1:
            raise UsageError(f"detail must be 0 to 1, not {self.detail}")
        # 1 and 1.0 are one recipe with one digest.
        object.__setattr__(self, "stroke_size", check_stroke_size(self.stroke_size))
        object.__setattr__(self, "detail", float(self.detail))

    @cached_property
    def digest(self) -> str:
        """Fingerprint of the style's weights and all settings.

        Raises:
            StyleError: There is no such style.
        """
        return key_digest({**asdict(self), "style": self._style[1]}, size=8)

    @property
    def style_name(self) -> str:
        """Name of the style for files' names; raises `StyleError` where there is no such style."""
        return self._style[0]

    @cached_property
    def _style(self) -> tuple[str, str]:
        """Name and digest; a style's file is read and checked once for many shots."""
        style = load_style(self.style)
        return style.name, style.digest

    def to_json(self) -> str:
        """Return the recipe as one line, for a marker's custom data."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            UsageError: The text is not a valid recipe.
        """
        try:
            return cls._of(json.loads(text))
        except (ValueError, TypeError, RecursionError) as error:
            raise UsageError(f"{text!r} is not a valid recipe") from error

    @classmethod
    def parse(cls, text: str, *, codec: EditCodec = "prores") -> Self | None:
        """Read a recipe in a marker's or clip's name; return None where it names no style.

        It is written as ``style=wave strength=0.7 keep_colors=yes stroke_size=1.5 detail=0.3``.

        Raises:
            UsageError: A value is not valid.
        """
        match = _WRITTEN.search(text)
        if match is None:
            return None
        values: dict[str, Any] = {"codec": codec}
        for word in _words(text[match.start() :]):
            name, sign, value = word.partition("=")
            if not sign:
                break
            values[name.strip().replace("-", "_").replace("colours", "colors")] = _value(
                name, value
            )
        return cls._of(values)

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Self:
        try:
            return cls(**values)
        except TypeError as error:
            known = ", ".join(cls.__dataclass_fields__)
            raise UsageError(f"a recipe has {known}, not {', '.join(values)}") from error


def _words(text: str) -> list[str]:
    """Split a text into words as a shell does, so that a file's name may hold spaces.

    A single quote is a letter. A comma separates words too, except in strength=0,7.
    """
    text = _DECIMAL_COMMA.sub(".", text).replace(",", " ")
    try:
        return shlex.split(text.replace("\\", "\\\\"))
    except ValueError:
        return text.split()


def _value(name: str, text: str) -> str | float | bool:
    if name in ("strength", "detail"):
        try:
            return float(text)
        except ValueError:
            raise UsageError(f"{name} must be a number, not {text!r}") from None
    if name.startswith("keep"):
        if text.lower() not in _YES:
            raise UsageError(f"{name} must be yes or no, not {text!r}")
        return _YES[text.lower()]
    return text
