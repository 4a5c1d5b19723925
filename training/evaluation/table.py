"""Tables of an evaluation, as aligned text."""

from __future__ import annotations

from dataclasses import asdict

from ..loss_network import STYLE_LAYERS
from .evaluate import Evaluation, Figures
from .levels import Levels
from .ratios import against_peer, against_twin

SOURCE = "(source)"
_JUDGED = (
    *("style loss", "content loss", "style distance", "palette", "flat texture"),
    *("E_temporal", "shimmer"),
)
_OWN = ("E_temporal", "warping error", "shimmer", "shift")
_GROUPS = ("at the working height", "at the frame's own size")
_TWIN_COLUMNS = ("E / E_twin", "excess", "style loss", "shimmer")
_PEER_COLUMNS = ("E_temporal", "E at working height", "shimmer", "style distance")
_LEVELS = ("black", "grey", "white", "noise on black", "on grey", "on white", "fades")

Rows = list[tuple[str, ...]]


def table(evaluation: Evaluation, *, twin: str | None = None, peer: str | None = None) -> str:
    """Return every sequence and the mean; style by layer, levels, and ratios where there are any.

    Args:
        evaluation: The evaluation to report.
        twin: Name of the model that is the twin of the others.
        peer: Name of the model that the others are compared with.
    """
    parts = [_figures(evaluation), _by_layer(evaluation), _of_levels(evaluation)]
    parts += [_against_twin(evaluation, twin), _against_peer(evaluation, peer)]
    return "\n\n".join(part for part in parts if part)


def _figures(evaluation: Evaluation) -> str:
    models = {SOURCE: evaluation.source, **evaluation.models}
    rows: Rows = [("clip", "style", *_JUDGED, *_OWN)]
    for clip in evaluation.source.figures:
        rows += [(clip, name, *_cells(model.figures[clip])) for name, model in models.items()]
    if len(evaluation.source.figures) > 1:
        rows += [("mean", name, *_cells(model.mean)) for name, model in models.items()]
    return _with_groups(_aligned(rows))


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


def _by_layer(evaluation: Evaluation) -> str:
    rows: Rows = [("style distance", "", *STYLE_LAYERS)]
    for name, model in {SOURCE: evaluation.source, **evaluation.models}.items():
        if layers := model.mean.style_by_layer:
            rows.append(("mean", name, *(f"{distance:.3f}" for distance in layers)))
    return _aligned(rows) if len(rows) > 1 else ""


def _of_levels(evaluation: Evaluation) -> str:
    rows: Rows = [("levels", "", *_LEVELS)]
    rows += [("", name, *_level_cells(levels)) for name, levels in evaluation.levels.items()]
    return _aligned(rows) if len(rows) > 1 else ""


def _level_cells(levels: Levels) -> list[str]:
    means = [f"{mean:.0f}" for mean in (levels.black, levels.grey, levels.white)]
    noise = (levels.noise_on_black, levels.noise_on_grey, levels.noise_on_white)
    changes = [f"{change:.2f}" for change in noise]
    return [*means, *changes, "followed" if levels.fades else "not followed"]


def _against_twin(evaluation: Evaluation, twin: str | None) -> str:
    if twin is None:
        return ""
    other, source = evaluation.models[twin].mean, evaluation.source.mean
    rows: Rows = [("against the twin", "", *_TWIN_COLUMNS)]
    for name, model in evaluation.models.items():
        if name != twin:
            ratios = asdict(against_twin(model.mean, other, source)).values()
            rows.append(("mean", name, *(_cell(ratio, 3) for ratio in ratios)))
    return _aligned(rows)


def _against_peer(evaluation: Evaluation, peer: str | None) -> str:
    if peer is None:
        return ""
    rows: Rows = [("of the peer's", "", *_PEER_COLUMNS)]
    for name, model in evaluation.models.items():
        if name != peer:
            ratios = asdict(against_peer(model.mean, evaluation.models[peer].mean)).values()
            rows.append(("mean", name, *(_cell(ratio, 2) for ratio in ratios)))
    return _aligned(rows)


def _aligned(rows: Rows) -> str:
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
