"""Report of a training run: a page with images for people, metrics.json for programs."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.atomic import atomic_write
from ...core.errors import TrainingError, extra
from ...core.style import Style
from ...core.version import __version__
from .report_images import draw_frame, draw_losses, draw_painting, draw_sheet

with extra("train"):
    from jinja2 import Environment, FileSystemLoader

COLUMNS = (
    "content",
    "style",
    "total_variation",
    "temporal",
    "overlay",
    "palette",
    "hues",
    "weighted_sum",
)
# The weighted sum says little: its weights change during the run.
DRAWN = ("content", "style", "temporal", "overlay")
# Each step trains on different scenes: only means over a share of the run can be compared.
SHARE = 0.05

_NAMES = {
    "style_loss": "style loss, distance to the painting",
    "content_loss": "content loss, distance to the scene",
    "e_temporal": "E_temporal, flicker of the output",
    "e_temporal_source": "E_temporal of the footage itself",
}


def write_report(
    folder: Path,
    style: Style,
    history: Tensor,
    sheet: Sequence[tuple[str, Tensor, Tensor]],
    footage: str,
    painting: Tensor,
) -> Path:
    """Write the images, metrics.json and, last, the report.html that shows them.

    The images are painting.png, sheet.png, frame.png and losses.png.

    Args:
        folder: Created where it does not exist; an older report in it is replaced.
        style: The trained style.
        history: (steps, 7) losses of each step, one or more: the parts of `HybridLoss` and
            their weighted sum.
        sheet: Name of a clip, a frame of it and the same frame stylized, both (3, H, W) RGB,
            uint8; one or more. The largest one is shown at its own size, too.
        footage: The footage report, one line a clip.
        painting: The painting as it was trained on, (3, H, W) RGB in [0, 1].

    Returns:
        The path of report.html.

    Raises:
        TrainingError: The files can't be written.
    """
    columns = history.detach().cpu().double().numpy().T
    losses = dict[str, NDArray[np.float64]](zip(COLUMNS, columns, strict=True))
    curves = {_label(name): losses[name] for name in DRAWN}
    window = max(1, round(SHARE * len(history)))
    page = folder / "report.html"
    _write(folder / "painting.png", draw_painting(painting))
    _write(folder / "sheet.png", draw_sheet(sheet))
    largest, _, frame = max(sheet, key=lambda row: row[2].numel())
    _write(folder / "frame.png", draw_frame(frame))
    _write(folder / "losses.png", draw_losses(curves, window))
    _write(folder / "metrics.json", _encoded(_metrics(style, losses, window)))
    _write(page, _encoded(_page(style, footage, f"{largest}, {frame.shape[2]}x{frame.shape[1]}")))
    return page


def prepare_report(folder: Path) -> None:
    """Check, before hours of training, that a report can be written.

    Raises:
        TrainingError: The folder can't be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError.because(error, "can't be created", path=folder) from error


def _encoded(text: str) -> bytes:
    # File names may contain bytes that are not text.
    return text.encode(errors="backslashreplace")


def _write(path: Path, content: bytes) -> None:
    try:
        with atomic_write(path) as file:
            file.write(content)
    except OSError as error:
        raise TrainingError.because(error, "the report can't be written", path=path) from error


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


def _page(style: Style, footage: str, frame: str) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(label=_label, text=_text)
    return environment.get_template("report.html.jinja").render(
        style=style,
        training=style.training,
        run=_run(style.training),
        share=f"{SHARE:.0%}",
        footage=footage,
        frame=frame,
    )


def _run(training: Mapping[str, Any]) -> dict[str, Any]:
    elsewhere = ("settings", "command", "footage", "held_out")
    run = {name: value for name, value in training.items() if name not in elsewhere}
    if "seconds" in run:
        run["time"] = timedelta(seconds=run.pop("seconds"))
    return run


def _label(name: str) -> str:
    return _NAMES.get(name, name.replace("_", " "))


def _text(value: object) -> str:
    """Return a JSON value in words."""
    if isinstance(value, Mapping):
        return "; ".join(f"{_label(name)} {_text(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    if value is None:
        return "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
