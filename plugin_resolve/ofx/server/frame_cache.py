"""A cache of the most recently stylized frames, by their source."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class FrameCache(Generic[Value]):
    """A cache of the most recently used values up to a number of bytes; any thread may use it."""

    def __init__(self, limit: int):
        self._limit = limit
        self._held = 0
        self._entries: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Value | None:
        """Return the value of a key; None if it is not cached."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Store a value of `size` bytes; the least recently used values are dropped for it."""
        with self._lock:
            if size > self._limit:
                return
            if key in self._entries:
                self._held -= self._entries.pop(key)[1]
            self._entries[key] = (value, size)
            self._held += size
            while self._held > self._limit:
                self._held -= self._entries.popitem(last=False)[1][1]
