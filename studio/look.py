"""A look, which is a style with its settings, and the networks of looks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from ..core.blend import parse_blend
from ..core.errors import StyleError, UsageError
from ..core.file_identity import file_identity
from ..core.frames.stroke_size import (
    DETAIL,
    NATURAL,
    StrokeSize,
    check_detail,
    check_stroke_size,
)
from ..core.library import style_paths
from ..core.stylizer import Stylizer, check_strength

_MOST_READY = 24


@dataclass(frozen=True)
class Look:
    """A style of the library, or a blend of some, with its settings.

    Attributes:
        style: Name or blend; no path, so that no file outside of the library is read.
        strength, keep_colors, stroke_size, detail: See `Stylizer`.

    Raises:
        UsageError: A value is out of range, or the style is none of the library's.
    """

    style: str
    strength: float = 1.0
    keep_colors: bool = False
    stroke_size: StrokeSize = NATURAL
    detail: float = DETAIL

    def __post_init__(self) -> None:
        check_strength(self.strength)
        check_detail(self.detail)
        object.__setattr__(self, "stroke_size", check_stroke_size(self.stroke_size))

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> Self:
        """Read a look from a query; what is missing has its default.

        Raises:
            UsageError: A field is missing or wrong.
        """
        try:
            return cls(
                fields["style"],
                strength=float(fields.get("strength", 1)),
                keep_colors=fields.get("keep_colors", "") == "1",
                stroke_size=check_stroke_size(fields.get("stroke_size", NATURAL)),
                detail=float(fields.get("detail", DETAIL)),
            )
        except KeyError as error:
            raise UsageError("no style is chosen") from error
        except ValueError as error:
            raise UsageError("strength and detail must be numbers") from error

    def flags(self) -> list[str]:
        """Return the flags of `brushreel stylize` that ask for it; defaults are left out."""
        words = ["--style", self.style]
        if self.strength != 1:
            words += ["--strength", f"{self.strength:g}"]
        if self.keep_colors:
            words += ["--keep-colors"]
        if self.stroke_size != NATURAL:
            size = self.stroke_size
            words += ["--stroke-size", size if isinstance(size, str) else f"{size:g}"]
        if self.detail != DETAIL:
            words += ["--detail", f"{self.detail:g}"]
        return words


class Stylizers:
    """Stylizers that are kept ready: a style's network is loaded once for all its settings.

    Args:
        device: Where networks run, see `Stylizer`.
    """

    def __init__(self, device: str = "auto"):
        self._device = device
        self._ready: OrderedDict[object, Stylizer] = OrderedDict()
        self._lock = threading.Lock()
        self.network = threading.Lock()
        """Held while a network runs: one frame at a time has all cores."""

    def __call__(self, look: Look) -> Stylizer:
        """Return the stylizer of a look.

        Raises:
            StyleError: The style was removed or is damaged.
        """
        paths = style_paths()
        names = [name for name, _ in parse_blend(look.style)]
        unknown = [name for name in names if name not in paths]
        if unknown:
            raise StyleError(
                f"the library has no style named {unknown[0]!r}", hint="choose another"
            )
        # A style that was trained anew under its name is another one.
        key = (look.style, *(file_identity(paths[name]) for name in names))
        with self._lock:
            if key not in self._ready:
                self._ready[key] = Stylizer(look.style, device=self._device)
                if len(self._ready) > _MOST_READY:
                    self._ready.popitem(last=False)
            self._ready.move_to_end(key)
            stylizer = self._ready[key]
        return stylizer.with_mixture(look.strength, keep_colors=look.keep_colors).with_strokes(
            look.stroke_size, look.detail
        )
