"""The page in the browser, served to this machine alone; see `Guard`. It ends with the job."""

from __future__ import annotations

import json
import queue
import threading
import time
import webbrowser
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ...batch.page.guard import KINDS, PARTS, Guard, files_in
from ...core.errors import UsageError
from .dialog_choice import Choice, Look
from .options import Options

_FILES = Path(__file__).parent / "page"
_LONGEST_BODY = 1 << 16
# Seconds. Browsers ask once a minute from a hidden tab; a page that is closed reports it.
_PATIENCE, _LEAVING = 180.0, 4.0
_SLOW_BROWSER = 15.0


class Page:
    """The window of one job.

    Attributes:
        cancelled: Set when the user stops the job, or leaves before it was started.
        guard: Tells the page's own requests from all others.
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
        handler = partial(_Handler, self)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.guard = Guard(f"127.0.0.1:{self._server.server_port}")
        self.address = self.guard.address
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
        name, guard = self._name(), self._page.guard
        if name is None and guard.admits(self.path, self.headers.get("Host")):
            self._send(HTTPStatus.SEE_OTHER, Location=guard.root)
        elif name is None:
            self._send(HTTPStatus.FORBIDDEN)
        elif name == "state":
            self._send(HTTPStatus.OK, json.dumps(self._page.state()).encode(), "application/json")
        else:
            self._send_file(name or "index.html")

    def do_POST(self) -> None:
        """Do what the user asks for: start, show other previews, cancel or leave."""
        name = self._name()
        if name is None or not self._page.guard.is_own_origin(self.headers.get("Origin")):
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
        return self._page.guard.name(self.path, self.headers.get("Host"))

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
        """Send a file of the page or a preview: a plain name in one of these folders."""
        folders = (self._page.preview(""),) if name.endswith(".jpg") else (_FILES, PARTS)
        path = files_in(*folders).get(name)
        if path is None:
            self._send(HTTPStatus.NOT_FOUND)
        else:
            self._send(HTTPStatus.OK, path.read_bytes(), KINDS[path.suffix])

    def _send(
        self, status: HTTPStatus, content: bytes = b"", kind: str = "text/plain", **more: str
    ) -> None:
        self.send_response(status)
        about = {"Content-Type": kind, "Content-Length": str(len(content))}
        headers = self._page.guard.headers() | about | more
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        """Return a name without versions of Python or of the server."""
        return "brushreel"

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  its own name
        """Log nothing: addresses hold the secret."""
