"""A place for the newest frame: whoever is slow gets that one, and never an older one late."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Newest(Generic[Item]):
    """A place with room for one item; a newer one takes it.

    Attributes:
        left_out: Items that were replaced before anybody took them.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: list[Item] = []
        self._ended = False
        self.left_out = 0

    def put(self, item: Item) -> None:
        """Place an item, instead of one that still waits."""
        with self._changed:
            if self._ended:
                return
            self.left_out += len(self._items)
            self._items[:] = [item]
            self._changed.notify()

    def take(self) -> Item | None:
        """Return the item once there is one; None at the end, when the last one is taken."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended)
            return self._items.pop() if self._items else None

    def end(self) -> None:
        """Take no more items; one that waits may still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
