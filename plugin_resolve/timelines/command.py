"""``brushreel timeline``: flags, and what is said of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import INTERRUPTED, BrushreelError, OutputError, UsageError
from ...core.options import EDIT_CODECS

if TYPE_CHECKING:
    from .model import TimelineFile
    from .timeline import Task, Wish


def add_timeline(parser: argparse.ArgumentParser) -> None:
    """The flags of ``brushreel timeline``."""
    add = parser.add_argument
    add("input", type=Path, metavar="IN", help="an .otio, .xml (FCP 7), .fcpxml or .edl")
    add("-o", "--output", type=Path, required=True, metavar="OUT", help="of the same kind")
    add("-s", "--style", help="of every clip that is not marked otherwise")
    add("--strength", type=float, default=1.0, help="of that style, 0 to 1 (default)")
    add("--keep-colors", action="store_true", help="keep the source's colours with that style")
    add(
        "--color",
        action="append",
        default=[],
        metavar="NAME=STYLE",
        help="a style for clips of a colour, such as Orange='wave strength=0.5'",
    )
    add("--handles", type=int, default=12, metavar="N", help="frames on each side (default: 12)")
    add("--codec", choices=EDIT_CODECS, default="prores", help="default: prores")
    add(
        "--media",
        type=Path,
        metavar="FOLDER",
        help="of the styled shots (default: OUT with suffix .media)",
    )
    add("--search", type=Path, action="append", default=[], metavar="FOLDER", help="for media")
    add("--fps", help="of an .edl, which does not say it: 25, 23.976, 29.97")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    add("--overwrite", action="store_true", help="replace OUT if it exists")
    add("--dry-run", action="store_true", help="list what would be done")
    add("--json", action="store_true", help="events on stdout, see docs/events.md")


def timeline(options: argparse.Namespace) -> int:
    """``brushreel timeline``."""
    from .timeline import plan_timeline, read_timeline

    _check_output(options)
    wish = _wish(options)
    rate = None if options.fps is None else _rate(options.fps)
    cut = read_timeline(options.input, rate)
    folder = options.media or options.output.with_suffix(".media")
    tasks = plan_timeline(cut, wish, folder, handles=options.handles, search=options.search)
    if not tasks:
        raise UsageError(
            "no clip of it is to be styled",
            path=options.input,
            hint="-s STYLE takes all; or write style=NAME into clips' names or markers",
        )
    for warning in dict.fromkeys(cut.warnings):
        print(f"{options.input}: {warning}", file=sys.stderr)
    if options.dry_run:
        return _dry_run(cut, tasks, as_json=options.json)
    return _done(options, cut, tasks, folder)


def _done(
    options: argparse.Namespace, cut: TimelineFile, tasks: Sequence[Task], folder: Path
) -> int:
    from ...batch.reporting.ndjson import JsonReporter
    from ...batch.reporting.progress import TerminalReporter
    from ...batch.reporting.reporter import Reporters
    from .earlier_run import outdated_shots
    from .timeline import bake_tasks, write_timeline

    reporter = Reporters(
        JsonReporter() if options.json else TerminalReporter("what is done is used again")
    )
    try:
        result, done = bake_tasks(tasks, folder, reporter, device=options.device)
    except KeyboardInterrupt:
        reporter.interrupt()
        return INTERRUPTED
    if not done:
        print(f"{options.output}: not written, no clip could be done", file=sys.stderr)
        return result.exit_status
    write_timeline(cut, done, options.output, outdated_shots(cut.uses, folder))
    print(options.output, file=sys.stderr if options.json else sys.stdout)
    return result.exit_status


def _check_output(options: argparse.Namespace) -> None:
    if options.output.suffix.lower() != options.input.suffix.lower():
        raise UsageError(
            f"can't be written from a {options.input.suffix}",
            path=options.output,
            hint=f"the output is of the input's kind: {options.output.stem}{options.input.suffix}",
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


def _wish(options: argparse.Namespace) -> Wish:
    from ..recipe import Recipe
    from .timeline import Wish

    by_color = {}
    for text in options.color:
        color, sign, style = text.partition("=")
        if not sign or not style:
            raise UsageError(f"--color {text!r} names no style", hint="--color Orange=wave")
        written = style if style.startswith("style=") else f"style={style}"
        Recipe.parse(written)
        by_color[color.strip().casefold()] = written
    if options.style is not None:
        Recipe(options.style, options.strength)
    return Wish(options.style, options.strength, options.keep_colors, options.codec, by_color)


def _rate(text: str) -> Fraction:
    from ...core.clips.timecode import editing_rate
    from ...core.frame_rate import parse_rate

    return editing_rate(parse_rate(text))


def _dry_run(cut: TimelineFile, tasks: Sequence[Task], *, as_json: bool) -> int:
    from ...batch.reporting.events import ClipFailed, ClipPlanned, record
    from .model import clock

    failing = 0
    for task in tasks:
        where = f"{clock(task.use.start, cut.rate)}  V{task.use.track + 1}  {task.use.name}"
        if isinstance(task.plan, BrushreelError):
            failing += 1
            if as_json:
                media = Path(task.use.media or task.use.name)
                failed = ClipFailed.of((media, Path()), task.plan)
                print(json.dumps(record(failed) | {"output": ""}))
            else:
                print(f"{where}: can't be done: {task.plan}")
            continue
        plan, recipe = task.plan, task.recipe
        frames = plan.excerpt.end - plan.excerpt.first
        if as_json:
            planned = ClipPlanned(
                *plan.job.clip, frames=frames, seconds=None, disk=None, warnings=()
            )
            print(json.dumps(record(planned)))
        else:
            there = ", is there" if plan.is_there else ""
            assert recipe is not None
            print(
                f"{where}: {recipe.style} {recipe.strength:g}, frames {plan.excerpt.first} to "
                f"{plan.excerpt.end} of {plan.shot.media} -> {plan.path}{there}"
            )
    if not as_json:
        print(f"{len(tasks) - failing} to do, {failing} can't be done")
    return int(failing > 0)
