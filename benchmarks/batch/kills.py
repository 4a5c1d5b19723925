"""Kill conversions at random moments, resume, and compare with an uninterrupted run.

    python benchmarks/batch/kills.py [--kills 50] [--seed 0] [--codec h264] [--json FILE]

A clip with two audio streams is made, and stylized by a small random network in segments of ten
frames. Each trial starts the conversion in a process of its own and kills it (SIGKILL) one to four
times, each time at a random moment between its start and the time that an uninterrupted run takes;
then it lets the conversion end. The file must be identical to the uninterrupted run's in decoded
frames, times and audio packets, with nothing left next to it. Exit status 1 if one is not.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.batch.reporting.events import ClipProgress, ClipResumed, Event
from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.core.style import Painting, Style
from brushreel.core.stylizer import Stylizer

FRAMES, PER_SEGMENT, RATE = 64, 10, 25
SIZE = (96, 64)
# Seconds. A slow start on a busy machine is not a failure.
PATIENCE = 300
SUFFIXES = {"prores": ".mov", "dnxhr": ".mov", "ffv1": ".mkv"}
# Its server imports PyTorch once, with what checking a style needs; its processes start at once.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["brushreel.batch.clips.clip", "torch._dynamo"])


@dataclass
class Result:
    """Results of all trials.

    Attributes:
        kills: Processes that were killed before they had ended.
        files: Conversions that were killed at least once and then ended.
        identical: Files among them identical to the uninterrupted one in frames, times and audio.
        same_bytes: Files among them identical to it byte for byte.
        most_redone: The most frames that were stylized twice because of one kill.
        died_in: Description of what a killed process left, to its number.
        differences: Differences, a line each.
    """

    kills: int = 0
    files: int = 0
    identical: int = 0
    same_bytes: int = 0
    most_redone: int = 0
    died_in: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def make_clip(path: Path) -> None:
    """Write a clip of drifting noise with two tones."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, (SIZE[1], SIZE[0] * 2, 3), np.uint8)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        tracks = [container.add_stream("aac", rate=48_000, layout="mono") for _ in range(2)]
        for number in range(FRAMES):
            image = np.ascontiguousarray(np.roll(noise, number, 1)[:, : SIZE[0]])
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for track, hertz in zip(tracks, (440, 550), strict=True):
            for number in range(FRAMES * 48_000 // RATE // 1024):
                time_ = (number * 1024 + np.arange(1024)) / 48_000
                wave = 0.3 * np.sin(2 * np.pi * hertz * time_).astype(np.float32)
                frame = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
                frame.sample_rate, frame.pts = 48_000, number * 1024
                container.mux(track.encode(frame))
            container.mux(track.encode(None))


def random_style() -> Style:
    """Make a style with a small network that takes milliseconds, always the same."""
    torch.manual_seed(7)
    spec = NetworkSpec(channels=(4, 6, 8), residual_blocks=1)
    painting = Painting("None", "Nobody", "2000", "public domain")
    return Style("random", "Random", painting, spec, StylizingNetwork(spec).state_dict())


def convert_clip(source: Path, output: Path, codec: str, log: Path) -> None:
    """Convert, in a process of its own, and log every stylized and every reused frame."""
    torch.set_num_threads(1)
    stylizer = Stylizer(random_style(), device="cpu", precision="fp32")
    # Unbuffered: the log is complete after a kill.
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(kind: bytes, count: int) -> None:
        os.write(file, b"%s%d\n" % (kind, count))

    def handle(event: Event) -> None:
        if isinstance(event, ClipResumed):
            note(b"r", event.frames)
        elif isinstance(event, ClipProgress):
            note(b"f", event.frames)

    write = WriteSettings(encode=EncodeSettings(codec=codec), segment=PER_SEGMENT / RATE)
    convert(source, output, stylizer, handle=handle, write=write)


def attempt(arguments: tuple[Path, Path, str, Path], moment: float | None) -> float | None:
    """Convert, killed `moment` seconds after the start; return its seconds if it ended before."""
    log = arguments[-1]
    process = _FORKS.Process(target=convert_clip, args=arguments)
    process.start()
    while not log.exists() and process.exitcode is None:
        time.sleep(0.001)
    started = time.monotonic()
    process.join(PATIENCE if moment is None else moment)
    if process.exitcode is None:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        return None
    if process.exitcode != 0:
        raise SystemExit(f"a conversion ended with status {process.exitcode}")
    return time.monotonic() - started


def frames_in(log: Path) -> tuple[int, int]:
    """Read a process's log: frames it reused, and frames that were done in the end."""
    lines = log.read_text().split() if log.exists() else []
    reused = next((int(line[1:]) for line in lines if line[0] == "r"), 0)
    return reused, int(lines[-1][1:]) if lines else 0


def content(path: Path) -> dict[str, list[str]]:
    """Read every frame with its time, and every audio packet with its time."""
    found: dict[str, list[str]] = {"frames": [], "audio": []}
    with av.open(str(path)) as container:
        for packet in container.demux(*container.streams.audio):
            digest = hashlib.sha256(bytes(packet)).hexdigest()
            found["audio"].append(f"{packet.stream.index} {packet.pts} {digest}")
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            digest = hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest()
            found["frames"].append(f"{frame.time} {digest}")
    return found


def trial(folder: Path, source: Path, codec: str, moments: list[float], result: Result) -> Path:
    """Kill a conversion at these moments after its start, one after the other, then let it end."""
    output = folder / f"out{SUFFIXES.get(codec, '.mp4')}"
    stylized = 0
    for number, moment in enumerate([*moments, None]):
        log = folder / f"log{number}"
        ended = attempt((source, output, codec, log), moment)
        reused, done = frames_in(log)
        if done:
            # One that died before its first frame has redone nothing.
            result.most_redone = max(result.most_redone, stylized - reused)
            stylized = done
        if ended is not None or (output.exists() and not list(folder.glob(".out*/manifest.json"))):
            # A process may also be killed when the clip is already done.
            break
        result.kills += 1
        result.died_in[stage_of(folder)] += 1
    return output


def stage_of(folder: Path) -> str:
    """Describe what a killed process has left."""
    kept = len(list(folder.glob(".out*/*.segment")))
    if list(folder.glob(".out*/whole.*")):
        return "the whole file without its name"
    if list(folder.glob("out*")):
        return "the whole file under its name, work folder not removed"
    return f"{kept} of {-(-FRAMES // PER_SEGMENT)} segments"


def compare(output: Path, whole: Path, result: Result) -> None:
    """Record whether a file is identical to the uninterrupted one."""
    mine, theirs = content(output), content(whole)
    left = sorted(path.name for path in output.parent.iterdir() if not path.match("log*"))
    result.files += 1
    if mine == theirs and left == [output.name]:
        result.identical += 1
    else:
        wrong = [name for name in mine if mine[name] != theirs[name]]
        result.differences.append(f"{output.parent.name}: {wrong} differ, files left: {left}")
    result.same_bytes += output.read_bytes() == whole.read_bytes()


def run(folder: Path, kills: int, seed: int, codec: str) -> Result:
    """Run trials until there were enough kills."""
    rng, result = random.Random(seed), Result()  # noqa: S311  nothing secret
    source = folder / "source.mp4"
    make_clip(source)
    (folder / "whole").mkdir()
    whole = folder / "whole" / f"out{SUFFIXES.get(codec, '.mp4')}"
    seconds = attempt((source, whole, codec, folder / "whole" / "log"), None)
    assert seconds is not None
    for number in itertools.count():
        if result.kills >= kills:
            return result
        own = folder / f"trial{number}"
        own.mkdir()
        moments = [rng.uniform(0, seconds) for _ in range(rng.randint(1, 4))]
        before = result.kills
        output = trial(own, source, codec, moments, result)
        if result.kills > before:
            compare(output, whole, result)
    raise AssertionError


def main() -> int:
    """Run the trials and print the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), options.kills, options.seed, options.codec)
    print(f"{options.codec}: {result.kills} kills on {result.files} files; they left")
    for what, count in sorted(result.died_in.items()):
        print(f"  {what}: {count}")
    print(f"identical in frames, times and audio: {result.identical} of {result.files}")
    print(f"identical byte for byte: {result.same_bytes} of {result.files}")
    print(f"frames stylized twice because of one kill: at most {result.most_redone}")
    for line in result.differences:
        print(line)
    if options.json:
        options.json.write_text(json.dumps(vars(result), indent=1))
    return int(result.identical != result.files)


if __name__ == "__main__":
    sys.exit(main())
