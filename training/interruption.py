"""Ctrl-C between two steps, never inside one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Let the first SIGINT or SIGTERM wait; a second one, sent because nothing happens, does not.

    Yields:
        A function that lets in what has arrived, as KeyboardInterrupt.
    """
    arrived: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        # Signals only reach the main thread.
        yield lambda: None
        return

    def let_in() -> None:
        if arrived:
            raise KeyboardInterrupt

    def hold_back(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)
        if len(arrived) > 1:
            let_in()

    before = {
        number: signal.signal(number, hold_back) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield let_in
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
