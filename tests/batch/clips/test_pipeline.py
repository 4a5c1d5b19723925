"""The three overlapping stages: order, bounds, and how they end when one of them fails."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from brushreel.batch.clips import pipeline
from brushreel.batch.clips.pipeline import DEPTH, overlap

PATIENCE = 4


@pytest.fixture(autouse=True)
def every_thread_ends() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


class Counted:
    """Counts the items between their birth in the source and their death in the sink."""

    def __init__(self, total: int):
        self.total = total
        self.born = self.died = self.most_alive = 0
        self._lock = threading.Lock()

    def source(self) -> Iterator[int]:
        for number in range(self.total):
            with self._lock:
                self.born += 1
                self.most_alive = max(self.most_alive, self.born - self.died)
            yield number

    def slow_sink(self, items: Iterator[int]) -> None:
        for _ in items:
            time.sleep(0.01)
            with self._lock:
                self.died += 1


def test_order_is_kept():
    seen: list[int] = []
    overlap(range(200), lambda number: number * 2, seen.extend)
    assert seen == [number * 2 for number in range(200)]


def test_nothing_in_nothing_out():
    seen: list[int] = []
    overlap([], lambda item: item, seen.extend)
    assert seen == []


def test_everything_is_written_when_it_returns():
    counted = Counted(20)
    overlap(counted.source(), lambda item: item, counted.slow_sink)
    assert counted.died == 20


def test_the_three_stages_run_at_the_same_time():
    # Each stage waits in its own item for the two others to be in theirs.
    meeting = threading.Barrier(3, timeout=PATIENCE)

    def source() -> Iterator[int]:
        yield from (0, 1)
        meeting.wait()
        yield 2

    def transform(item: int) -> int:
        if item == 1:
            meeting.wait()
        return item

    def sink(items: Iterator[int]) -> None:
        next(items)
        meeting.wait()
        assert list(items) == [1, 2]

    overlap(source(), transform, sink)


def test_results_are_told_in_the_thread_that_ctrl_c_interrupts():
    threads: list[threading.Thread] = []
    overlap([1, 2], str, list, on_result=lambda: threads.append(threading.current_thread()))
    assert threads == [threading.current_thread()] * 2


def test_transforms_meet_and_keep_their_order():
    """Each waits for another that runs at the same time."""
    meeting, seen = threading.Barrier(3, timeout=PATIENCE), []

    def transform(item: int) -> int:
        meeting.wait()
        return item

    overlap(range(9), transform, seen.extend, parallel=3)
    assert seen == list(range(9))


def test_a_transform_that_fails_beside_others_ends_all():
    def transform(item: int) -> int:
        if item == 4:
            raise ValueError("bad frame")
        time.sleep(0.01)
        return item

    with pytest.raises(ValueError, match="bad frame"):
        overlap(range(100), transform, list, parallel=3)


def test_a_slow_sink_holds_the_source_back():
    counted = Counted(60)
    overlap(counted.source(), lambda item: item, counted.slow_sink)
    assert DEPTH < counted.most_alive <= 2 * DEPTH + 3


def test_a_slow_transform_holds_the_source_back():
    counted = Counted(40)

    def transform(item: int) -> int:
        time.sleep(0.005)
        return item

    def sink(items: Iterator[int]) -> None:
        for _ in items:
            counted.died += 1

    overlap(counted.source(), transform, sink)
    assert counted.most_alive <= 2 * DEPTH + 3


class Broken(Exception):  # noqa: N818
    pass


def failing_source(error: BaseException) -> Iterator[int]:
    yield from range(5)
    raise error


def failing_transform(error: BaseException, at: int):
    def transform(item: int) -> int:
        if item == at:
            raise error
        return item

    return transform


def failing_sink(error: BaseException, after: int):
    def sink(items: Iterator[int]) -> None:
        for count, _ in enumerate(items):
            if count == after:
                raise error

    return sink


@pytest.mark.parametrize("error", [Broken("source"), OSError(5, "gone"), SystemExit(3)])
def test_what_the_source_raises_reaches_the_caller(error):
    with pytest.raises(type(error)) as caught:
        overlap(failing_source(error), lambda item: item, list)
    assert caught.value is error


@pytest.mark.parametrize("at", [0, 10, 999])
@pytest.mark.parametrize("kind", [Broken, KeyboardInterrupt])
def test_what_transform_raises_reaches_the_caller(kind, at):
    error = kind("transform")
    with pytest.raises(kind) as caught:
        overlap(range(1000), failing_transform(error, at), list)
    assert caught.value is error


@pytest.mark.parametrize("after", [0, 10, 998])
def test_what_the_sink_raises_reaches_the_caller(after):
    error = Broken("sink")
    with pytest.raises(Broken) as caught:
        overlap(range(1000), lambda item: item, failing_sink(error, after))
    assert caught.value is error


def test_a_sink_that_fails_at_the_very_end_is_heard():
    def sink(items: Iterator[int]) -> None:
        assert len(list(items)) == 4
        time.sleep(0.05)
        raise Broken("trailer")

    with pytest.raises(Broken, match="trailer"):
        overlap(range(4), lambda item: item, sink)


def test_a_failed_source_stops_the_sink_before_it_ends_its_file():
    finished = []

    def sink(items: Iterator[int]) -> None:
        list(items)
        finished.append(True)

    with pytest.raises(Broken):
        overlap(failing_source(Broken()), lambda item: item, sink)
    assert not finished


def test_the_first_failure_wins():
    def sink(items: Iterator[int]) -> None:
        try:
            list(items)
        finally:
            raise Broken("second")

    with pytest.raises(Broken, match="first"):
        overlap(failing_source(Broken("first")), lambda item: item, sink)


def test_an_endless_source_ends_when_another_stage_fails():
    def endless() -> Iterator[int]:
        while True:
            yield 1

    with pytest.raises(Broken):
        overlap(endless(), lambda item: item, failing_sink(Broken(), 3))


@pytest.fixture
def alarm() -> Iterator[None]:
    """Wakes the main thread from a wait that would never end."""

    def ring(_signal: int, _frame: object) -> None:
        raise TimeoutError("still waiting")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="needs SIGALRM")
@pytest.mark.parametrize("total", [3, 1000])
def test_a_sink_that_returns_early_does_not_hang(total, alarm):
    overlap(range(total), lambda item: item, next)


class Clock:
    """A clock that stands still until it is told, and knows by its readers that stages wait."""

    def __init__(self) -> None:
        self.now = 0.0
        # Once at the start of a stage, twice for each item that finds room (one is in work, `DEPTH`
        # wait), and once more before it waits.
        self._looks = {"read": 2 + 2 * (DEPTH + 1), "write": 2}
        self.all_wait = threading.Event()

    def __call__(self) -> float:
        name = threading.current_thread().name
        if name in self._looks:
            self._looks[name] -= 1
        if max(self._looks.values()) <= 0:
            self.all_wait.set()
        return self.now


def test_the_time_of_each_stage_is_without_its_waiting(monkeypatch):
    clock, released = Clock(), threading.Event()
    monkeypatch.setattr(pipeline, "monotonic", clock)

    def transform(item: int) -> int:
        assert released.wait(PATIENCE)
        return item

    def let_time_pass() -> None:
        assert clock.all_wait.wait(PATIENCE)
        clock.now += 100
        released.set()

    passing = threading.Thread(target=let_time_pass)
    passing.start()
    busy = overlap(range(30), transform, list)
    passing.join()
    assert (busy.read, busy.transform, busy.write) == (0, 100, 0)
