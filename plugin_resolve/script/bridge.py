"""Brushreel's end of the pipe to the script that runs inside Resolve.

The script (scripts/brushreel_bridge.py) has started this process; standard input and output are
the pipe, one JSON object a line. Objects of Resolve are numbers here; a `RemoteObject` stands for
each and is called as the object itself would be.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import IO, Any

from ...core.errors import EditorError, UsageError

Message = dict[str, Any]
_log = logging.getLogger(__name__)


class RemoteObject:
    """An object of Resolve's API at the other end of the bridge.

    Args:
        bridge: The bridge.
        number: Its number at the other end.
        names: Names of its methods, empty until asked for; shared by objects of one kind.
    """

    def __init__(self, bridge: Bridge, number: int, names: list[str]):
        self._bridge, self._number, self._names = bridge, number, names

    def __dir__(self) -> list[str]:
        if not self._names:
            self._names += self._bridge.ask("names", object=self._number)
        return self._names

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def method(*arguments: object) -> Any:  # noqa: ANN401  whatever Resolve returns
            return self._bridge.ask(
                "call",
                object=self._number,
                method=name,
                arguments=[self._bridge.encoded(value) for value in arguments],
            )

        return method


class Bridge:
    """A bridge that sends requests to the script inside Resolve and receives its messages.

    Calls may come from one thread at a time; `cancelled` and `choices` may be read by any thread.

    Attributes:
        resolve: The API's first object.
        hello: The script's first message: its "python", and whether it can open a "window".
        cancelled: Set when the user stops the job, or when Resolve has ended.
        choices: Choices in Resolve's own window; None when it could not be opened.

    Raises:
        UsageError: Nobody speaks at the other end, or somebody else than the script.
    """

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]):
        self._incoming, self._outgoing = incoming, outgoing
        self._numbers = count(1)
        self._replies: queue.Queue[Message | None] = queue.Queue()
        self.cancelled = threading.Event()
        self.choices: queue.Queue[Message | None] = queue.Queue()
        self.resolve = RemoteObject(self, 0, [])
        try:
            self.hello: Message = dict(json.loads(incoming.readline()))
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(
                "this command is started by the script inside Resolve",
                hint="Workspace > Scripts > Brushreel; brushreel resolve install puts it there",
            ) from error
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, do: str, **fields: object) -> None:
        """Send a message that has no answer.

        Raises:
            EditorError: Resolve has ended.
        """
        try:
            self._outgoing.write(json.dumps({"do": do, **fields}).encode() + b"\n")
            self._outgoing.flush()
        except OSError as error:
            raise EditorError("Resolve has ended") from error

    def ask(self, do: str, **fields: object) -> Any:  # noqa: ANN401  whatever Resolve returns
        """Send a message and wait for its answer.

        Raises:
            EditorError: Resolve has ended, or raised an error of its own.
        """
        number = next(self._numbers)
        self.tell(do, id=number, **fields)
        reply = self._replies.get()
        if reply is None:
            self._replies.put(None)
            raise EditorError("Resolve has ended")
        if "error" in reply:
            _log.debug("Resolve: %s", reply["error"])
            called = fields.get("method", do)
            raise EditorError(f"Resolve fails in {called}", hint="try again; --debug shows more")
        return self._decoded(reply["value"])

    def _listen(self) -> None:
        # What is no message ends the session, as the pipe's end does.
        with suppress(OSError, ValueError, TypeError, KeyError):
            for line in self._incoming:
                self._receive(json.loads(line))
        self.cancelled.set()
        self._replies.put(None)

    def _receive(self, message: Message) -> None:
        if "id" in message:
            self._replies.put(message)
        elif message["do"] == "choice":
            self.choices.put(message["choice"])
        elif message["do"] == "no window":
            self.choices.put(None)
        elif message["do"] == "cancel":
            self.cancelled.set()

    def encoded(self, value: Any) -> Any:  # noqa: ANN401
        """Return an argument in the form in which it is sent."""
        if isinstance(value, RemoteObject):
            return {"object": value._number}
        if isinstance(value, list | tuple):
            return [self.encoded(one) for one in value]
        if isinstance(value, dict):
            return {"pairs": [[key, self.encoded(one)] for key, one in value.items()]}
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    def _decoded(self, value: Any, names: list[str] | None = None) -> Any:  # noqa: ANN401
        if isinstance(value, list):
            siblings: list[str] = []
            return [self._decoded(one, siblings) for one in value]
        if isinstance(value, dict):
            if "object" in value:
                return RemoteObject(self, value["object"], [] if names is None else names)
            return {key: self._decoded(one) for key, one in value["pairs"]}
        return value
