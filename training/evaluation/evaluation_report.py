"""Report of an evaluation: a page with images for people, metrics.json for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import Any

from ...core.atomic import atomic_write
from ...core.errors import OutputError, extra
from ...core.frames.stroke_size import StrokeSize
from .evaluate import Evaluation, Figures, Measured
from .film import Film, draw_frames, draw_strips
from .levels import Levels
from .ratios import PeerRatios, TwinRatios, against_peer, against_twin
from .table import SOURCE, table

with extra("train"):
    from jinja2 import Environment, FileSystemLoader
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def to_json(
    evaluation: Evaluation,
    *,
    stroke_size: StrokeSize,
    detail: float,
    twin: str | None = None,
    peer: str | None = None,
) -> dict[str, Any]:
    """Return the evaluation as JSON values, see docs/evaluate.md.

    Args:
        evaluation: The evaluation to report.
        stroke_size: Of the strokes that were measured.
        detail: Share of the source's detail that came back.
        twin: Name of the model that is the twin of the others.
        peer: Name of the model that the others are compared with.
    """
    report: dict[str, Any] = {"version": 2, "stroke_size": stroke_size, "detail": detail}
    report["source"] = _measured(evaluation.source)
    report["styles"] = {name: _measured(model) for name, model in evaluation.models.items()}
    report["twin"], report["peer"] = twin, peer
    for name, levels in evaluation.levels.items():
        report["styles"][name]["levels"] = _fields(levels)
    if peer is not None:
        for name, model in evaluation.models.items():
            ratios = against_peer(model.mean, evaluation.models[peer].mean)
            report["styles"][name]["against_peer"] = _fields(ratios)
    if twin is not None:
        other, source = evaluation.models[twin], evaluation.source
        for name, model in evaluation.models.items():
            against = against_twin(model.mean, other.mean, source.mean)
            report["styles"][name]["against_twin"] = _fields(against)
    return report


def _measured(measured: Measured) -> dict[str, Any]:
    clips = {
        clip: {**_fields(figures), "e_temporal_of_pairs": list(map(_digits, measured.errors[clip]))}
        for clip, figures in measured.figures.items()
    }
    return {"mean": _fields(measured.mean), "clips": clips}


def _fields(figures: Figures | TwinRatios | PeerRatios | Levels) -> dict[str, Any]:
    return {name: _value(value) for name, value in asdict(figures).items()}


def _value(value: tuple[float, ...] | float | None) -> list[float] | float | None:
    if isinstance(value, tuple):
        return [_digits(part) for part in value]
    return value if value is None or isinstance(value, bool) else _digits(value)


def _digits(value: float) -> float:
    """Round to six digits: beyond them two machines do not agree."""
    return float(f"{value:.6g}")


def write_report(
    folder: Path, evaluation: Evaluation, report: dict[str, Any], film: Film | None = None
) -> list[Path]:
    """Write metrics.json, the images, and the report.html that shows them.

    Args:
        folder: Created where it does not exist.
        evaluation: The evaluation to report.
        report: From `to_json`.
        film: Frames to show.

    Returns:
        The paths of the files.

    Raises:
        OutputError: They can't be written.
        ExtraError: Matplotlib is not installed.
    """
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    files = {"metrics.json": text.encode(), "error_over_time.png": error_over_time(evaluation)}
    if film:
        files |= {"frames.png": draw_frames(film), "strips.png": draw_strips(film)}
    # File names may contain bytes that are not text.
    files["report.html"] = _page(evaluation, report, film).encode(errors="backslashreplace")
    for name, content in files.items():
        _write(folder / name, content)
    return [folder / name for name in files]


def _page(evaluation: Evaluation, report: dict[str, Any], film: Film | None) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, keep_trailing_newline=True
    )
    return environment.get_template("report.html.jinja").render(
        stroke_size=report["stroke_size"],
        detail=report["detail"],
        film=film,
        table=table(evaluation, twin=report["twin"], peer=report["peer"]),
    )


def _write(path: Path, content: bytes) -> None:
    try:
        with atomic_write(path) as file:
            file.write(content)
    except OSError as error:
        raise OutputError.because(error, "can't be written", path=path) from error


def error_over_time(evaluation: Evaluation) -> bytes:
    """Plot E_temporal pair by pair, a panel for each sequence, a line for each model, as PNG."""
    clips = list(evaluation.source.errors)
    columns = 1 if len(clips) < 4 else 3
    rows = ceil(len(clips) / columns)
    figure = Figure(figsize=(10, 1 + 2.2 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for panel, clip in zip(panels, clips, strict=False):
        _draw(panel, evaluation, clip)
    for panel in panels[len(clips) :]:
        panel.remove()
    # The panels share their scale; set before all are drawn, it would not fit the later ones.
    panels[0].set_ylim(bottom=0)
    figure.supylabel("E_temporal", fontsize="small")
    figure.supxlabel("pair of frames", fontsize="small")
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper left", ncols=4, fontsize="small", frameon=False)
    content = BytesIO()
    figure.savefig(content, format="png", dpi=120)
    return content.getvalue()


def _draw(panel: Axes, evaluation: Evaluation, clip: str) -> None:
    pairs = range(1, len(evaluation.source.errors[clip]) + 1)
    for name, model in evaluation.models.items():
        panel.plot(pairs, model.errors[clip], marker=".", label=name)
    panel.plot(pairs, evaluation.source.errors[clip], marker=".", color="grey", label=SOURCE)
    panel.set_title(clip, fontsize="small", loc="left")
    panel.set(xlim=(0.5, len(pairs) + 0.5))
    panel.locator_params(axis="x", integer=True)
    panel.tick_params(labelsize="small")
    panel.grid(alpha=0.3)
