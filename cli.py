"""The ``brushreel`` command: one thin function per subcommand.

Those on clips are in batch/command.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import io
import json
import logging
import math
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .batch import command as clips
from .core.allocator import keep_freed_memory
from .core.errors import INTERRUPTED, BrushreelError, OutputError, UsageError
from .core.options import PIXEL_LAYOUTS, TRAINING_PRECISIONS, TRAINING_RECIPES
from .core.version import __version__
from .plugin_resolve import command as editors
from .plugin_resolve.timelines import command as cuts

if TYPE_CHECKING:
    import torch

    from .training.recipe import TrainingSettings

# Imports of torch and of everything that needs it wait inside the subcommands: `--help` and a
# wrong flag answer at once.


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit status: 0 all done, 1 some clips failed, 2 wrong usage, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names of files need not be UTF-8.
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    console = logging.StreamHandler()
    console.setLevel(logging.DEBUG if options.debug else logging.WARNING)
    logging.basicConfig(level=console.level, handlers=[console])
    handler = signal.signal(signal.SIGTERM, _terminate)
    keep_freed_memory()
    try:
        return _flushed(_status(options))
    finally:
        signal.signal(signal.SIGTERM, handler)


def _status(options: argparse.Namespace) -> int:
    try:
        return options.run(options)
    except BrushreelError as error:
        return _fail(str(error), error.exit_status)
    except KeyboardInterrupt:
        print("brushreel: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 1  # whoever read our output has closed it
    except Exception as error:  # noqa: BLE001  a full disk, a driver: one line, not a traceback
        what = " ".join(f"unexpected {type(error).__name__}: {error}".split())
        return _fail(f"{what} (--debug shows where it came from)", 1)


def _flushed(status: int) -> int:
    """The exit status when all output has been passed on: 1 where that fails."""
    if sys.stdout is None:  # closed before Python started
        return status
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python must not try it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if status == 0 and not isinstance(error, BrokenPipeError):
            _fail(f"the output can't be written: {error.strerror}", 1)
        return status or 1
    return status


def _fail(line: str, status: int) -> int:
    logging.getLogger(__name__).debug("failed", exc_info=True)
    print(f"brushreel: {line}", file=sys.stderr)
    return status


def _terminate(_signal: int, _frame: object) -> NoReturn:
    """Being asked to end is treated as Ctrl-C is: tidied up."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="brushreel", description="Puts a trained painting style on moving pictures."
    )
    parser.add_argument("--version", action="version", version=f"brushreel {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = functools.partial(_add_command, commands)
    add("styles", _styles, _add_styles, "list the styles of the library")
    add("stylize", clips.stylize, clips.add_stylize, "stylize clips and folders of clips")
    add("watch", clips.watch, clips.add_watch, "stylize the clips that arrive in a folder")
    add("preview", clips.preview, clips.add_preview, "draw a frame in every style")
    add("compare", clips.compare, clips.add_compare, "show two clips against each other")
    add("demo", clips.demo, clips.add_demo, "stylize a generated clip with sound")
    add("train", _train, _add_train, "train a style from a painting and footage")
    add("evaluate", _evaluate, _add_evaluate, "measure how styles paint and flicker")
    add(
        "timeline",
        cuts.timeline,
        cuts.add_timeline,
        "stylize a timeline's clips on a new track",
    )
    add("serve", _serve, _add_serve, "stylize frames for the OpenFX effect until idle")
    add("resolve", editors.resolve, editors.add_resolve, "install Brushreel in DaVinci Resolve")
    add("export", _export, _add_export, "write a style as an ONNX model")
    add("doctor", _doctor, _add_doctor, "show what this machine has, and what is wrong")
    return parser


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    add_flags: Callable[[argparse.ArgumentParser], None],
    summary: str,
) -> None:
    parser = commands.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + "."
    )
    add_flags(parser)
    _add_debug(parser, default=False)
    parser.set_defaults(run=run)


def _add_debug(parser: argparse.ArgumentParser, *, default: bool | str) -> None:
    """To a command and to the commands inside it, which leave alone what came before them."""
    parser.add_argument(
        "--debug",
        action="store_true",
        default=default,
        help="show where in the program an error came from",
    )
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _add_debug(inner, default=argparse.SUPPRESS)


def _add_styles(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument(
        "--adopt",
        type=Path,
        metavar="PATH",
        help="copy style files of Brushreel's former name, a file or a folder, into the library",
    )


def _styles(options: argparse.Namespace) -> int:
    from .core.former_name import former_library
    from .core.library import adopt, style_paths, user_styles
    from .core.style import Style

    if options.adopt is not None:
        for path in adopt(options.adopt):
            print(path)
        return 0
    former = former_library()
    if former is not None and not user_styles().exists():
        line = f"a library of the former name is there (brushreel styles --adopt {former})"
        print(f"brushreel: {line}", file=sys.stderr)
    failed = 0
    for name, path in style_paths().items():
        try:
            style = Style.load(path)
        except BrushreelError as error:
            failed = 1
            print(f"brushreel: {error}", file=sys.stderr)
            continue
        if options.json:
            about = {"name": name, "title": style.title, "path": str(path)}
            about |= {"painting": dataclasses.asdict(style.painting), "digest": style.digest}
            print(json.dumps(about | {"figures": dict(style.figures)}))
        else:
            print(f"{name:<16} {style.title} ({style.painting.year})")
    return failed


def _add_train(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("painting", type=Path, metavar="PAINTING", help="a picture file")
    add("--clips", type=Path, required=True, metavar="FOLDER", help="footage: clips and pictures")
    add("--name", required=True, help="what to call the style")
    add("--from", dest="parent", metavar="STYLE", help="start from a style: much faster")
    add("--recipe", choices=TRAINING_RECIPES, default="house", help="default: house")
    add("--style-scale", type=float, default=1.0, help="size of the strokes (default: 1)")
    add("--style-weight", type=float, help="larger paints more strongly")
    add("--temporal-weight", type=float, help="larger holds stiller; 0 is a twin without")
    add("--iterations", type=int, default=3000, metavar="N", help="default: 3000")
    add("--seed", type=int, default=0)
    add("--crop", type=int, default=192, metavar="PIXELS", help="default: 192")
    add("--batch", type=int, default=1, metavar="N", help="pairs a step (default: 1)")
    add("--precision", choices=TRAINING_PRECISIONS, default="auto")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    add("--resume", action="store_true", help="go on with an interrupted run")
    add("--checkpoint-minutes", type=float, default=5.0, metavar="N", help="default: 5")
    _add_loss_network(parser)
    add("--title", help="of the painting (default: the style's name)")
    add("--artist", default="unknown")
    add("--year", default="unknown")
    add("--licence", default="unknown", help="of the painting")
    add("--overwrite", action="store_true", help="replace a style of that name")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"can't be made: {error.strerror}", path=folder) from error


def _train(options: argparse.Namespace) -> int:
    from .core.library import load_style, user_styles
    from .core.style import Painting
    from .core.stylizer import choose_device
    from .training.loss_network import find_weights
    from .training.run import Material
    from .training.trainer import CHECKPOINT, train

    output = user_styles() / f"{options.name}.safetensors"
    folder = user_styles().parent / "training" / options.name
    _check_name_is_free(options, output, folder / CHECKPOINT)
    parent = load_style(options.parent) if options.parent else None
    device = choose_device(options.device)
    loss_weights = find_weights(options.loss_weights, download=options.download_loss_network)
    about = Painting(options.title or options.name, options.artist, options.year, options.licence)
    train(
        Material(options.painting, about, options.clips, loss_weights, parent),
        _training_settings(options, device),
        name=options.name,
        output=output,
        folder=folder,
        command=shlex.join(["brushreel", *sys.argv[1:]]),
        device=device,
        resume=options.resume,
        checkpoint_minutes=options.checkpoint_minutes,
    )
    print(folder / "report.html", file=sys.stderr)
    print(output)
    return 0


def _check_name_is_free(options: argparse.Namespace, output: Path, checkpoint: Path) -> None:
    from .core.style import check_name

    check_name(options.name)
    if options.overwrite:
        return
    if output.exists():
        raise UsageError("there is a style of that name", path=output, hint="--overwrite it")
    if checkpoint.exists() and not options.resume:
        raise UsageError(
            "an interrupted run of that name is there",
            path=checkpoint,
            hint="--resume goes on with it, --overwrite starts anew",
        )


def _training_settings(options: argparse.Namespace, device: torch.device) -> TrainingSettings:
    from .training.recipe import RECIPES, fastest_precision

    recipe = RECIPES[options.recipe]
    weights = recipe.weights
    if options.style_weight is not None:
        # Overlays hold black and white against the style; where it pulls harder, so do they.
        overlay = weights.overlay * options.style_weight / weights.style
        weights = dataclasses.replace(weights, style=options.style_weight, overlay=overlay)
    if options.temporal_weight is not None:
        weights = dataclasses.replace(weights, temporal=options.temporal_weight)
    automatic = options.precision == "auto"
    if not 0 < options.style_scale < math.inf:
        raise UsageError(f"--style-scale must be above 0, not {options.style_scale}")
    return dataclasses.replace(
        recipe,
        weights=weights,
        iterations=options.iterations,
        seed=options.seed,
        batch=options.batch,
        crop=options.crop,
        style_size=round(recipe.style_size * options.style_scale),
        precision=fastest_precision(device) if automatic else options.precision,
    )


def _add_loss_network(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--loss-weights", type=Path, metavar="PATH", help="VGG-19, safetensors")
    add("--download-loss-network", action="store_true", help="fetch VGG-19 if it is missing")


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "styles", nargs="+", metavar="STYLE", help="a style's name or file, or an .onnx model"
    )
    parser.add_argument(
        "--clips",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="clips, numbered pictures, or .flo files with their frames",
    )
    parser.add_argument(
        "--painting", type=Path, metavar="PICTURE", help="measure style and content loss too"
    )
    _add_loss_network(parser)
    parser.add_argument("--twin", metavar="STYLE", help="trained alike without the temporal loss")
    parser.add_argument(
        "--pairs", type=int, default=8, metavar="N", help="of frames, of each clip (default: 8)"
    )
    parser.add_argument(
        "--long-side",
        type=int,
        default=640,
        metavar="PIXELS",
        help="numbered pictures are scaled down to it (default: 640)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="metrics.json and a plot go there"
    )


def _evaluate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .core.stylizer import choose_device
    from .training.data.painting import load_painting
    from .training.evaluation.evaluate import measure, painting_losses
    from .training.evaluation.evaluation_report import table, to_json, write_report
    from .training.evaluation.models import open_models
    from .training.evaluation.sequences import find_sequences
    from .training.loss_network import LossNetwork, find_weights
    from .training.recipe import TrainingSettings

    if options.pairs < 1 or options.long_side < 64:
        raise UsageError("--pairs takes 1 or more, --long-side 64 or more")
    if (options.loss_weights or options.download_loss_network) and not options.painting:
        raise UsageError("the loss network (--loss-weights) needs --painting")
    if options.output:
        _make_folder(options.output)  # before minutes of measuring
    device = choose_device(options.device)
    models, twin = open_models(options.styles, options.twin, device=device)
    judge = None
    if options.painting:
        painting = load_painting(options.painting, TrainingSettings.style_size).to(device)
        weights = find_weights(options.loss_weights, download=options.download_loss_network)
        judge = LossNetwork(weights), painting
    sequences = find_sequences(options.clips, pairs=options.pairs, long_side=options.long_side)
    losses = painting_losses(*judge, sequences) if judge else None
    progress = tqdm(sequences, desc="measuring", unit="clip", leave=False, disable=None)
    evaluation = measure(models, progress, losses=losses, device=device)
    report = to_json(evaluation, twin=twin)
    if options.output:
        for path in write_report(options.output, evaluation, report):
            print(path, file=sys.stderr)
    print(json.dumps(report) if options.json else table(evaluation, twin=twin))
    return 0


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--idle",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="Time without a request after which the server ends, in seconds. Default: 600.",
    )
    parser.add_argument(
        "--detach",
        action="store_true",
        help="Run the server in the background, and return when it accepts connections.",
    )


def _serve(options: argparse.Namespace) -> int:
    from .plugin_resolve.ofx.server.serve_command import serve, serve_detached

    if not options.idle > 0:
        raise UsageError("--idle must be more than 0 seconds")
    if options.detach:
        return serve_detached(idle=options.idle)
    serve(idle=options.idle, on_ready=lambda folder: print(f"serving at {folder}", file=sys.stderr))
    return 0


def _add_export(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("style", metavar="STYLE", help="a name, a file, or a blend: wave:0.6+udnie:0.4")
    add("-o", "--output", type=Path, metavar="FILE", help="default: STYLE.onnx")
    add("--pixels", choices=PIXEL_LAYOUTS, default="float", help="float: RGB in [0, 1] (default)")
    add("--overwrite", action="store_true", help="replace a file that exists")


def _export(options: argparse.Namespace) -> int:
    from .core.export import export_onnx
    from .core.library import load_style

    style = load_style(options.style)
    output = options.output or Path(f"{style.name}.onnx")
    if output.suffix != ".onnx":
        raise UsageError(f"can't write a {output.suffix or 'file'}", path=output, hint="use .onnx")
    if output.exists() and not options.overwrite:
        raise OutputError("exists already", path=output, hint="--overwrite replaces it")
    export_onnx(style, output, pixels=options.pixels)
    print(output)
    return 0


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--bench", action="store_true", help="time the runtimes, which takes a minute"
    )


def _doctor(options: argparse.Namespace) -> int:
    from .batch.encoding.encoders import examine_encoders
    from .core.machine import examine
    from .plugin_resolve.ofx.bundle import examine as examine_effect

    findings = [*examine(), *examine_encoders(), examine_effect()]
    if options.bench:
        from .core.machine import time_runtimes

        findings += time_runtimes()
    for finding in findings:
        if options.json:
            print(json.dumps(dataclasses.asdict(finding)))
            continue
        fix = f"  -> {finding.fix}" if finding.fix else ""
        print(f"{finding.status:<8} {finding.subject:<12} {finding.detail}{fix}")
    return int(any(finding.status == "broken" for finding in findings))
