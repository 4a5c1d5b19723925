"""The guard of a page that is served to one user of this machine.

The server listens on 127.0.0.1 under a path that cannot be guessed and answers only requests that
name its address, so that a page of another origin, or a name that was rebound to 127.0.0.1, is
refused. The address with which the browser is started is valid once: other users of the machine
can read a process's arguments.
"""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

PARTS = Path(__file__).parent / "parts"
"""Folder of the style sheet and the modules that all pages share."""

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}
"""Content types of a page's files by suffix; no other files are sent."""


class Guard:
    """A guard that tells requests of its own page from all others.

    Attributes:
        host: Address and port of the server, as browsers name them.
        root: Path below which everything is served; it is the session's secret.
        address: The address for the browser; valid once, it redirects to the page.

    Args:
        host: See above.
    """

    def __init__(self, host: str):
        self.host = host
        self.root, self._ticket = (f"/{secrets.token_urlsafe(32)}/" for _ in range(2))
        self.address = f"http://{host}{self._ticket}"
        self._unused = threading.Lock()

    def admits(self, path: str, host: str | None) -> bool:
        """Return whether a path is that of `address`, used for the first time."""
        matches = secrets.compare_digest(path.encode(), self._ticket.encode())
        return matches and host == self.host and self._unused.acquire(blocking=False)

    def name(self, path: str, host: str | None) -> str | None:
        """Return what a request asks for below the root; None where it is none of the page's."""
        root = self.root
        matches = secrets.compare_digest(path[: len(root)].encode(), root.encode())
        return path[len(root) :] if matches and host == self.host else None

    def is_own_origin(self, origin: str | None) -> bool:
        """Return whether a request that changes something was sent by the page itself."""
        return origin == f"http://{self.host}"

    def headers(self) -> dict[str, str]:
        """Return the headers of every answer: nothing is loaded from, or shown in, elsewhere."""
        policy = (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' blob:; "
            f"media-src 'self'; connect-src 'self' ws://{self.host}; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"
        )
        return {
            "Content-Security-Policy": policy,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }


def files_in(*folders: Path) -> dict[str, Path]:
    """Return the files that a page may be sent, by name: plain names, no path leads elsewhere."""
    return {
        path.name: path for folder in folders for path in folder.iterdir() if path.suffix in KINDS
    }
