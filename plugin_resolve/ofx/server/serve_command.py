"""`brushreel serve`: the render server as a process of its own."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from ....core.errors import EditorError
from .protocol import Render
from .server import RenderServer
from .server_folder import make_private, server_folder

if TYPE_CHECKING:
    from .renderer import Renderer

IDLE_SECONDS = 600.0
_ONE_RENDERER = Lock()


def serve(*, idle: float = IDLE_SECONDS, on_ready: Callable[[Path], None]) -> None:
    """Run a render server until it is idle.

    Args:
        idle: Seconds without a message after which the server ends.
        on_ready: Called with the server's folder when it accepts connections.

    Raises:
        EditorError: Another server is running, or the folder is not private.
    """
    folder = server_folder()
    make_private(folder)
    lock = FileLock(folder / "lock", mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise AlreadyServingError("a render server is running already", path=folder) from error
    with lock:
        server = RenderServer(folder, _render, idle=idle)
        on_ready(folder)
        Thread(target=_renderer, daemon=True).start()
        server.run()


class AlreadyServingError(EditorError):
    """An error: a server is running, or is just starting or ending."""


def serve_detached(*, idle: float = IDLE_SECONDS) -> int:
    """Start a server in the background and return when it listens, or when another one does.

    Returns:
        The exit status of the calling process, or of the server.
    """
    if sys.platform == "win32":  # the effect starts it without a console
        return _serve_quietly(idle, lambda _: None)
    # Files that the host has open must not be kept open by the server.
    words = sys.stderr.fileno()  # this program's own, see `own_standard_error`
    os.dup2(words, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.dup2(2, words, inheritable=False)
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        # The child does the clean-up.
        os._exit(0 if os.read(reading, 1) else 1)
    os.close(reading)
    os.setsid()
    os.chdir("/")
    return _serve_quietly(idle, lambda _: _release(writing))


def _serve_quietly(idle: float, on_ready: Callable[[Path], None]) -> int:
    try:
        serve(idle=idle, on_ready=on_ready)
    except AlreadyServingError:
        on_ready(server_folder())
    return 0


def _release(writing: int) -> None:
    """Release the waiting process, and close the terminal or pipe that was inherited."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2, sys.stderr.fileno()):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    with suppress(BrokenPipeError):  # a host that has stopped waiting wants the server later
        os.write(writing, b".")
    os.close(writing)


@functools.cache
def _new_renderer() -> Renderer:
    # PyTorch takes a second to import; effects can connect before.
    from .renderer import Renderer

    return Renderer()


def _renderer() -> Renderer:
    with _ONE_RENDERER:
        return _new_renderer()


def _render(frame: Render, memory: memoryview, is_abandoned: Callable[[], bool]) -> None:
    if frame.strength > 0:
        _renderer()(frame, memory, is_abandoned)
