"""The window made of Resolve's own parts, on a double of UIManager and its dispatcher."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

from brushreel.plugin_resolve.script.dialog_choice import Choice

from .test_bridge import script

OPTIONS = {
    "styles": [
        {"name": n, "title": n, "preview": f"/p/{n}.jpg"} for n in ("wave", "scream", "udnie")
    ],
    "extent": [{"value": "selection", "label": "Selected"}, {"value": "track 1", "label": "V1"}],
    "mode": [{"value": "track", "label": "A new track"}, {"value": "take", "label": "A take"}],
    "codec": [{"value": "prores", "label": "ProRes"}, {"value": "dnxhr", "label": "DNxHR"}],
    "last": asdict(Choice("scream", 0.7, True, "track 1", "take", "dnxhr", 8, 1.5, 0.2)),
    "defaults": {"stroke_size": 1.0, "detail": 0.4},
}
KINDS = {
    "Label",
    "Button",
    "ComboBox",
    "SpinBox",
    "CheckBox",
    "TextEdit",
    "Icon",
    "HGroup",
    "VGroup",
}


class Part(SimpleNamespace):
    def AddItems(self, items: list[str]) -> None:  # noqa: N802
        self.items = items


class Manager:
    """fusion.UIManager: makes parts from dictionaries, and groups from lists."""

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}

    def Timer(self, about: dict[str, Any]) -> Part:  # noqa: N802
        return Part(Start=lambda: None, Stop=lambda: None, **about)

    def __getattr__(self, kind: str) -> Callable[..., Part]:
        if kind not in KINDS:
            raise AttributeError(kind)
        return self._make

    def _make(self, *about: Any) -> Part:
        fields = next((one for one in about if isinstance(one, dict)), {})
        part = Part(**{"PlainText": "", "Enabled": True, **fields})
        if "ID" in fields:
            self.parts[fields["ID"]] = part
        return part


class Events:
    """win.On.ID.Event = handler."""

    def __init__(self) -> None:
        self.of: dict[str, SimpleNamespace] = {}

    def __getitem__(self, name: str) -> SimpleNamespace:
        return self.of.setdefault(name, SimpleNamespace())

    __getattr__ = __getitem__


class Dispatcher:
    """A dispatcher that runs a test's steps, then lets the clock tick."""

    def __init__(self, manager: Manager, steps: list[Callable[[], None]]):
        self.manager, self.steps = manager, steps
        self.On = SimpleNamespace()
        self.window = SimpleNamespace(On=Events(), Show=lambda: None, Hide=lambda: None)
        self.running = False

    def AddWindow(self, about: dict[str, Any], _layout: list[Any]) -> Any:  # noqa: N802
        assert about["ID"] == "Brushreel"
        self.window.GetItems = lambda: self.manager.parts
        return self.window

    def RunLoop(self) -> None:  # noqa: N802
        self.running = True
        while self.running:
            if self.steps:
                self.steps.pop(0)()
            self.On.Timeout({})

    def ExitLoop(self) -> None:  # noqa: N802
        self.running = False

    def click(self, name: str, event: str = "Clicked") -> None:
        getattr(self.window.On.of[name], event)({})


class Child:
    """Brushreel's process: hears, and says what the test puts into its inbox."""

    log = "resolve.log"

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def tell(self, message: dict[str, Any]) -> None:
        self.heard.append(message)
        if message.get("do") == "choice":
            self.inbox.put({"do": "progress", "progress": {"share": 0.5, "text": "Half"}})
            self.inbox.put({"do": "say", "text": "8 shots are in place"})
            self.inbox.put({"do": "end"})
        if message.get("do") == "cancel":
            self.inbox.put({"do": "end"})


def serve(
    steps: Callable[[Dispatcher], list[Callable[[], None]]], product: str = "DaVinci Resolve Studio"
):
    bridge = script("brushreel_bridge")
    manager, child = Manager(), Child()
    dispatcher = Dispatcher(manager, [])
    dispatcher.steps = steps(dispatcher)
    given = {
        "fusion": SimpleNamespace(UIManager=manager),
        "bmd": SimpleNamespace(UIDispatcher=lambda _manager: dispatcher),
    }
    resolve = SimpleNamespace(GetProductName=lambda: product)
    child.inbox.put({"do": "options", "options": OPTIONS})
    bridge.Server(child, resolve, bridge.window_maker(resolve, given)).serve()
    return manager, child


def test_window_starts_with_the_last_choice_and_sends_it():
    _, child = serve(
        lambda it: [lambda: it.click("Start"), lambda: None, lambda: it.click("Cancel")]
    )
    assert child.heard[0]["window"] is True
    assert child.heard[1] == {"do": "choice", "choice": OPTIONS["last"]}


def test_strokes_are_chosen_and_reset():
    def steps(it: Dispatcher) -> list[Callable[[], None]]:
        return [
            lambda: it.click("Reset"),
            lambda: setattr(it.manager.parts["stroke_size"], "Value", 175),
            lambda: it.click("Start"),
            lambda: None,
            lambda: it.click("Cancel"),
        ]

    manager, child = serve(steps)
    choice = child.heard[1]["choice"]
    assert (choice["stroke_size"], choice["detail"]) == (1.75, 0.4)
    assert (manager.parts["stroke_size"].Minimum, manager.parts["stroke_size"].Maximum) == (25, 400)


def test_the_clicked_preview_is_the_chosen_style():
    manager, child = serve(
        lambda it: [
            lambda: it.click("style udnie"),
            lambda: it.click("Start"),
            lambda: None,
            lambda: it.click("Cancel"),
        ]
    )
    assert child.heard[1]["choice"]["style"] == "udnie"
    checked = [name for name, part in manager.parts.items() if getattr(part, "Checked", False)]
    assert checked == ["style udnie", "keep_colors"]


def test_progress_and_end_are_shown():
    manager, _ = serve(
        lambda it: [lambda: it.click("Start"), lambda: None, lambda: it.click("Cancel")]
    )
    assert manager.parts["Status"].Text == "Half"
    assert manager.parts["Log"].PlainText.startswith("8 shots are in place")
    assert manager.parts["Cancel"].Text == "Close"


def test_cancel_and_closing_are_told():
    for name, event in (("Cancel", "Clicked"), ("Brushreel", "Close")):
        steps = lambda it: [lambda: it.click(name, event), lambda: None, it.ExitLoop]  # noqa: B023, E731
        _, child = serve(steps)
        assert {"do": "cancel"} in child.heard


def test_many_questions_are_answered_in_one_tick():
    """Resolve's clock ticks ten times a second; a cut asks thousands of questions."""

    class Asking(Child):
        asked = 0

        def tell(self, message: dict[str, Any]) -> None:
            super().tell(message)
            if "id" in message and self.asked < 50:
                self.asked += 1
                question = {"id": self.asked, "do": "names", "object": 0}
                threading.Timer(0.0005, self.inbox.put, [question]).start()

    bridge, child = script("brushreel_bridge"), Asking()
    vars(bridge).update(BUSY=30.0, NEXT=1.0)
    server = bridge.Server(child, SimpleNamespace())
    child.inbox.put({"id": 0, "do": "names", "object": 0})
    assert server._drain() is False
    assert child.asked == 50
    child.inbox.put({"do": "end"})
    assert server._drain() is True


def test_free_edition_is_never_asked_for_a_window(cut):
    bridge = script("brushreel_bridge")
    the = cut()
    the.world.product = "DaVinci Resolve"

    class Fusion:
        @property
        def UIManager(self) -> None:  # noqa: N802
            the.world.dialogue_open = True

    given = {"fusion": Fusion(), "bmd": SimpleNamespace(UIDispatcher=None)}
    assert bridge.window_maker(the.resolve, given) is None
    assert the.resolve.GetProductName() == "DaVinci Resolve"


def test_window_that_can_not_be_made_leads_to_the_page():
    bridge = script("brushreel_bridge")
    child = Child()

    def broken(_options: object, _tell: object) -> None:
        raise RuntimeError("no Tree in this version")

    child.inbox.put({"do": "options", "options": OPTIONS})
    child.inbox.put({"do": "end"})
    bridge.Server(child, None, broken).serve()
    assert child.heard[-1] == {"do": "no window"}
