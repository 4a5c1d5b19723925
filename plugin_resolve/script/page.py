"""Brushreel's own window: a page in the browser, served to this machine alone.

The server listens on 127.0.0.1 under a path that cannot be guessed, for requests that name this
very address (a page of another origin, or a name that was rebound to 127.0.0.1, gets nothing),
and ends with the job. What the browser is started with leads there once: other users of the machine
can read a process's arguments.
"""

from __future__ import annotations

import json
import queue
import secrets
import threading
import time
import webbrowser
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from .dialog_choice import Choice
from .options import Offer

_FILES = Path(__file__).parent / "page"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".jpg": "image/jpeg",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_LONGEST_BODY = 1 << 16
# Browsers ask once a minute from a tab that is not seen; a page that is left says so.
_PATIENCE, _LEAVING = 180.0, 4.0
_SLOW_BROWSER = 15.0


class Page:
    """The window of one job.

    Attributes:
        cancelled: Set when the user stops, or leaves before anything was started.
        address: What the browser opens; good for one time, it leads to the page.
    """

    def __init__(self, offer: Offer, title: str, pictures: Path):
        self.cancelled = threading.Event()
        self._choices: queue.Queue[Choice] = queue.Queue()
        self._offer, self._pictures = offer, pictures
        self._state: dict[str, Any] = {"phase": "choose", "title": title, "text": "", "share": 0.0}
        self._state["lines"] = []
        self._told_end, self._shown = threading.Event(), False
        self._deadline = time.monotonic() + _PATIENCE
        self.root, self._ticket = (f"/{secrets.token_urlsafe(32)}/" for _ in range(2))
        self._punched = threading.Lock()
        handler = partial(_Handler, self)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.address = f"http://{self.host}{self._ticket}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def open(self) -> bool:
        """Show it in the user's browser; False when there is none."""
        self._shown = webbrowser.open(self.address)
        return self._shown

    def choose(self) -> Choice | None:
        """Wait for the user; None when the page was closed or cancelled."""
        while not self.cancelled.is_set():
            try:
                return self._choices.get(timeout=0.2)
            except queue.Empty:
                if time.monotonic() > self._deadline:
                    self.say("The page was left before anything was chosen: cancelled")
                    self.cancelled.set()
        return None

    def progress(self, share: float, text: str) -> None:
        """Show how far it is, 0 to 1."""
        self._state |= {"phase": "work", "share": share, "text": text}

    def say(self, line: str) -> None:
        """Show a line of what became of it."""
        self._state["lines"] = [*self._state["lines"], line]

    def finish(self, text: str) -> None:
        """Show the end, and close the server once the page has heard of it."""
        self._state |= {"phase": "done", "text": text, "share": 1.0}
        if self._shown:
            self._told_end.wait(_SLOW_BROWSER)
        self.close()

    def close(self) -> None:
        """Nothing listens any more."""
        self._server.shutdown()
        self._server.server_close()

    def state(self) -> dict[str, Any]:
        """For the page, which asks again and again."""
        self._deadline = time.monotonic() + _PATIENCE
        if self._state["phase"] == "done":
            self._told_end.set()
        return self._state | {"offer": self._offer.to_json()}

    def picture(self, name: str) -> Path:
        """The file of a style's picture."""
        return self._pictures / name

    def start(self, fields: object) -> None:
        """The user has chosen.

        Raises:
            UsageError: Something that was not offered.
        """
        choice = Choice.read(fields)
        self._offer.part(choice)
        if choice.style not in [style["name"] for style in self._offer.styles]:
            raise UsageError(f"there is no style {choice.style!r}")
        if self._state["phase"] == "choose":
            self._state |= {"phase": "work", "text": "Starting"}
            self._choices.put(choice)

    def admits(self, path: str) -> bool:
        """Whether a path is that of the address, for the first time."""
        right = secrets.compare_digest(path.encode(), self._ticket.encode())
        return right and self._punched.acquire(blocking=False)

    def leave(self) -> None:
        """The page is closed or loaded anew; in the second case it asks again at once."""
        if self._state["phase"] == "choose":
            self._deadline = time.monotonic() + _LEAVING


class _Handler(BaseHTTPRequestHandler):
    """Answers the page."""

    timeout = 30

    def __init__(self, page: Page, *arguments: Any):  # noqa: ANN401  http.server's own
        self._page = page
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Files of the page, pictures, and the state."""
        name = self._name()
        if name is None and self._named() and self._page.admits(self.path):
            self._send(HTTPStatus.SEE_OTHER, Location=self._page.root)
        elif name is None:
            self._send(HTTPStatus.FORBIDDEN)
        elif name == "state":
            self._send(HTTPStatus.OK, json.dumps(self._page.state()).encode(), "application/json")
        else:
            self._send_file(name or "index.html")

    def do_POST(self) -> None:
        """What the user does."""
        name = self._name()
        if name is None or self.headers.get("Origin") != f"http://{self._page.host}":
            self._send(HTTPStatus.FORBIDDEN)
        elif name == "start":
            self._start()
        elif name in ("cancel", "leave"):
            self._page.cancelled.set() if name == "cancel" else self._page.leave()
            self._send(HTTPStatus.NO_CONTENT)
        else:
            self._send(HTTPStatus.NOT_FOUND)

    def _name(self) -> str | None:
        """What is asked for; None of requests that are not the page's own."""
        root = self._page.root
        right = secrets.compare_digest(self.path[: len(root)].encode(), root.encode())
        return self.path[len(root) :] if right and self._named() else None

    def _named(self) -> bool:
        return self.headers.get("Host") == self._page.host

    def _start(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LONGEST_BODY:
            self._send(HTTPStatus.BAD_REQUEST)
            return
        try:
            self._page.start(json.loads(self.rfile.read(int(length))))
        except (ValueError, UsageError) as error:
            answer = json.dumps({"error": str(error)}).encode()
            self._send(HTTPStatus.BAD_REQUEST, answer, "application/json")
        else:
            self._send(HTTPStatus.NO_CONTENT)

    def _send_file(self, name: str) -> None:
        """A file of the page, or a picture: a plain name in one of two folders."""
        folder = self._page.picture("") if name.endswith(".jpg") else _FILES
        known = {path.name: path for path in folder.iterdir() if path.suffix in _KINDS}
        if name not in known:
            self._send(HTTPStatus.NOT_FOUND)
        else:
            path = known[name]
            self._send(HTTPStatus.OK, path.read_bytes(), _KINDS[path.suffix])

    def _send(
        self, status: HTTPStatus, content: bytes = b"", kind: str = "text/plain", **more: str
    ) -> None:
        self.send_response(status)
        about = {"Content-Type": kind, "Content-Length": str(len(content))}
        headers = _HEADERS | about | more
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        """Says nothing of itself."""
        return "brushreel"

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its own name
        """Addresses hold the secret: nothing is logged."""
