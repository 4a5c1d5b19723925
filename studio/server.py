"""The studio's server: loopback only, for as long as its terminal is there."""

from __future__ import annotations

import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ..batch.page.guard import Guard
from ..core.errors import UsageError, extra
from .application import Studio
from .camera import LONGEST

with extra("studio"):
    import uvicorn
    import websockets as websockets  # noqa: PLC0414  uvicorn would serve without it

LOOPBACK = "127.0.0.1"
# Seconds that open connections get to end.
_ENDING = 2
_STARTING = 30


@contextmanager
def served(studio: Studio, port: int = 0) -> Iterator[Guard]:
    """Serve a studio in a thread of its own, until the block is left.

    Args:
        studio: What is served.
        port: Port on 127.0.0.1; 0 for any that is free.

    Yields:
        The guard, which knows the address.

    Raises:
        UsageError: The port is taken.
    """
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"port {port} is taken", hint="leave --port out for a free one"
            ) from error
        guard = Guard(f"{LOOPBACK}:{listening.getsockname()[1]}")
        server = uvicorn.Server(
            uvicorn.Config(
                studio.application(guard),
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


def _run(server: uvicorn.Server, listening: socket.socket) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        server.run(sockets=[listening])
