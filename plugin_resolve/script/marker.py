"""The data on a stylized shot's marker, by which a later run recognizes the shot."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self

from .resolve.timeline import Item

_FORMAT = 1


@dataclass(frozen=True)
class MarkerData:
    """The custom data of a stylized shot's marker.

    Attributes:
        recipe: The recipe as JSON, see `Recipe.to_json`.
        digest: The recipe's digest: equal digests give equal frames.
        source: The source file.
        first: First frame of the shot in that file, from 0.
        frames: Length of the shot.
    """

    recipe: str
    digest: str
    source: str
    first: int
    frames: int

    def to_json(self) -> str:
        """Return the text for a marker's custom data, which `from_json` reads."""
        return json.dumps({"brushreel": _FORMAT, **asdict(self)}, sort_keys=True)

    def summary(self) -> str:
        """Return a line for people, who read it on the marker."""
        last = self.first + self.frames - 1
        return f"{self.recipe}, frames {self.first} to {last} of {self.source}"

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """Read custom data; return None for data of other programs or of later versions."""
        try:
            fields = json.loads(text)
            if fields.pop("brushreel") != _FORMAT:
                return None
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    @classmethod
    def on(cls, item: Item) -> Self | None:
        """Return the data on an item's markers; None for an item that is not a stylized shot."""
        found = (cls.from_json(text) for text in item.marker_data)
        return next((data for data in found if data is not None), None)
