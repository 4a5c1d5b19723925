"""Overhead of a Ray cluster on this machine, and kills of its workers.

    python benchmarks/batch/cluster.py [--seconds 20] [--clips 200] [--kills 20] [--json FILE]

A clip of drifting noise (640x360, 25 frames a second, H.264) is stylized by a small random
network, which takes milliseconds a frame, in segments of ten seconds: in this process, on one Ray
node of one core that sees the clip, and on one that does not. The figures are the seconds of each,
and the CPU seconds of all processes, which a busy machine changes less; the least of `--repeat` in
turn, without the start of Ray and of the worker; bytes that were sent and received a segment; and
CPU seconds of the driver a minute of footage. With a real style everything but the network's own
time is the same, and the network takes many times longer.

Then six seconds are stylized in 15 segments on two nodes again and again, while workers are killed
(SIGKILL) at random moments, one to three of them each time. Every file must be identical in frames
and times to that of one machine. Last, many short clips show whether the driver's memory grows.
Exit status 1 if a file differs. Needs the extra `farm`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import kills
import numpy as np
import torch

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.settings import JobSettings, WriteSettings
from brushreel.batch.farm import orders
from brushreel.batch.farm.cluster_run import run_on_cluster
from brushreel.batch.farm.ray_crew import RayCrew, connect, style_file
from brushreel.batch.plan import Job
from brushreel.batch.reporting.events import ClipDone, ClipStarted, Event, SegmentDone
from brushreel.core.file_identity import FileIdentity

SIZE, RATE = (640, 360), 25
NODE = {"num_cpus": 1, "object_store_memory": 200_000_000, "include_dashboard": False}
PLAIN = {"device": "cpu", "precision": "fp32", "runtime": "torch"}


@dataclass
class Run:
    """Figures of one conversion.

    Attributes:
        seconds: From the first frame's order to the verified file.
        driver: CPU seconds of this process.
        cpu: CPU seconds of this process and of all of Ray's.
        sent, received: Bytes, for each segment.
    """

    seconds: float = 0.0
    driver: float = 0.0
    cpu: float = 0.0
    sent: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)


def make_clip(path: Path, seconds: float) -> None:
    """Write a clip of drifting noise with about the spectrum of natural images."""
    rng = np.random.default_rng(1)
    small = rng.integers(0, 255, (SIZE[1] // 8, SIZE[0] // 4, 3), np.uint8)
    noise = np.kron(small, np.ones((8, 8, 1), np.uint8))
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        for number in range(round(seconds * RATE)):
            image = np.ascontiguousarray(np.roll(noise, -2 * number, 1)[:, : SIZE[0]])
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


def cpu_of_ray() -> float:
    """Return the CPU seconds of all processes of Ray."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (path / "cmdline").read_bytes()
            if b"ray::" in command or b"/ray/" in command:
                after_name = (path / "stat").read_text().rpartition(")")[2].split()
                ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Clock:
    """Reporter that measures a run."""

    def __init__(self, on_event: Callable[[Event], None] = lambda event: None):
        self.run, self._on_event = Run(), on_event
        self._since = self._cpu = self._others = 0.0

    def handle(self, event: Event) -> None:
        """Note an event."""
        match event:
            case ClipStarted():
                self._since, self._cpu = time.monotonic(), time.process_time()
                self._others = cpu_of_ray()
            case SegmentDone():
                self.run.sent.append(event.sent)
                self.run.received.append(event.received)
            case ClipDone():
                self.run.seconds = time.monotonic() - self._since
                self.run.driver = time.process_time() - self._cpu
                self.run.cpu = self.run.driver + cpu_of_ray() - self._others
        self._on_event(event)


def settings(segment: float) -> JobSettings:
    """Return the settings of all runs."""
    return JobSettings(
        kills.random_style(),
        **PLAIN,  # pyright: ignore[reportArgumentType]
        stroke_size="native",
        write=WriteSettings(segment=segment, overwrite=True),
    )


def on_one_machine(job: Job, own: JobSettings) -> Run:
    """Convert a clip in this process."""
    stylizer, before = own.stylizer(), time.process_time()
    report = convert(job.source, job.output, stylizer, write=own.write)
    used = time.process_time() - before
    return Run(report.seconds, used, used)


def on_cluster(
    job: Job, own: JobSettings, address: str, on_event: Callable[[Event], None] = lambda event: None
) -> Run:
    """Convert a clip on a cluster."""
    clock = Clock(on_event)
    connect(address)
    crew = RayCrew(replace(own, style=""), style_file(own), "cpu")
    result = run_on_cluster([job], own, crew, clock)
    if result.failed:
        raise SystemExit(str(result.failed[0][1]))
    return clock.run


def hide(source_of: Any) -> Any:  # noqa: ANN401
    """Return a source that no node recognises."""

    def of(*arguments: Any) -> orders.Source:  # noqa: ANN401
        source = source_of(*arguments)
        return replace(source, files={name: FileIdentity(0, 0) for name in source.files})

    return of


def overhead(folder: Path, address: str, seconds: float, repeat: int) -> dict[str, Run]:
    """Convert a clip in three ways, several times in turn, and return the least of each."""
    source, own = folder / "source.mp4", settings(10.0)
    make_clip(source, seconds)
    found: dict[str, Run] = {}
    seeing = orders.Source.of
    for _ in range(repeat):
        runs = {"one machine": on_one_machine(Job(source, folder / "one.mp4"), own)}
        runs["shared folder"] = on_cluster(Job(source, folder / "shared.mp4"), own, address)
        orders.Source.of = hide(seeing)
        runs["no shared folder"] = on_cluster(Job(source, folder / "sent.mp4"), own, address)
        orders.Source.of = seeing
        for name, run in runs.items():
            if name not in found or run.seconds < found[name].seconds:
                found[name] = run
    for name in ("shared", "sent"):
        if kills.content(folder / f"{name}.mp4") != kills.content(folder / "one.mp4"):
            raise SystemExit(f"{name}.mp4 differs from the file of one machine")
    return found


def worker_processes() -> list[int]:
    """Return the processes of workers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if b"ray::Worker" in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def killed(folder: Path, address: str, count: int, seed: int) -> tuple[int, int, int]:
    """Kill workers at random moments; return kills, files, and those that are identical."""
    rng, source, own = random.Random(seed), folder / "k.mp4", settings(0.4)  # noqa: S311
    make_clip(source, 6)
    on_one_machine(Job(source, folder / "whole.mp4"), own)
    whole, number, files, identical = kills.content(folder / "whole.mp4"), 0, 0, 0
    seconds = on_cluster(Job(source, folder / "k.mp4.mp4"), own, address).seconds

    def kill() -> None:
        nonlocal number
        if processes := worker_processes():
            os.kill(rng.choice(processes), signal.SIGKILL)
            number += 1

    def start_killing(event: Event) -> None:
        if isinstance(event, ClipStarted):
            for _ in range(rng.randint(1, 3)):
                threading.Timer(rng.uniform(0, seconds), kill).start()

    while number < count:
        output = folder / f"k{files}.mp4"
        on_cluster(Job(source, output), own, address, start_killing)
        files += 1
        identical += kills.content(output) == whole
    return number, files, identical


def memory(folder: Path, address: str, clips: int) -> list[int]:
    """Convert many short clips; return the driver's resident MiB after each quarter of them."""
    kills.make_clip(folder / "m.mp4")
    jobs = []
    for number in range(clips):
        source = folder / "many" / f"{number:04}.mp4"
        source.parent.mkdir(exist_ok=True)
        shutil.copy(folder / "m.mp4", source)
        jobs.append(Job(source, folder / "out" / source.name))
    found: list[int] = []
    done = itertools.count(1)

    def look(event: Event) -> None:
        if isinstance(event, ClipDone) and next(done) % max(1, clips // 4) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            found.append(pages * os.sysconf("SC_PAGE_SIZE") >> 20)

    own = settings(10.0)
    connect(address)
    crew = RayCrew(replace(own, style=""), style_file(own), "cpu")
    run_on_cluster(jobs, own, crew, Clock(look))
    return found


def start(nodes: int) -> Any:  # noqa: ANN401
    """Start a cluster of nodes of one core on this machine."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415  # pyright: ignore[reportMissingImports]

    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    cluster = Cluster()
    for _ in range(nodes):
        cluster.add_node(**NODE)
    return cluster


def main() -> int:
    """Measure, kill, and print the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    about: dict[str, Any] = {"seconds": options.seconds}
    cluster = start(1)
    with tempfile.TemporaryDirectory() as folder:
        if options.repeat:
            found = overhead(Path(folder), cluster.address, options.seconds, options.repeat)
            plain = found["one machine"]
            for name, run in found.items():
                count = max(1, len(run.sent))
                print(
                    f"{name}: {run.seconds:.1f} s ({run.seconds / plain.seconds - 1:+.1%}), "
                    f"{run.cpu:.1f} CPU s ({run.cpu / plain.cpu - 1:+.1%}); driver "
                    f"{run.driver * 60 / options.seconds:.1f} CPU s a minute; a segment "
                    f"{sum(run.sent) // count} bytes sent, {sum(run.received) // count} received",
                    flush=True,
                )
            about["runs"] = {name: vars(run) for name, run in found.items()}
        identical = files = 0
        if options.kills:
            cluster.add_node(**NODE)
            count, files, identical = killed(
                Path(folder), cluster.address, options.kills, options.seed
            )
            print(f"{count} kills: {identical} of {files} files identical")
            about["kills"] = [count, files, identical]
        if options.clips:
            about["memory"] = memory(Path(folder), cluster.address, options.clips)
            print(f"driver's MiB after each quarter of {options.clips} clips: {about['memory']}")
    cluster.shutdown()
    if options.json:
        options.json.write_text(json.dumps(about, indent=1))
    return int(identical != files)


if __name__ == "__main__":
    sys.exit(main())
