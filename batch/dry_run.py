"""Dry run: what a batch would do, and an estimate of what it would take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..core.errors import BrushreelError
from ..core.human import counted, human_bytes, human_seconds
from .clips.clip import inspect_clip
from .clips.destination import destination
from .clips.settings import JobSettings
from .estimate import (
    Disk,
    disk_expected,
    existing_folder,
    frames_expected,
    free_disk_space,
    network_speed,
)
from .plan import Job
from .reporting.events import ClipFailed, ClipPlanned, DiskSpace, Event, PlanFinished


@dataclass(frozen=True)
class Forecast:
    """Forecast of one clip.

    Attributes:
        job: Its names.
        size: Width and height in pixels; None where the clip would fail.
        frames: Expected; None where it is not known.
        seconds: Time of the network on one device; None where it is not known.
        disk: Bytes that it takes; None where they are not known.
        warnings: Losses, a line each.
        error: Why it would fail; None if it would not.
    """

    job: Job
    size: tuple[int, int] | None = None
    frames: int | None = None
    seconds: float | None = None
    disk: Disk | None = None
    warnings: tuple[str, ...] = ()
    error: BrushreelError | None = None


def forecast(jobs: Sequence[Job], settings: JobSettings, device: str) -> list[Forecast]:
    """Probe every clip, and measure how fast the network is on the device.

    Raises:
        BrushreelError: Style, settings or device are wrong.
    """
    speed = network_speed(settings.stylizer(device))
    skips = settings.write.skip_existing
    waiting = [job for job in jobs if not (skips and destination(job.output).is_finished)]
    return [_forecast(job, settings, speed) for job in waiting]


def _forecast(job: Job, settings: JobSettings, speed: float | None) -> Forecast:
    try:
        info, warnings = inspect_clip(
            job.source, job.output, read=settings.read, write=settings.write
        )
        disk = disk_expected(info, job.output, settings.write.encode)
    except BrushreelError as error:
        return Forecast(job, error=error)
    size, frames = (info.video.width, info.video.height), frames_expected(info)
    seconds = None if speed is None or frames is None else frames * size[0] * size[1] / speed
    return Forecast(job, size, frames, seconds, disk, warnings)


def rooms(forecasts: Iterable[Forecast], at_a_time: int) -> list[DiskSpace]:
    """Sum up each disk: all outputs, and the segments of the clips under way at a time."""
    disks: dict[int, list[Forecast]] = defaultdict(list)
    for item in forecasts:
        if item.disk is not None:
            disks[existing_folder(item.job.output).stat().st_dev].append(item)
    return [_room(items, at_a_time) for items in disks.values()]


def _room(items: Sequence[Forecast], at_a_time: int) -> DiskSpace:
    output = items[0].job.output
    disks = [item.disk for item in items if item.disk is not None]
    largest = sorted((disk.meanwhile for disk in disks), reverse=True)[:at_a_time]
    needed = sum(disk.finished for disk in disks) + sum(largest)
    return DiskSpace(str(existing_folder(output)), needed, free_disk_space(output))


@dataclass(frozen=True)
class Total:
    """Sum over all clips that would not fail; None where any of them is not known.

    Attributes:
        clips: Number of clips.
        failing: Number of clips that would fail.
        frames: Expected.
        seconds: Time of the network, on all devices together.
    """

    clips: int
    failing: int
    frames: int | None
    seconds: float | None


def total(forecasts: Sequence[Forecast], devices: int) -> Total:
    """Sum up a batch that is dealt to so many devices."""
    going = [item for item in forecasts if item.error is None]
    frames = [item.frames for item in going if item.frames is not None]
    seconds = [item.seconds for item in going if item.seconds is not None]
    return Total(
        clips=len(going),
        failing=len(forecasts) - len(going),
        frames=sum(frames) if len(frames) == len(going) else None,
        seconds=sum(seconds) / devices if len(seconds) == len(going) else None,
    )


def lines(forecasts: Iterable[Forecast], whole: Total, disks: Iterable[DiskSpace]) -> Iterator[str]:
    """Yield lines for people: each clip, then the sum."""
    for item in forecasts:
        yield f"{item.job.source} -> {item.job.output}"
        yield from (f"    {line}" for line in _details(item))
    yield (
        f"{whole.clips} to do, {whole.failing} would fail; {_count(whole.frames)}, "
        f"{_duration(whole.seconds)}"
    )
    for room in disks:
        yield (
            f"disk of {room.folder}: about {human_bytes(room.needed)} needed, "
            f"{human_bytes(room.free)} free{'' if room.enough else ': not enough'}"
        )


def _details(item: Forecast) -> Iterator[str]:
    if item.error is not None:
        yield f"would fail: {item.error}"
    elif item.size is not None:
        width, height = item.size
        disk = "unknown" if item.disk is None else f"about {human_bytes(item.disk.finished)}"
        yield (
            f"{_count(item.frames)} of {width}x{height}, {_duration(item.seconds)}, {disk} of disk"
        )
    yield from item.warnings


def _count(frames: int | None) -> str:
    return "unknown frames" if frames is None else f"about {counted(frames, 'frame')}"


def _duration(seconds: float | None) -> str:
    return "unknown time" if seconds is None else f"{human_seconds(seconds)} of stylization"


def events(
    forecasts: Iterable[Forecast], whole: Total, disks: Iterable[DiskSpace]
) -> Iterator[Event]:
    """Yield the same as events, for programs."""
    yield from map(_event, forecasts)
    yield PlanFinished(
        clips=whole.clips,
        failing=whole.failing,
        frames=whole.frames,
        seconds=whole.seconds and round(whole.seconds, 3),
        disks=tuple(disks),
    )


def _event(item: Forecast) -> Event:
    if item.error is not None:
        return ClipFailed.of(item.job.clip, item.error)
    return ClipPlanned(
        *item.job.clip,
        frames=item.frames,
        seconds=item.seconds and round(item.seconds, 3),
        disk=item.disk and item.disk.finished,
        warnings=item.warnings,
    )
