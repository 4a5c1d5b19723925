"""The editor's choice in the dialog, remembered for the next time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

from ...core.atomic import atomic_write
from ...core.errors import UsageError
from ...core.frames.stroke_size import DETAIL, LEAST, MOST, NATURAL
from ...core.options import EDIT_CODECS, EditCodec
from ...core.user_folders import config_folder

Mode = Literal["track", "take", "copy"]
MOST_HANDLES = 240
MODES: dict[Mode, str] = {
    "track": "A new track above",
    "take": "A take of each clip",
    "copy": "A copy of the timeline",
}
CODECS: dict[EditCodec, str] = {"prores": "ProRes 422 HQ", "dnxhr": "DNxHR HQX"}


@dataclass(frozen=True)
class Look:
    """The settings that previews of the styles show.

    Attributes:
        stroke_size: See `Choice`.
        detail: See `Choice`.
        first: The chosen style, whose preview is made first.

    Raises:
        UsageError: Something is out of range.
    """

    stroke_size: float = NATURAL
    detail: float = DETAIL
    first: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not LEAST <= self.stroke_size <= MOST:
            raise UsageError(f"stroke size must be {LEAST:g} to {MOST:g}, not {self.stroke_size}")
        if not 0 <= self.detail <= 1:
            raise UsageError(f"detail must be 0 to 1, not {self.detail}")

    @classmethod
    def read(cls, fields: object) -> Self:
        """Read a look from the fields that the page has sent.

        Raises:
            UsageError: A field is missing, unknown, of another type or out of range.
        """
        return cls(**_checked(fields, cls, "look"))


@dataclass(frozen=True)
class Choice:
    """The settings of a job, as chosen in the dialog.

    Attributes:
        style: Name of a style in the library.
        strength: 0 (the source) to 1.
        keep_colors: Keep the source's colours and stylize lightness only.
        extent: What is stylized: "selection", "playhead", "track 2", "range 1".
        mode: Where stylized shots are put.
        codec: Codec of the stylized files.
        handles: Extra frames before and after each shot, as far as the clip has them.
        stroke_size: Size of strokes as a share of the frame, 0.25 to 4; see `Stylizer`.
        detail: Share of the source's finest detail that comes back, 0 to 1.

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
    stroke_size: float = NATURAL
    detail: float = DETAIL

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength must be 0 to 1, not {self.strength}")
        if not 0 <= self.handles <= MOST_HANDLES:
            raise UsageError(f"handles must be 0 to {MOST_HANDLES} frames, not {self.handles}")
        if self.mode not in get_args(Mode) or self.codec not in EDIT_CODECS:
            raise UsageError(f"there is no mode {self.mode!r} or codec {self.codec!r}")
        _ = self.look

    @property
    def look(self) -> Look:
        """The settings that previews show."""
        return Look(self.stroke_size, self.detail, self.style)

    @classmethod
    def read(cls, fields: object) -> Self:
        """Read a choice from the fields that a window has sent or that were stored.

        Raises:
            UsageError: A field is missing, unknown, of another type or out of range.
        """
        return cls(**_checked(fields, cls, "choice"))


def _checked(fields: object, wanted: type[Look | Choice], what: str) -> dict[str, Any]:
    """Return fields that a dataclass can be made of; raises as `Choice.read`."""
    if not isinstance(fields, Mapping) or set(fields) != set(wanted.__dataclass_fields__):
        raise UsageError(f"the {what} lacks a field or has an unknown one")
    if any(not _fits(getattr(wanted, name), value) for name, value in fields.items()):
        raise UsageError(f"the {what} has a value of the wrong type")
    return dict(fields)


def _fits(default: object, value: Any) -> bool:  # noqa: ANN401  it came from outside
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


def _file() -> Path:
    return config_folder() / "resolve.json"


def last_choice() -> Choice:
    """Return the stored choice; the defaults if there is none."""
    try:
        stored = json.loads(_file().read_text(encoding="utf-8"))
        # An earlier version stored fewer fields.
        return Choice.read(asdict(Choice()) | stored)
    except (OSError, TypeError, ValueError, UsageError):
        return Choice()


def remember(choice: Choice) -> None:
    """Store a choice for the next time; ignore errors of writing."""
    try:
        with atomic_write(_file()) as file:
            file.write(json.dumps(asdict(choice)).encode())
    except OSError:
        return
