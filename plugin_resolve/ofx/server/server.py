"""The render server: one per user, with a thread per connection."""

from __future__ import annotations

import hmac
import logging
import mmap
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import BoundedSemaphore, Lock, Thread
from typing import Protocol

from ....core.errors import BrushreelError, EditorError, unexpected
from ....core.version import __version__
from .protocol import DONE, PROTOCOL, REFUSED, Hello, Memory, Render, parse
from .server_folder import RENDEZVOUS, write_rendezvous

_log = logging.getLogger(__name__)

if sys.platform == "win32":
    from .windows_channel import WindowsListener as Listener
else:
    from .unix_channel import UnixListener as Listener

HELLO_SECONDS = 5.0
MAX_CONNECTIONS = 64
_ROUND_SECONDS = 1.0

RenderFrame = Callable[[Render, memoryview, Callable[[], bool]], None]
"""A function that stylizes a frame in place; its last argument tells whether it is abandoned."""


class Channel(Protocol):
    """The connection of an effect, see `unix_channel`."""

    def wait(self, seconds: float | None) -> None: ...  # noqa: D102
    def receive(self) -> tuple[int, bytes] | None: ...  # noqa: D102
    def send(self, kind: int, text: str) -> None: ...  # noqa: D102
    def is_gone(self) -> bool: ...  # noqa: D102
    def map(self, size: int, name: str, /) -> mmap.mmap: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class RenderServer:
    """A server that ends after a time without requests.

    Args:
        folder: A folder private to the user and to this server.
        render: Called from the connections' threads.
        idle: Seconds without a message after which `run` returns.

    Raises:
        EditorError: No socket can be made in the folder.
    """

    def __init__(self, folder: Path, render: RenderFrame, *, idle: float):
        self._listener = Listener(folder)
        self._rendezvous = folder / RENDEZVOUS
        self._token = write_rendezvous(folder, self._listener.address)
        self._render = render
        self._idle = idle
        self._free = BoundedSemaphore(MAX_CONNECTIONS)
        self._busy = _Busy()

    def run(self) -> None:
        """Serve until idle; the folder is cleaned up whatever ends the server."""
        try:
            while self._busy.quiet_seconds() < self._idle:
                if channel := self._listener.accept(min(_ROUND_SECONDS, self._idle)):
                    self._begin(channel)
        finally:
            self._rendezvous.unlink(missing_ok=True)
            self._listener.close()

    def _begin(self, channel: Channel) -> None:
        if self._free.acquire(blocking=False):
            Thread(target=self._serve, args=(channel,), daemon=True).start()
        else:
            channel.close()

    def _serve(self, channel: Channel) -> None:
        try:
            _Session(channel, self._token, self._render, self._busy).run()
        finally:
            channel.close()
            self._free.release()


class _Busy:
    """A measure of the time since the last request."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._last = time.monotonic()

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._count -= 1
            self._last = time.monotonic()

    def quiet_seconds(self) -> float:
        with self._lock:
            return 0.0 if self._count else time.monotonic() - self._last


class _Session:
    """A connection, from its first message to its last."""

    def __init__(self, channel: Channel, token: bytes, render: RenderFrame, busy: _Busy):
        self._channel = channel
        self._token = token
        self._render = render
        self._busy = busy
        self._memory: mmap.mmap | None = None

    def run(self) -> None:
        try:
            self._channel.wait(HELLO_SECONDS)
            if not self._greeted():
                return
            while self._next():
                pass
        except EditorError as error:  # the message is not valid
            with suppress(OSError):
                self._channel.send(REFUSED, str(error))
        except OSError:
            pass  # the effect has hung up

    def _greeted(self) -> bool:
        received = self._channel.receive()
        hello = parse(*received) if received else None
        if not isinstance(hello, Hello) or not hmac.compare_digest(hello.token, self._token):
            return False
        if hello.protocol != PROTOCOL:
            raise EditorError(
                "the effect and Brushreel are of different versions",
                hint="brushreel resolve install --ofx, then start the host again",
            )
        self._channel.send(DONE, __version__)
        return True

    def _next(self) -> bool:
        self._channel.wait(None)
        with self._busy:
            received = self._channel.receive()
            if received is None:
                return False
            message = parse(*received)
            if isinstance(message, Hello):
                raise EditorError("a second hello message")
            try:
                self._do(message)
            except BrushreelError as error:
                self._channel.send(REFUSED, str(error))
            except Exception as error:  # noqa: BLE001  memory, a driver: the server goes on
                _log.debug("unexpected", exc_info=True)
                self._channel.send(REFUSED, str(unexpected(error)))
            else:
                self._channel.send(DONE, "")
        return True

    def _do(self, message: Memory | Render) -> None:
        if isinstance(message, Memory):
            # It is unmapped with its last view, which an error's traceback may still reference.
            self._memory = None
            self._memory = self._channel.map(message.size, message.name)
            return
        if self._memory is None or message.size > len(self._memory):
            raise EditorError("a frame is larger than the shared memory")
        self._render(message, memoryview(self._memory)[: message.size], self._channel.is_gone)
