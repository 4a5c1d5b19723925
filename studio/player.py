"""Frames for a page that plays a clip: each is asked for when it is wanted, and none is late.

The page asks for the frame at a time, by its own clock, two at a time at most. A machine that is
too slow is asked for fewer: frames are left out, never delayed.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import BrushreelError, UsageError, extra, unexpected
from .frame_source import FrameSource
from .look import Look, Stylizers
from .pictures import SmallFrame, check_lines, scaled, small
from .shelf import Shelf

with extra("studio"):
    from starlette.concurrency import run_in_threadpool
    from starlette.websockets import WebSocket, WebSocketDisconnect

_WAITING = 2
SIDES = ("before", "after", "both")


@dataclass(frozen=True)
class FrameRequest:
    """A request for a frame as the page sends it.

    Attributes:
        id: Number that comes back with the answer.
        clip: The clip's id.
        time: Seconds from the clip's start; None where `number` is given.
        number: Number of the frame from 0; None where `time` is given.
        lines: Height of the pictures.
        sides: The source ("before"), the stylized frame ("after"), or both.
        look: Style and settings as a query has them; None for no stylized frame.
        against: Id of a rendered clip that is shown in place of the stylized frame.
    """

    id: int
    clip: str
    time: float | None
    number: int | None
    lines: int
    sides: str
    look: Look | None
    against: str | None = None

    @classmethod
    def read(cls, text: str | bytes) -> FrameRequest:
        """Read a message.

        Raises:
            UsageError: It is no valid request.
        """
        try:
            fields = json.loads(text)
            at, number, look = fields.get("time"), fields.get("number"), fields.get("look")
            against = fields.get("against")
            request = cls(
                id=int(fields["id"]),
                clip=str(fields["clip"]),
                time=None if at is None else float(at),
                number=None if number is None else int(number),
                lines=check_lines(fields.get("lines")),
                sides=str(fields.get("sides", "after")),
                look=None if look is None else Look.read(words_of(look)),
                against=None if against is None else str(against),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError("the page sent no valid request") from error
        if (request.time is None) == (request.number is None) or request.sides not in SIDES:
            raise UsageError("the page sent no valid request")
        return request


def words_of(look: Mapping[str, object]) -> dict[str, str]:
    """Return the values of an object as texts, as a query has them."""
    return {str(name): str(value) for name, value in look.items()}


class Player:
    """A player of one page: it reads on in one clip at a time.

    Args:
        shelf: The clips that the page may see.
        stylizers: Networks that are kept ready.
    """

    def __init__(self, shelf: Shelf, stylizers: Stylizers):
        self._shelf, self._stylizers = shelf, stylizers
        self._open: dict[str, FrameSource] = {}

    def answer(self, message: str | bytes) -> bytes:
        """Return the answer to a message of the page: frames, or what is wrong."""
        number = 0
        try:
            request = FrameRequest.read(message)
            number = request.id
            return self._frames(request)
        except Exception as error:  # noqa: BLE001  the next frame may be fine
            return told(number, error)

    def _frames(self, request: FrameRequest) -> bytes:
        began = time.perf_counter()
        source, rendered = self._opened(request)
        number = request.number
        if number is None:
            number = source.number_at(request.time or 0)
        number = min(max(0, number), len(source.times) - 1)
        before, after = self._pictures(source, rendered, number, request)
        header = {
            "id": request.id,
            "number": number,
            "time": float(source.times[number]),
            "timecode": source.timecode(number),
            "took": round(time.perf_counter() - began, 4),
            "before": len(before),
            "after": len(after),
        }
        return packed(header, before, after)

    def _opened(self, request: FrameRequest) -> tuple[FrameSource, FrameSource | None]:
        """Return the clip and the rendered one; what is not needed any more is closed."""
        wanted = {
            name: self._shelf.clip(name).path
            for name in (request.clip, request.against)
            if name is not None
        }
        for name in set(self._open) - set(wanted):
            self._open.pop(name).close()
        for name, path in wanted.items():
            if name not in self._open:
                self._open[name] = FrameSource(path)
        rendered = None if request.against is None else self._open[request.against]
        return self._open[request.clip], rendered

    def _pictures(
        self,
        source: FrameSource,
        rendered: FrameSource | None,
        number: int,
        request: FrameRequest,
    ) -> tuple[bytes, bytes]:
        shown = SmallFrame.of(source.frame(number), source, request.lines)
        before = after = b""
        if rendered is not None and request.sides != "before":
            frame = rendered.frame(min(number, len(rendered.times) - 1))
            video = rendered.info.video
            after = small(scaled(frame, video, request.lines), video)
            if request.sides == "both":
                before = small(shown.rgb, source.info.video)
            return before, after
        if request.look is None or request.sides != "after":
            before = small(shown.rgb, source.info.video)
        if request.look is not None and request.sides != "before":
            stylizer = self._stylizers(request.look)
            with self._stylizers.network:
                rgb = shown.stylized(stylizer)
            after = small(rgb, source.info.video)
        return before, after

    def close(self) -> None:
        """Close the clips."""
        while self._open:
            self._open.popitem()[1].close()


def packed(header: Mapping[str, Any], *pictures: bytes) -> bytes:
    """Return a message: length of the header (4 bytes, big endian), the header, the pictures."""
    text = json.dumps(header).encode()
    return b"".join((struct.pack(">I", len(text)), text, *pictures))


async def answer_in_turn(
    socket: WebSocket, answer: Callable[[str | bytes], bytes], close: Callable[[], None]
) -> None:
    """Answer a page's messages until it leaves; of those that wait, the oldest are passed over.

    Args:
        socket: The page's connection.
        answer: Is called with each message, in a thread; raises nothing.
        close: Is called at the end.
    """
    await socket.accept()
    wanted: deque[str | bytes] = deque(maxlen=_WAITING)
    arrived = asyncio.Event()

    async def receive() -> None:
        while (message := await socket.receive())["type"] == "websocket.receive":
            wanted.append(message.get("text") or message.get("bytes") or "")
            arrived.set()
        arrived.set()

    receiving = asyncio.create_task(receive())
    try:
        while True:
            await arrived.wait()
            if not wanted:
                if receiving.done():
                    return
                arrived.clear()
                continue
            await socket.send_bytes(await run_in_threadpool(answer, wanted.popleft()))
    except (WebSocketDisconnect, RuntimeError):  # it left while its frame was made
        return
    finally:
        receiving.cancel()
        await run_in_threadpool(close)


def told(number: int, error: Exception) -> bytes:
    """Return the message that tells a page what went wrong with a request."""
    known = error if isinstance(error, BrushreelError) else unexpected(error)
    return packed({"id": number, "error": str(known)})
