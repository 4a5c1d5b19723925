"""Measure live work: the studio's play in a browser, and `brushreel live` from file to file.

    python benchmarks/studio/latency.py -s wave --seconds 5

Clips of three sizes are drawn. Chromium (headless, by Playwright) plays each; what the page shows
is read every second: frames a second, and the time from asking for a frame to drawing it. Then each
is stylized in real time into a file: frames a second, the median time from a frame's due moment to
its being written, and frames left out. Last comes what a frame costs in CPU time, stage by stage,
which other programs on the machine hardly change.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from fractions import Fraction
from pathlib import Path
from statistics import median
from time import process_time

import torch

from brushreel.batch.demo.clip import make_demo_clip
from brushreel.batch.live.address import input_address, output_address
from brushreel.batch.live.clock import Clock
from brushreel.batch.live.connection import Connection
from brushreel.batch.live.run import LiveJob, stylize_live
from brushreel.batch.live.settings import InputSettings, OutputSettings
from brushreel.batch.live.stream_sink import StreamSink
from brushreel.batch.reporting.events import Event
from brushreel.batch.reporting.live_events import LiveDone
from brushreel.core.frames.bars import Bars
from brushreel.core.frames.frame import Frame
from brushreel.core.source_stylizer import SourceStylizer
from brushreel.core.stylizer import Stylizer
from brushreel.studio.frame_source import FrameSource
from brushreel.studio.pictures import SmallFrame, small

SIZES = ((640, 360), (1280, 720), (1920, 1080))
PARTS = ("studio", "live", "cost")
_FRAMES = 12
_SHOWN = re.compile(r"(\d+) of (\d+) frames/s · (\d+) ms · (\d+) left out")


def main() -> None:
    """Print a table for each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-s", "--style", default="wave")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--clips", type=Path, help="folder of the clips; drawn where they are not")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.clips or Path(name) / "clips"
        folder.mkdir(parents=True, exist_ok=True)
        for width, height in SIZES:
            clip = folder / f"{height}.mp4"
            if not clip.exists():
                make_demo_clip(clip, seconds=1, width=width, height=height)
        if "studio" in options.part:
            played(folder, Path(name), options.style, options.seconds)
        if "live" in options.part:
            written(folder, Path(name), options.style, options.seconds)
        if "cost" in options.part:
            costs(folder, Path(name), options.style)


def played(clips: Path, folder: Path, style: str, seconds: int) -> None:
    """Print what the page shows while it plays each clip."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  not for the other part

    from brushreel.studio.application import Studio  # noqa: PLC0415
    from brushreel.studio.job_queue import JobQueue  # noqa: PLC0415
    from brushreel.studio.look import Stylizers  # noqa: PLC0415
    from brushreel.studio.server import served  # noqa: PLC0415
    from brushreel.studio.shelf import Shelf  # noqa: PLC0415

    queue = JobQueue(folder / "queue" / "queue.json")
    studio = Studio(Shelf([clips], folder / "dropped"), Stylizers(), queue)
    with served(studio) as guard, sync_playwright() as playwright:
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(guard.address)
        print("| studio, source | frames a second | of | request to frame | left out |")
        print("| --- | --- | --- | --- | --- |")
        for _, height in SIZES:
            name = f"{height}.mp4"
            page.click(f".clip:has-text('{name}')")
            page.wait_for_selector(f"#clip-name:text-is('{name}')")
            page.click(f"#styles .style:has-text('{style}')")
            page.wait_for_selector("#stage[data-exact]")
            page.click("#play")
            page.wait_for_selector("#rate:has-text('frames/s')")
            shown = []
            for _ in range(seconds):
                page.wait_for_timeout(1000)
                shown.append(page.inner_text("#rate"))
            page.click("#play")
            print(shown_row(height, shown), flush=True)
        browser.close()


def shown_row(height: int, shown: list[str]) -> str:
    """Return the row of a clip; the first second is left out."""
    found = [_SHOWN.fullmatch(text) for text in shown[1:]]
    values = [[int(value) for value in match.groups()] for match in found if match]
    rates, wanted, latencies, left_out = zip(*values, strict=True)
    return (
        f"| {height}p | {median(rates):g} | {wanted[0]} | {median(latencies):g} ms "
        f"| {left_out[-1]} |"
    )


def written(clips: Path, folder: Path, style: str, seconds: int) -> None:
    """Print the figures of `brushreel live` from file to file."""
    stylizer = Stylizer(style)
    print("| live, source | frames a second | of | capture to output | left out |")
    print("| --- | --- | --- | --- | --- |")
    for _, height in SIZES:
        job = LiveJob(
            input_address(str(clips / f"{height}.mp4")),
            output_address(str(folder / f"live-{height}.mkv")),
            InputSettings(loop=True),
            duration=Fraction(seconds),
        )
        events: list[Event] = []
        stylize_live(job, stylizer, events.append, Clock())
        (done,) = (event for event in events if isinstance(event, LiveDone))
        print(
            f"| {height}p | {done.fps:.1f} | 24 | {(done.latency or 0) * 1000:.0f} ms "
            f"| {done.left_out} |",
            flush=True,
        )


class Timer:
    """CPU time of a stage.

    Attributes:
        seconds: Of each frame.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __enter__(self) -> None:
        self._since = process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds.append(process_time() - self._since)

    def __str__(self) -> str:
        return f"{median(self.seconds[2:]) * 1000:.1f}"


def costs(clips: Path, folder: Path, style: str) -> None:
    """Print the milliseconds of CPU time that each stage takes for a frame."""
    stylizer = Stylizer(style)
    print("| source | decode | stylize | of it network | encode | studio: scale | JPEG |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for _, height in SIZES:
        address = input_address(str(clips / f"{height}.mp4"))
        connection = Connection(address, InputSettings())
        video = connection.video
        output = output_address(str(folder / f"cost-{height}.mkv"))
        sink = StreamSink(output, OutputSettings(), video, [], 10)
        stylize = SourceStylizer(stylizer, video, Bars())
        size = stylizer.working_size(video.height, video.width)
        assert size is not None
        working = torch.rand(1, 3, *size)
        source = FrameSource(address.path)
        decode, whole, network, encode, scale, squeeze = (Timer() for _ in range(6))
        frames = (item for item in connection.items() if isinstance(item, Frame))
        for number in range(_FRAMES):
            with decode:
                frame = next(frames)
            with whole:
                styled = stylize(frame, pixel_format=sink.pixel_format, colour=sink.colour)
            runtime = stylizer.runtime_for(*size)
            with network:
                runtime(working)
            with encode:
                sink.write(styled)
            shown = source.frame(number)
            with scale:
                scaled = SmallFrame.of(shown, source, 720)
            with squeeze:
                small(scaled.rgb, video)
        sink.finish()
        row = (f"{height}p", decode, whole, network, encode, scale, squeeze)
        print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
