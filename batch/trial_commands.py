"""``brushreel preview``, ``compare`` and ``demo``, each with its options: what is looked at."""

from __future__ import annotations

import argparse
import sys
from fractions import Fraction
from pathlib import Path

from ..core.arguments import (
    STYLE,
    add_device,
    add_overwrite,
    add_strength,
    add_strokes,
    folder,
    path,
)
from ..core.errors import OutputError, UsageError
from ..core.frames.stroke_size import check_stroke_size
from ..core.moving import moving
from ..core.options import LAYOUTS

# Imports of torch and of everything that needs it wait inside the functions: `--help` and a wrong
# flag answer at once.


def add_preview(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``brushreel preview``."""
    add = parser.add_argument
    add("inputs", nargs="+", type=path, metavar="INPUT", help="Clips and images.")
    add(
        "-o",
        "--output",
        type=path,
        required=True,
        metavar="FILE",
        help="Contact sheet to write, a .png.",
    )
    add(
        "--at",
        type=moment,
        action="append",
        default=[],
        metavar="TIME",
        help="Time of the frame from the clip's start, as seconds (12.5) or time (1:30); may be "
        "given several times. Default: the middle.",
    )
    add(
        "--styles",
        nargs="+",
        default=[],
        metavar="STYLE",
        help="Styles of the sheet. Default: the whole library.",
    )
    add_strength(add)
    add("--keep-colors", action="store_true", help="Keep the source's colours.")
    add_strokes(add)
    add_device(add)
    add_overwrite(add, "a contact sheet that exists")


def moment(text: str) -> float:
    """Parse a time as seconds.

    Raises:
        ArgumentTypeError: It is none, or timecode.
    """
    from ..core.clips.range import parse_position

    try:
        position = parse_position(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(error.what) from error
    if not isinstance(position, Fraction):
        raise argparse.ArgumentTypeError(f"{text} is timecode; write seconds or minutes:seconds")
    return float(position)


def preview(options: argparse.Namespace) -> int:
    """Run ``brushreel preview``."""
    from .contact_sheet import preview as draw

    draw(
        options.inputs,
        options.output,
        at=options.at,
        styles=options.styles,
        strength=options.strength,
        keep_colors=options.keep_colors,
        stroke_size=check_stroke_size(options.stroke_size),
        detail=options.detail,
        device=options.device,
        overwrite=options.overwrite,
    )
    print(options.output)
    return 0


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``brushreel compare``."""
    add = parser.add_argument
    add("before", type=path, metavar="BEFORE", help="Source clip.")
    add("after", type=path, metavar="AFTER", help="The same clip, stylized.")
    add(
        "-o",
        "--output",
        type=path,
        required=True,
        metavar="FILE",
        help="Clip to write, an .mp4, .mov, .mkv or .webm.",
    )
    add(
        "--layout",
        choices=LAYOUTS,
        default="wipe",
        help="Arrangement: a wipe, side by side, or one above the other. Default: %(default)s.",
    )
    add(
        "--position",
        type=float,
        metavar="SHARE",
        help="Position of the wipe's line, from 0 (left) to 1 (right). Default: it moves.",
    )
    add_overwrite(add, "a clip that exists")


def compare(options: argparse.Namespace) -> int:
    """Run ``brushreel compare``."""
    from .compare import compare as write

    with moving(f"writing {options.output.name}"):
        warnings = write(
            options.before,
            options.after,
            options.output,
            layout=options.layout,
            line=options.position,
            overwrite=options.overwrite,
        )
    for warning in warnings:
        print(warning, file=sys.stderr)
    print(options.output)
    return 0


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``brushreel demo``."""
    parser.add_argument(
        "-s",
        "--style",
        default="wave",
        metavar="STYLE",
        help=f"Style to use: {STYLE}. Default: %(default)s.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=folder,
        default=Path("demo"),
        metavar="FOLDER",
        help="Folder for the generated and the stylized clip. Default: %(default)s.",
    )


def demo(options: argparse.Namespace) -> int:
    """Run ``brushreel demo``."""
    from ..core.stylizer import Stylizer
    from .clips.settings import WriteSettings
    from .demo.clip import make_demo_clip
    from .plan import Job
    from .reporting.progress import TerminalReporter
    from .run import run_batch

    with moving("loading the style"):
        stylizer = Stylizer(options.style)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError.because(error, "can't be created", path=options.output) from error
    source = options.output / "seascape.mp4"
    print(f"drawing {source} ...", file=sys.stderr)
    with moving(f"drawing {source.name}"):
        make_demo_clip(source)
    job = Job(source, options.output / f"seascape.{stylizer.style.name}.mp4")
    result = run_batch([job], stylizer, TerminalReporter(), write=WriteSettings(overwrite=True))
    for report in result.done:
        print(report.output.resolve())
    return result.exit_status
