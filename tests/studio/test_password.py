"""The studio on another address than loopback's: only with the password, and only from its page."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from brushreel.cli import main
from brushreel.studio import password
from brushreel.studio.application import Studio
from brushreel.studio.job_queue import JobQueue
from brushreel.studio.look import Stylizers
from brushreel.studio.server import served
from brushreel.studio.shelf import Shelf

from .conftest import Client

PASSWORD = "abcd-efgh-jkmn"  # noqa: S105  a test's
# Another address than 127.0.0.1 that every machine has.
HOST = "localhost"


@pytest.fixture
def door(styles, folder, tmp_path) -> Iterator[Client]:
    """A client of a studio that asks for a password."""
    studio = Studio(
        Shelf([folder], tmp_path / "dropped"), Stylizers("cpu"), JobQueue(tmp_path / "q")
    )
    with served(studio, host=HOST, password=PASSWORD) as guard:
        yield Client(guard, folder, tmp_path / "dropped", studio)


def give(door: Client, text: object, **headers: str) -> tuple[int, dict, str]:
    """Give a password; return status, answer and cookie."""
    body = json.dumps({"password": text})
    status, content, got = door.ask("POST", "/password", body, **headers)
    return status, json.loads(content or b"{}"), got.get("Set-Cookie", "")


def test_nothing_is_there_without_the_password(door):
    status, page, headers = door.ask("GET", "/")
    assert status == 200 and b"The password that the terminal shows" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert door.guard.root.encode() not in page
    # Not even with the page's address.
    assert door.ask("GET", "")[1] == page
    for name in ("clips", "session", "jobs", "front/studio.js"):
        assert door.ask("GET", name)[:2] == (403, b"")
    assert door.ask("POST", "jobs", "{}")[0] == 403
    assert door.ask("PUT", "dropped/a.mp4", b"x")[0] == 403
    for name in ("base.css", "password.css", "password.js", "icon.svg"):
        assert door.ask("GET", f"/{name}")[0] == 200
    assert door.ask("GET", "/studio.js")[0] == 403
    with pytest.raises(InvalidStatus):
        connect(f"ws://{door.guard.host}{door.guard.root}play", origin=origin(door)).close()


def origin(door: Client) -> Origin:
    return Origin(f"http://{door.guard.host}")


def test_password_gives_a_session(door):
    status, answer, cookie = give(door, f" {PASSWORD.upper()} ")
    assert (status, answer) == (200, {"root": door.guard.root})
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    session = {"Cookie": f"other=1; {cookie.split(';')[0]}"}
    status, content, _ = door.ask("GET", "clips", **session)
    assert status == 200 and json.loads(content)[0]["name"] == "a.mp4"
    # It is no way around the other checks.
    assert door.ask("GET", "clips", **session, Host="evil.example")[0] == 403
    assert door.ask("POST", "command", "{}", **session, Origin="http://evil.example")[0] == 403
    assert door.ask("GET", "/clips", **session)[0] == 403
    address = f"ws://{door.guard.host}{door.guard.root}play"
    connect(address, origin=origin(door), additional_headers=session).close()
    with pytest.raises(InvalidStatus):
        connect(address, origin=Origin("http://evil.example"), additional_headers=session).close()


@pytest.mark.parametrize("cookie", ["brushreel-1=x", "=", "a"])
def test_another_cookie_is_none(door, cookie):
    assert door.ask("GET", "clips", Cookie=cookie)[0] == 403


@pytest.mark.parametrize("text", ["", "abcd", PASSWORD[:-1], f"{PASSWORD}x", 7, None, "\ud800"])
def test_wrong_password_is_refused(door, monkeypatch, text):
    monkeypatch.setattr(password, "_WRONG", 0.0)
    assert give(door, text) == (401, {"error": "this is not the password"}, "")


def test_wrong_password_takes_its_time(door, monkeypatch):
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(password, "sleep", sleep)
    assert give(door, "wrong")[0] == 401
    assert slept == [1.0]
    monkeypatch.setattr(password, "_MOST_WAITING", 0)
    assert give(door, PASSWORD)[0] == 429


def test_other_pages_and_names_cannot_even_try(door):
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        assert give(door, PASSWORD, **headers) == (403, {}, "")


def test_passwords_are_long_and_never_the_same():
    made = {password.new_password() for _ in range(50)}
    assert len(made) == 50
    assert {len(one) for one in made} == {14}


@pytest.mark.parametrize(
    ("host", "told"),
    [("::", "is every address"), ("203.0.113.1", "no address of this machine")],
)
def test_host_that_cannot_be_is_refused(folder, capsys, host, told):
    assert main(["studio", str(folder), "--host", host, "--no-browser"]) == 2
    assert told in capsys.readouterr().err
