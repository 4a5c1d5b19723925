"""``brushreel train``: its options, and the training that they ask for."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.arguments import add_device, add_loss_network, add_overwrite, path
from ..core.errors import INTERRUPTED, UsageError
from ..core.options import TRAINING_PRECISIONS, TRAINING_RECIPES

if TYPE_CHECKING:
    import torch

    from .recipe import TrainingSettings

# Imports of torch and of everything that needs it wait inside the functions: `--help` and a wrong
# flag answer at once.


def add_train(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``brushreel train``."""
    add = parser.add_argument
    add("painting", type=path, metavar="PAINTING", help="Image file of the painting.")
    add(
        "--clips",
        type=path,
        required=True,
        metavar="FOLDER",
        help="Footage to train on, a folder of clips and images.",
    )
    add("--name", required=True, metavar="NAME", help="Name of the new style.")
    add(
        "--from",
        dest="parent",
        metavar="STYLE",
        help="Style to start from, which is much faster. Default: none, from scratch.",
    )
    add("--resume", action="store_true", help="Continue an interrupted run of that name.")
    add_overwrite(add, "a style or an interrupted run of that name, and hide one that ships")
    _add_hyperparameters(parser.add_argument_group("hyperparameters"))
    _add_run(parser.add_argument_group("run"))
    _add_painting(parser.add_argument_group("painting, as it is stored in the style"))


def _add_hyperparameters(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--recipe",
        choices=TRAINING_RECIPES,
        default="house",
        help="Losses, network and weights: the project's own or the paper's. Default: %(default)s.",
    )
    add(
        "--style-scale",
        type=float,
        default=1.0,
        metavar="FACTOR",
        help="Stroke size, relative to the recipe's. Default: %(default)g.",
    )
    add(
        "--style-weight",
        type=float,
        metavar="WEIGHT",
        help="Weight of the style loss; a larger one stylizes more. Default: the recipe's.",
    )
    add(
        "--temporal-weight",
        type=float,
        metavar="WEIGHT",
        help="Weight of the temporal loss; a larger one flickers less, 0 trains a twin. "
        "Default: the recipe's.",
    )
    add(
        "--palette-weight",
        type=float,
        metavar="WEIGHT",
        help="Weight of the painting's colours; with a larger one frames come nearer to them, and "
        "white gets darker where the painting has none. Default: the recipe's.",
    )
    length = group.add_mutually_exclusive_group()
    length.add_argument(
        "--iterations",
        type=int,
        default=3000,
        metavar="N",
        help="Number of training steps. Default: %(default)s.",
    )
    length.add_argument(
        "--minutes",
        type=float,
        metavar="MINUTES",
        help="Train for about so many minutes on this machine, instead of --iterations.",
    )
    add(
        "--batch",
        type=int,
        default=1,
        metavar="N",
        help="Pairs of frames in a step, on each device. Default: %(default)s.",
    )
    add(
        "--crop",
        type=int,
        metavar="PIXELS",
        help="Side of the squares cut from the footage, in pixels. Default: the recipe's.",
    )
    add("--seed", type=int, default=0, metavar="N", help="Random seed. Default: %(default)s.")


def _add_run(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add_device(add)
    add(
        "--precision",
        choices=TRAINING_PRECISIONS,
        default="auto",
        help="Number format of the arithmetic. Default: %(default)s, the fastest on the device.",
    )
    add(
        "--checkpoint-minutes",
        type=float,
        default=5.0,
        metavar="MINUTES",
        help="Minutes between two checkpoints. Default: %(default)g.",
    )
    add_loss_network(add)
    add(
        "--json",
        action="store_true",
        help="Print events on stdout, one JSON object a line, see docs/training.md.",
    )


def _add_painting(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--title", metavar="TEXT", help="Title of the painting. Default: the style's name.")
    for name, what in (
        ("artist", "Artist of the painting"),
        ("year", "Year of the painting"),
        ("licence", "Licence of the painting"),
    ):
        add(f"--{name}", default="unknown", metavar="TEXT", help=f"{what}. Default: %(default)s.")


def train(options: argparse.Namespace) -> int:
    """Run ``brushreel train``."""
    from ..core.devices import choose_device
    from ..core.library import load_style, user_styles
    from ..core.style import Painting
    from . import trainer
    from .loss_network import find_weights
    from .reporting.ndjson import TrainingEvents
    from .run import Material

    output = user_styles() / f"{options.name}.safetensors"
    folder = user_styles().parent / "training" / options.name
    _check_name_is_free(options, output, folder / trainer.CHECKPOINT)
    parent = load_style(options.parent) if options.parent else None
    device = choose_device(options.device)
    loss_weights = find_weights(options.loss_weights, download=options.download_loss_network)
    events = TrainingEvents(folder) if options.json else None
    about = Painting(options.title or options.name, options.artist, options.year, options.licence)
    try:
        trainer.train(
            Material(options.painting, about, options.clips, loss_weights, parent),
            training_settings(options, device),
            name=options.name,
            output=output,
            folder=folder,
            command=_repeatable(sys.argv[1:], options.recipe),
            device=device,
            resume=options.resume,
            minutes=options.minutes,
            checkpoint_minutes=options.checkpoint_minutes,
            events=events,
        )
    except KeyboardInterrupt:
        if events:
            events.interrupted(folder / trainer.CHECKPOINT)
        if not (folder / trainer.CHECKPOINT).exists():
            raise
        print(
            "brushreel: interrupted; the same command with --resume continues there",
            file=sys.stderr,
        )
        return INTERRUPTED
    print(folder / "report.html", file=sys.stderr)
    if not events:
        print(output)
    return 0


def _repeatable(words: list[str], recipe: str) -> str:
    """Return the command as it is stored: it starts the run again, from the first step.

    The default recipe may change, and there is no checkpoint to resume from elsewhere.
    """
    kept = [word for word in words if word not in ("--resume", "--json")]
    if not any(word.split("=")[0] == "--recipe" for word in kept):
        kept += ["--recipe", recipe]
    return shlex.join(["brushreel", *kept])


def _check_name_is_free(options: argparse.Namespace, output: Path, checkpoint: Path) -> None:
    from ..core.library import hidden_by
    from ..core.style import check_name

    check_name(options.name)
    if options.overwrite:
        return
    if output.exists():
        raise UsageError("a style of that name exists", path=output, hint="--overwrite replaces it")
    if hidden_by(output) and not options.resume:
        raise UsageError(
            f"a style named {options.name} ships, which yours would hide",
            hint="choose another --name; --overwrite hides it, until brushreel styles remove",
        )
    if checkpoint.exists() and not options.resume:
        raise UsageError(
            "an interrupted run of that name exists",
            path=checkpoint,
            hint="--resume continues it, --overwrite starts again",
        )


def training_settings(options: argparse.Namespace, device: torch.device) -> TrainingSettings:
    """Return the settings that the options give.

    Raises:
        UsageError: A value is out of range.
    """
    from .recipe import RECIPES, fastest_precision, scaled_size

    recipe = RECIPES[options.recipe]
    weights = recipe.weights
    if options.style_weight is not None:
        # Overlays hold black and white against the style; where it pulls harder, so do they.
        overlay = weights.overlay * options.style_weight / weights.style
        weights = dataclasses.replace(weights, style=options.style_weight, overlay=overlay)
    if options.temporal_weight is not None:
        weights = dataclasses.replace(weights, temporal=options.temporal_weight)
    if options.palette_weight is not None:
        weights = dataclasses.replace(weights, palette=options.palette_weight)
    automatic = options.precision == "auto"
    return dataclasses.replace(
        recipe,
        weights=weights,
        iterations=options.iterations,
        seed=options.seed,
        batch=options.batch,
        crop=recipe.crop if options.crop is None else options.crop,
        style_size=scaled_size(options.style_scale, recipe.style_size),
        precision=fastest_precision(device) if automatic else options.precision,
    )
