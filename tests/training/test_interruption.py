from __future__ import annotations

import signal
import threading

import pytest

from housestyle.training.interruption import held_back


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_waits_until_it_is_let_in(number):
    passed = []
    with pytest.raises(KeyboardInterrupt), held_back() as let_in:
        signal.raise_signal(number)
        passed.append("the signal")
        let_in()
        passed.append("the step")
    assert passed == ["the signal"]


def test_without_a_signal_nothing_is_let_in():
    with held_back() as let_in:
        let_in()


def test_afterwards_signals_go_where_they_went_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="inside"), held_back():
        raise ValueError("inside")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_outside_of_the_main_thread_there_is_nothing_to_hold_back():
    reached = []

    def train() -> None:
        with held_back() as let_in:
            let_in()
            reached.append(True)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert reached


def test_second_signal_gets_through_a_step_that_hangs():
    passed = []
    with pytest.raises(KeyboardInterrupt), held_back():
        signal.raise_signal(signal.SIGINT)
        passed.append("the first")
        signal.raise_signal(signal.SIGINT)
        passed.append("the second")
    assert passed == ["the first"]
