"""What a marker says of a styled shot, so that a later run knows it again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self

from .resolve.timeline import Item

_FORMAT = 1


@dataclass(frozen=True)
class Note:
    """The data that hangs on a styled shot's marker.

    Attributes:
        recipe: As `Recipe.to_json` writes it.
        digest: Of the recipe: the same digest paints the same picture.
        source: The file that was painted.
        first: First frame of the shot in that file, from 0.
        frames: How many.
    """

    recipe: str
    digest: str
    source: str
    first: int
    frames: int

    def to_json(self) -> str:
        """The text for a marker's custom data; what `read` reads."""
        return json.dumps({"brushreel": _FORMAT, **asdict(self)}, sort_keys=True)

    def spoken(self) -> str:
        """For people, who read it at the marker."""
        last = self.first + self.frames - 1
        return f"{self.recipe}, frames {self.first} to {last} of {self.source}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """None of what another program, or a later version, has written."""
        try:
            fields = json.loads(text)
            if fields.pop("brushreel") != _FORMAT:
                return None
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    @classmethod
    def on(cls, item: Item) -> Self | None:
        """What hangs on an item; None of items that are not ours."""
        notes = (cls.read(text) for text in item.notes)
        return next((note for note in notes if note is not None), None)
