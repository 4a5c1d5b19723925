"""The end of the pipe inside Resolve, which answers requests of Brushreel's own process.

Runs in Resolve's Python: 3.6 or newer, standard library only. Brushreel is a child process
whose standard input and output are the pipe, so that nobody else can write to it. A message is
one line of JSON; objects of Resolve are sent as numbers.
"""

import json
import os
import platform
import queue
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import IO, Any, Callable, Dict, List, Optional

import brushreel_window

Message = Dict[str, Any]
Tell = Callable[[Message], None]

# Resolve sets these for itself; they would break another Python.
FOREIGN = ("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONPATH", "DYLD_LIBRARY_PATH")
PLAIN = (type(None), bool, int, float, str)
WINDOWS_NO_CONSOLE = 0x08000000
# Seconds: the longest tick of the window's clock, and the wait in it for the next request.
BUSY, NEXT = 0.08, 0.02


def run(settings: Dict[str, Any], given: Dict[str, Any]) -> None:
    """Start Brushreel and serve it until it is done.

    Args:
        settings: "python" and "arguments" start it; "log", in the home
            folder, is the file for its standard error.
        given: The names that Resolve defines for its scripts.
    """
    open_closed_streams()
    resolve = find_resolve(given)
    if resolve is None:
        say("Resolve does not answer scripts")
        return
    child = Child(settings)
    try:
        Server(child, resolve, window_maker(resolve, given)).serve()
    finally:
        child.close()


def open_closed_streams() -> None:
    """Connect closed standard streams to the null device: a pipe must not get their numbers."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def say(text: str) -> None:
    """Print a line on Resolve's console, on which no job depends: it may be closed or full."""
    line = "Brushreel: " + text
    with suppress(OSError, ValueError):
        try:
            print(line, flush=True)
        except UnicodeEncodeError:
            print(line.encode("ascii", "backslashreplace").decode("ascii"), flush=True)


def open_log(name: str) -> IO[bytes]:
    """Open the log: in the home folder, else a temporary file, else nowhere.

    Args:
        name: Its path, absolute or relative to the home folder.
    """
    path = os.path.join(os.path.expanduser("~"), name)
    with suppress(OSError):
        if os.path.isabs(path):  # not every account has a home
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return open(path, "wb")
    with suppress(OSError):
        return tempfile.NamedTemporaryFile(prefix="brushreel-", suffix=".log", delete=False)
    return open(os.devnull, "wb")


def find_resolve(given: Dict[str, Any]) -> Any:
    """Return the API's first object, under whichever name this version defines it."""
    if given.get("resolve") is not None:
        return given["resolve"]
    if given.get("bmd") is not None:
        return given["bmd"].scriptapp("Resolve")
    if given.get("app") is not None:
        return given["app"].GetResolve()
    return None


def window_maker(resolve: Any, given: Dict[str, Any]) -> Optional[Callable[[Message, Tell], Any]]:
    """Return a function that makes Resolve's own kind of window; None where there is none.

    In the free edition, asking for it opens a dialog, after which calls fail.
    """
    if "Studio" not in str(resolve.GetProductName()):
        return None
    fusion, bmd = given.get("fusion"), given.get("bmd")
    manager = getattr(fusion, "UIManager", None) if fusion is not None else None
    if manager is None or bmd is None or "UIDispatcher" not in dir(bmd):
        return None
    return lambda options, tell: brushreel_window.Window(manager, bmd, options, tell)


def clean_environment(environment: Dict[str, str]) -> Dict[str, str]:
    """Return the environment without variables that are meant for Resolve alone."""
    return {name: value for name, value in environment.items() if name not in FOREIGN}


class Child:
    """Brushreel's process. Its messages arrive in `inbox`; None is the end."""

    def __init__(self, settings: Dict[str, Any]):
        with open_log(settings["log"]) as log:
            self.log = log.name
            self._process = subprocess.Popen(
                [settings["python"], *settings["arguments"]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=clean_environment(dict(os.environ)),
                creationflags=WINDOWS_NO_CONSOLE if sys.platform == "win32" else 0,
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self.inbox: "queue.Queue[Optional[Message]]" = queue.Queue()
        thread = threading.Thread(target=self._listen)
        thread.daemon = True
        thread.start()

    def _listen(self) -> None:
        with suppress(ValueError):  # a malformed message ends the session
            for line in self._from:
                self.inbox.put(json.loads(line.decode("utf-8")))
        self.inbox.put(None)

    def tell(self, message: Message) -> None:
        """Send a message; if the process has ended, `inbox` will report it."""
        with suppress(OSError, ValueError):
            self._to.write(json.dumps(message).encode("utf-8") + b"\n")
            self._to.flush()

    def close(self) -> None:
        """Close the pipe, which tells the process to stop; kill it if it does not."""
        with suppress(OSError):
            self._to.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._from.close()


class Server:
    """A server of a child's messages, in one thread: Resolve is called from the script's own."""

    def __init__(
        self,
        child: Child,
        resolve: Any,
        make_window: Optional[Callable[[Message, Tell], Any]] = None,
    ):
        self._child, self._make_window = child, make_window
        self._objects: List[Any] = [resolve]
        self._window: Any = None
        self._ended = False

    def serve(self) -> None:
        """Serve until the child is done; Resolve's window runs its own loop in the meantime."""
        self._child.tell(
            {
                "do": "hello",
                "python": platform.python_version(),
                "window": self._make_window is not None,
            }
        )
        while not self._ended:
            self.answer(self._child.inbox.get())
            if self._window is not None:
                self._window.run(self._drain)
                self._window = None

    def _drain(self) -> bool:
        """Answer what has arrived; return whether the child is done. Called by the window's clock.

        The child sends a request when it has the answer to the last one: a short wait for it
        lets thousands of them pass in seconds.
        """
        until, wait = time.monotonic() + BUSY, 0.0
        while not self._ended and time.monotonic() < until:
            try:
                message = self._child.inbox.get(timeout=wait)
            except queue.Empty:
                break
            self.answer(message)
            wait = NEXT if message is not None and "id" in message else 0.0
        return self._ended

    def answer(self, message: Optional[Message]) -> None:
        """Do what a message asks."""
        if message is None:
            if not self._ended:
                self._say("Brushreel ended unexpectedly; see " + self._child.log)
            self._ended = True
        elif "id" in message:
            self._child.tell(dict(self._result(message), id=message["id"]))
        elif message["do"] == "say":
            self._say(message["text"])
        elif message["do"] == "options":
            self._open(message["options"])
        elif message["do"] == "progress" and self._window is not None:
            self._window.progress(message["progress"])
        elif message["do"] == "end":
            self._ended = True

    def _say(self, text: str) -> None:
        say(text)
        if self._window is not None:
            self._window.say(text)

    def _open(self, options: Message) -> None:
        try:
            assert self._make_window is not None
            self._window = self._make_window(options, self._child.tell)
        except Exception:  # whatever a version lacks, there is the page
            say("no window in Resolve, using the browser")
            self._child.tell({"do": "no window"})

    def _result(self, message: Message) -> Message:
        try:
            thing = self._objects[message["object"]]
            if message["do"] == "names":
                return {"value": [name for name in dir(thing) if not name.startswith("_")]}
            if message["method"].startswith("_"):
                return {"error": "not a method of Resolve: " + message["method"]}
            arguments = [self._decoded(value) for value in message["arguments"]]
            return {"value": self._encoded(getattr(thing, message["method"])(*arguments))}
        except Exception as error:  # it is reported, and Resolve's script goes on
            return {"error": "{}: {}".format(type(error).__name__, error)}

    def _encoded(self, value: Any) -> Any:
        if isinstance(value, PLAIN):
            return value
        if isinstance(value, (list, tuple)):
            return [self._encoded(one) for one in value]
        if isinstance(value, dict):
            return {"pairs": [[key, self._encoded(one)] for key, one in value.items()]}
        self._objects.append(value)
        return {"object": len(self._objects) - 1}

    def _decoded(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._decoded(one) for one in value]
        if isinstance(value, dict):
            if "object" in value:
                return self._objects[value["object"]]
            return {key: self._decoded(one) for key, one in value["pairs"]}
        return value
