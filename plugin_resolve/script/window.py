"""The window of a job: Resolve's own kind, or a page in the browser."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from ...core.errors import BrushreelError, EditorError
from .bridge import Bridge
from .dialog_choice import Choice, Look
from .options import Options
from .page import Page
from .preview import make_previews

# Seconds between two looks at what the page asks for.
_FOLLOWING = 0.1


class Window(Protocol):
    """A window in which the editor chooses, then watches the job."""

    cancelled: threading.Event

    def choose(self) -> Choice | None:
        """Wait for the user's choice; return None when there will be none."""

    def progress(self, share: float, text: str) -> None:
        """Show the job's progress, 0 to 1."""

    def say(self, line: str) -> None:
        """Show a line of the job's report."""

    def finish(self, text: str) -> None:
        """Show the job's last line; nothing is shown after it."""


class ResolveWindow:
    """The window that scripts/brushreel_window.py opens inside Resolve."""

    def __init__(self, bridge: Bridge, options: Options):
        self._bridge, self._options = bridge, options
        self.cancelled = bridge.cancelled
        bridge.tell("options", options=options.to_json())

    def choose(self) -> Choice | None:
        """See `Window`; return None also where Resolve could not open the window.

        Raises:
            UsageError: The choice is not among the options.
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
    """The page in the browser; its lines are also printed on Resolve's console."""

    def __init__(self, bridge: Bridge, options: Options, title: str, previews: Path):
        super().__init__(options, title, previews)
        self._bridge = bridge
        self.cancelled = bridge.cancelled
        self.open()
        self._tell(f"the window is a page in the browser; if none opened, go to {self.address}")

    def say(self, line: str) -> None:
        """See `Window`."""
        super().say(line)
        self._tell(line)

    def finish(self, text: str) -> None:
        """See `Window`."""
        self._tell(text)
        super().finish(text)

    def _tell(self, line: str) -> None:
        # The page goes on without Resolve.
        with suppress(EditorError):
            self._bridge.tell("say", text=line)


@contextmanager
def errors_shown_in_page(bridge: Bridge) -> Iterator[None]:
    """Show errors before the window opens in a page: few users look at Resolve's console."""
    try:
        yield
    except BrushreelError as error:
        if not bridge.cancelled.is_set():
            no_options = Options([], Choice())
            PageWindow(bridge, no_options, "", Path()).finish(f"Failed: {error}")
        raise


@contextmanager
def open_window(
    bridge: Bridge, options: Options, title: str, rate: float
) -> Iterator[tuple[Window, Choice | None]]:
    """Open a window and wait for the user's choice.

    Resolve's window shows all previews from the start, with the last choice's stroke size and
    detail; in the page they appear one by one, and follow what is chosen.

    Args:
        bridge: The bridge to the script inside Resolve.
        options: What can be chosen.
        title: The timeline's name, shown as the page's title.
        rate: The timeline's frame rate, in frames a second.

    Yields:
        The window and the choice; None when the user cancelled.
    """
    with tempfile.TemporaryDirectory(prefix="brushreel-") as folder:
        previews = _Previews(options, rate, Path(folder))
        if bridge.hello.get("window"):
            previews.make(options.last.look, as_paths=True)
            window = ResolveWindow(bridge, options)
            choice = window.choose()
            if choice is not None or bridge.cancelled.is_set():
                yield window, choice
                return
            options.forget_previews()
        page = PageWindow(bridge, options, title, Path(folder))
        try:
            threading.Thread(target=previews.follow, args=(lambda: page.look,), daemon=True).start()
            choice = page.choose()
            previews.stop()
            yield page, choice
        finally:
            previews.stop()
            page.close()


class _Previews:
    """A task that makes the styles' previews and enters them into the options."""

    def __init__(self, options: Options, rate: float, folder: Path):
        self._options, self._rate, self._folder = options, rate, folder
        self._stopped, self._idle = threading.Event(), threading.Event()
        self._idle.set()

    def follow(self, look: Callable[[], Look]) -> None:
        """Make all previews, and again whenever another look is wanted, until stopped."""
        self._idle.clear()
        shown = None
        try:
            while not self._stopped.wait(_FOLLOWING):
                wanted = look()
                if wanted != shown:
                    self.make(wanted, is_outdated=lambda wanted=wanted: look() != wanted)
                    shown = wanted
        finally:
            self._idle.set()

    def make(
        self,
        look: Look,
        *,
        as_paths: bool = False,
        is_outdated: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make all previews of a look, as far as it is not outdated.

        Args:
            look: The settings that they show.
            as_paths: Enter full paths, not addresses within the page.
            is_outdated: Asked after each preview.
        """
        cuts = (cut for extent in self._options.extents for cut in extent.cuts)
        cut = next(cuts, None)
        if cut is None:
            return
        names = [style["name"] for style in self._options.styles]
        for name, path in make_previews(cut, self._rate, names, self._folder, look):
            self._options.add_preview(name, str(path) if as_paths else path.name)
            if self._stopped.is_set() or is_outdated():
                return

    def stop(self) -> None:
        """Stop after the current preview: the folder is removed, and the CPU is needed."""
        self._stopped.set()
        self._idle.wait(60)
