"""The subcommands on clips, one thin function each; their options are in flags.py."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import INTERRUPTED, UsageError
from ..core.frames.stroke_size import check_stroke_size
from ..core.moving import moving

if TYPE_CHECKING:
    from .clips.settings import JobSettings, ReadSettings, WriteSettings
    from .plan import Job, PassOver
    from .reporting.reporter import Reporter, Reporters
    from .run import BatchResult

# Imports of torch and of everything that needs it wait inside the functions: `--help` and a wrong
# flag answer at once.


def stylize(options: argparse.Namespace) -> int:
    """Run ``brushreel stylize``."""
    settings = options.flags.settle(options)
    left: dict[Path, str] = {}
    with moving("looking for clips"):
        job_settings = job_settings_of(settings)
        if settings.ray is not None:
            _check_for_cluster(settings)
        devices = _devices(settings.device, settings.jobs)
        style_name = job_settings.load_style().name
        jobs = _plan(
            settings.inputs,
            settings.output,
            settings,
            style_name,
            left.setdefault,
            leave_outputs=True,
        )
    if settings.sequence_fps is not None and not any(map(_is_sequence, jobs)):
        raise UsageError(
            "--sequence-fps is for image sequences, and there is none",
            hint="a clip keeps its own frame rate",
        )
    if settings.segments is not None and len(jobs) > 1:
        raise UsageError("--segments is for one clip", hint="name the clip")
    if settings.dry_run:
        if settings.ray is not None and not settings.json:
            _say_spread(settings)
        return _dry_run(jobs, job_settings, devices, left, as_json=settings.json)
    from .reporting.events import FilesPassedOver
    from .reporting.progress import TerminalReporter

    _check_records(settings.report, settings.log, inputs=[job.source for job in jobs])
    with _log(settings.log):
        terminal = TerminalReporter(one_bar=settings.ray is not None)
        reporter = _reporter(settings, terminal, report=settings.report)
        if left:
            reporter.handle(FilesPassedOver.of(left))
        try:
            if settings.ray is not None:
                result = _convert_on_cluster(jobs, job_settings, settings, reporter)
            else:
                result = _convert(
                    jobs, job_settings, devices, reporter, fail_fast=settings.fail_fast
                )
        except KeyboardInterrupt:
            reporter.interrupt()
            return INTERRUPTED
        return result.exit_status


def _check_for_cluster(settings: argparse.Namespace) -> None:
    """Refuse options that make no sense on a cluster."""
    if settings.device not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"--device {settings.device} names a device of one machine",
            hint="with --ray: auto, cpu or cuda",
        )
    for name in ("jobs", "segments"):
        if getattr(settings, name) is not None:
            raise UsageError(f"--{name} is for one machine", hint="leave it out with --ray")


def _convert_on_cluster(
    jobs: Sequence[Job],
    job_settings: JobSettings,
    settings: argparse.Namespace,
    reporter: Reporter,
) -> BatchResult:
    from .farm.cluster_run import run_on_cluster
    from .farm.ray_crew import RayCrew, connect, style_file

    with moving("connecting with the cluster"):
        connect(settings.ray)
    style = style_file(job_settings)
    crew = RayCrew(
        replace(job_settings, style=style.name), style, settings.device, settings.map or ()
    )
    return run_on_cluster(jobs, job_settings, crew, reporter, fail_fast=settings.fail_fast)


def _say_spread(settings: argparse.Namespace) -> None:
    """Print how a cluster would share the work."""
    from .farm.survey import spread, survey_cluster

    with moving("asking the nodes"):
        nodes = survey_cluster(settings.ray)
    print("\n".join(spread(nodes, settings.device)))


def _is_sequence(job: Job) -> bool:
    from ..core.clips.sequence import Pattern

    return Pattern.of_source(job.source) is not None


def _plan(
    inputs: Sequence[Path],
    output: Path | None,
    settings: argparse.Namespace,
    style_name: str,
    pass_over: PassOver | None = None,
    *,
    sequences: bool = True,
    leave_outputs: bool = False,
) -> list[Job]:
    from .plan import plan

    return plan(
        inputs,
        output,
        style_name=style_name,
        recursive=settings.recursive,
        container=settings.container,
        codec=settings.codec,
        sequences=sequences,
        leave_outputs=leave_outputs,
        pass_over=pass_over,
    )


def job_settings_of(settings: argparse.Namespace) -> JobSettings:
    """Return the settings that the flags give.

    Raises:
        UsageError: A value is out of range, or no style is given.
    """
    from .clips.settings import JobSettings

    if settings.style is None:
        raise UsageError("no style is given", hint="-s NAME; brushreel styles lists them")
    return JobSettings(
        style=settings.style,
        strength=settings.strength,
        keep_colors=settings.keep_colors,
        stroke_size=check_stroke_size(settings.stroke_size),
        detail=settings.detail,
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
    rate = given.get("sequence_fps")
    return ReadSettings(
        interlaced=settings.interlaced,
        timestamps=settings.timestamps,
        decoder=settings.decoder,
        bars=settings.bars,
        frame_rate=None if rate is None else parse_rate(rate),
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
        audio=settings.audio,
        drop_unsupported=settings.drop_unsupported,
        overwrite=settings.overwrite,
        skip_existing=settings.skip_existing,
        segments=vars(settings).get("segments"),
    )


def _devices(named: str, jobs: int | None) -> list[str]:
    """Return a device for each clip that may be under way, dealt in turn."""
    devices = [name.strip() for name in named.split(",")]
    count = len(devices) if jobs is None else jobs
    if not all(devices):
        raise UsageError(f"empty device name in {named!r}", hint="such as cuda:0,cuda:1")
    if count < 1:
        raise UsageError(f"--jobs {count} converts nothing", hint="1 or more clips at a time")
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
    # A crash costs no other clip here; a process of its own would only start slowly.
    with moving("loading the style"):
        stylizer = settings.stylizer(devices[0])
    return run_batch(jobs, stylizer, reporter, read=settings.read, write=settings.write)


def _dry_run(
    jobs: Sequence[Job],
    settings: JobSettings,
    devices: Sequence[str],
    left: Mapping[Path, str],
    *,
    as_json: bool,
) -> int:
    from .dry_run import events, forecast, lines, rooms, total
    from .reporting.events import FilesPassedOver
    from .reporting.ndjson import JsonReporter

    forecasts = forecast(jobs, settings, devices[0])
    whole = total(forecasts, len(set(devices)))
    disks = rooms(forecasts, at_a_time=len(devices))
    passed_over = FilesPassedOver.of(left)
    if as_json:
        reporter = JsonReporter()
        if left:
            reporter.handle(passed_over)
        for event in events(forecasts, whole, disks):
            reporter.handle(event)
    else:
        print("\n".join([*lines(forecasts, whole, disks), *passed_over.lines()]))
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

    reporters: list[Reporter] = [JsonReporter() if settings.json else terminal]
    if settings.log:
        reporters.append(LogReporter())
    if report:
        reporters.append(ReportFile(report, settings.flags.values(settings)))
    return Reporters(*reporters)


# Stated by a job's other arguments, or by its steps.
_DECIDED_BY_A_JOB = frozenset(
    {
        *("style", "recursive", "container", "delivery", "device", "precision", "runtime"),
        *("skip-existing", "resume"),
    }
)


def farm_job(options: argparse.Namespace) -> int:
    """Run ``brushreel farm-job``."""
    from .farm.bundle import Arithmetic, parts_of, write_bundle

    settings = options.flags.settle(options)
    if settings.chunk < 1:
        raise UsageError(f"--chunk {settings.chunk} makes nothing", hint="1 or more segments")
    with moving("looking for clips"):
        job_settings = job_settings_of(settings)
        style = job_settings.load_style()
        jobs = _plan(settings.inputs, settings.output, settings, style.name, leave_outputs=True)
        pinned = Arithmetic.of(job_settings, settings.device)
    with moving("counting frames"):
        parts = [parts_of(job, job_settings) for job in jobs]
    left_out = ("style", "recursive", "container", "device", "precision", "runtime")
    arguments = options.flags.arguments(
        settings, but=(*left_out, "skip-existing", "resume", "delivery")
    )
    write_bundle(
        settings.bundle,
        parts,
        style,
        [*pinned.arguments(), *arguments],
        output=settings.output,
        chunk=settings.chunk,
    )
    print(settings.bundle)
    return 0


def watch(options: argparse.Namespace) -> int:
    """Run ``brushreel watch``."""
    from .reporting.progress import TerminalReporter
    from .watch import Work
    from .watch import watch as watch_folder
    from .watch_state import settings_key

    settings = options.flags.settle(options)
    job_settings = job_settings_of(settings)
    devices = _devices(settings.device, settings.jobs)
    style_name = job_settings.load_style().name
    for device in set(devices):
        # A device that does not work is reported now, not when the first clip comes.
        job_settings.stylizer(device)
    _check_records(settings.log)
    with _log(settings.log):
        reporter = _reporter(settings, TerminalReporter("what is done is remembered"))
        work = Work(
            plan=partial(
                _plan, [settings.inbox], settings.outbox, settings, style_name, sequences=False
            ),
            run=partial(_convert_arrivals, job_settings, devices, reporter),
            key=settings_key(job_settings, container=settings.container),
        )
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


def _convert_arrivals(
    settings: JobSettings,
    devices: Sequence[str],
    reporter: Reporter,
    jobs: Sequence[Job],
    overwrite: bool,
) -> BatchResult:
    if overwrite:
        write = replace(settings.write, overwrite=True, skip_existing=False)
        settings = replace(settings, write=write)
    return _convert(jobs, settings, devices, reporter)
