"""The page in the browser, served to this machine alone.

The server listens on 127.0.0.1 under a path that cannot be guessed, answers only requests that
name this address (a page of another origin, or a name that was rebound to 127.0.0.1, is refused),
and ends with the job. The address with which the browser is started is valid once: other users of
the machine can read a process's arguments.
"""

from __future__ import annotations

import json
import queue
import secrets
import threading
import time
import webbrowser
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from .dialog_choice import Choice, Look
from .options import Options

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
# Seconds. Browsers ask once a minute from a hidden tab; a page that is closed reports it.
_PATIENCE, _LEAVING = 180.0, 4.0
_SLOW_BROWSER = 15.0


class Page:
    """The window of one job.

    Attributes:
        cancelled: Set when the user stops the job, or leaves before it was started.
        address: The address for the browser; valid once, it redirects to the page.
        look: The settings that previews should show.
    """

    def __init__(self, options: Options, title: str, previews: Path):
        self.cancelled = threading.Event()
        self._choices: queue.Queue[Choice] = queue.Queue()
        self._options, self._previews = options, previews
        self.look = options.last.look
        self._state: dict[str, Any] = {"phase": "choose", "title": title, "text": "", "share": 0.0}
        self._state["lines"] = []
        self._end_fetched, self._shown = threading.Event(), False
        self._deadline = time.monotonic() + _PATIENCE
        self.root, self._ticket = (f"/{secrets.token_urlsafe(32)}/" for _ in range(2))
        self._used = threading.Lock()
        handler = partial(_Handler, self)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.address = f"http://{self.host}{self._ticket}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def open(self) -> bool:
        """Open the page in the user's browser; return False when there is none."""
        self._shown = webbrowser.open(self.address)
        return self._shown

    def choose(self) -> Choice | None:
        """Wait for the user's choice; return None when the page was closed or cancelled."""
        while not self.cancelled.is_set():
            try:
                return self._choices.get(timeout=0.2)
            except queue.Empty:
                if time.monotonic() > self._deadline:
                    self.say("The page was closed before the job was started: cancelled")
                    self.cancelled.set()
        return None

    def progress(self, share: float, text: str) -> None:
        """Show the job's progress, 0 to 1."""
        self._state |= {"phase": "work", "share": share, "text": text}

    def say(self, line: str) -> None:
        """Show a line of the job's report."""
        self._state["lines"] = [*self._state["lines"], line]

    def finish(self, text: str) -> None:
        """Show the job's last line, and close the server once the page has fetched it."""
        self._state |= {"phase": "done", "text": text, "share": 1.0}
        if self._shown:
            self._end_fetched.wait(_SLOW_BROWSER)
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def state(self) -> dict[str, Any]:
        """Return the state, for which the page asks again and again."""
        self._deadline = time.monotonic() + _PATIENCE
        if self._state["phase"] == "done":
            self._end_fetched.set()
        return self._state | {"options": self._options.to_json()}

    def preview(self, name: str) -> Path:
        """Return the file of a style's preview."""
        return self._previews / name

    def start(self, fields: object) -> None:
        """Start the job with the user's choice.

        Raises:
            UsageError: The choice is not among the options.
        """
        choice = Choice.read(fields)
        self._options.extent(choice)
        if choice.style not in [style["name"] for style in self._options.styles]:
            raise UsageError(f"there is no style {choice.style!r}")
        if self._state["phase"] == "choose":
            self._state |= {"phase": "work", "text": "Starting"}
            self._choices.put(choice)

    def show(self, fields: object) -> None:
        """Note the settings that previews should show.

        Raises:
            UsageError: They are out of range.
        """
        self.look = Look.read(fields)

    def admits(self, path: str) -> bool:
        """Return whether a path is that of `address`, used for the first time."""
        matches = secrets.compare_digest(path.encode(), self._ticket.encode())
        return matches and self._used.acquire(blocking=False)

    def leave(self) -> None:
        """Note that the page is closed or reloaded; a reloaded page asks again at once."""
        if self._state["phase"] == "choose":
            self._deadline = time.monotonic() + _LEAVING


class _Handler(BaseHTTPRequestHandler):
    """A handler of the page's requests."""

    timeout = 30

    def __init__(self, page: Page, *arguments: Any):  # noqa: ANN401  http.server's own
        self._page = page
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Send a file of the page, a preview or the state."""
        name = self._name()
        if name is None and self._names_this_host() and self._page.admits(self.path):
            self._send(HTTPStatus.SEE_OTHER, Location=self._page.root)
        elif name is None:
            self._send(HTTPStatus.FORBIDDEN)
        elif name == "state":
            self._send(HTTPStatus.OK, json.dumps(self._page.state()).encode(), "application/json")
        else:
            self._send_file(name or "index.html")

    def do_POST(self) -> None:
        """Do what the user asks for: start, show other previews, cancel or leave."""
        name = self._name()
        if name is None or self.headers.get("Origin") != f"http://{self._page.host}":
            self._send(HTTPStatus.FORBIDDEN)
        elif name in ("start", "look"):
            self._read(self._page.start if name == "start" else self._page.show)
        elif name in ("cancel", "leave"):
            self._page.cancelled.set() if name == "cancel" else self._page.leave()
            self._send(HTTPStatus.NO_CONTENT)
        else:
            self._send(HTTPStatus.NOT_FOUND)

    def _name(self) -> str | None:
        """Return the requested name; None for requests that are not the page's own."""
        root = self._page.root
        matches = secrets.compare_digest(self.path[: len(root)].encode(), root.encode())
        return self.path[len(root) :] if matches and self._names_this_host() else None

    def _names_this_host(self) -> bool:
        return self.headers.get("Host") == self._page.host

    def _read(self, act: Callable[[object], None]) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LONGEST_BODY:
            self._send(HTTPStatus.BAD_REQUEST)
            return
        try:
            act(json.loads(self.rfile.read(int(length))))
        except (ValueError, RecursionError, UsageError) as error:
            what = str(error) if isinstance(error, UsageError) else "the page sent no valid JSON"
            answer = json.dumps({"error": what}).encode()
            self._send(HTTPStatus.BAD_REQUEST, answer, "application/json")
        else:
            self._send(HTTPStatus.NO_CONTENT)

    def _send_file(self, name: str) -> None:
        """Send a file of the page or a preview: a plain name in one of two folders."""
        folder = self._page.preview("") if name.endswith(".jpg") else _FILES
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
        """Return a name without versions of Python or of the server."""
        return "brushreel"

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its own name
        """Log nothing: addresses hold the secret."""
