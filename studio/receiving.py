"""Bodies of requests: files that are dropped on the page, and objects."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import OutputError, UsageError, extra
from .shelf import Upload

with extra("studio"):
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect, Request

_LONGEST_BODY = 1 << 16
# Bytes that stay free on the disk of dropped files.
_SPARE = 1 << 30


async def received_file(
    request: Request, folder: Path, check: Callable[[Path], None], most: int
) -> Path:
    """Write a request's body to a file.

    Args:
        request: Names the file in its path.
        folder: Folder of the file.
        check: Refuses it when it is whole.
        most: Bytes of the file.

    Raises:
        BrushreelError: It is too large, not what it should be, or can't be written.
    """
    upload = await run_in_threadpool(Upload, folder, request.path_params["name"], check)
    try:
        await run_in_threadpool(_check_room, request.headers.get("Content-Length"), folder, most)
        received = 0
        async for content in request.stream():
            received += len(content)
            if received > most:
                raise UsageError("the dropped file is too large")
            await run_in_threadpool(upload.write, content)
        return await run_in_threadpool(upload.finish)
    except ClientDisconnect as error:
        raise UsageError("the dropped file did not arrive as a whole") from error
    except OSError as error:
        raise OutputError.because(error, "can't be written", path=folder) from error
    finally:
        upload.close()


async def received_body(request: Request, most: int) -> bytes:
    """Read what the page has sent.

    Raises:
        UsageError: It sent too much, or does not say how much.
    """
    length = request.headers.get("Content-Length", "")
    if not length.isdecimal() or int(length) > most:
        raise UsageError("the page sent no valid request")
    return await request.body()


async def received_fields(request: Request) -> Mapping[str, Any]:
    """Read the object that the page has sent.

    Raises:
        UsageError: It sent something else, or too much.
    """
    try:
        fields = json.loads(await received_body(request, _LONGEST_BODY))
    except (ValueError, RecursionError) as error:
        raise UsageError("the page sent no valid request") from error
    if not isinstance(fields, dict):
        raise UsageError("the page sent no valid request")
    return fields


def _check_room(length: str | None, folder: Path, most: int) -> None:
    """Refuse a file that is not going to fit.

    Raises:
        UsageError: It is too large, or its size is not stated.
        OutputError: The disk has too little room.
    """
    if length is None or not length.isdecimal() or int(length) > most:
        raise UsageError("the dropped file is too large, or its size is not known")
    if int(length) + _SPARE > shutil.disk_usage(folder).free:
        raise OutputError(
            "the disk has too little room for the dropped file",
            path=folder,
            hint="start the studio with the folder that the file is in",
        )
