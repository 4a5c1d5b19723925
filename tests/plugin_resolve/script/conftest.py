"""A cut in the double of Resolve, and a library with one quick style."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from brushreel.core.library import user_styles
from brushreel.plugin_resolve.script.dialog_choice import Choice
from brushreel.plugin_resolve.script.session import Outcome, run

from .fake.cut import Cut, build, make_clips
from .fake.model import Lies, Media


class LocalBridge:
    """What `Bridge` is, without a pipe: an editor who has chosen already."""

    def __init__(self, cut: Cut, choice: Choice | None):
        self.resolve: Any = cut.resolve
        self.hello = {"python": "3.10", "window": True}
        self.cancelled = threading.Event()
        self.choices: queue.Queue[Any] = queue.Queue()
        self.told: list[dict[str, Any]] = []
        if choice is None:
            self.cancelled.set()
        else:
            self.choices.put(asdict(choice))

    def tell(self, do: str, **fields: Any) -> None:
        self.told.append({"do": do, **fields})

    @property
    def lines(self) -> list[str]:
        return [message["text"] for message in self.told if message["do"] == "say"]


@pytest.fixture(autouse=True)
def no_browser(monkeypatch) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _address: False)


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> dict[str, Media]:
    return make_clips(tmp_path_factory.mktemp("media"))


@pytest.fixture
def cut(clips) -> Callable[..., Cut]:
    """Builds the cut anew; takes lies."""
    return lambda **lies: build(clips, Lies(**lies))


@pytest.fixture
def library(tiny_style, monkeypatch, tmp_path, home) -> None:
    """The styles "tiny" and "other", and no shipped ones."""
    monkeypatch.setattr("brushreel.core.library.SHIPPED", tmp_path / "none")
    for name in ("tiny", "other"):
        tiny_style.save(user_styles() / f"{name}.safetensors")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


@pytest.fixture(scope="session")
def painted_folder(tmp_path_factory):
    """Painted shots are used again by every test."""
    return tmp_path_factory.mktemp("painted")


@pytest.fixture
def job(library, painted_folder, monkeypatch) -> Callable[..., tuple[Outcome, LocalBridge]]:
    """Does a job on a cut; takes what was chosen. Pictures for the window are not drawn."""
    monkeypatch.setattr("brushreel.plugin_resolve.script.window.make_previews", lambda *_: iter(()))

    def do(cut: Cut, **chosen: Any) -> tuple[Outcome, LocalBridge]:
        bridge = LocalBridge(cut, Choice(**{"style": "tiny", "handles": 3, **chosen}))
        return run(bridge, painted_folder), bridge  # type: ignore[arg-type]

    return do
