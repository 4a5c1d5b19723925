"""Reports of an evaluation: table, JSON, and a plot of the error over time."""

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
from .evaluate import Evaluation, Figures, Measured, TwinRatios, against_twin

with extra("train"):
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SOURCE = "(source)"
_JUDGED = (
    *("style loss", "content loss", "style distance", "palette", "flat texture"),
    *("E_temporal", "shimmer"),
)
_OWN = ("E_temporal", "warping error", "shimmer", "shift")
_GROUPS = ("at the working height", "at the frame's own size")
_TWIN_COLUMNS = ("E / E_twin", "excess", "style loss", "shimmer")


def table(evaluation: Evaluation, *, twin: str | None = None) -> str:
    """Return every sequence, the mean, and each model against the twin, as aligned text.

    Args:
        evaluation: The evaluation to report.
        twin: Name of the model that is the twin of the others.
    """
    models = {SOURCE: evaluation.source, **evaluation.models}
    rows: list[tuple[str, ...]] = [("clip", "style", *_JUDGED, *_OWN)]
    for clip in evaluation.source.figures:
        rows += [(clip, name, *_cells(model.figures[clip])) for name, model in models.items()]
    if len(evaluation.source.figures) > 1:
        rows += [("mean", name, *_cells(model.mean)) for name, model in models.items()]
    whole = _with_groups(_aligned(rows))
    if twin is None:
        return whole
    against: list[tuple[str, ...]] = [("against the twin", "", *_TWIN_COLUMNS)]
    against += [
        ("mean", name, *_ratio_cells(evaluation, name, twin))
        for name in evaluation.models
        if name != twin
    ]
    return f"{whole}\n\n{_aligned(against)}"


def _with_groups(table: str) -> str:
    """Write above the heads at which size the columns below were measured."""
    head = table.split("\n", 1)[0]
    places = head.index(_JUDGED[0]), head.rindex(_OWN[0])
    line = "".ljust(places[0]) + _GROUPS[0].ljust(places[1] - places[0]) + _GROUPS[1]
    return f"{line}\n{table}"


def _cells(figures: Figures) -> list[str]:
    return [
        _cell(figures.style_loss, 4),
        _cell(figures.content_loss, 4),
        _cell(figures.style_distance, 3),
        _cell(figures.palette_distance, 2),
        _cell(figures.flat_texture, 2),
        _cell(figures.judged_e_temporal, 4),
        _cell(figures.judged_shimmer, 2),
        f"{figures.e_temporal:.4f}",
        f"{figures.warping_error:.5f}",
        f"{figures.shimmer:.2f}",
        f"{figures.shift:.2f}",
    ]


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _ratio_cells(evaluation: Evaluation, name: str, twin: str) -> list[str]:
    means = (evaluation.models[name].mean, evaluation.models[twin].mean, evaluation.source.mean)
    ratios = asdict(against_twin(*means)).values()
    return ["-" if ratio is None else f"{ratio:.3f}" for ratio in ratios]


def _aligned(rows: list[tuple[str, ...]]) -> str:
    """Align names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        padded = [
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def to_json(
    evaluation: Evaluation,
    *,
    stroke_size: StrokeSize,
    detail: float,
    twin: str | None = None,
) -> dict[str, Any]:
    """Return the evaluation as JSON values, see docs/evaluate.md.

    Args:
        evaluation: The evaluation to report.
        stroke_size: Of the strokes that were measured.
        detail: Share of the source's detail that came back.
        twin: Name of the model that is the twin of the others.
    """
    report: dict[str, Any] = {"version": 2, "stroke_size": stroke_size, "detail": detail}
    report["source"] = _measured(evaluation.source)
    report["styles"] = {name: _measured(model) for name, model in evaluation.models.items()}
    report["twin"] = twin
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


def _fields(figures: Figures | TwinRatios) -> dict[str, float | list[float] | None]:
    return {
        name: list(map(_digits, value))
        if isinstance(value, tuple)
        else None
        if value is None
        else _digits(value)
        for name, value in asdict(figures).items()
    }


def _digits(value: float) -> float:
    """Round to six digits: beyond them two machines do not agree."""
    return float(f"{value:.6g}")


def write_report(folder: Path, evaluation: Evaluation, report: dict[str, Any]) -> list[Path]:
    """Write metrics.json and error_over_time.png.

    Args:
        folder: Created where it does not exist.
        evaluation: The evaluation to report.
        report: From `to_json`.

    Returns:
        The paths of the files.

    Raises:
        OutputError: They can't be written.
        ExtraError: Matplotlib is not installed.
    """
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    metrics, plot = folder / "metrics.json", folder / "error_over_time.png"
    _write(metrics, text.encode())
    _write(plot, error_over_time(evaluation))
    return [metrics, plot]


def _write(path: Path, content: bytes) -> None:
    try:
        with atomic_write(path) as file:
            file.write(content)
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", path=path) from error


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
