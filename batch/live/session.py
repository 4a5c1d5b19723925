"""Live work under way: frames are read, stylized and written side by side, and none is late.

A thread reads, one stylizes, one writes; the caller's, which Ctrl-C reaches, looks on. Between
reading and stylizing there is room for one frame, which a newer one replaces.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from fractions import Fraction

from ...core.errors import BrushreelError, OutputError
from ...core.frames.frame import Frame
from .clock import Clock
from .connection import Sound
from .figures import Counter
from .newest import Newest
from .sink import LiveSink
from .source import Captured, LiveSource

# Between two looks at what is under way.
_LOOK_SECONDS = 1.0
_IDLE_SECONDS = 0.5
# Latencies of a frame that is still under way, at most.
_LATE = 3
# For the output's end, once it was asked for.
_END_SECONDS = 20.0


class Session:
    """One run of live work.

    Attributes:
        counter: Frames that were written.

    Args:
        source: Where frames come from.
        stylize: Stylizes a frame, in the output's format.
        sink: Where they go.
        clock: The clock.
        duration: Seconds after which it ends; None for the source's end, or Ctrl-C.
    """

    def __init__(
        self,
        source: LiveSource,
        stylize: Callable[[Frame], Frame],
        sink: LiveSink,
        clock: Clock,
        duration: Fraction | None = None,
    ):
        self._source, self._stylize, self._sink, self._clock = source, stylize, sink, clock
        self._duration = duration
        self._newest: Newest[Captured] = Newest()
        self._made: queue.SimpleQueue[Captured | Sound | None] = queue.SimpleQueue()
        self._writable = threading.Semaphore()
        self._failures: list[BaseException] = []
        self._done = threading.Event()
        self.counter = Counter(clock.now())

    @property
    def left_out(self) -> int:
        """Frames left out so far."""
        return self._newest.left_out + self._sink.left_out

    def run(self, get_ready: Callable[[], None], look: Callable[[], None]) -> None:
        """Run until the source ends, the duration is over, or Ctrl-C.

        Args:
            get_ready: Is called first, while what the source gives is not taken yet.
            look: Is called every second.

        Raises:
            Whatever fails; the output is finished, unless it is what failed.
        """
        self._begin(self._read)
        get_ready()
        self.counter = Counter(self._clock.now())
        self._begin(self._make)
        self._begin(self._write)
        self._source.start()
        try:
            while not self._done.wait(_LOOK_SECONDS):
                look()
        except KeyboardInterrupt:
            self._stop()
            if not self._done.wait(_END_SECONDS):
                raise OutputError("the output does not take its end") from None
        if self._failures:
            raise self._failures[0]

    def _begin(self, work: Callable[[], None]) -> None:
        # What waits for the network must not keep the program from ending.
        threading.Thread(target=work, name=work.__name__, daemon=True).start()

    def _stop(self) -> None:
        """Take no more frames; those under way are written."""
        self._source.stop()
        self._newest.end()

    def _read(self) -> None:
        try:
            for item in self._source:
                if isinstance(item, Sound):
                    self._made.put(item)
                    continue
                if self._is_over(item.frame):
                    break
                self._newest.put(item)
        except BaseException as error:  # noqa: BLE001  crosses the thread, raised by `run`
            self._failures.append(error)
        finally:
            self._stop()
            self._source.close()

    def _is_over(self, frame: Frame) -> bool:
        return self._duration is not None and frame.pts * frame.time_base >= self._duration

    def _make(self) -> None:
        try:
            while (taken := self._newest.take()) is not None:
                made = Captured(self._stylize(taken.frame), taken.at)
                self._writable.acquire()
                self._made.put(made)
        except BaseException as error:  # noqa: BLE001  crosses the thread, raised by `run`
            self._failures.append(error)
            self._stop()
        finally:
            self._made.put(None)

    def _write(self) -> None:
        try:
            self._write_all()
            self._sink.finish()
        except BaseException as error:  # noqa: BLE001  crosses the thread, raised by `run`
            left = self._sink.abandon()
            if isinstance(error, BrushreelError) and left is not None:
                error.hint = left if error.hint is None else f"{error.hint}; {left}"
            self._failures.insert(0, error)
        finally:
            self._stop()
            self._writable.release()
            self._done.set()

    def _write_all(self) -> None:
        last: Captured | None = None
        while True:
            try:
                item = self._made.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                self._be_idle(last)
                continue
            if item is None:
                return
            if isinstance(item, Sound):
                self._sink.sound(item)
                continue
            self._sink.write(item.frame)
            last = item
            self.counter.add(self._clock.now() - item.at)
            self._writable.release()

    def _be_idle(self, last: Captured | None) -> None:
        if last is None:
            return
        frame, latency = last.frame, self.counter.last
        passed = self._clock.now() - last.at - 1 - _LATE * latency
        self._sink.idle(float(frame.pts * frame.time_base) + passed)
