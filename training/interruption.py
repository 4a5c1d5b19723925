"""Ctrl-C between two steps, never inside one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Let SIGINT and SIGTERM wait.

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

    before = {
        number: signal.signal(number, lambda which, _frame: arrived.append(which))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield let_in
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
