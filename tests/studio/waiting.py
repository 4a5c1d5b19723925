"""Waiting for what happens in another thread or process."""

from __future__ import annotations

import time
from collections.abc import Callable

_SECONDS = 240


def wait(condition: Callable[[], object]) -> None:
    """Wait until something is true.

    Raises:
        AssertionError: It did not become true.
    """
    ends = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.05)
