"""A studio that is served to the test, and a client that asks it as its page does."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from brushreel.batch.demo.clip import make_demo_clip
from brushreel.batch.page.guard import Guard
from brushreel.core import library
from brushreel.core.style import Style
from brushreel.core.user_folders import cache_folder
from brushreel.studio.application import Studio
from brushreel.studio.job_queue import JobQueue
from brushreel.studio.look import Stylizers
from brushreel.studio.server import served
from brushreel.studio.shelf import Shelf
from brushreel.training.loss_network import WEIGHTS_NAME

from ..batch.media.make import make_clip


@dataclass
class Client:
    """A client of the studio.

    Attributes:
        guard: The studio's own.
        folder: The folder whose clips it shows.
        dropped: The folder of dropped files.
        studio: The studio itself.
    """

    guard: Guard
    folder: Path
    dropped: Path
    studio: Studio

    def ask(
        self, method: str, name: str, body: Any = None, **headers: str
    ) -> tuple[int, bytes, Any]:
        """Send a request; a name with a slash at its start is a whole path."""
        connection = http.client.HTTPConnection(self.guard.host, timeout=60)
        own = {"Host": self.guard.host, "Origin": f"http://{self.guard.host}"} | headers
        path = name if name.startswith("/") else self.guard.root + name
        try:
            connection.request(method, path, body, own)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def get(self, name: str) -> bytes:
        """Return what a request gets."""
        status, content, _ = self.ask("GET", name)
        assert status in (200, 206), content
        return content

    def json(self, name: str) -> Any:
        """Return what a request gets, parsed."""
        return json.loads(self.get(name))

    def jobs(self) -> list[dict[str, Any]]:
        """Return the queue."""
        return self.json("jobs")["jobs"]

    def post(self, name: str, /, **fields: Any) -> Any:
        """Return what is answered to an object that was sent."""
        status, content, _ = self.ask("POST", name, json.dumps(fields))
        assert status in (200, 201, 204), content
        return json.loads(content or b"null")

    def refusal(self, name: str) -> str:
        """Return the sentence with which a request is refused."""
        status, content, _ = self.ask("GET", name)
        assert status in (400, 404), status
        return json.loads(content)["error"]

    def clip(self, name: str = "a.mp4") -> str:
        """Return the id of a clip."""
        return next(clip["id"] for clip in self.json("clips") if clip["name"] == name)


@pytest.fixture
def styles(home, tiny_style, tmp_path, monkeypatch) -> Style:
    """A library of two styles of one family, and nothing else."""
    monkeypatch.setattr(library, "SHIPPED", tmp_path / "none")
    for name in ("tiny", "other"):
        path = library.user_styles() / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(tiny_style, name=name).save(path)
    return tiny_style


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> bytes:
    """A clip of a second with sound, as a file's content."""
    path = tmp_path_factory.mktemp("drawn") / "a.mp4"
    return make_demo_clip(path, seconds=1, width=128, height=72).read_bytes()


@pytest.fixture
def folder(tmp_path, drawn) -> Path:
    """A folder with a clip."""
    made = tmp_path / "clips"
    made.mkdir()
    (made / "a.mp4").write_bytes(drawn)
    return made


@pytest.fixture
def long_clip(folder) -> Path:
    """A clip in the folder that takes some seconds to render."""
    return make_clip(folder, "long.mp4", frames=150, size=(320, 240))


@pytest.fixture
def loss_network(home, vgg_file) -> Path:
    """Weights of the loss network where the command looks for them."""
    path = cache_folder() / WEIGHTS_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(vgg_file, path)
    return path


@contextmanager
def open_studio(folder: Path, dropped: Path) -> Iterator[Client]:
    """Serve a studio for a folder."""
    queue = JobQueue(dropped.parent / "queue" / "queue.json")
    studio = Studio(Shelf([folder], dropped), Stylizers("cpu"), queue)
    with served(studio) as guard:
        yield Client(guard, folder, dropped, studio)


@pytest.fixture
def client(styles, folder, tmp_path) -> Iterator[Client]:
    """A client of a studio for `folder`."""
    with open_studio(folder, tmp_path / "dropped") as opened:
        yield opened
