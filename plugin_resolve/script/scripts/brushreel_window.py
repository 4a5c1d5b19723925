"""Brushreel's window made of Resolve's own parts (UIManager, Studio only).

Runs in Resolve's Python: 3.6 or newer, standard library only. It shows the options that
Brushreel's process has sent, and sends it the user's choice.
"""

from typing import Any, Callable, Dict, List

PREVIEW = (192, 108)
COLUMNS = 4
MILLISECONDS = 100
CHOICES = ("extent", "mode", "codec")
STROKES = ("stroke_size", "detail")


class Window:
    """A window in which the editor chooses, then watches the job.

    Args:
        manager: fusion.UIManager.
        bmd: The module of that name that Resolve defines for scripts.
        options: What can be chosen: "styles" (name, title, preview), "extent", "mode" and "codec"
            (value, label), "last", the choice of the last time, and "defaults" of strokes.
        tell: Sends a message to Brushreel's process.
    """

    def __init__(
        self,
        manager: Any,
        bmd: Any,
        options: Dict[str, Any],
        tell: Callable[[Dict[str, Any]], None],
    ):
        self._ui, self._options, self._tell = manager, options, tell
        self._style = options["last"]["style"]
        self._busy = self._over = False
        self._dispatcher = bmd.UIDispatcher(manager)
        self._clock = manager.Timer({"ID": "Clock", "Interval": MILLISECONDS})
        about = {"ID": "Brushreel", "WindowTitle": "Brushreel", "Geometry": [200, 120, 860, 720]}
        self._window = self._dispatcher.AddWindow(about, self._layout())
        self._parts = self._window.GetItems()
        self._fill()
        self._connect()

    def run(self, drain: Callable[[], bool]) -> None:
        """Show the window until Brushreel is done and the window is closed.

        Args:
            drain: Called by the clock; answers Brushreel's requests, returns True when it is done.
        """

        def tick(_event: Any) -> None:
            if not self._over and drain():
                self._over = True
                self._parts["Start"].Enabled = False
                self._parts["Cancel"].Text = "Close"

        self._dispatcher.On.Timeout = tick
        self._clock.Start()
        self._window.Show()
        self._dispatcher.RunLoop()
        self._clock.Stop()
        self._window.Hide()

    def progress(self, progress: Dict[str, Any]) -> None:
        """Show the job's progress."""
        self._parts["Status"].Text = progress["text"]

    def say(self, text: str) -> None:
        """Show a line above the earlier ones."""
        self._parts["Log"].PlainText = text + "\n" + self._parts["Log"].PlainText

    def _layout(self) -> List[Any]:
        ui, styles = self._ui, self._options["styles"]
        rows = [styles[at : at + COLUMNS] for at in range(0, len(styles), COLUMNS)]
        previews = [ui.HGroup([self._preview(style) for style in row]) for row in rows]
        combos = [
            ui.HGroup([ui.Label({"Text": label, "Weight": 0.3}), ui.ComboBox({"ID": name})])
            for name, label in zip(CHOICES, ("Stylize", "Put shots on", "Codec"))
        ]
        numbers = [
            ui.Label({"Text": "Strength, %", "Weight": 0.3}),
            ui.SpinBox({"ID": "strength", "Minimum": 0, "Maximum": 100}),
            ui.Label({"Text": "Handles, frames", "Weight": 0.3}),
            ui.SpinBox({"ID": "handles", "Minimum": 0, "Maximum": 240}),
            ui.CheckBox({"ID": "keep_colors", "Text": "Keep the clip's colours"}),
        ]
        strokes = [
            ui.Label({"Text": "Stroke size, %", "Weight": 0.3}),
            ui.SpinBox({"ID": "stroke_size", "Minimum": 25, "Maximum": 400, "SingleStep": 5}),
            ui.Label({"Text": "Detail, %", "Weight": 0.3}),
            ui.SpinBox({"ID": "detail", "Minimum": 0, "Maximum": 100}),
            ui.Button({"ID": "Reset", "Text": "Reset strokes", "Weight": 0}),
        ]
        buttons = [
            ui.Label({"ID": "Status", "Text": "", "Weight": 1}),
            ui.Button({"ID": "Cancel", "Text": "Cancel", "Weight": 0}),
            ui.Button({"ID": "Start", "Text": "Start", "Weight": 0}),
        ]
        log = ui.TextEdit({"ID": "Log", "ReadOnly": True, "Weight": 0.5})
        settings = [*combos, ui.HGroup(numbers), ui.HGroup(strokes)]
        parts = previews + settings + [log, ui.HGroup(buttons)]
        return [ui.VGroup({"Spacing": 8}, parts)]

    def _preview(self, style: Dict[str, str]) -> Any:
        about = {
            "ID": "style " + style["name"],
            "Text": style["name"],
            "ToolTip": style["title"],
            "Checkable": True,
            "Checked": style["name"] == self._style,
            "IconSize": list(PREVIEW),
            "MinimumSize": [PREVIEW[0] + 8, PREVIEW[1] + 24],
        }
        if style.get("preview"):
            about["Icon"] = self._ui.Icon({"File": style["preview"]})
        return self._ui.Button(about)

    def _fill(self) -> None:
        last = self._options["last"]
        for name in CHOICES:
            values = [one["value"] for one in self._options[name]]
            self._parts[name].AddItems([one["label"] for one in self._options[name]])
            wanted = last[name]
            self._parts[name].CurrentIndex = values.index(wanted) if wanted in values else 0
        self._parts["strength"].Value = round(100 * last["strength"])
        self._fill_strokes(last)
        self._parts["handles"].Value = last["handles"]
        self._parts["keep_colors"].Checked = last["keep_colors"]

    def _fill_strokes(self, values: Dict[str, Any]) -> None:
        for name in STROKES:
            self._parts[name].Value = round(100 * values[name])

    def _connect(self) -> None:
        for style in self._options["styles"]:
            self._window.On["style " + style["name"]].Clicked = self._chosen(style["name"])
        defaults = self._options["defaults"]
        self._window.On.Reset.Clicked = lambda _event: self._fill_strokes(defaults)
        self._window.On.Start.Clicked = self._start
        self._window.On.Cancel.Clicked = self._cancel
        self._window.On.Brushreel.Close = self._close

    def _chosen(self, name: str) -> Callable[[Any], None]:
        def clicked(_event: Any) -> None:
            self._style = name
            for style in self._options["styles"]:
                self._parts["style " + style["name"]].Checked = style["name"] == name

        return clicked

    def _start(self, _event: Any) -> None:
        if self._busy:
            return
        self._busy = True
        self._parts["Start"].Enabled = False
        choice = {
            "style": self._style,
            "strength": self._parts["strength"].Value / 100.0,
            "handles": int(self._parts["handles"].Value),
            "keep_colors": bool(self._parts["keep_colors"].Checked),
        }
        for name in STROKES:
            choice[name] = self._parts[name].Value / 100.0
        for name in CHOICES:
            choice[name] = self._options[name][int(self._parts[name].CurrentIndex)]["value"]
        self._tell({"do": "choice", "choice": choice})

    def _cancel(self, _event: Any) -> None:
        if self._over:
            self._dispatcher.ExitLoop()
        else:
            self._tell({"do": "cancel"})

    def _close(self, _event: Any) -> None:
        self._tell({"do": "cancel"})
        self._dispatcher.ExitLoop()
