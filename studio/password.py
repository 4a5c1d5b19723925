"""The password of a studio that other machines may reach: printed once, kept as a session's cookie.

It is asked for where `--host` is given. Who has the page's address and no session gets the page
that asks; everything else is behind `Guarded`, as on loopback.
"""

from __future__ import annotations

import secrets
from asyncio import Lock, sleep
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from ..batch.page.guard import KINDS, PARTS, Guard, files_in
from ..core.errors import BrushreelError, UsageError, extra
from .receiving import received_fields

with extra("studio"):
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, Response
    from starlette.types import ASGIApp, Receive, Scope, Send

FILES = Path(__file__).parent / "page"
# Of the page's files, those that the question for the password is shown with.
_PUBLIC = ("base.css", "password.css", "password.js", "icon.svg")
# No letter or digit that is taken for another one; 60 bits.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _LETTERS = 3, 4
# Seconds that a wrong password costs; attempts are judged one at a time, whoever makes them.
_WRONG = 1.0
_MOST_WAITING = 8


def new_password() -> str:
    """Return a password that can be read off a terminal: three groups of four letters."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS)) for _ in range(_GROUPS))
    return "-".join(groups)


class PasswordDoor:
    """An application that is reached with a session's cookie alone, which the password gives.

    Args:
        application: What is behind it.
        guard: Names the host and headers; its address with the secret is told after the password.
        password: The password.
    """

    def __init__(self, application: ASGIApp, guard: Guard, password: str):
        self._application, self._guard, self._password = application, guard, password
        self._session = secrets.token_urlsafe(32)
        # Cookies know no ports: another studio of this machine must not take this one's away.
        self._cookie = f"brushreel-{guard.host.rpartition(':')[2]}"
        self._turn = Lock()
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a WebSocket."""
        if scope["type"] == "lifespan" or self._is_known(scope):
            await self._application(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            answer = await self._answer(Request(scope, receive))
            answer.headers.update(self._guard.headers())
            await answer(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        """Return whether a request is of a browser that has given the password."""
        for name, value in scope["headers"]:
            if name != b"cookie":
                continue
            try:
                found = SimpleCookie(value.decode("latin-1")).get(self._cookie)
            except CookieError:
                continue
            if found and secrets.compare_digest(found.value.encode(), self._session.encode()):
                return True
        return False

    async def _answer(self, request: Request) -> Response:
        """Answer who has not given the password yet."""
        guard, path = self._guard, request.url.path
        asked = request.method in ("GET", "HEAD")
        file = files_in(FILES, PARTS).get(path.removeprefix("/"))
        if request.headers.get("Host") != guard.host:
            return Response(status_code=403)
        if request.method == "POST" and path == "/password":
            own = guard.is_own_origin(request.headers.get("Origin"))
            return await self._judge(request) if own else Response(status_code=403)
        if asked and (path == "/" or guard.name(path, guard.host) == ""):
            return FileResponse(FILES / "password.html", media_type=KINDS[".html"])
        if asked and file is not None and file.name in _PUBLIC:
            return FileResponse(file, media_type=KINDS[file.suffix])
        return Response(status_code=403)

    async def _judge(self, request: Request) -> Response:
        """Answer to a password: with the page's address and a cookie, or, a while later, no."""
        if self._waiting >= _MOST_WAITING:
            return JSONResponse({"error": "too many attempts; wait a minute"}, status_code=429)
        self._waiting += 1
        try:
            async with self._turn:
                given = await _given(request)
                if secrets.compare_digest(given, self._password.encode()):
                    answer = JSONResponse({"root": self._guard.root})
                    answer.set_cookie(
                        self._cookie, self._session, httponly=True, samesite="strict", path="/"
                    )
                    return answer
                await sleep(_WRONG)
                return JSONResponse({"error": "this is not the password"}, status_code=401)
        finally:
            self._waiting -= 1


async def _given(request: Request) -> bytes:
    """Return the password that was sent; empty where none was."""
    try:
        given = (await received_fields(request)).get("password")
    except BrushreelError:
        given = None
    return given.strip().lower().encode(errors="replace") if isinstance(given, str) else b""


def named_host(address: str, port: int) -> str:
    """Return an address and a port as browsers name them.

    Args:
        address: Name or address that other machines reach this one by.
        port: The port.

    Raises:
        UsageError: It stands for any address: requests could not be told from those of pages whose
            name was rebound to it.
    """
    if address in ("0.0.0.0", "::", "*", ""):  # noqa: S104  refused
        raise UsageError(
            f"--host {address} is every address",
            hint="name the one by which other machines reach this one",
        )
    return f"[{address}]:{port}" if ":" in address else f"{address.lower()}:{port}"
