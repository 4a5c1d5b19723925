"""The subcommands on clips: their flags, and one thin function each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import INTERRUPTED, OutputError, UsageError
from ..core.options import (
    CODECS,
    CONTAINERS,
    DECODERS,
    ENCODERS,
    INTERLACED,
    LAYOUTS,
    PRECISIONS,
    RUNTIMES,
    VERIFY_LEVELS,
)
from .config import Flags

if TYPE_CHECKING:
    from .clips.settings import JobSettings, ReadSettings, WriteSettings
    from .plan import Job
    from .reporting.reporter import Reporter, Reporters
    from .run import BatchResult

# Imports of torch and of everything that needs it wait inside the functions: `--help` and a wrong
# flag answer at once.


def add_stylize(parser: argparse.ArgumentParser) -> None:
    """The flags of ``brushreel stylize``."""
    parser.add_argument("inputs", nargs="+", type=Path, help="clips, sequences and folders")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done and what it takes"
    )
    flags = Flags(parser)
    flags.add(
        "-o", "--output", type=Path, help="a file for one clip, else a folder (default: beside)"
    )
    flags.add("--start", metavar="TIME", help="from here: 12.5, 00:00:12.5 or 00:00:12:12")
    flags.add("--end", metavar="TIME", help="up to here, also counted from the clip's start")
    _add_style(flags)
    _add_written(flags)
    flags.add("--fps", metavar="RATE", help="of numbered pictures: 24, 23.976 (default: 24)")
    flags.group("the batch")
    _switch(flags, "--fail-fast", "start no clip after one that failed")
    flags.add("--report", type=Path, metavar="FILE", help="JSON, see docs/batch.md")
    _add_run(flags)
    parser.set_defaults(flags=flags)


def _add_style(flags: Flags) -> None:
    flags.add("-s", "--style", help="a name, a file, or a blend: wave:0.6+udnie:0.4")
    flags.add("--strength", type=float, default=1.0, help="0 (source) to 1 (default)")
    _switch(flags, "--keep-colors", "keep the source's colours, paint its lightness")
    flags.add("--device", default="auto", help="auto, cpu, cuda, mps; several: cuda:0,cuda:1")
    flags.add("--precision", choices=PRECISIONS, default="auto", help="default: auto")
    flags.add("--runtime", choices=RUNTIMES, default="auto", help="default: the fastest here")
    flags.add("--tile", type=tile, default="auto", metavar="PIXELS", help="or off (default: auto)")
    _switch(flags, "--recursive", "look into subfolders")


def tile(text: str) -> str | int:
    """A flag's value; argparse names it by this function when it is neither."""
    return text if text in ("auto", "off") else int(text)


def _add_written(flags: Flags) -> None:
    flags.group("what is written")
    flags.add("--codec", choices=CODECS, default="auto", help="default: auto")
    flags.add("--profile", metavar="NAME", help="of the codec: hq, 4444, hqx, high422, main10 ...")
    flags.add("--crf", type=int, help="quality of h264, hevc and av1, lower is better")
    flags.add("--bitrate", metavar="RATE", help="instead of --crf, such as 8M or 800k a second")
    flags.add("--preset", metavar="NAME", help="the encoder's effort: ultrafast to veryslow")
    flags.add("--decoder", choices=DECODERS, default="software", help="auto: hardware that works")
    flags.add("--encoder", choices=ENCODERS, default="software", help="auto: hardware that works")
    flags.add(
        "--interlaced", choices=INTERLACED, default="deinterlace", help="default: deinterlace"
    )
    flags.add(
        "--container", choices=CONTAINERS, help="default: the source's, where it can be written"
    )
    _switch(flags, "--drop-unsupported", "leave out tracks that the container can't hold")
    _switch(flags, "--overwrite", "replace outputs that exist")
    _switch(flags, "--skip-existing", "leave clips alone whose output exists")
    flags.add(
        "--verify", choices=VERIFY_LEVELS, default="standard", help="full: every copied packet"
    )
    flags.add("--segment", type=float, default=10.0, metavar="SECONDS", help="default: 10")
    _switch(flags, "--resume", "go on with what an earlier run has left", default=True)


def _add_run(flags: Flags) -> None:
    flags.add(
        "--jobs", type=int, metavar="N", help="clips at a time (default: one for each device)"
    )
    flags.add("--log", type=Path, metavar="FILE", help="what happened when, added to its end")
    _switch(flags, "--json", "events on stdout, see docs/events.md")
    flags.add_sources()


def _switch(flags: Flags, name: str, text: str, *, default: bool = False) -> None:
    """Can be taken back with --no-..., so that the command line can undo the file's."""
    flags.add(name, action=argparse.BooleanOptionalAction, default=default, help=text)


def stylize(options: argparse.Namespace) -> int:
    """``brushreel stylize``."""
    from .reporting.progress import TerminalReporter

    settings = options.flags.settle(options)
    job_settings = job_settings_of(settings)
    devices = _devices(settings.device, settings.jobs)
    style_name = job_settings.load_style().name
    jobs = _plan(settings.inputs, settings.output, settings, style_name)
    if settings.dry_run:
        return _dry_run(jobs, job_settings, devices, as_json=settings.json)
    _check_records(settings.report, settings.log, inputs=[job.source for job in jobs])
    with _log(settings.log):
        reporter = _reporter(settings, TerminalReporter(), report=settings.report)
        try:
            result = _convert(jobs, job_settings, devices, reporter, fail_fast=settings.fail_fast)
        except KeyboardInterrupt:
            reporter.interrupt()
            return INTERRUPTED
        return result.exit_status


def _plan(
    inputs: Sequence[Path],
    output: Path | None,
    settings: argparse.Namespace,
    style_name: str,
    *,
    pictures: bool = True,
) -> list[Job]:
    from .plan import plan

    return plan(
        inputs,
        output,
        style_name=style_name,
        recursive=settings.recursive,
        container=settings.container,
        codec=settings.codec,
        pictures=pictures,
    )


def job_settings_of(settings: argparse.Namespace) -> JobSettings:
    """Return the settings that the flags give.

    Raises:
        UsageError: Something of it makes no sense.
    """
    from .clips.settings import JobSettings

    if settings.style is None:
        raise UsageError("no style is named", hint="-s NAME; brushreel styles lists them")
    return JobSettings(
        style=settings.style,
        strength=settings.strength,
        keep_colors=settings.keep_colors,
        precision=settings.precision,
        runtime=settings.runtime,
        tile=settings.tile,
        read=_read_settings(settings),
        write=_write_settings(settings),
    )


def _read_settings(settings: argparse.Namespace) -> ReadSettings:
    from ..core.frame_rate import parse_rate
    from .clips.settings import ReadSettings
    from .clips.source import span

    given = vars(settings)  # `watch` has no flags for a single clip
    fps = given.get("fps")
    return ReadSettings(
        interlaced=settings.interlaced,
        decoder=settings.decoder,
        frame_rate=None if fps is None else parse_rate(fps),
        range=span(given.get("start"), given.get("end")),
    )


def _write_settings(settings: argparse.Namespace) -> WriteSettings:
    from .clips.settings import WriteSettings
    from .encoding.encode import EncodeSettings, parse_bitrate

    encode = EncodeSettings(
        codec=settings.codec,
        profile=settings.profile,
        crf=settings.crf,
        bitrate=None if settings.bitrate is None else parse_bitrate(settings.bitrate),
        preset=settings.preset,
        encoder=settings.encoder,
    )
    return WriteSettings(
        encode=encode,
        segment=settings.segment,
        resume=settings.resume,
        verify=settings.verify,
        drop_unsupported=settings.drop_unsupported,
        overwrite=settings.overwrite,
        skip_existing=settings.skip_existing,
    )


def _devices(named: str, jobs: int | None) -> list[str]:
    """A device for each clip that may be under way, dealt in turn."""
    devices = [name.strip() for name in named.split(",")]
    count = len(devices) if jobs is None else jobs
    if not all(devices):
        raise UsageError(f"no device's name in {named!r}", hint="such as cuda:0,cuda:1")
    if count < len(devices):
        raise UsageError(
            f"--jobs {count} can't keep the devices {named} busy",
            hint="name as many devices as clips at a time, or fewer",
        )
    return [devices[number % len(devices)] for number in range(count)]


def _convert(
    jobs: Sequence[Job],
    settings: JobSettings,
    devices: Sequence[str],
    reporter: Reporter,
    *,
    fail_fast: bool = False,
) -> BatchResult:
    from .run import run_batch
    from .workers import run_in_workers

    if len(jobs) > 1:
        return run_in_workers(jobs, settings, devices, reporter, fail_fast=fail_fast)
    # A clip alone has nobody to spare from a crash; a second process would only start slowly.
    stylizer = settings.stylizer(devices[0])
    return run_batch(jobs, stylizer, reporter, read=settings.read, write=settings.write)


def _dry_run(
    jobs: Sequence[Job], settings: JobSettings, devices: Sequence[str], *, as_json: bool
) -> int:
    from .dry_run import events, forecast, lines, rooms, total
    from .reporting.ndjson import JsonReporter

    forecasts = forecast(jobs, settings, devices[0])
    whole = total(forecasts, len(set(devices)))
    disks = rooms(forecasts, at_a_time=len(devices))
    if as_json:
        reporter = JsonReporter()
        for event in events(forecasts, whole, disks):
            reporter.handle(event)
    else:
        print("\n".join(lines(forecasts, whole, disks)))
    return int(whole.failing > 0 or not all(room.enough for room in disks))


def _check_records(*paths: Path | None, inputs: Sequence[Path] = ()) -> None:
    from .reporting.report_file import check_records

    check_records([path for path in paths if path is not None], inputs)


def _log(path: Path | None) -> AbstractContextManager[None]:
    from .reporting.log import log_file

    return nullcontext() if path is None else log_file(path)


def _reporter(
    settings: argparse.Namespace, terminal: Reporter, *, report: Path | None = None
) -> Reporters:
    from .reporting.log import LogReporter
    from .reporting.ndjson import JsonReporter
    from .reporting.report_file import ReportFile
    from .reporting.reporter import Reporters

    told: list[Reporter] = [JsonReporter() if settings.json else terminal]
    if settings.log:
        told.append(LogReporter())
    if report:
        told.append(ReportFile(report, settings.flags.values(settings)))
    return Reporters(*told)


def add_watch(parser: argparse.ArgumentParser) -> None:
    """The flags of ``brushreel watch``."""
    parser.add_argument("inbox", type=Path, metavar="IN", help="folder in which clips arrive")
    parser.add_argument("outbox", type=Path, metavar="OUT", help="folder in which they are written")
    parser.add_argument("--once", action="store_true", help="do what is there, then end")
    flags = Flags(parser)
    _add_style(flags)
    _add_written(flags)
    flags.group("the folder")
    flags.add(
        "--settle",
        dest="settle_seconds",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="a file is complete when it is unchanged for so long (default: 10)",
    )
    flags.add(
        "--poll", type=float, default=2.0, metavar="SECONDS", help="between two looks (default: 2)"
    )
    _add_run(flags)
    parser.set_defaults(flags=flags)


def watch(options: argparse.Namespace) -> int:
    """``brushreel watch``."""
    from .reporting.progress import TerminalReporter
    from .watch import Work
    from .watch import watch as watch_folder
    from .watch_state import settings_key

    settings = options.flags.settle(options)
    job_settings = job_settings_of(settings)
    devices = _devices(settings.device, settings.jobs)
    style_name = job_settings.load_style().name
    # Better now than when the first clip comes.
    for device in set(devices):
        job_settings.stylizer(device)

    def run(jobs: Sequence[Job], overwrite: bool) -> BatchResult:
        again = replace(job_settings.write, overwrite=True, skip_existing=False)
        write = again if overwrite else job_settings.write
        return _convert(jobs, replace(job_settings, write=write), devices, reporter)

    work = Work(
        plan=lambda: _plan([settings.inbox], settings.outbox, settings, style_name, pictures=False),
        run=run,
        key=settings_key(job_settings, container=settings.container),
    )
    _check_records(settings.log)
    with _log(settings.log):
        reporter = _reporter(settings, TerminalReporter("what is done is remembered"))
        try:
            return watch_folder(
                settings.inbox,
                settings.outbox,
                work,
                once=settings.once,
                settle=settings.settle_seconds,
                poll=settings.poll,
            )
        except KeyboardInterrupt:
            reporter.interrupt()
            return INTERRUPTED


def add_preview(parser: argparse.ArgumentParser) -> None:
    """The flags of ``brushreel preview``."""
    add = parser.add_argument
    add("inputs", nargs="+", type=Path, metavar="INPUT", help="clips and pictures")
    add("-o", "--output", type=Path, required=True, help="a .png")
    add("--at", type=float, action="append", default=[], metavar="SECONDS", help="default: middle")
    add("--styles", nargs="+", default=[], metavar="NAME", help="default: the whole library")
    add("--strength", type=float, default=1.0, help="0 (source) to 1 (default)")
    add("--keep-colors", action="store_true", help="keep the source's colours")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    add("--overwrite", action="store_true", help="replace a sheet that exists")


def preview(options: argparse.Namespace) -> int:
    """``brushreel preview``."""
    from .contact_sheet import preview as draw

    draw(
        options.inputs,
        options.output,
        at=options.at,
        styles=options.styles,
        strength=options.strength,
        keep_colors=options.keep_colors,
        device=options.device,
        overwrite=options.overwrite,
    )
    print(options.output)
    return 0


def add_compare(parser: argparse.ArgumentParser) -> None:
    """The flags of ``brushreel compare``."""
    add = parser.add_argument
    add("before", type=Path, metavar="BEFORE", help="a clip")
    add("after", type=Path, metavar="AFTER", help="the same clip, stylized")
    add("-o", "--output", type=Path, required=True, help="a .mp4, .mov or .mkv")
    add("--layout", choices=LAYOUTS, default="wipe", help="default: wipe")
    add("--line", type=float, metavar="SHARE", help="of a wipe, 0 to 1 (default: it moves)")
    add("--overwrite", action="store_true", help="replace a clip that exists")


def compare(options: argparse.Namespace) -> int:
    """``brushreel compare``."""
    from .compare import compare as write

    warnings = write(
        options.before,
        options.after,
        options.output,
        layout=options.layout,
        line=options.line,
        overwrite=options.overwrite,
    )
    for warning in warnings:
        print(warning, file=sys.stderr)
    print(options.output)
    return 0


def add_demo(parser: argparse.ArgumentParser) -> None:
    """The flags of ``brushreel demo``."""
    parser.add_argument("-s", "--style", default="wave", help="default: wave")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("demo"), help="folder (default: demo)"
    )


def demo(options: argparse.Namespace) -> int:
    """``brushreel demo``."""
    from ..core.stylizer import Stylizer
    from .clips.settings import WriteSettings
    from .demo.clip import make_demo_clip
    from .plan import Job
    from .reporting.progress import TerminalReporter
    from .run import run_batch

    stylizer = Stylizer(options.style)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"can't be made: {error.strerror}", path=options.output) from error
    source = options.output / "seascape.mp4"
    print(f"drawing {source} ...", file=sys.stderr)
    make_demo_clip(source)
    job = Job(source, options.output / f"seascape.{stylizer.style.name}.mp4")
    result = run_batch([job], stylizer, TerminalReporter(), write=WriteSettings(overwrite=True))
    for report in result.done:
        print(report.output.resolve())
    return result.exit_status
