"""The whole road: the script's side of the pipe, Brushreel's own process, the page, the cut."""

from __future__ import annotations

import http.client
import importlib.util
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest

from brushreel.plugin_resolve.script.dialog_choice import Choice
from brushreel.plugin_resolve.script.install import SCRIPTS

from .fake.cut import Cut

PATIENCE = 60.0


def script(name: str) -> ModuleType:
    """Import a module of the scripts, which are not a package."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        spec.loader.exec_module(module)
    return module


class Browser:
    """A client that opens the address with which the "browser" was started."""

    def __init__(self, note: Path):
        end = time.monotonic() + PATIENCE
        while not (note.exists() and note.read_text(encoding="utf-8").endswith("\n")):
            assert time.monotonic() < end
            time.sleep(0.05)
        self.address = urlsplit(note.read_text(encoding="utf-8").strip())
        status, _, self.root = self._ask("GET", self.address.path)
        assert status == 303

    def ask(self, method: str, name: str, body: object = None) -> tuple[int, bytes]:
        return self._ask(method, self.root + name, body)[:2]

    def _ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes, str]:
        """Send a request; return status, content and the address of a redirection."""
        connection = http.client.HTTPConnection(self.address.netloc, timeout=10)
        origin = {"Origin": f"http://{self.address.netloc}"}
        content = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, content, origin)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("Location", "")
        finally:
            connection.close()

    def state(self) -> dict[str, Any]:
        return json.loads(self.ask("GET", "state")[1])

    def wait(self, phase: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while (state := self.state())["phase"] != phase:
            assert time.monotonic() < end, state
            time.sleep(0.1)
        return state


@contextmanager
def running(cut: Cut, home: Path, monkeypatch) -> Iterator[tuple[Browser, threading.Thread]]:
    """Run a job as the script in Resolve does; the double answers from another thread."""
    note = home / "address"
    browser = home / "browser.py"
    browser.write_text(f"import sys; open({str(note)!r}, 'w').write(sys.argv[1] + chr(10))")
    for name, value in {
        "BROWSER": f"{sys.executable} {browser} %s",
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_VIDEOS_DIR": str(home / "videos"),
        "OMP_NUM_THREADS": "1",
        "PYTHONHOME": "/nowhere",
    }.items():
        monkeypatch.setenv(name, value)
    settings = {
        "python": sys.executable,
        "arguments": ["-P", "-m", "brushreel", "resolve", "run"],
        "log": str(home / "log" / "resolve.log"),
    }
    serving = threading.Thread(
        target=script("brushreel_bridge").run, args=(settings, {"resolve": cut.resolve})
    )
    serving.start()
    try:
        yield Browser(note), serving
    finally:
        serving.join(PATIENCE)
        assert not serving.is_alive()


@pytest.fixture
def user_style(style_file, home) -> str:
    """A quick style in the library that the other process sees too."""
    folder = home / "data" / "brushreel" / "styles"
    folder.mkdir(parents=True)
    style_file.replace(folder / "tiny.safetensors")
    return "tiny"


def test_job_from_the_menu_to_the_timeline(cut, home, user_style, monkeypatch, capsys):
    the = cut()
    with running(the, home, monkeypatch) as (browser, _):
        state = browser.wait("choose")
        assert {part["value"]: part["shots"] for part in state["options"]["extent"]} == {
            "selection": 8,
            "playhead": 1,
            "track 1": 6,
            "track 2": 2,
        }
        choice = asdict(Choice(style=user_style, extent="playhead", handles=2))
        assert browser.ask("POST", "start", {**choice, "style": "none"})[0] == 400
        assert browser.ask("POST", "start", choice)[0] == 204
        done = browser.wait("done")
        assert done["text"] == "1 shot is in place"
    stylized = [track for track in the.timeline.tracks if track.name == "Brushreel: tiny"]
    (item,) = stylized[0].items
    below = the.item("d2")
    assert (item.start, item.duration, item.left) == (below.start, below.duration, 2)
    assert item.media is not None
    assert Path(item.media.path).parent == home / "videos" / "Brushreel" / "Feature"
    assert "1 shot is in place" in capsys.readouterr().out


@pytest.mark.slow
def test_cancelled_page_ends_the_job(cut, home, user_style, monkeypatch):
    the = cut()
    with running(the, home, monkeypatch) as (browser, serving):
        browser.wait("choose")
        assert browser.ask("POST", "cancel")[0] == 204
        serving.join(PATIENCE)
    assert len(the.timeline.tracks) == 2
