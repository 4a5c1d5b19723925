from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from brushreel.training import interruption
from brushreel.training.interruption import deferred_interrupts


@pytest.fixture
def arrive_at(monkeypatch) -> Callable[..., None]:
    """A function that sets the seconds at which signals arrive."""

    def arrive_at(*seconds: float) -> None:
        clock = SimpleNamespace(monotonic=iter(seconds).__next__)
        monkeypatch.setattr(interruption, "time", clock)

    return arrive_at


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_waits_until_it_is_asked_for(number):
    with deferred_interrupts() as stop_asked:
        assert not stop_asked()
        signal.raise_signal(number)
        assert stop_asked()


def test_afterwards_signals_go_where_they_went_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="inside"), deferred_interrupts():
        raise ValueError("inside")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_outside_of_the_main_thread_there_is_nothing_to_hold_back():
    reached = []

    def train() -> None:
        with deferred_interrupts() as stop_asked:
            reached.append(not stop_asked())

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert reached == [True]


def test_second_signal_gets_through_a_step_that_hangs(arrive_at):
    arrive_at(10.0, 12.1)
    passed = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        signal.raise_signal(signal.SIGINT)
        passed.append("the first")
        signal.raise_signal(signal.SIGINT)
        passed.append("the second")
    assert passed == ["the first"]


def test_one_ctrl_c_that_comes_twice_counts_once(arrive_at):
    arrive_at(10.0, 11.9)
    with deferred_interrupts() as stop_asked:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert stop_asked()
