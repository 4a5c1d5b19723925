"""Pipeline of three stages that overlap: read, transform, write, with bounded queues."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")
Item = TypeVar("Item")

# Long enough for the stages to overlap, short enough that large frames do not fill the memory.
DEPTH = 2
_POLL_SECONDS = 0.1


class _Stopped(Exception):  # noqa: N818  not an error: another stage has failed and says why
    """Signal that unwinds a stage which waits for one that has ended."""


class _End:
    """Mark of a channel's end."""


@dataclass
class Busy:
    """Seconds that each stage worked, without the time it waited for the others."""

    read: float = 0.0
    transform: float = 0.0
    write: float = 0.0


class _Channel(Generic[Item]):
    """Bounded queue that ends, and that releases whoever waits when the run stops.

    Attributes:
        full: Seconds that `put` has waited.
        empty: Seconds that iterating has waited.
    """

    def __init__(self, stop: threading.Event):
        self._queue: queue.Queue[Item | _End] = queue.Queue(DEPTH)
        self._stop = stop
        self.full = self.empty = 0.0

    def put(self, item: Item | _End) -> None:
        since = monotonic()
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            self.full += monotonic() - since
            return
        raise _Stopped

    def close(self) -> None:
        self.put(_End())

    def __iter__(self) -> Iterator[Item]:
        since = monotonic()
        while not self._stop.is_set():
            try:
                item = self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            self.empty += monotonic() - since
            if isinstance(item, _End):
                return
            yield item
            since = monotonic()
        raise _Stopped


def overlap(
    source: Iterable[In],
    transform: Callable[[In], Out],
    sink: Callable[[Iterator[Out]], object],
    *,
    parallel: int = 1,
    on_result: Callable[[], None] = lambda: None,
) -> Busy:
    """Run ``sink(transform(item) for item in source)`` with the three stages side by side.

    `source` is iterated in a thread of its own, `sink` runs in another, `transform` in as many as
    `parallel` says; the caller's thread waits for them and is the one that Ctrl-C interrupts. It
    calls `on_result` after each. Order is kept. At most 2 x `DEPTH` + 2 + `parallel` items are
    alive.

    Returns:
        Seconds that each stage worked.

    Raises:
        Whatever a stage raises first; the other stages have ended by then.
    """
    stop = threading.Event()
    busy = Busy()
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
        since = monotonic()
        for item in source:
            incoming.put(item)
        busy.read = monotonic() - since - incoming.full
        incoming.close()

    def work() -> None:
        since = monotonic()
        with closing(in_order(incoming, transform, parallel)) as results:
            for result in results:
                outgoing.put(result)
                del result  # a frame, which would be kept until the next one is there
                on_result()
        busy.transform = monotonic() - since - incoming.empty - outgoing.full
        outgoing.close()
        writer.join()

    def write() -> None:
        since = monotonic()
        sink(iter(outgoing))
        busy.write = monotonic() - since - outgoing.empty
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
    return busy


def in_order(
    items: Iterable[In], transform: Callable[[In], Out], parallel: int
) -> Generator[Out, None, None]:
    """Yield results in the order of their items, with `parallel` of them under way.

    Nothing is under way once it has ended, raised or been closed; a caller that may leave it early
    closes it.

    Raises:
        Whatever `transform` or `items` raises first.
    """
    under_way: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(parallel, thread_name_prefix="transform") as threads:
        try:
            for item in items:
                under_way.append(threads.submit(transform, item))
                del item
                if len(under_way) == parallel:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()
