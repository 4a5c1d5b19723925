"""Where the editor chooses and watches: Resolve's own window, or a page in the browser."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from ...core.errors import BrushreelError, EditorError
from .bridge import Bridge
from .dialog_choice import Choice
from .options import Offer
from .page import Page
from .preview import draw


class Window(Protocol):
    """One window for choosing, then for watching."""

    cancelled: threading.Event

    def choose(self) -> Choice | None:
        """Wait for the user; None when there will be no choice."""

    def progress(self, share: float, text: str) -> None:
        """Show how far it is, 0 to 1."""

    def say(self, line: str) -> None:
        """Show a line of what became of it."""

    def finish(self, text: str) -> None:
        """Show the end; nothing is shown after it."""


class ResolveWindow:
    """The window that scripts/brushreel_window.py opens inside Resolve."""

    def __init__(self, bridge: Bridge, offer: Offer):
        self._bridge, self._offer = bridge, offer
        self.cancelled = bridge.cancelled
        bridge.tell("offer", offer=offer.to_json())

    def choose(self) -> Choice | None:
        """See `Window`; None too where Resolve could not open it.

        Raises:
            UsageError: Something that was not offered.
        """
        while not self.cancelled.is_set():
            try:
                fields = self._bridge.choices.get(timeout=0.2)
            except queue.Empty:
                continue
            return None if fields is None else Choice.read(fields)
        return None

    def progress(self, share: float, text: str) -> None:
        """See `Window`."""
        self._bridge.tell("progress", progress={"share": share, "text": text})

    def say(self, line: str) -> None:
        """See `Window`."""
        self._bridge.tell("say", text=line)

    def finish(self, text: str) -> None:
        """See `Window`."""
        self._bridge.tell("progress", progress={"share": 1, "text": text})
        self._bridge.tell("say", text=text)


class PageWindow(Page):
    """The page in the browser; the console of Resolve hears the lines too."""

    def __init__(self, bridge: Bridge, offer: Offer, title: str, pictures: Path):
        super().__init__(offer, title, pictures)
        self._bridge = bridge
        self.cancelled = bridge.cancelled
        self.open()
        self._tell(f"its window is a page in the browser; if none came up, open {self.address}")

    def say(self, line: str) -> None:
        """See `Window`."""
        super().say(line)
        self._tell(line)

    def finish(self, text: str) -> None:
        """See `Window`."""
        self._tell(text)
        super().finish(text)

    def _tell(self, line: str) -> None:
        # The page outlives Resolve, and says so.
        with suppress(EditorError):
            self._bridge.tell("say", text=line)


@contextmanager
def told_in_page(bridge: Bridge) -> Iterator[None]:
    """What goes wrong before there is a window is shown too: few look at Resolve's console."""
    try:
        yield
    except BrushreelError as error:
        if not bridge.cancelled.is_set():
            nothing = Offer([], Choice())
            PageWindow(bridge, nothing, "", Path()).finish(f"Not possible: {error}")
        raise


@contextmanager
def chosen(
    bridge: Bridge, offer: Offer, title: str, rate: float
) -> Iterator[tuple[Window, Choice | None]]:
    """Let the user choose.

    In Resolve's window pictures are there from the start; in the page they appear one by one.

    Args:
        bridge: To the script inside Resolve.
        offer: What there is.
        title: Of the page: the timeline's name.
        rate: Of the timeline, frames a second.
    """
    with tempfile.TemporaryDirectory(prefix="brushreel-") as folder:
        painting = _Pictures(offer, rate, Path(folder))
        if bridge.hello.get("window"):
            painting.run(in_place=True)
            window = ResolveWindow(bridge, offer)
            choice = window.choose()
            if choice is not None or bridge.cancelled.is_set():
                yield window, choice
                return
            offer.forget_pictures()
        page = PageWindow(bridge, offer, title, Path(folder))
        try:
            threading.Thread(target=painting.run, daemon=True).start()
            choice = page.choose()
            painting.stop()
            yield page, choice
        finally:
            painting.stop()
            page.close()


class _Pictures:
    """Draws the styles' pictures and enters them into the offer."""

    def __init__(self, offer: Offer, rate: float, folder: Path):
        self._offer, self._rate, self._folder = offer, rate, folder
        self._stopped, self._idle = threading.Event(), threading.Event()
        self._idle.set()

    def run(self, *, in_place: bool = False) -> None:
        """Draw them all; `in_place` gives the files' full names, else addresses of the page."""
        cut = next((cut for part in self._offer.parts for cut in part.cuts), None)
        if cut is None or self._offer.source:
            return
        self._idle.clear()
        try:
            names = [style["name"] for style in self._offer.styles]
            for name, path in draw(cut, self._rate, names, self._folder):
                self._offer.enter(name, str(path) if in_place else path.name)
                if self._stopped.is_set():
                    return
        finally:
            self._idle.set()

    def stop(self) -> None:
        """After the picture under way: the folder goes, and the processor is wanted."""
        self._stopped.set()
        self._idle.wait(60)
