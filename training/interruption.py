"""Interruption by Ctrl-C between two steps, never inside one."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# torchrun forwards Ctrl-C to processes that already got it from the terminal.
SAME_SECONDS = 2.0


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], bool]]:
    """Suspend the first SIGINT or SIGTERM; a second one, sent because nothing happens, is raised.

    Yields:
        A function that returns whether one has arrived.

    Raises:
        KeyboardInterrupt: At the second one.
    """
    arrived: list[float] = []
    if threading.current_thread() is not threading.main_thread():
        # Signals only reach the main thread.
        yield lambda: False
        return

    def defer(_number: int, _frame: FrameType | None) -> None:
        arrived.append(time.monotonic())
        if arrived[-1] - arrived[0] > SAME_SECONDS:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, defer) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(arrived)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
