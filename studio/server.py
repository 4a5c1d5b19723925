"""The studio's server, on loopback unless told otherwise, for as long as its terminal is there."""

from __future__ import annotations

import errno
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ..batch.page.guard import Guard
from ..core.errors import UsageError, extra
from .application import Studio
from .camera import LONGEST
from .password import PasswordDoor, named_host

with extra("studio"):
    import uvicorn
    import websockets as websockets  # noqa: PLC0414  uvicorn would serve without it

LOOPBACK = "127.0.0.1"
# Seconds that open connections get to end.
_ENDING = 2
_STARTING = 30


@contextmanager
def served(
    studio: Studio, port: int = 0, *, host: str = LOOPBACK, password: str | None = None
) -> Iterator[Guard]:
    """Serve a studio in a thread of its own, until the block is left.

    Args:
        studio: What is served.
        port: Its port; 0 for any that is free.
        host: Address or name of this machine that it listens on.
        password: Is asked for in the browser; None for no such question, on loopback alone.

    Yields:
        The guard, which knows the address.

    Raises:
        UsageError: The port is taken, or the host is not this machine's.
    """
    with _listening(host, port) as listening:
        guard = Guard(named_host(host, listening.getsockname()[1]))
        application = studio.application(guard)
        server = uvicorn.Server(
            uvicorn.Config(
                application if password is None else PasswordDoor(application, guard, password),
                lifespan="off",
                ws="websockets-sansio",
                ws_max_size=LONGEST,
                log_level="critical",
                access_log=False,  # addresses hold the secret
                server_header=False,
                timeout_graceful_shutdown=_ENDING,
            )
        )
        serving = threading.Thread(target=_run, args=(server, listening), daemon=True)
        serving.start()
        try:
            for _ in range(_STARTING * 20):
                if server.started or not serving.is_alive():
                    break
                serving.join(0.05)
            yield guard
        finally:
            server.should_exit = True
            serving.join(_ENDING + 5)
            studio.close()


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address of this machine."""
    named_host(host, port)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, max(0, port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(f"{host} is no address of this machine") from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except (OSError, OverflowError) as error:
        listening.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(f"{host} is no address of this machine") from error
        hint = "leave --port out for a free one"
        raise UsageError(f"port {port} is taken", hint=hint) from error
    return listening


def _run(server: uvicorn.Server, listening: socket.socket) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server.run(sockets=[listening])
