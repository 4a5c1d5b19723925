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
    """A double of `Bridge` without a pipe, for an editor who has chosen already."""

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
    """A function that builds the cut; takes lies."""
    return lambda **lies: build(clips, Lies(**lies))


@pytest.fixture
def library(tiny_style, monkeypatch, tmp_path, home) -> None:
    """The styles "tiny" and "other", and no shipped ones."""
    monkeypatch.setattr("brushreel.core.library.SHIPPED", tmp_path / "none")
    for name in ("tiny", "other"):
        tiny_style.save(user_styles() / f"{name}.safetensors")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


@pytest.fixture(scope="session")
def stylized_folder(tmp_path_factory):
    """A folder of stylized shots, which every test uses again."""
    return tmp_path_factory.mktemp("stylized")


@pytest.fixture
def job(library, stylized_folder, monkeypatch) -> Callable[..., tuple[Outcome, LocalBridge]]:
    """A function that does a job on a cut; takes the choice. No previews are made."""
    monkeypatch.setattr("brushreel.plugin_resolve.script.window.make_previews", lambda *_: iter(()))

    def do(cut: Cut, **chosen: Any) -> tuple[Outcome, LocalBridge]:
        bridge = LocalBridge(cut, Choice(**{"style": "tiny", "handles": 3, **chosen}))
        return run(bridge, stylized_folder), bridge  # type: ignore[arg-type]

    return do
