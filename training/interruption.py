"""Ctrl-C between two steps, never inside one."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# torchrun passes Ctrl-C on to processes that the terminal has sent it to already.
SAME_SECONDS = 2.0


@contextmanager
def held_back() -> Iterator[Callable[[], bool]]:
    """Let the first SIGINT or SIGTERM wait; a second one, sent because nothing happens, does not.

    Yields:
        A function that says whether one has arrived.

    Raises:
        KeyboardInterrupt: At the second one.
    """
    arrived: list[float] = []
    if threading.current_thread() is not threading.main_thread():
        # Signals only reach the main thread.
        yield lambda: False
        return

    def hold_back(_number: int, _frame: FrameType | None) -> None:
        arrived.append(time.monotonic())
        if arrived[-1] - arrived[0] > SAME_SECONDS:
            raise KeyboardInterrupt

    before = {
        number: signal.signal(number, hold_back) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(arrived)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
