"""Addresses that the page may ask for, below the session's secret, and their answers."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from platformdirs import user_videos_path

from ..batch.page.guard import KINDS, PARTS, Guard, files_in
from ..core.errors import BrushreelError, MediaError, OutputError, UsageError, extra, unexpected
from ..core.frames.stroke_size import DETAIL, LEAST, MOST, NATURAL
from ..core.library import list_styles
from ..core.stylizer import Stylizer
from . import pictures, render_options
from .camera import Camera
from .frame_source import FrameSource, FrameSources
from .look import Look, Stylizers
from .player import Player, answer_in_turn, words_of
from .render_queue import RenderQueue
from .shelf import Clip, Shelf, Upload
from .sound import Sound

with extra("studio"):
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from starlette.websockets import WebSocket

FILES = Path(__file__).parent / "page"
MOST_UPLOADED = 64 << 30
"""Bytes of one dropped file."""
_LONGEST_BODY = 1 << 16
# Bytes that stay free on the disk of dropped files.
_SPARE = 1 << 30


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
        queue: What is rendered.
    """

    def __init__(self, shelf: Shelf, stylizers: Stylizers, queue: RenderQueue):
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
            Route("/dropped/{name}", self._drop, methods=["PUT"]),
            Route("/command", self._command, methods=["POST"]),
            Route("/jobs", self._jobs),
            Route("/jobs", self._render, methods=["POST"]),
            Route("/jobs/{job}/{act}", self._act, methods=["POST"]),
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
        styles = [
            {
                "name": style.name,
                "title": style.title,
                "painting": dataclasses.asdict(style.painting),
                "family": style.family,
            }
            for style in list_styles()
        ]
        return JSONResponse(
            {
                "folders": [str(folder) for folder in self.shelf.folders],
                "styles": styles,
                "defaults": {"stroke_size": NATURAL, "detail": DETAIL, "strength": 1.0},
                "stroke_sizes": [LEAST, MOST],
                "deliveries": render_options.deliveries(),
                "options": render_options.groups(),
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
        _, words = self._words(await _fields(request))
        return JSONResponse({"words": [shlex.quote(word) for word in ("brushreel", *words)]})

    async def _render(self, request: Request) -> Response:
        """Put what is chosen into the queue."""
        clip, words = self._words(await _fields(request))
        job = self.queue.add(clip.id, words, clip.name)
        return JSONResponse({"id": job.id}, status_code=201)

    def _words(self, fields: Mapping[str, Any]) -> tuple[Clip, list[str]]:
        """Return the clip and the command line, after its first word, of what is chosen.

        Raises:
            BrushreelError: There is no such clip, or something else makes no sense.
        """
        clip = self.shelf.clip(str(fields.get("clip")))
        look, options = fields.get("look"), fields.get("options", {})
        folder = fields.get("folder") or ""
        if (
            not isinstance(look, dict)
            or not isinstance(options, dict)
            or not isinstance(folder, str)
        ):
            raise UsageError("the page sent no valid request")
        words = ["stylize", str(clip.path), *Look.read(words_of(look)).flags()]
        if not folder and clip.folder == self.shelf.dropped:
            folder = str(user_videos_path() / "Brushreel")
        if folder:
            words += ["--output", str(_folder(folder))]
        return clip, [*words, *render_options.words(options)]

    def _jobs(self, request: Request) -> Response:
        del request
        jobs = self.queue.jobs()
        for job in jobs:
            job["result"] = None
            if job["state"] == "done" and job["output"] and Path(job["output"]).exists():
                job["result"] = self.shelf.add_result(Path(job["output"])).id
        return JSONResponse(jobs)

    async def _act(self, request: Request) -> Response:
        """Pause, resume or remove a job."""
        acts = {"pause": self.queue.pause, "resume": self.queue.resume, "remove": self.queue.remove}
        act = acts.get(request.path_params["act"])
        if act is None:
            return Response(status_code=404)
        await run_in_threadpool(act, request.path_params["job"])
        return Response(status_code=204)

    async def _drop(self, request: Request) -> Response:
        """Receive a dropped file; it is on the shelf when it is whole."""
        folder = self.shelf.dropped
        upload = await run_in_threadpool(Upload, folder, request.path_params["name"])
        try:
            await run_in_threadpool(_check_room, request.headers.get("Content-Length"), folder)
            received = 0
            async for content in request.stream():
                received += len(content)
                if received > MOST_UPLOADED:
                    raise UsageError("the dropped file is too large")
                await run_in_threadpool(upload.write, content)
            path = await run_in_threadpool(upload.finish)
        except ClientDisconnect:
            return Response(status_code=499)
        except OSError as error:
            raise OutputError.because(error, "can't be written", path=folder) from error
        finally:
            upload.close()
        clip = self.shelf.add(path)
        assert clip is not None
        return JSONResponse(self._about(clip), status_code=201)

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


async def _fields(request: Request) -> Mapping[str, Any]:
    """Read the object that the page has sent.

    Raises:
        UsageError: It sent something else, or too much.
    """
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal() or int(length) > _LONGEST_BODY:
        raise UsageError("the page sent no valid request")
    try:
        fields = await request.json()
    except (ValueError, RecursionError) as error:
        raise UsageError("the page sent no valid request") from error
    if not isinstance(fields, dict):
        raise UsageError("the page sent no valid request")
    return fields


def _folder(text: str) -> Path:
    """Return the folder that is rendered into.

    Raises:
        UsageError: It is not named from the root on, or it is a file.
    """
    folder = Path(text).expanduser()
    if not folder.is_absolute():
        raise UsageError("the folder must be named from the root on", path=text)
    if folder.exists() and not folder.is_dir():
        raise UsageError("is a file; name a folder to render into", path=folder)
    return folder


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


def _check_room(length: str | None, folder: Path) -> None:
    """Refuse a file that is not going to fit.

    Raises:
        UsageError: It is too large, or its size is not stated.
        OutputError: The disk has too little room.
    """
    if length is None or not length.isdecimal() or int(length) > MOST_UPLOADED:
        raise UsageError("the dropped file is too large, or its size is not known")
    if int(length) + _SPARE > shutil.disk_usage(folder).free:
        raise OutputError(
            "the disk has too little room for the dropped file",
            path=folder,
            hint="start the studio with the folder that the clip is in",
        )


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
