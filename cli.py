"""The ``brushreel`` command, one thin function per subcommand.

The larger ones are in a command.py of their own folder: batch, training, training/evaluation,
plugin_resolve and studio.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from .batch import command as clips
from .batch import flags
from .batch import trial_commands as trials
from .batch.live import command as stage
from .core.allocator import keep_freed_memory
from .core.arguments import (
    STYLE,
    Formatter,
    Parser,
    add_json_lines,
    add_overwrite,
    add_strokes,
    every_parser,
    path,
)
from .core.errors import (
    INTERRUPTED,
    BrushreelError,
    BrushreelWarning,
    OutputError,
    UsageError,
    unexpected,
)
from .core.finding import Finding, json_lines, lines
from .core.moving import moving
from .core.options import PIXEL_LAYOUTS, SHELLS
from .core.standard_streams import open_closed_streams, own_standard_error
from .core.version import __version__, version_lines
from .plugin_resolve import command as editors
from .plugin_resolve.timelines import command as cuts
from .studio import command as room
from .training import command as training
from .training.evaluation import command as evaluation

# Imports of torch and of everything that needs it wait inside the subcommands: `--help` and a
# wrong flag answer at once.


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit status: 0 all done, 1 some clips failed, 2 wrong usage, 130 interrupted.
    """
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # File names need not be UTF-8.
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse(arguments)
    if arguments is None:  # this process is the command's own
        own_standard_error(libraries=options.debug)
    console = logging.StreamHandler()
    console.setLevel(logging.DEBUG if options.debug else logging.WARNING)
    logging.basicConfig(level=console.level, handlers=[console])
    keep_freed_memory()
    with _requests_to_end(), _warnings_as_lines():
        return _flushed(_status(options))


@contextmanager
def _requests_to_end() -> Iterator[None]:
    """Tidy up when the process is asked to end, or its terminal is gone; nohup may prevent that."""
    asked = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in asked}
    heeded = [number for number in asked if before[number] is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, _terminate)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print warnings of this package as a line each; those of libraries are for --debug."""

    def show(message: Warning | str, *_where: object) -> None:
        if isinstance(message, BrushreelWarning):
            print(f"brushreel: {message}", file=sys.stderr)
        else:
            logging.getLogger(__name__).debug("%s", message)

    with warnings.catch_warnings():
        warnings.simplefilter("always", BrushreelWarning)
        warnings.showwarning = show
        yield


def _status(options: argparse.Namespace) -> int:
    try:
        return options.run(options)
    except BrushreelError as error:
        more = f"; see {error.page}" if error.page else ""
        return _fail(f"{error}{more}", error.exit_status)
    except KeyboardInterrupt:
        print("brushreel: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 1  # the reader of the output has closed it
    except Exception as error:  # noqa: BLE001  a full disk, a driver: one line, not a traceback
        return _fail(str(unexpected(error)), 1)


def _flushed(status: int) -> int:
    """Return the exit status when all output has been passed on: 1 where that fails."""
    if sys.stdout is None:  # closed before Python started
        return status
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python must not try it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if status == 0 and not isinstance(error, BrokenPipeError):
            _fail(str(OutputError.because(error, "the output can't be written")), 1)
        return status or 1
    return status


def _fail(line: str, status: int) -> int:
    logging.getLogger(__name__).debug("failed", exc_info=True)
    print(f"brushreel: {line}", file=sys.stderr)
    return status


def _terminate(_signal: int, _frame: object) -> NoReturn:
    """Raise what Ctrl-C raises, so that a request to end tidies up."""
    raise KeyboardInterrupt


WELCOME = """\
Brushreel puts trained painting styles on video without flicker.

  brushreel demo                            stylize a generated clip: does all work?
  brushreel preview clip.mov -o sheet.png   a frame of a clip in every style
  brushreel stylize clip.mov -s wave        write clip.wave.mov next to it
  brushreel stylize rushes/ -s wave -o out/ --recursive
                                            a folder; the same again resumes it
  brushreel studio clip.mov                 try styles in the browser, live
  brushreel timeline cut.xml -s wave -o styled.xml
                                            the clips of an editing program's timeline

brushreel --help lists all commands, brushreel COMMAND --help the flags of one;
brushreel doctor checks this machine."""
"""What a new user sees first."""


def _welcome(_options: argparse.Namespace) -> int:
    print(WELCOME)
    return 0


class _Version(argparse.Action):
    """The option that shows all versions."""

    def __init__(self, *names: Any, **about: Any):  # noqa: ANN401
        super().__init__(*names, nargs=0, default=argparse.SUPPRESS, **about)

    def __call__(self, parser: argparse.ArgumentParser, *_given: object) -> None:
        """Print the versions, and exit."""
        print(*version_lines(), sep="\n")
        parser.exit()


def _parser() -> Parser:
    parser = Parser(
        prog="brushreel", description="Put trained painting styles on video without flicker."
    )
    parser.add_argument(
        "--version",
        action=_Version,
        help="Show the versions of Brushreel, of FFmpeg, torch and the runtimes, and exit.",
    )
    parser.set_defaults(parser=parser, run=_welcome, debug=False)
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, summary, add_options, run in (
        ("styles", "list the styles of the library", _add_styles, _styles),
        ("stylize", "stylize clips and image sequences", flags.add_stylize, clips.stylize),
        ("studio", "try styles in the browser, live, and render", room.add_studio, room.studio),
        ("live", "stylize a camera or stream as it comes", stage.add_live, stage.live),
        ("watch", "stylize the clips that arrive in a folder", flags.add_watch, clips.watch),
        ("farm-job", "write a job for a render farm", flags.add_farm_job, clips.farm_job),
        ("preview", "draw a frame in every style", trials.add_preview, trials.preview),
        ("compare", "show two clips against each other", trials.add_compare, trials.compare),
        ("demo", "stylize a generated clip with audio", trials.add_demo, trials.demo),
        ("train", "train a style", training.add_train, training.train),
        ("evaluate", "measure styles", evaluation.add_evaluate, evaluation.evaluate),
        ("timeline", "stylize the clips of a timeline", cuts.add_timeline, cuts.timeline),
        ("serve", "stylize frames for the OpenFX effect, until idle", _add_serve, _serve),
        ("resolve", "install Brushreel in DaVinci Resolve", editors.add_resolve, editors.resolve),
        ("export", "write a style as an ONNX model", _add_export, _export),
        ("doctor", "show what this machine has, and what is wrong", _add_doctor, _doctor),
        ("completion", "print a shell's completion of commands", _add_completion, _completion),
        ("manual", "print the manual page, for man(1)", _add_nothing, _manual),
    ):
        _add_command(commands, name, run, add_options, summary)
    return parser


def _add_command(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    add_options: Callable[[argparse.ArgumentParser], None],
    summary: str,
) -> None:
    description = summary[0].upper() + summary[1:] + "."
    parser = commands.add_parser(name, help=summary, description=description)
    add_options(parser)
    for one in every_parser(parser):
        one.formatter_class = Formatter
        one.set_defaults(parser=one)
        # A command inside a command leaves alone what came before it.
        one.add_argument(
            "--debug",
            action="store_true",
            default=False if one is parser else argparse.SUPPRESS,
            help="Show where in the program an error comes from.",
        )
    parser.set_defaults(run=run)


def _add_styles(parser: argparse.ArgumentParser) -> None:
    add_json_lines(parser.add_argument)
    parser.add_argument(
        "--adopt",
        type=path,
        metavar="PATH",
        help="Copy style files of Brushreel's former name, a file or a folder, into the library.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    summary = "remove a style of your own from the library"
    remove = actions.add_parser("remove", help=summary, description=f"{summary.capitalize()}.")
    remove.add_argument("name", metavar="NAME", help="Name of the style.")


def _styles(options: argparse.Namespace) -> int:
    from .core.former_name import former_library
    from .core.library import adopt, hidden_by, remove_style, style_paths, user_styles
    from .core.style import Style

    if options.action == "remove":
        path = remove_style(options.name)
        if hidden_by(path):
            print(f"{options.name} is the style that ships again", file=sys.stderr)
        print(path)
        return 0
    if options.adopt is not None:
        for path in adopt(options.adopt):
            print(path)
        return 0
    former = former_library()
    if former is not None and not user_styles().exists():
        line = f"a library of the former name is there (brushreel styles --adopt {former})"
        print(f"brushreel: {line}", file=sys.stderr)
    for name, path in style_paths().items():
        try:
            style = Style.load(path)
        except BrushreelError as error:
            print(f"brushreel: {error}", file=sys.stderr)
            continue
        hidden = hidden_by(path)
        if options.json:
            about = {"name": name, "title": style.title, "path": str(path)}
            about |= {"hides": None if hidden is None else str(hidden)}
            about |= {"painting": dataclasses.asdict(style.painting), "digest": style.digest}
            print(json.dumps(about | {"figures": dict(style.figures)}))
        else:
            note = "" if hidden is None else "; yours, hides the one that ships"
            print(f"{name:<16} {style.title} ({style.painting.year}){note}")
    return 0


def _add_serve(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--idle",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="Seconds without a request after which the server ends. Default: %(default)g.",
    )
    add("--detach", action="store_true", help="Start the server in the background, and return.")


def _serve(options: argparse.Namespace) -> int:
    from .plugin_resolve.ofx.server.serve_command import serve, serve_detached

    if not options.idle > 0:
        raise UsageError("--idle must be more than 0 seconds")
    if options.detach:
        return serve_detached(idle=options.idle)
    serve(idle=options.idle, on_ready=lambda folder: print(f"serving at {folder}", file=sys.stderr))
    return 0


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write a style as an ONNX model. It stylizes whole frames, burnt-in black bars too: give "
        "it what is between them. With --stroke-size input the size is an input of the model."
    )
    add = parser.add_argument
    add("style", metavar="STYLE", help=f"Style to export: {STYLE}.")
    add(
        "-o",
        "--output",
        type=path,
        metavar="FILE",
        help="Model to write, an .onnx. Default: the style's name with .onnx.",
    )
    add(
        "--pixels",
        choices=PIXEL_LAYOUTS,
        default="float",
        help="Pixels that the model takes and gives: RGB in [0, 1], 8-bit RGB or 8-bit NV12. "
        "Default: %(default)s.",
    )
    add_strokes(add)
    add_overwrite(add, "a model that exists")


def _export(options: argparse.Namespace) -> int:
    from .core.export import export_onnx
    from .core.library import load_style

    style = load_style(options.style)
    output = options.output or Path(f"{style.name}.onnx")
    if output.suffix != ".onnx":
        raise UsageError("unsupported extension for a model", path=output, hint="use .onnx")
    if output.exists() and not options.overwrite:
        raise OutputError("exists already", path=output, hint="--overwrite replaces it")
    with moving(f"exporting {style.name}"):
        export_onnx(
            style,
            output,
            pixels=options.pixels,
            stroke_size=options.stroke_size,
            detail=options.detail,
        )
    print(output)
    return 0


def _add_completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="Shell that reads what is printed.")


def _completion(options: argparse.Namespace) -> int:
    from .core.reference import completion

    print(completion(_parser(), options.shell), end="")
    return 0


def _add_nothing(_parser: argparse.ArgumentParser) -> None:
    pass


def _manual(_options: argparse.Namespace) -> int:
    from .core.reference import manual

    print(manual(_parser(), __version__), end="")
    return 0


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    add_json_lines(parser.add_argument)
    parser.add_argument(
        "--bench", action="store_true", help="Time the runtimes, which takes a minute."
    )
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="Examine the nodes of a Ray cluster instead, see docs/cluster.md: its head as "
        "HOST:PORT, or auto for the cluster of this machine.",
    )
    parser.add_argument(
        "--sees",
        type=path,
        action="append",
        default=[],
        metavar="PATH",
        help="Path to look for on the nodes of the cluster; may be given several times.",
    )


def _doctor(options: argparse.Namespace) -> int:
    findings = _findings_of_cluster(options) if options.ray else _findings_here(options)
    print(*(json_lines(findings) if options.json else lines(findings)), sep="\n")
    return int(any(finding.status == "broken" for finding in findings))


def _findings_of_cluster(options: argparse.Namespace) -> list[Finding]:
    from .batch.farm.survey import findings, survey_cluster

    with moving("examining the cluster"):
        return list(findings(survey_cluster(options.ray, options.sees)))


def _findings_here(options: argparse.Namespace) -> list[Finding]:
    with moving("examining this machine"):
        from .batch.encoding.encoders import examine_encoders
        from .core.machine import examine, time_runtimes
        from .plugin_resolve.ofx.bundle import examine as examine_effect

        findings = [*examine(), *examine_encoders(), examine_effect()]
    if options.bench:
        with moving("timing the runtimes"):
            findings += time_runtimes()
    return findings
