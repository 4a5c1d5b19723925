"""``brushreel timeline``: its flags, and the run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.arguments import add_strokes, folder, path
from ...core.errors import INTERRUPTED, BrushreelError, OutputError, UsageError
from ...core.options import EDIT_CODECS

if TYPE_CHECKING:
    from .model import TimelineFile
    from .styling import Request, Task


def add_timeline(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``brushreel timeline``."""
    add = parser.add_argument
    add(
        "input",
        type=path,
        metavar="IN",
        help="Timeline file: .otio, .xml (Final Cut Pro 7), .fcpxml, .fcpxmld or .edl.",
    )
    add(
        "-o",
        "--output",
        type=path,
        required=True,
        metavar="OUT",
        help="Timeline file to write, of the input's kind.",
    )
    add(
        "-s",
        "--style",
        help="Style of every clip without a recipe in its name or markers. "
        "Default: such clips are left alone.",
    )
    add(
        "--strength",
        type=float,
        default=1.0,
        help="Strength of --style, from 0 (the source) to 1. Default: 1.",
    )
    add("--keep-colors", action="store_true", help="Keep the source's colours with --style.")
    add_strokes(add)
    add(
        "--color",
        action="append",
        default=[],
        metavar="NAME=STYLE",
        help="Style for clips of a colour, such as Orange='wave strength=0.5'. May be repeated.",
    )
    add(
        "--handles",
        type=int,
        default=12,
        metavar="N",
        help="Extra frames before and after each stylized shot, 0 to 1000. Default: 12.",
    )
    add(
        "--codec",
        choices=EDIT_CODECS,
        default="prores",
        help="Codec of the stylized shots. Default: prores.",
    )
    add(
        "--media",
        type=folder,
        metavar="FOLDER",
        help="Folder of the stylized shots. Default: OUT with the suffix .media.",
    )
    add(
        "--search",
        type=path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="Folder in which missing media is looked for by name, subfolders included. "
        "May be repeated.",
    )
    add(
        "--fps",
        help="Frame rate of an .edl, which does not state it, in frames per second, "
        "such as 25, 23.976 or 29.97.",
    )
    add(
        "--sequence",
        metavar="NAME",
        help="Sequence, project or timeline of a file that holds several. Default: the first.",
    )
    add(
        "--device",
        default="auto",
        help="Device of the network: auto, cpu, cuda, cuda:1 or mps. Default: auto.",
    )
    add("--overwrite", action="store_true", help="Replace OUT if it exists.")
    add("--dry-run", action="store_true", help="List what would be done, and write nothing.")
    add(
        "--json",
        action="store_true",
        help="Print events as JSON lines on standard output, see docs/events.md.",
    )


def timeline(options: argparse.Namespace) -> int:
    """Run ``brushreel timeline``; return the exit status."""
    from .styling import plan_timeline, read_timeline

    _check_output(options)
    request = _request(options)
    rate = None if options.fps is None else _rate(options.fps)
    cut = read_timeline(options.input, rate, options.sequence)
    folder = options.media or options.output.with_suffix(".media")
    tasks = plan_timeline(cut, request, folder, handles=options.handles, search=options.search)
    if not tasks and not (options.style and _only_left_alone(cut)):
        raise UsageError(
            "has no clip to stylize",
            path=options.input,
            hint="-s STYLE stylizes all; or write style=NAME into clips' names or markers",
        )
    for warning in dict.fromkeys(cut.warnings):
        print(f"{options.input}: {warning}", file=sys.stderr)
    if options.dry_run:
        return _dry_run(cut, tasks, as_json=options.json)
    if not tasks:
        print(f"{options.output}: not written, as there is no clip to stylize", file=sys.stderr)
        return 0
    return _run(options, cut, tasks, folder)


def _only_left_alone(cut: TimelineFile) -> bool:
    """Return whether a timeline has clips, and each is one that is left as it is."""
    from .model import LEFT_ALONE

    return bool(cut.uses) and all(use.problem in LEFT_ALONE for use in cut.uses)


def _run(
    options: argparse.Namespace, cut: TimelineFile, tasks: Sequence[Task], folder: Path
) -> int:
    from ...batch.reporting.ndjson import JsonReporter
    from ...batch.reporting.progress import TerminalReporter
    from ...batch.reporting.reporter import Reporters
    from .earlier_run import outdated_shots
    from .styling import bake_tasks, write_timeline

    reporter = Reporters(
        JsonReporter() if options.json else TerminalReporter("finished shots are used again")
    )
    try:
        result, done = bake_tasks(tasks, folder, reporter, device=options.device)
    except KeyboardInterrupt:
        reporter.interrupt()
        return INTERRUPTED
    if not done:
        print(f"{options.output}: not written, as no clip could be stylized", file=sys.stderr)
        return result.exit_status
    write_timeline(cut, done, options.output, outdated_shots(cut.uses, folder))
    print(options.output, file=sys.stderr if options.json else sys.stdout)
    return result.exit_status


def _check_output(options: argparse.Namespace) -> None:
    # A folder of Final Cut Pro holds an .fcpxml, which is imported as well.
    wanted = options.input.suffix.lower().replace(".fcpxmld", ".fcpxml")
    if options.output.suffix.lower() != wanted:
        raise UsageError(
            f"can't be written from a {options.input.suffix} file",
            path=options.output,
            hint=f"the output has the input's format: {options.output.stem}{wanted}",
        )
    if options.output.exists():
        if options.input.exists() and options.output.samefile(options.input):
            raise UsageError("input and output are the same file", path=options.output)
        if not options.overwrite:
            raise OutputError(
                "exists already", path=options.output, hint="use --overwrite to replace it"
            )
    if not 0 <= options.handles <= 1000:
        raise UsageError(f"handles must be 0 to 1000 frames, not {options.handles}")


def _request(options: argparse.Namespace) -> Request:
    from ...core.frames.stroke_size import check_stroke_size
    from ..recipe import Recipe
    from .styling import Request

    by_color = {}
    for text in options.color:
        color, sign, style = text.partition("=")
        if not sign or not style:
            raise UsageError(f"--color {text!r} has no style", hint="--color Orange=wave")
        written = style if style.startswith("style=") else f"style={style}"
        Recipe.parse(written)
        by_color[color.strip().casefold()] = written
    strokes = {
        "stroke_size": check_stroke_size(options.stroke_size),
        "detail": options.detail,
    }
    Recipe(options.style or "", options.strength, **strokes)
    return Request(
        options.style, options.strength, options.keep_colors, options.codec, by_color, **strokes
    )


def _rate(text: str) -> Fraction:
    from ...core.clips.timecode import editing_rate
    from ...core.frame_rate import parse_rate

    return editing_rate(parse_rate(text))


def _dry_run(timeline: TimelineFile, tasks: Sequence[Task], *, as_json: bool) -> int:
    show = _emit_planned if as_json else _print_planned
    for task in tasks:
        show(task, timeline.rate)
    failing = sum(isinstance(task.plan, BrushreelError) for task in tasks)
    if not as_json:
        print(f"{len(tasks) - failing} to do, {failing} can't be done")
    return int(failing > 0)


def _emit_planned(task: Task, _rate: Fraction) -> None:
    from ...batch.reporting.events import ClipFailed, ClipPlanned, record

    plan = task.plan
    if isinstance(plan, BrushreelError):
        media = Path(task.use.media or task.use.name)
        print(json.dumps(record(ClipFailed.of((media, Path()), plan)) | {"output": ""}))
        return
    frames = plan.frames.end - plan.frames.first
    planned = ClipPlanned(*plan.job.clip, frames=frames, seconds=None, disk=None, warnings=())
    print(json.dumps(record(planned)))


def _print_planned(task: Task, rate: Fraction) -> None:
    from .model import clock

    plan, recipe = task.plan, task.recipe
    where = f"{clock(task.use.start, rate)}  V{task.use.track + 1}  {task.use.name}"
    if isinstance(plan, BrushreelError):
        print(f"{where}: can't be done: {plan}")
        return
    assert recipe is not None
    done = ", is there" if plan.is_done else ""
    print(
        f"{where}: {recipe.style} {recipe.strength:g}, frames {plan.frames.first} to "
        f"{plan.frames.end} of {plan.shot.media} -> {plan.path}{done}"
    )
