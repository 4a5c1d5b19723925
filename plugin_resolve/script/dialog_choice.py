"""What an editor chooses before shots are painted, and what was chosen the last time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from platformdirs import user_config_path

from ...core.atomic import atomic_write
from ...core.errors import UsageError
from ...core.options import EDIT_CODECS, EditCodec

Mode = Literal["track", "take", "copy"]
MOST_HANDLES = 240
MODES: dict[Mode, str] = {
    "track": "A new track above",
    "take": "A take of each clip",
    "copy": "A copy of the timeline",
}
CODECS: dict[EditCodec, str] = {"prores": "ProRes 422 HQ", "dnxhr": "DNxHR HQX"}


@dataclass(frozen=True)
class Choice:
    """What is to be done.

    Attributes:
        style: Of the library.
        strength: 0 to 1.
        keep_colors: Paint lightness only.
        extent: One of the offer's: "selection", "playhead", "track 2", "range 1".
        mode: Where styled shots go.
        codec: Of their files.
        handles: Frames painted before and after each shot, as far as there are any.

    Raises:
        UsageError: Something is out of range.
    """

    style: str = "wave"
    strength: float = 1.0
    keep_colors: bool = False
    extent: str = "selection"
    mode: Mode = "track"
    codec: EditCodec = "prores"
    handles: int = 12

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength must lie between 0 and 1, not {self.strength}")
        if not 0 <= self.handles <= MOST_HANDLES:
            raise UsageError(f"handles must be 0 to {MOST_HANDLES} frames, not {self.handles}")
        if self.mode not in get_args(Mode) or self.codec not in EDIT_CODECS:
            raise UsageError(f"there is no mode {self.mode!r} or codec {self.codec!r}")

    @classmethod
    def read(cls, fields: object) -> Self:
        """From what a window has sent, or a file.

        Raises:
            UsageError: A field is missing, unknown, of another type or out of range.
        """
        if not isinstance(fields, Mapping) or set(fields) != set(cls.__dataclass_fields__):
            raise UsageError("the choice is not complete")
        if any(not _fits(getattr(cls, name), value) for name, value in fields.items()):
            raise UsageError("the choice holds a value of the wrong kind")
        return cls(**fields)


def _fits(default: object, value: Any) -> bool:  # noqa: ANN401  it came from outside
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


def _file() -> Path:
    return user_config_path("brushreel", appauthor=False) / "resolve.json"


def last_choice() -> Choice:
    """What was chosen the last time; the usual if that is not known."""
    try:
        return Choice.read(json.loads(_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, UsageError):
        return Choice()


def remember(choice: Choice) -> None:
    """For the next time; not worth an error if it can't be written."""
    try:
        with atomic_write(_file()) as file:
            file.write(json.dumps(asdict(choice)).encode())
    except OSError:
        return
