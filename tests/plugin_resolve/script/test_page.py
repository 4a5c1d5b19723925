"""The page: what was chosen arrives; requests that are not its own get nothing."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from brushreel.core.errors import EditorError, UsageError
from brushreel.plugin_resolve.script import page as page_module
from brushreel.plugin_resolve.script.dialog_choice import Choice, Look, last_choice, remember
from brushreel.plugin_resolve.script.options import Extent, Options
from brushreel.plugin_resolve.script.page import Page
from brushreel.plugin_resolve.script.survey import LeftOut
from brushreel.plugin_resolve.script.window import PageWindow

CHOICE = asdict(Choice(style="wave", extent="selection"))


@pytest.fixture
def page(tmp_path) -> Iterator[Page]:
    extent = Extent("selection", "Selected clips", [], [LeftOut("<b>", 1, 0, 9, "offline & gone")])
    options = Options([extent], Choice(), [{"name": "wave", "title": "The Wave"}])
    (tmp_path / "wave.jpg").write_bytes(b"preview")
    (tmp_path.parent / "secret.jpg").write_bytes(b"secret")
    made = Page(options, "Cut", tmp_path)
    yield made
    made.close()


def ask(
    page: Page, method: str, name: str, body: object = None, **headers: str
) -> tuple[int, bytes, Any]:
    connection = http.client.HTTPConnection(page.guard.host, timeout=10)
    own = {"Host": page.guard.host, "Origin": f"http://{page.guard.host}"} | headers
    path = name if name.startswith("/") else page.guard.root + name
    try:
        connection.request(method, path, None if body is None else json.dumps(body), own)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_choice_arrives(page):
    got: list[Choice | None] = []
    waiting = threading.Thread(target=lambda: got.append(page.choose()))
    waiting.start()
    assert ask(page, "POST", "start", CHOICE)[0] == 204
    waiting.join(10)
    assert got == [Choice(style="wave", extent="selection")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"style": "none"},
        {"style": "/etc/passwd"},
        {"extent": "track 9"},
        {"strength": 2},
        {"strength": True},
        {"handles": 1.5},
        {"handles": -1},
        {"mode": "replace"},
        {"keep_colors": "yes"},
        {"stroke_size": 0.2},
        {"stroke_size": "native"},
        {"detail": 1.1},
        {"detail": None},
        {"extra": 1},
    ],
    ids=lambda wrong: " ".join(map(str, *wrong.items())),
)
def test_what_was_not_offered_is_refused(page, wrong):
    status, answer, _ = ask(page, "POST", "start", {**CHOICE, **wrong})
    assert status == 400
    assert json.loads(answer)["error"]


@pytest.mark.parametrize("body", [None, [], "x", {}])
def test_what_is_no_choice_is_refused(page, body):
    assert ask(page, "POST", "start", body)[0] == 400


def test_look_that_is_chosen_is_noted_for_the_previews(page):
    assert page.look == Look()
    wanted = {"stroke_size": 2, "detail": 0.5, "first": "wave"}
    assert ask(page, "POST", "look", wanted)[0] == 204
    assert (page.look, page.look.first) == (Look(2.0, 0.5), "wave")
    for wrong in ({"stroke_size": 9}, {"detail": True}, {"first": 1}, {"extra": 1}):
        assert ask(page, "POST", "look", wanted | wrong)[0] == 400
    assert page.look == Look(2.0, 0.5)


@pytest.mark.parametrize("name", ["", "style.css", "script.js", "wave.jpg", "state"])
def test_files_of_the_page_are_served(page, name):
    status, content, headers = ask(page, "GET", name)
    assert status == 200 and content
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["../secret.jpg", "..%2fsecret.jpg", "../page.py", "no.jpg"])
def test_no_other_file_is_served(page, name):
    assert ask(page, "GET", name)[0] == 404


@pytest.mark.parametrize("path", ["/", "/state", "/wrong/state", "/wrong/"])
def test_without_the_secret_there_is_nothing(page, path):
    status, content, _ = ask(page, "GET", path)
    assert (status, content) == (403, b"")


def test_other_names_and_origins_get_nothing(page):
    port = page.guard.host.split(":")[1]
    assert ask(page, "GET", "state", Host=f"evil.example:{port}")[0] == 403
    assert ask(page, "POST", "cancel", Origin="https://evil.example")[0] == 403
    assert ask(page, "POST", "cancel", Origin="null")[0] == 403
    assert not page.cancelled.is_set()


def test_only_this_machine_is_listened_to(page):
    assert page._server.server_address[0] == "127.0.0.1"
    with socket.create_connection(("127.0.0.1", page._server.server_port)):
        pass


def test_every_page_has_a_secret_of_its_own(page, tmp_path):
    other = Page(Options([], Choice()), "", tmp_path)
    other.close()
    roots = {one.guard.root for one in (page, other)}
    secrets = roots | {urlsplit(one.address).path for one in (page, other)}
    assert len(secrets) == 4
    assert all(len(secret.strip("/")) >= 40 for secret in secrets)


def test_address_leads_to_the_page_once(page):
    """The address is among the browser's arguments, which other users can read."""
    path = urlsplit(page.address).path
    assert ask(page, "GET", path + "state")[0] == 403
    assert ask(page, "GET", path, Host="evil.example")[0] == 403
    status, content, headers = ask(page, "GET", path)
    assert (status, content, headers["Location"]) == (303, b"", page.guard.root)
    assert ask(page, "GET", path)[0] == 403
    assert ask(page, "GET", "state")[0] == 200


def test_closed_tab_ends_the_wait(page, monkeypatch):
    monkeypatch.setattr(page_module, "_LEAVING", 0.0)
    assert ask(page, "POST", "leave")[0] == 204
    assert page.choose() is None
    assert page.cancelled.is_set()


def test_nothing_listens_after_the_end(page, tmp_path):
    other = Page(Options([], Choice()), "", tmp_path)
    other.finish("done")
    with pytest.raises(ConnectionRefusedError):
        ask(other, "GET", "state")


def test_page_says_that_resolve_is_gone(tmp_path):
    class Gone:
        cancelled = threading.Event()

        def tell(self, do: str, **fields: object) -> None:
            raise EditorError("Resolve is gone")

    window = PageWindow(Gone(), Options([], Choice()), "Cut", tmp_path)  # type: ignore[arg-type]
    window.say("one")
    window.finish("Not done: Resolve is gone")
    assert window.state()["phase"] == "done"
    assert window.state()["text"] == "Not done: Resolve is gone"


def test_last_choice_is_remembered(home, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    assert last_choice() == Choice()
    chosen = Choice("scream", 0.5, True, "track 2", "copy", "dnxhr", 24, 1.5, 0.2)
    remember(chosen)
    assert last_choice() == chosen
    file = Path(home / "config" / "brushreel" / "resolve.json")
    for broken in ("{", "[]", "null"):
        file.write_text(broken, encoding="utf-8")
        assert last_choice() == Choice()


def test_choice_of_an_earlier_version_is_remembered(home, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    remember(Choice("scream", 0.5))
    file = Path(home / "config" / "brushreel" / "resolve.json")
    fields = json.loads(file.read_text())
    del fields["stroke_size"], fields["detail"]
    file.write_text(json.dumps(fields))
    assert last_choice() == Choice("scream", 0.5)


def test_choice_out_of_range_is_refused():
    with pytest.raises(UsageError):
        Choice(handles=241)
