"""Three stages that overlap: read, transform, write, with bounded queues between them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")
Item = TypeVar("Item")

# Long enough for the stages to overlap, short enough that 8K frames do not fill the memory.
DEPTH = 3
_POLL_SECONDS = 0.1


class _Stopped(Exception):  # noqa: N818  not an error: another stage has failed and says why
    """Unwinds a stage that waits for one that has ended."""


class _End:
    """Marks the end of a channel."""


class _Channel(Generic[Item]):
    """A bounded queue that ends, and that lets go of whoever waits when the run stops."""

    def __init__(self, stop: threading.Event):
        self._queue: queue.Queue[Item | _End] = queue.Queue(DEPTH)
        self._stop = stop

    def put(self, item: Item | _End) -> None:
        while not self._stop.is_set():
            try:
                return self._queue.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
        raise _Stopped

    def close(self) -> None:
        self.put(_End())

    def __iter__(self) -> Iterator[Item]:
        while not self._stop.is_set():
            try:
                item = self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(item, _End):
                return
            yield item
        raise _Stopped


def overlap(
    source: Iterable[In],
    transform: Callable[[In], Out],
    sink: Callable[[Iterator[Out]], None],
) -> None:
    """Run ``sink(transform(item) for item in source)`` with the three stages side by side.

    `source` is iterated in a thread of its own, `sink` runs in another, `transform` in the
    caller's, which is therefore the one that Ctrl-C interrupts. Order is kept. At most
    2 x `DEPTH` + 3 items are alive.

    Raises:
        Whatever a stage raises first; the other stages have ended by then.
    """
    stop = threading.Event()
    failures: list[BaseException] = []
    incoming: _Channel[In] = _Channel(stop)
    outgoing: _Channel[Out] = _Channel(stop)

    def guarded(stage: Callable[[], None]) -> None:
        try:
            stage()
        except _Stopped:
            pass
        except BaseException as error:  # noqa: BLE001  crosses the thread, raised below
            failures.append(error)
            stop.set()

    def read() -> None:
        for item in source:
            incoming.put(item)
        incoming.close()

    def work() -> None:
        for item in incoming:
            outgoing.put(transform(item))
        outgoing.close()
        writer.join()

    def write() -> None:
        sink(iter(outgoing))
        # A sink that returns before its input ends must not leave the others waiting.
        stop.set()

    reader = threading.Thread(target=guarded, args=(read,), name="read")
    writer = threading.Thread(target=guarded, args=(write,), name="write")
    reader.start()
    writer.start()
    guarded(work)
    stop.set()
    reader.join()
    writer.join()
    if failures:
        raise failures[0]
