"""The ``housestyle`` command: one thin function per subcommand."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .core.errors import HousestyleError


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except HousestyleError as error:
        print(f"housestyle: {error}", file=sys.stderr)
        return error.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="housestyle")
    commands = parser.add_subparsers(required=True)
    _add_train(commands)
    return parser


def _add_train(commands) -> None:
    train = commands.add_parser("train", help="train a style from a painting and footage")
    train.set_defaults(run=_train)
    train.add_argument("painting", type=Path, metavar="PAINTING")
    train.add_argument("--clips", type=Path, required=True, metavar="FOLDER")
    train.add_argument("--name", required=True)
    train.add_argument("--title", default="Untitled")
    train.add_argument("--artist", default="unknown")
    train.add_argument("--year", default="unknown")
    train.add_argument("--licence", default="unknown")
    train.add_argument("--iterations", type=int, default=4000)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--loss-weights", type=Path)
    train.add_argument("--device", default="cpu")


def _train(options: argparse.Namespace) -> int:
    from .core.style import Painting, user_styles
    from .training.trainer import TrainingSettings, train

    settings = TrainingSettings(iterations=options.iterations, seed=options.seed)
    about = Painting(options.title, options.artist, options.year, options.licence)
    train(
        options.painting,
        options.clips,
        name=options.name,
        about=about,
        settings=settings,
        output=user_styles() / f"{options.name}.safetensors",
        loss_weights=options.loss_weights,
        device=options.device,
    )
    return 0
