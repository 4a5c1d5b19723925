"""A sign of life: whoever waits sees within two seconds that work goes on."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

_SECONDS = 1.0


class Pulse:
    """Redraws a progress bar each second, so that its clock goes on while nothing advances it.

    Args:
        bar: The bar; one that is not on a terminal is left alone.
        seconds: Time between two looks; a second by default.
    """

    def __init__(self, bar: tqdm[Any], seconds: float | None = None):
        self._bar = bar
        self._ended = threading.Event()
        self._seconds = seconds or _SECONDS
        self._thread = threading.Thread(target=self._beat, daemon=True)
        if not bar.disable and on_terminal(bar.fp):
            self._thread.start()

    def end(self) -> None:
        """Stop redrawing the bar; afterwards it may be closed."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds):
            self._bar.refresh()


@contextmanager
def moving(what: str, seconds: float | None = None) -> Iterator[None]:
    """Show on stderr what is done; on a terminal with the time that it takes, until it is done."""
    if not on_terminal(sys.stderr):
        yield
        return
    text = what.replace("{", "(").replace("}", ")")
    with tqdm(bar_format=f"{text} ... {{elapsed}}", leave=False) as bar:
        pulse = Pulse(bar, seconds)
        try:
            yield
        finally:
            pulse.end()


def each(items: Iterable[Item], what: str, unit: str, total: int | None = None) -> Iterator[Item]:
    """Yield items, with a progress bar on a terminal whose clock goes on.

    Args:
        items: What is worked on.
        what: What is done with them.
        unit: Name of an item.
        total: Their number, where they don't know it.
    """
    bar = tqdm(items, desc=what, unit=unit, total=total, leave=False, disable=None)
    pulse = Pulse(bar)
    try:
        yield from bar
    finally:
        pulse.end()


def on_terminal(stream: Any) -> bool:  # noqa: ANN401  it may be closed, or None
    """Return whether a stream is a terminal."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False
