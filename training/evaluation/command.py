"""``brushreel evaluate``: its options, and the measurements that they ask for."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.arguments import add_device, add_loss_network, add_strokes, folder, path
from ...core.errors import OutputError, UsageError
from ...core.moving import each, moving

if TYPE_CHECKING:
    import torch

    from ...core.frames.stroke_size import StrokeSize
    from .evaluate import Evaluation, PaintingLosses
    from .models import Model
    from .sequences import FrameSequence

# Imports of torch and of everything that needs it wait inside the functions: `--help` and a wrong
# flag answer at once.


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``brushreel evaluate``."""
    parser.epilog = (
        "Style, colours and texture are judged at the working height, where strokes are as large "
        "as the painting's; flicker there and on the frame's own pixels, as viewers see it. "
        "docs/evaluate.md defines every figure."
    )
    add = parser.add_argument
    add(
        "styles",
        nargs="+",
        metavar="STYLE",
        help="Styles to measure: names of the library, style files or .onnx models.",
    )
    add(
        "--clips",
        type=path,
        required=True,
        metavar="FOLDER",
        help="Test data, a folder of clips, image sequences or .flo files with their frames.",
    )
    add(
        "--painting",
        type=path,
        metavar="IMAGE",
        help="Image file of the painting, to measure the style too. Default: none.",
    )
    add(
        "--style-scale",
        type=float,
        default=1.0,
        metavar="FACTOR",
        help="Scale of the painting, as the style was trained with it. Default: %(default)g.",
    )
    add_loss_network(add)
    add(
        "--twin",
        metavar="STYLE",
        help="Style trained alike without the temporal loss, to compare with. Default: none.",
    )
    add(
        "--peer",
        metavar="STYLE",
        help="Another program's model for the same painting, to compare with. Default: none.",
    )
    add(
        "--pairs",
        type=int,
        default=8,
        metavar="N",
        help="Pairs of frames measured in each clip. Default: %(default)s.",
    )
    add(
        "--long-side",
        type=int,
        metavar="PIXELS",
        help="Longer side to which clips and image sequences are scaled down before all else, in "
        "pixels. Default: their own size.",
    )
    add_strokes(add)
    add_device(add)
    add("--json", action="store_true", help="Print one JSON object on stdout.")
    add(
        "-o",
        "--output",
        type=folder,
        metavar="FOLDER",
        help="Folder for report.html with its images and for metrics.json. Default: none are "
        "written.",
    )


def evaluate(options: argparse.Namespace) -> int:
    """Run ``brushreel evaluate``."""
    from ...core.devices import choose_device
    from ...core.frames.stroke_size import check_detail, check_stroke_size
    from .evaluation_report import to_json, write_report
    from .film import stylize_film
    from .models import open_models
    from .sequences import find_sequences
    from .table import table

    _check(options)
    if options.output:
        _make_folder(options.output)  # before minutes of measuring
    device = choose_device(options.device)
    stroke_size, detail = check_stroke_size(options.stroke_size), check_detail(options.detail)
    with moving("reading models and clips"):
        models, twin, peer = open_models(
            options.styles,
            twin=options.twin,
            peer=options.peer,
            stroke_size=stroke_size,
            detail=detail,
            device=device,
        )
        sequences = find_sequences(options.clips, pairs=options.pairs, long_side=options.long_side)
    evaluation = _measure(options, models, sequences, stroke_size, device)
    report = to_json(evaluation, stroke_size=stroke_size, detail=detail, twin=twin, peer=peer)
    if options.output:
        with moving("drawing the report"):
            film = stylize_film(models, sequences, device=device)
        for path in write_report(options.output, evaluation, report, film):
            print(path, file=sys.stderr)
    print(json.dumps(report) if options.json else table(evaluation, twin=twin, peer=peer))
    return 0


def _measure(
    options: argparse.Namespace,
    models: dict[str, Model],
    sequences: Sequence[FrameSequence],
    stroke_size: StrokeSize,
    device: torch.device,
) -> Evaluation:
    from .evaluate import measure
    from .levels import measure_levels

    losses = None
    if options.painting:
        losses = _painting_losses(options, sequences, stroke_size, device)
    clips = each(sequences, "measuring", "clip")
    evaluation = measure(models, clips, losses=losses, stroke_size=stroke_size, device=device)
    styles = each(models.items(), "measuring levels", "style", total=len(models))
    levels = {name: measure_levels(model, device=device) for name, model in styles}
    return replace(evaluation, levels=levels)


def _check(options: argparse.Namespace) -> None:
    if options.pairs < 1 or (options.long_side is not None and options.long_side < 64):
        raise UsageError("--pairs takes 1 or more, --long-side 64 or more")
    if (options.loss_weights or options.download_loss_network) and not options.painting:
        raise UsageError("the loss network (--loss-weights) needs --painting")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError.because(error, "can't be made", path=folder) from error


def _painting_losses(
    options: argparse.Namespace,
    sequences: Sequence[FrameSequence],
    stroke_size: StrokeSize,
    device: torch.device,
) -> PaintingLosses:
    from ..data.painting import load_painting
    from ..loss_network import LossNetwork, find_weights
    from ..recipe import TrainingSettings, scaled_size
    from .evaluate import painting_losses

    size = scaled_size(options.style_scale, TrainingSettings.style_size)
    painting = load_painting(options.painting, size).to(device)
    weights = find_weights(options.loss_weights, download=options.download_loss_network)
    return painting_losses(LossNetwork(weights), painting, sequences, stroke_size=stroke_size)
