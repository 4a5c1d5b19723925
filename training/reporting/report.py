"""The report of a training run: a page with pictures for people, metrics.json for programs."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.atomic import atomic_write
from ...core.errors import TrainingError, extra_hint
from ...core.style import Style
from ...core.version import __version__

COLUMNS = ("content", "style", "total_variation", "temporal", "overlay", "weighted_sum")
# The weighted sum says little: its weights change on the way.
DRAWN = ("content", "style", "temporal", "overlay")
# Every step sees another scene: only means over a share of the run can be compared.
SHARE = 0.05

_NAMES = {
    "style_loss": "style loss, distance to the painting",
    "content_loss": "content loss, distance to the scene",
    "e_temporal": "E_temporal, flicker of the output",
    "e_temporal_source": "E_temporal of the footage itself",
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style_sheet}</style>
</head>
<body>
{body}
</body>
</html>
"""
_STYLE_SHEET = """
:root { color-scheme: light dark; --paper: #fff; --ink: #222; --soft: #666; --rule: #ddd }
@media (prefers-color-scheme: dark) {
  :root { --paper: #1f1f1f; --ink: #ddd; --soft: #999; --rule: #3a3a3a }
  img.drawn { filter: invert(.88) hue-rotate(180deg) }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  max-width: 70rem; margin: 0 auto; padding: 2rem 1.5rem 4rem }
h1 { margin: 0; font-size: 1.8rem; line-height: 1.2 }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.1rem }
p { margin: .25rem 0; color: var(--soft) }
a { color: inherit }
img { display: block; max-width: 100%; height: auto }
table { border-collapse: collapse }
th, td { padding: .3rem 0; border-bottom: 1px solid var(--rule); vertical-align: top }
th { padding-right: 2rem; color: var(--soft); font-weight: normal; text-align: left;
  white-space: nowrap }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
pre + table { margin-top: .75rem }
pre { margin: 0; font: .85rem/1.6 ui-monospace, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere }
"""


def write_report(
    folder: Path,
    style: Style,
    history: Tensor,
    sheet: Sequence[tuple[str, Tensor, Tensor]],
    footage: str,
) -> Path:
    """Write sheet.png, losses.png, metrics.json and, last, the report.html that shows them.

    Args:
        folder: Made where it does not exist; an older report in it is replaced.
        style: The trained style.
        history: (steps, 6) losses of each step, one or more: the parts of `HybridLoss` and
            their weighted sum.
        sheet: Name of a clip, a frame of it and the same frame stylized, both (3, H, W) RGB in
            [0, 1]; one or more.
        footage: What was used of the footage and what was not, one line a clip.

    Returns:
        The path of report.html.

    Raises:
        TrainingError: The files can't be written, or Matplotlib or Pillow is not installed.
    """
    draw_sheet, draw_losses = _drawing()
    columns = history.detach().cpu().double().numpy().T
    losses = dict[str, NDArray[np.float64]](zip(COLUMNS, columns, strict=True))
    curves = {_label(name): losses[name] for name in DRAWN}
    window = max(1, round(SHARE * len(history)))
    page = folder / "report.html"
    _write(folder / "sheet.png", draw_sheet(sheet))
    _write(folder / "losses.png", draw_losses(curves, window))
    _write(folder / "metrics.json", _encoded(_metrics(style, losses, window)))
    _write(page, _encoded(_page(style, footage)))
    return page


def prepare_report(folder: Path) -> None:
    """Whether a report can be written later, found out before hours of training.

    Raises:
        TrainingError: The folder can't be made, or Matplotlib or Pillow is not installed.
    """
    _drawing()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"can't be made: {error.strerror or error}", path=folder) from error


def _drawing() -> tuple[Callable[..., bytes], Callable[..., bytes]]:
    try:
        from .report_pictures import draw_losses, draw_sheet  # noqa: PLC0415  need an extra
    except ImportError as error:
        raise TrainingError(
            "the report needs Matplotlib and Pillow", hint=extra_hint("train")
        ) from error
    return draw_sheet, draw_losses


def _encoded(text: str) -> bytes:
    # The names of files may hold bytes that are no text.
    return text.encode(errors="backslashreplace")


def _write(path: Path, content: bytes) -> None:
    try:
        with atomic_write(path) as file:
            file.write(content)
    except OSError as error:
        raise TrainingError(
            f"the report can't be written: {error.strerror or error}", path=path
        ) from error


def _metrics(style: Style, losses: Mapping[str, NDArray[np.float64]], window: int) -> str:
    ends = {name: float(f"{values[-window:].mean():.6g}") for name, values in losses.items()}
    metrics = {
        "version": 1,
        "name": style.name,
        "title": style.title,
        "painting": asdict(style.painting),
        "figures": dict(style.figures),
        "losses": {"mean_of_last_steps": window, **ends},
        "training": dict(style.training),
        "versions": {
            "brushreel": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
    return json.dumps(metrics, indent=1, ensure_ascii=False) + "\n"


def _page(style: Style, footage: str) -> str:
    painting, training = style.painting, style.training
    about = (painting.title, painting.artist, painting.year, painting.licence)
    command = f"<pre>{escape(str(training.get('command', '')))}</pre>"
    body = [
        f"<h1>{escape(style.title)}</h1>",
        _paragraph(f"Style {style.name}. Painting: {', '.join(about)}."),
        _section("Before and after", '<img src="sheet.png" alt="Frames of every held-out clip">'),
        _section("Figures", _table(style.figures), _paragraph(_measured_on(training))),
        _section(
            "Losses",
            '<img class="drawn" src="losses.png" alt="Losses over the steps">',
            _paragraph(f"A dot is a step, the line their mean over {SHARE:.0%} of the run."),
        ),
        _section("Settings", _table(training.get("settings", {}))),
        _section("Run", command, _table(_run(training))),
        _section("Footage", f"<pre>{escape(footage)}</pre>"),
        '<p>The same for programs: <a href="metrics.json">metrics.json</a></p>',
    ]
    return _PAGE.format(title=escape(style.title), style_sheet=_STYLE_SHEET, body="\n".join(body))


def _measured_on(training: Mapping[str, Any]) -> str:
    clips = _text(training.get("held_out", []))
    return f"Means over {clips}. The lower, the better." if clips else "The lower, the better."


def _run(training: Mapping[str, Any]) -> dict[str, Any]:
    elsewhere = ("settings", "command", "footage", "held_out")
    run = {name: value for name, value in training.items() if name not in elsewhere}
    if "seconds" in run:
        run["time"] = timedelta(seconds=run.pop("seconds"))
    return run


def _section(title: str, *parts: str) -> str:
    return "\n".join(("<section>", f"<h2>{title}</h2>", *parts, "</section>"))


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _table(values: Mapping[str, Any]) -> str:
    rows = [
        f"<tr><th>{escape(_label(name))}</th><td>{escape(_text(value))}</td></tr>"
        for name, value in values.items()
    ]
    return "\n".join(("<table>", *rows, "</table>"))


def _label(name: str) -> str:
    return _NAMES.get(name, name.replace("_", " "))


def _text(value: object) -> str:
    """A JSON value in words."""
    if isinstance(value, Mapping):
        return "; ".join(f"{_label(name)} {_text(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    if value is None:
        return "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
