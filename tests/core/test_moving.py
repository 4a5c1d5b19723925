"""Signs of life on a terminal, and silence elsewhere."""

from __future__ import annotations

import io
import sys
import threading

import pytest
from tqdm import tqdm

from brushreel.core import moving as progress
from brushreel.core.moving import Pulse, each, moving


class Terminal(io.StringIO):
    """A terminal that tells when it was drawn to so many times."""

    def __init__(self, times: int):
        super().__init__()
        self._left, self.enough = times, threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._left -= bool(text.strip())
        if self._left <= 0:
            self.enough.set()
        return super().write(text)


def test_the_clock_goes_on_while_nothing_else_happens(monkeypatch):
    terminal = Terminal(times=3)
    monkeypatch.setattr(sys, "stderr", terminal)
    with moving("drawing {a}.mp4", seconds=0.01):
        assert terminal.enough.wait(60)
    assert terminal.getvalue().count("drawing (a).mp4 ... 00:0") >= 3
    assert terminal.getvalue().endswith("\r")


def test_a_bar_that_nothing_advances(monkeypatch):
    terminal = Terminal(times=3)
    with tqdm(total=1, desc="clip", file=terminal) as bar:
        pulse = Pulse(bar, seconds=0.01)
        assert terminal.enough.wait(60)
        pulse.end()
        drawn = terminal.getvalue()
    assert drawn.count("clip:   0%") >= 3


def test_what_is_no_terminal_stays_as_it_is(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with moving("drawing", seconds=0.01):
        pass
    assert stream.getvalue() == ""


@pytest.mark.parametrize("closed", [None, "closed"])
def test_no_stderr_at_all(monkeypatch, closed):
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", None if closed is None else stream)
    with moving("drawing"):
        pass


def test_items_with_a_bar_whose_clock_goes_on(monkeypatch):
    terminal = Terminal(times=4)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "_SECONDS", 0.01)
    seen = []
    for item in each(iter("ab"), "measuring", "clip", total=2):
        seen.append(item)
        assert terminal.enough.wait(60)
    assert seen == ["a", "b"]
    assert terminal.getvalue().count("measuring:   0%") >= 3
