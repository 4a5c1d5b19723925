"""Addresses that the page may ask for, below the session's secret, and their answers."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import shlex
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ..batch.page.guard import KINDS, PARTS, Guard, files_in
from ..core.errors import BrushreelError, MediaError, UsageError, extra, unexpected
from ..core.file_identity import file_identity
from ..core.frames.stroke_size import DETAIL, LEAST, MOST, NATURAL
from ..core.library import list_styles, style_paths
from ..core.stylizer import Stylizer
from ..training.data.images import open_image
from ..training.loss_network import find_weights
from . import command_options, pictures
from .camera import LONGEST, Camera, still
from .command_lines import FACTORS, CommandLine
from .frame_source import FrameSource, FrameSources
from .job_queue import JobQueue
from .look import Look, Stylizers
from .player import Player, answer_in_turn
from .receiving import received_body, received_fields, received_file
from .shelf import Clip, Shelf, check_clip, check_painting
from .sound import Sound

with extra("studio"):
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from starlette.websockets import WebSocket

FILES = Path(__file__).parent / "page"
MOST_UPLOADED = 64 << 30
"""Bytes of a dropped clip."""
MOST_OF_A_PAINTING = 1 << 28
"""Bytes of a dropped painting."""
_SIDES = ("before", "after")


class Guarded:
    """An application behind a guard: what is not the page's own gets an empty refusal.

    Args:
        application: Is given requests with the root taken off their path.
        guard: Tells them apart.
    """

    def __init__(self, application: ASGIApp, guard: Guard):
        self._application, self._guard = application, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a WebSocket."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, guard = headers.get(b"host"), self._guard
        answer: ASGIApp = self._application
        name = guard.name(scope["path"], host)
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if name is None and scope["type"] == "http" and guard.admits(scope["path"], host):
            answer = Response(status_code=303, headers={"Location": guard.root})
        elif name is None or (changes and not guard.is_own_origin(headers.get(b"origin"))):
            answer = _refused if scope["type"] == "websocket" else Response(status_code=403)
        else:
            scope = {**scope, "path": f"/{name}", "raw_path": None}
        await answer(scope, receive, self._with_headers(send))

    def _with_headers(self, send: Send) -> Send:
        own = [(name.lower().encode(), value.encode()) for name, value in self._headers()]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in own}
                kept = [pair for pair in message["headers"] if pair[0].lower() not in names]
                message = {**message, "headers": [*kept, *own]}
            await send(message)

        return sending

    def _headers(self) -> list[tuple[str, str]]:
        return list(self._guard.headers().items())


async def _refused(_scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a WebSocket before it is one: the browser sees status 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1008})


class Studio:
    """A session of the studio, and the answers to its page.

    Args:
        shelf: The clips that the page may see.
        stylizers: Networks that are kept ready.
        queue: What is rendered, watched and trained.
    """

    def __init__(self, shelf: Shelf, stylizers: Stylizers, queue: JobQueue):
        self.shelf, self.stylizers, self.queue = shelf, stylizers, queue
        self.sources = FrameSources()
        # Pictures are made one after the other: those that nobody waits for any more, not at all.
        self._turn = asyncio.Lock()

    def application(self, guard: Guard) -> Guarded:
        """Return the application, behind its guard."""
        routes = [
            Route("/", self._file),
            Route("/front/{name}", self._file),
            Route("/session", self._session),
            Route("/clips", self._clips),
            Route("/clips/{clip}", self._clip),
            Route("/clips/{clip}/thumbnail.jpg", self._thumbnail),
            Route("/clips/{clip}/{number:int}.png", self._exact),
            Route("/clips/{clip}/{number:int}.jpg", self._small),
            Route("/clips/{clip}", self._remove, methods=["DELETE"]),
            Route("/clips/{clip}/sound.wav", self._sound),
            WebSocketRoute("/play", self._play),
            WebSocketRoute("/camera", self._camera),
            Route("/camera.jpg", self._still, methods=["POST"]),
            Route("/dropped/{name}", self._drop, methods=["PUT"]),
            Route("/paintings/{name}", self._drop_painting, methods=["PUT"]),
            Route("/painting.jpg", self._painting),
            Route("/command", self._command, methods=["POST"]),
            Route("/jobs", self._jobs),
            Route("/jobs", self._add, methods=["POST"]),
            Route("/jobs/{job}/{act}", self._act, methods=["POST"]),
            Route("/jobs/{job}/{number:int}.{side}.jpg", self._so_far),
        ]
        handlers: dict[Any, Any] = {BrushreelError: _failure, Exception: _failure}
        return Guarded(Starlette(routes=routes, exception_handlers=handlers), guard)

    def _file(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        path = files_in(FILES, PARTS).get(name)
        if path is None:
            return Response(status_code=404)
        return FileResponse(path, media_type=KINDS[path.suffix])

    def _session(self, request: Request) -> Response:
        del request
        return JSONResponse(
            {
                "folders": [str(folder) for folder in self.shelf.folders],
                "dropped": str(self.shelf.dropped),
                "styles": _styles(),
                "defaults": {"stroke_size": NATURAL, "detail": DETAIL, "strength": 1.0},
                "stroke_sizes": [LEAST, MOST],
                "deliveries": command_options.deliveries(),
                "options": {
                    "render": command_options.STYLIZE.groups(),
                    "watch": command_options.WATCH.groups(),
                    "train": command_options.TRAIN.groups(),
                },
                "factors": FACTORS,
                "loss_network": _missing_loss_network(),
            }
        )

    def _clips(self, request: Request) -> Response:
        del request
        return JSONResponse([self._about(clip) for clip in self.shelf.clips()])

    def _about(self, clip: Clip) -> dict[str, Any]:
        dropped = clip.folder == self.shelf.dropped
        folder = "" if dropped else str(clip.folder)
        return {"id": clip.id, "name": clip.name, "folder": folder, "dropped": dropped}

    def _clip(self, request: Request) -> Response:
        """Answer with the facts of a clip, exact ones, or with what is wrong with it."""
        clip = self.shelf.clip(request.path_params["clip"])
        return JSONResponse(self._about(clip) | _facts(self.sources(clip.path)))

    async def _thumbnail(self, request: Request) -> Response:
        path = self.shelf.clip(request.path_params["clip"]).path
        return await self._picture(request, partial(pictures.thumbnail, path), "image/jpeg")

    async def _exact(self, request: Request) -> Response:
        def draw() -> bytes:
            stylizer, network = self._stylizer(request), self.stylizers.network
            return pictures.exact(
                self._source(request), request.path_params["number"], stylizer, network
            )

        return await self._picture(request, draw, "image/png")

    async def _small(self, request: Request) -> Response:
        lines = pictures.check_lines(request.query_params.get("lines"))

        def draw() -> bytes:
            source, stylizer = self._source(request), self._stylizer(request)
            frame = source.frame(request.path_params["number"])
            small = pictures.SmallFrame.of(frame, source, lines)
            if stylizer is None:
                return pictures.small(small.rgb, source.info.video)
            with self.stylizers.network:
                rgb = small.stylized(stylizer)
            return pictures.small(rgb, source.info.video)

        return await self._picture(request, draw, "image/jpeg")

    async def _picture(self, request: Request, draw: Callable[[], bytes], kind: str) -> Response:
        async with self._turn:
            if await request.is_disconnected():
                return Response(status_code=499)
            return Response(await run_in_threadpool(draw), media_type=kind)

    def _source(self, request: Request) -> FrameSource:
        return self.sources(self.shelf.clip(request.path_params["clip"]).path)

    def _stylizer(self, request: Request) -> Stylizer | None:
        query = request.query_params
        return self.stylizers(Look.read(query)) if "style" in query else None

    async def _play(self, socket: WebSocket) -> None:
        player = Player(self.shelf, self.stylizers)
        await answer_in_turn(socket, player.answer, player.close)

    async def _camera(self, socket: WebSocket) -> None:
        await answer_in_turn(socket, Camera(self.stylizers).answer, lambda: None)

    async def _still(self, request: Request) -> Response:
        """Answer with the camera's frame in a style, as a small picture."""
        lines = pictures.check_lines(request.query_params.get("lines"))
        content = await received_body(request, LONGEST)

        def draw() -> bytes:
            return still(content, self.stylizers, Look.read(request.query_params), lines)

        return await self._picture(request, draw, "image/jpeg")

    def _sound(self, request: Request) -> Response:
        """Answer with a part of a clip's sound."""
        source = self._source(request)
        if not source.info.audio:
            raise MediaError("has no sound", path=source.path)
        sound = Sound(source.path, source.duration, source.info.origin)
        start, end = _range(request.headers.get("Range", ""), sound.size)
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(end - start)}
        if (start, end) != (0, sound.size):
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{sound.size}"
        status = 206 if "Content-Range" in headers else 200
        content = sound.content(start, end)
        return StreamingResponse(content, status, headers, media_type="audio/wav")

    async def _command(self, request: Request) -> Response:
        """Answer with the command line that does what is chosen."""
        line = CommandLine.read(await received_fields(request), self.shelf)
        return JSONResponse({"words": [shlex.quote(word) for word in ("brushreel", *line.words)]})

    async def _add(self, request: Request) -> Response:
        """Put what is chosen into the queue."""
        line = CommandLine.read(await received_fields(request), self.shelf)
        job = self.queue.add(line.source, line.words, line.title, line.kind)
        return JSONResponse({"id": job.id}, status_code=201)

    def _jobs(self, request: Request) -> Response:
        """Answer with the queue, and with what changes when the library does."""
        del request
        jobs = self.queue.jobs()
        for job in jobs:
            job["result"] = None
            made = job["kind"] == "render" and job["state"] == "done" and job["output"]
            if made and Path(made).exists():
                job["result"] = self.shelf.add_result(Path(made)).id
            job["command"] = shlex.join(("brushreel", *job.pop("words")))
            job["resumable"] = self.queue.job(job["id"]).checkpoint is not None
        return JSONResponse({"jobs": jobs, "library": _library(), "trouble": self.queue.trouble})

    def _so_far(self, request: Request) -> Response:
        """Answer with a frame of a training, as its events name it."""
        job = self.queue.job(request.path_params["job"])
        rows = job.facts.get("pictures", [])
        number, side = request.path_params["number"], request.path_params["side"]
        path = Path(rows[number][side]) if number < len(rows) and side in _SIDES else Path()
        if not path.is_file():
            return Response(status_code=404)
        return Response(path.read_bytes(), media_type="image/jpeg")

    async def _act(self, request: Request) -> Response:
        """Pause, resume or remove a job."""
        acts = {"pause": self.queue.pause, "resume": self.queue.resume, "remove": self.queue.remove}
        act = acts.get(request.path_params["act"])
        if act is None:
            return Response(status_code=404)
        await run_in_threadpool(act, request.path_params["job"])
        return Response(status_code=204)

    async def _drop(self, request: Request) -> Response:
        """Receive a dropped clip; it is on the shelf when it is whole."""
        path = await received_file(request, self.shelf.dropped, check_clip, MOST_UPLOADED)
        clip = self.shelf.add(path)
        assert clip is not None
        return JSONResponse(self._about(clip), status_code=201)

    async def _drop_painting(self, request: Request) -> Response:
        """Receive a dropped painting."""
        folder = self.shelf.paintings
        path = await received_file(request, folder, check_painting, MOST_OF_A_PAINTING)
        return JSONResponse({"path": str(path)}, status_code=201)

    def _painting(self, request: Request) -> Response:
        """Answer with a small picture of a painting."""
        path = self.shelf.inside(request.query_params.get("path", ""), "the painting")
        return Response(pictures.of_painting(open_image(path)), media_type="image/jpeg")

    def _remove(self, request: Request) -> Response:
        """Remove a dropped file; the given folders are never changed."""
        clip = self.shelf.clip(request.path_params["clip"])
        if clip.folder != self.shelf.dropped:
            raise UsageError("only dropped clips can be removed", path=clip.path)
        self.sources.close()
        clip.path.unlink(missing_ok=True)
        return Response(status_code=204)

    def close(self) -> None:
        """Stop what is rendered, so that it can be resumed, and close all files."""
        self.queue.close()
        self.sources.close()


def _styles() -> list[dict[str, Any]]:
    return [
        {
            "name": style.name,
            "title": style.title,
            "painting": dataclasses.asdict(style.painting),
            "family": style.family,
        }
        for style in list_styles()
    ]


def _library() -> str:
    """Return a text that changes whenever a style of the library comes, goes or is replaced."""
    files = []
    for name, path in style_paths().items():
        with suppress(OSError):  # it was removed a moment ago
            files.append((name, file_identity(path)))
    return f"{zlib.crc32(repr(files).encode()):08x}"


def _missing_loss_network() -> str:
    """Return what `brushreel train` says where the loss network is missing; empty if it is not."""
    try:
        find_weights(None)
    except BrushreelError as error:
        return str(error)
    return ""


def _failure(_request: Request, error: Exception) -> Response:
    """Answer with what the command line would print, and where it belongs."""
    known = error if isinstance(error, BrushreelError) else unexpected(error)
    status = 404 if isinstance(error, MediaError) else 400
    return JSONResponse({"error": str(known)}, status_code=status)


def _range(text: str, size: int) -> tuple[int, int]:
    """Return the first byte and the end of a range (RFC 9110, 14.1.2); everything if it is none."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", text.strip())
    if match is None or int(match[1]) >= size:
        return 0, size
    end = int(match[2]) + 1 if match[2] else size
    return int(match[1]), max(int(match[1]), min(end, size))


def _facts(source: FrameSource) -> dict[str, Any]:
    """Return what the page shows of a clip."""
    info, video = source.info, source.info.video
    width = round(video.width * (video.sample_aspect_ratio or 1))
    shown = (video.height, width) if video.rotation % 180 else (width, video.height)
    return {
        "frames": len(source.times),
        "rate": float(source.rate),
        "duration": source.duration,
        "width": shown[0],
        "height": shown[1],
        "codec": video.codec,
        "depth": video.pixel_format.depth,
        "hdr": video.hdr,
        "interlaced": video.interlaced,
        "sound": len(info.audio),
        "start": source.timecode(0),
    }
