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
    from .painter import Painter

IDLE_SECONDS = 600.0
_ONE_PAINTER = Lock()


def serve(*, idle: float = IDLE_SECONDS, on_ready: Callable[[Path], None]) -> None:
    """Serve until idle.

    Args:
        idle: Seconds without a message after which the server ends.
        on_ready: Called with its folder when it can be connected to.

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
        server = RenderServer(folder, _paint, idle=idle)
        on_ready(folder)
        Thread(target=_painter, daemon=True).start()
        server.run()


class AlreadyServingError(EditorError):
    """There is a server, or one that is just starting or ending."""


def serve_detached(*, idle: float = IDLE_SECONDS) -> int:
    """Leave a server behind and return when it listens; 0 too if another one has been faster.

    Returns:
        The exit status of the process that was called, or of the server.
    """
    if sys.platform == "win32":  # whoever starts it does so without a console
        return _serve_quietly(idle, lambda _: None)
    # What the host has open is none of our business, and must not be kept open by us.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    heard, said = os.pipe()
    if os.fork():
        os.close(said)
        # What there is to tidy up is the child's now.
        os._exit(0 if os.read(heard, 1) else 1)
    os.close(heard)
    os.setsid()
    os.chdir("/")
    return _serve_quietly(idle, lambda _: _fall_silent(said))


def _serve_quietly(idle: float, on_ready: Callable[[Path], None]) -> int:
    try:
        serve(idle=idle, on_ready=on_ready)
    except AlreadyServingError:
        on_ready(server_folder())
    return 0


def _fall_silent(said: int) -> None:
    """Tell the process that waits, and let go of the terminal or pipe that it came with."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    with suppress(BrokenPipeError):  # a host that has stopped waiting wants the server later
        os.write(said, b".")
    os.close(said)


@functools.cache
def _new_painter() -> Painter:
    # PyTorch takes a second to import; effects that connect need not wait for it.
    from .painter import Painter

    return Painter()


def _painter() -> Painter:
    with _ONE_PAINTER:
        return _new_painter()


def _paint(frame: Render, memory: memoryview, is_abandoned: Callable[[], bool]) -> None:
    if frame.strength > 0:
        _painter()(frame, memory, is_abandoned)
