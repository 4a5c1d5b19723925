"""Measure the speed of stylization: the network alone, from file to file, and other networks.

    python benchmarks/batch/speed.py [--style wave] [--device auto] [--sizes 640x360 ...]
        [--frames 48] [--crf N] [--encoder software] [--decoder software]
        [--files-only] [--clips FOLDER] [--json FILE] [--chart FILE.png]

Everything is measured in one run, so that the ratios hold on a machine that is sometimes busy.
Columns of the first table: milliseconds per frame of the network alone on the frame's own pixels,
as a batch runs it (several frames in parallel on a CPU); its share of the roofline (the arithmetic
of its convolutions at the rate of a large matrix product of the same type, the better of two); its
share of the memory's rate (each convolution's inputs and outputs once, at the rate of a large
copy); frames per second from file to file, with audio, decoding, encoding as H.264 and
verification, with strokes of the natural size, half of it, twice of it, and native, and the same
without the network (strength 0), which is the limit of decoder and encoder; frames larger than
1080p are fewer, as many as have the pixels of all of 1080p, but at least 12; milliseconds of the
eight times larger per-frame network of Johnson et al. (2016) in PyTorch, in float32; of this
network in ONNX Runtime. The second table: peak memory of a process that converts one clip, and of
one that stylizes an 8K image. Last, the start-up time of a command. With `--files-only` the columns
from file to file alone, which takes some minutes; `--clips` keeps the clips, which are half of
that, for another run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, Literal

import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import LogLocator, NullLocator
from memory import image_memory
from torch import Tensor, nn

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.settings import ReadSettings, WriteSettings
from brushreel.batch.demo.clip import make_demo_clip
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.devices import choose_device, choose_precision
from brushreel.core.frames.stroke_size import DETAIL, StrokeSize
from brushreel.core.library import load_style
from brushreel.core.options import DECODERS, ENCODERS
from brushreel.core.runtimes.folded import folded
from brushreel.core.runtimes.runtime import Wanted, able, open_runtime
from brushreel.core.style import Style
from brushreel.core.stylizer import Stylizer

SIZES = ("640x360", "1024x436", "1280x720", "1920x1080", "3840x2160")
IMAGE = (7680, 4320)
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# After which no further round begins.
_MOST_SECONDS = 8.0
_LARGEST_OF_PEERS = 1920 * 1080
_LARGEST_OF_ALL_FRAMES = 1920 * 1080
_LEAST_FRAMES = 12
STROKE_SIZES: tuple[StrokeSize, ...] = (0.5, 2, "native")
"""Sizes that are measured next to the default."""


class Johnson(nn.Sequential):
    """Per-frame network of Johnson et al. 2016 as in the PyTorch examples, 1.68 M parameters."""

    def __init__(self) -> None:
        down = [*_conv(3, 32, 9, 1), *_conv(32, 64, 3, 2), *_conv(64, 128, 3, 2)]
        up = [
            *(nn.Upsample(scale_factor=2), *_conv(128, 64, 3, 1)),
            *(nn.Upsample(scale_factor=2), *_conv(64, 32, 3, 1)),
        ]
        super().__init__(*down, *(_Residual() for _ in range(5)), *up, *_conv(32, 3, 9, 1)[:2])


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(*_conv(128, 128, 3, 1), *_conv(128, 128, 3, 1)[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def _conv(inputs: int, outputs: int, size: int, stride: int) -> list[nn.Module]:
    return [
        nn.ReflectionPad2d(size // 2),
        nn.Conv2d(inputs, outputs, size, stride),
        nn.InstanceNorm2d(outputs, affine=True),
        nn.ReLU(),
    ]


class Patience:
    """Duration of the measurements.

    Attributes:
        rounds: Rounds of a measurement.
        seconds: That a round takes at least.
    """

    rounds, seconds = 4, 1.0


def measure_once() -> None:
    """Measure one short round from now on, to try the measurements themselves."""
    Patience.rounds, Patience.seconds = 1, 0.0


def milliseconds(stylize: Callable[[Tensor], Tensor], frame: Tensor, parallel: int = 1) -> float:
    """Measure a frame when `parallel` threads call it: the fastest of some rounds after a warm-up.

    Other load on the machine can only make a round slower.
    """

    def once(_index: int) -> None:
        stylize(frame).flatten()[0].item()  # waits for the device

    with ThreadPoolExecutor(parallel) as threads:
        list(threads.map(once, range(parallel)))
        rounds, since = [], time.perf_counter()
        while len(rounds) < Patience.rounds and time.perf_counter() - since < _MOST_SECONDS:
            count, begun = 0, time.perf_counter()
            while not count or time.perf_counter() - begun < Patience.seconds:
                list(threads.map(once, range(2 * parallel)))
                count += 2 * parallel
            rounds.append((time.perf_counter() - begun) / count * 1000)
    return min(rounds)


def work(style: Style, frame: Tensor) -> tuple[int, int]:
    """Count multiplications, and values read and written, of a frame in the folded convolutions.

    The kernels for AMX do some more multiplications, those for AVX-512 fewer.
    """
    products = values = 0
    network = folded(style.network())

    def count(conv: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        nonlocal products, values
        assert isinstance(conv, nn.Conv2d)
        products += made.numel() * conv.weight[0].numel()
        values += given[0].numel() + made.numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, 3, 256, 256))
    share = frame[0, 0].numel() / 256**2
    return round(products * share), round(values * share)


def rate_of_products(device: torch.device, precision: str) -> float:
    """Measure multiplications per second in a large matrix product, the better of two sizes."""
    dtype = _DTYPES.get(precision, torch.bfloat16)
    best = 0.0
    for size in (2048, 4096):
        a = torch.rand(size, size, device=device).to(dtype)
        took = milliseconds(lambda a: a @ a, a)
        best = max(best, size**3 / took * 1000)
    return best


def rate_of_copies(device: torch.device) -> float:
    """Measure bytes per second that a copy reads and writes."""
    block = torch.empty(64 * 2**20, dtype=torch.float32, device=device)
    target = torch.empty_like(block)
    return 2 * block.numel() * 4 / milliseconds(target.copy_, block) * 1000


def file_to_file(
    source: Path, output: Path, stylizer: Stylizer, options: argparse.Namespace
) -> tuple[float, dict[str, float]]:
    """Convert a clip; return frames per second, and the seconds of each stage."""
    settings = EncodeSettings(crf=options.crf, encoder=options.encoder)
    report = convert(
        source,
        output,
        stylizer,
        read=ReadSettings(decoder=options.decoder),
        write=WriteSettings(encode=settings, overwrite=True),
    )
    return report.frames / report.seconds, {k: round(v, 3) for k, v in report.stages.items()}


def measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for each size."""
    style, device = load_style(options.style), choose_device(options.device)
    about = {"device": device.type, "precision": choose_precision("auto", device)}
    alone = None if options.files_only else Alone(style, device, about["precision"])
    for name in options.sizes:
        width, height = map(int, name.split("x"))
        stylizer = Stylizer(style, device=options.device, parallel=torch.get_num_threads())
        row: dict[str, Any] = {"size": name, **about}
        row["runtime"] = stylizer.runtime_for(height, width).identity
        if alone is not None:
            row |= alone.measured(stylizer, torch.rand(1, 3, height, width, device=device))
        with tempfile.TemporaryDirectory() as folder:
            frames = frames_of(width, height, options.frames)
            source = Path(options.clips or folder) / f"{name}-{frames}.mp4"
            if not source.exists():
                make_demo_clip(source, width=width, height=height, seconds=frames / 24)
            output = Path(folder) / "out.mp4"

            def fps(ready: Stylizer, source: Path = source, output: Path = output) -> float:
                return file_to_file(source, output, ready, options)[0]

            row["file_fps"], row["stages_s"] = file_to_file(source, output, stylizer, options)
            row["strokes_fps"] = {
                str(size): fps(stylizer.with_strokes(size, DETAIL)) for size in STROKE_SIZES
            }
            without = Stylizer(
                style, device=options.device, strength=0, parallel=torch.get_num_threads()
            )
            row["codecs_fps"] = fps(without)
        yield row


def frames_of(width: int, height: int, usual: int) -> int:
    """Return the frames of a clip: fewer than usual where native strokes would take minutes."""
    at_most = usual * _LARGEST_OF_ALL_FRAMES // (width * height)
    return min(usual, max(at_most, _LEAST_FRAMES))


class Alone:
    """Measurement of networks alone, in milliseconds for a frame."""

    def __init__(self, style: Style, device: torch.device, precision: str):
        self._style, self._device, self._precision = style, device, precision
        self._products = rate_of_products(device, precision)
        self._copies = rate_of_copies(device)
        self._johnson = Johnson().to(device).eval().requires_grad_(requires_grad=False)

    def measured(self, stylizer: Stylizer, frame: Tensor) -> dict[str, Any]:
        """Return the columns for a frame, (1, 3, H, W)."""
        height, width = frame.shape[-2:]
        runtime = stylizer.runtime_for(height, width)
        took = milliseconds(runtime, frame, runtime.parallel)
        multiplied, moved = work(self._style, frame)
        row: dict[str, Any] = {"network_ms": took, "copies_gb_s": self._copies / 1e9}
        row["roofline"] = multiplied / self._products / took * 1000
        row["bandwidth"] = moved * (4 if self._precision == "fp32" else 2) / self._copies / took
        row["bandwidth"] *= 1000
        if (found := self._in("openvino", "int8", frame)) is not None:
            row["int8_ms"] = found
        if height * width <= _LARGEST_OF_PEERS:
            row["johnson_torch_ms"] = milliseconds(self._johnson, frame)
            row["times_johnson"] = row["johnson_torch_ms"] / took
            if (found := self._in("onnxruntime", "fp32", frame)) is not None:
                row["onnxruntime_ms"] = found
        return row

    def _in(self, name: str, precision: Literal["int8", "fp32"], frame: Tensor) -> float | None:
        wanted = Wanted(self._device, precision, torch.get_num_threads())
        if name not in able(wanted):
            return None
        runtime = open_runtime(name, self._style, wanted)
        return milliseconds(runtime, frame, runtime.parallel)


def peak_memory(name: str, style: str) -> float:
    """Measure the peak memory, MiB, of a process that converts one clip of a size."""
    width, height = name.split("x")
    code = (
        "import sys; from pathlib import Path; from brushreel import stylize_clip;"
        "folder = Path(sys.argv[1]);"
        "stylize_clip(folder / 'a.mp4', folder / 'b.mp4', sys.argv[2]);"
        # Not ru_maxrss: a child starts with its parent's.
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "a.mp4"
        make_demo_clip(source, width=int(width), height=int(height), seconds=1)
        command = [sys.executable, "-c", code, folder, style]
        done = subprocess.run(command, capture_output=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


def start_up(style: str) -> tuple[float, float]:
    """Measure seconds of `brushreel --help`, and from a command to its first frame: medians of 3.

    A first run before them fills the cache of models and runtimes.
    """
    brushreel = [sys.executable, "-m", "brushreel"]
    helps, first_frames = [], []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "a.mp4"
        make_demo_clip(source, width=640, height=360, seconds=0.5)
        command = [*brushreel, "stylize", str(source), "-s", style, "--json", "--overwrite"]
        for _ in range(4):
            since = time.perf_counter()
            subprocess.run([*brushreel, "--help"], capture_output=True, check=True)
            helps.append(time.perf_counter() - since)
            since = time.perf_counter()
            with subprocess.Popen(
                [*command, "-o", str(source.with_stem("b"))], stdout=subprocess.PIPE, text=True
            ) as child:
                assert child.stdout is not None
                lines = (json.loads(line) for line in child.stdout)
                next(line for line in lines if line["event"] == "clip_progress")
                first_frames.append(time.perf_counter() - since)
                list(lines)
    return median(helps[1:]), median(first_frames[1:])


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a Markdown table."""
    heads = ["size", "network ms", "fps", "roofline", "of memory's", "int8 ms"]
    heads += ["file to file fps", *(f"strokes {size}" for size in STROKE_SIZES)]
    heads += ["without network"]
    heads += ["Johnson, torch ms", "times", "ONNX Runtime ms"]
    print("|", " | ".join(heads), "|")
    print("|", " | ".join("---" for _ in heads), "|")
    for row in rows:
        cells = [str(row["size"]), *_of_network(row), _cell(row, "int8_ms")]
        measured = (row["file_fps"], *row["strokes_fps"].values(), row["codecs_fps"])
        cells += [f"{fps:.1f}" for fps in measured]
        cells += [
            _cell(row, key) for key in ("johnson_torch_ms", "times_johnson", "onnxruntime_ms")
        ]
        print("|", " | ".join(cells), "|")


def _of_network(row: dict[str, Any]) -> list[str]:
    if "network_ms" not in row:
        return 4 * ["-"]
    shares = [f"{row['roofline']:.0%}", f"{row['bandwidth']:.0%}"]
    return [f"{row['network_ms']:.1f}", f"{1000 / row['network_ms']:.1f}", *shares]


def _cell(row: dict[str, Any], key: str) -> str:
    return f"{row[key]:.1f}" if key in row else "-"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw frames per second from file to file over frame size, for the README."""
    figure, axes = plt.subplots(figsize=(8.2, 3.2), layout="constrained")
    names = [str(row["size"]) for row in rows]
    lines = {
        "without the network": [row["codecs_fps"] for row in rows],
        "strokes of double size": [row["strokes_fps"]["2"] for row in rows],
        "strokes of natural size": [row["file_fps"] for row in rows],
        "strokes of half the size": [row["strokes_fps"]["0.5"] for row in rows],
        "native strokes": [row["strokes_fps"]["native"] for row in rows],
    }
    for label, rates in lines.items():
        axes.plot(names, rates, marker="o", label=label)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("frames per second")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right center", frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure, print, and write the files asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--style", default="wave")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sizes", nargs="*", default=SIZES)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--crf", type=int, help="CRF of the output. Default: as brushreel stylize.")
    parser.add_argument("--encoder", choices=ENCODERS, default="software")
    parser.add_argument("--decoder", choices=DECODERS, default="software")
    parser.add_argument("--files-only", action="store_true")
    parser.add_argument("--clips", type=Path, help="Folder that keeps the generated clips.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--chart", type=Path)
    options = parser.parse_args()
    rows = list(measure(options))
    print_table(rows)
    found: dict[str, Any] = {"rows": rows}
    if not options.files_only:
        print("\n| size | peak memory |\n| --- | --- |")
        for row in rows:
            row["peak_mib"] = peak_memory(str(row["size"]), options.style)
            print(f"| {row['size']} | {row['peak_mib']:.0f} MiB |")
        found["image_mib"] = image_memory(*IMAGE, options.style)
        print(f"| image, {IMAGE[0]}x{IMAGE[1]} | {found['image_mib']:.0f} MiB |")
        found["help_s"], found["first_frame_s"] = start_up(options.style)
        print(f"\n`brushreel --help` takes {found['help_s']:.2f} s, ", end="")
        print(f"the first frame {found['first_frame_s']:.1f} s")
        print(f"\na copy moves {rows[0]['copies_gb_s']:.1f} GB/s")
    print(f"\n{rows[0]['runtime']}; torch {torch.__version__}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    if options.chart:
        draw(rows, options.chart)


if __name__ == "__main__":
    main()
