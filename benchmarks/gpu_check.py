"""Check everything that waits for a GPU, unattended, and write one report.

    python benchmarks/gpu_check.py [--device cuda] [--output gpu-check] [--seconds 480]
        [--loss-weights FILE] [--parts tests network ...]

Writes report.md and report.json into the output folder. Every part runs in a process of its own
and has a share of the time; when one fails, the report says why, and the next one goes on. On a
machine without a GPU, `--device cpu` tries the same parts with small frames, and what needs a GPU
says so.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import numpy as np
import torch
from PIL import Image

from brushreel.batch.demo.clip import make_demo_clip
from brushreel.core.cuda import download
from brushreel.core.devices import choose_device, choose_precision
from brushreel.core.errors import BrushreelError
from brushreel.core.frames.av_frame import to_av
from brushreel.core.frames.colour import from_rgb, to_rgb
from brushreel.core.frames.frame import PIXEL_FORMATS, Colour, Frame, Matrix, Range
from brushreel.core.library import list_styles, load_style
from brushreel.core.stylizer import Stylizer
from brushreel.training.loss_network import find_weights

ROOT = Path(__file__).parent.parent
STYLE = "wave"
_CORES = torch.get_num_threads()
SHARES = {
    "machine": 20,
    "tests": 90,
    "sameness": 70,
    "network": 70,
    "stylizer": 60,
    "memory": 40,
    "files": 70,
    "training": 60,
}
"""Parts in their order, and the seconds that each has out of eight minutes."""


class NeedsGpu(Exception):  # noqa: N818  a part that is left out, not one that failed
    """Part of the check that can't be done on this device."""


def machine(device: torch.device, _options: argparse.Namespace) -> dict[str, Any]:
    """Describe the device, its driver and the libraries."""
    found: dict[str, Any] = {"python": platform.python_version(), "torch": torch.__version__}
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        found |= {"device": about.name, "memory_gib": round(about.total_memory / 2**30, 1)}
        found |= {"cuda": torch.version.cuda, "multiprocessors": about.multi_processor_count}
    doctor = [sys.executable, "-m", "brushreel", "doctor", "--json"]
    lines = subprocess.run(doctor, capture_output=True, text=True, check=False).stdout.splitlines()
    findings = [json.loads(line) for line in lines]
    return found | {finding["subject"]: finding["detail"] for finding in findings}


def tests(device: torch.device, options: argparse.Namespace) -> dict[str, Any]:
    """Run the tests that know CUDA, and count them."""
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if "cuda" in path.read_text()]
    listing = options.output / "tests.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-k",
        "cuda or device",
        f"--junitxml={listing}",
    ]
    subprocess.run([*command, *map(str, files)], cwd=ROOT, capture_output=True, check=False)
    cases = list(ElementTree.parse(listing).iter("testcase"))  # noqa: S314  written by pytest
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    found = {"run": len(cases) - skipped, "skipped": skipped, "failed": failed}
    if failed:
        raise AssertionError(f"failed: {', '.join(map(str, failed))}")
    return found


def sameness(device: torch.device, _options: argparse.Namespace) -> dict[str, Any]:
    """Compare this device's frames with the CPU's in fp32: largest and mean difference in codes."""
    if device.type == "cpu":
        raise NeedsGpu("the CPU is what a GPU is compared with")
    frame = made_frame(1280, 720)
    found: dict[str, Any] = {}
    for style in list_styles():
        wanted = Stylizer(style, device="cpu", precision="fp32", runtime="torch").stylize(frame)
        for precision in ("fp32", "fp16"):
            got = Stylizer(style, device=str(device), precision=precision).stylize(frame)
            apart = [
                np.abs(one.astype(int) - other.astype(int))
                for one, other in zip(got.planes, wanted.planes, strict=True)
            ]
            largest = max(int(plane.max()) for plane in apart)
            mean = float(np.mean([plane.mean() for plane in apart]))
            found[f"{style.name} {precision}"] = {"largest": largest, "mean": round(mean, 3)}
            if precision == "fp32" and largest > 2:
                raise AssertionError(f"{style.name} differs by {largest} codes in fp32")
    return found


def network(device: torch.device, _options: argparse.Namespace) -> dict[str, Any]:
    """Time the network at all sizes, as shares of product rate and bandwidth."""
    speed = _speed(device)
    precision = choose_precision("auto", device)
    products, copies = speed.rate_of_products(device, precision), speed.rate_of_copies(device)
    style = load_style(STYLE)
    found: dict[str, Any] = {"product_rate": products, "copies_gb_s": round(copies / 1e9, 1)}
    for width, height in _sizes(device):
        image = torch.rand(1, 3, height, width, device=device)
        runtime = Stylizer(style, device=str(device)).runtime_for(height, width)
        took = speed.milliseconds(runtime, image, runtime.parallel)
        multiplied, moved = speed.work(style, image)
        found[f"{width}x{height}"] = {
            "runtime": runtime.identity,
            "ms": round(took, 2),
            "of_products": round(multiplied / products / took * 1000, 3),
            "of_bandwidth": round(moved * 2 / copies / took * 1000, 3),
        }
    return found


def stylizer(device: torch.device, _options: argparse.Namespace) -> dict[str, Any]:
    """Time whole frames, planes to planes, next to their copies over the bus and conversion."""
    speed = _speed(device)
    found: dict[str, Any] = {}
    ready = Stylizer(STYLE, device=str(device))
    for width, height in _sizes(device):
        frame = made_frame(width, height)

        def whole(_image: torch.Tensor, frame: Frame = frame) -> torch.Tensor:
            return torch.from_numpy(ready.stylize(frame).planes[0][:1, :1].astype(np.uint8))

        def converted(_image: torch.Tensor, frame: Frame = frame) -> torch.Tensor:
            back = from_rgb(to_rgb(frame, device=device), frame)
            return torch.from_numpy(back.planes[0][:1, :1].astype(np.uint8))

        def copied(_image: torch.Tensor, frame: Frame = frame) -> torch.Tensor:
            return download([torch.from_numpy(plane).to(device) for plane in frame.planes])[0]

        nothing = torch.zeros(1)
        found[f"{width}x{height}"] = {
            "stylized_ms": round(speed.milliseconds(whole, nothing), 2),
            "converted_ms": round(speed.milliseconds(converted, nothing), 2),
            "copied_ms": round(speed.milliseconds(copied, nothing), 2),
        }
    return found


def memory(device: torch.device, _options: argparse.Namespace) -> dict[str, Any]:
    """Measure the device's peak memory for one frame."""
    if device.type != "cuda":
        raise NeedsGpu("peak memory of a device is CUDA's to report")
    found: dict[str, Any] = {}
    ready = Stylizer(STYLE, device=str(device))
    for width, height in (*_sizes(device), (7680, 4320)):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        ready.stylize(made_frame(width, height))
        found[f"{width}x{height}"] = {"mib": torch.cuda.max_memory_allocated(device) >> 20}
    return found


def files(device: torch.device, _options: argparse.Namespace) -> dict[str, Any]:
    """Convert clips from file to file, decoding and encoding on the GPU where it can."""
    speed = _speed(device)
    wanted = argparse.Namespace(crf=None, encoder="auto", decoder="auto")
    found: dict[str, Any] = {}
    for width, height in _sizes(device)[-2:]:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "clip.mp4"
            make_clip(source, width, height, 120 if device.type == "cuda" else 12)
            for strength in (1, 0):
                ready = Stylizer(STYLE, device=str(device), strength=strength, parallel=_CORES)
                fps, stages = speed.file_to_file(source, source.with_stem("out"), ready, wanted)
                found[f"{width}x{height}, strength {strength}"] = {"fps": round(fps, 1), **stages}
    return found


def training(device: torch.device, options: argparse.Namespace) -> dict[str, Any]:
    """Train 100 steps through the command, on a generated clip; on a CPU the part is only tried."""
    try:
        weights = find_weights(options.loss_weights, download=False)
    except BrushreelError as error:
        raise NeedsGpu(f"not tried: {error}") from error
    steps, seconds, width, height, smaller = 100, 4, 640, 360, []
    if device.type != "cuda":
        steps, seconds, width, height = 2, 0.25, 256, 144
        smaller = ["--crop", "96", "--style-scale", "0.5"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "clips").mkdir()
        clip = folder / "clips" / "demo.mp4"
        make_demo_clip(clip, width=width, height=height, seconds=seconds)
        painting = _painting(folder / "painting.png")
        command = [sys.executable, "-m", "brushreel", "train", str(painting), "--name", "gpu-check"]
        command += ["--clips", str(folder / "clips"), "--iterations", str(steps), "--overwrite"]
        command += ["--device", str(device), "--loss-weights", str(weights), *smaller]
        # Its style and checkpoints are nothing for the user's library.
        library = os.environ | {"XDG_DATA_HOME": str(folder / "library")}
        since = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=library)
        took = time.monotonic() - since
        if done.returncode:
            raise AssertionError(done.stderr.strip().splitlines()[-1])
        style = load_style(Path(done.stdout.strip().splitlines()[-1]))
    return {"steps": steps, "seconds": round(took, 1), "figures": dict(style.figures)}


def _painting(path: Path) -> Path:
    codes = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    Image.fromarray(codes).resize((640, 480), Image.Resampling.BICUBIC).save(path)
    return path


def made_frame(width: int, height: int) -> Frame:
    """Make a 4:2:0 frame of soft colours and fine texture, the same every time."""
    random = np.random.default_rng(0)
    form = PIXEL_FORMATS["yuv420p"]
    planes = []
    for index in range(3):
        rows, columns = form.plane_shape(index, width, height)
        soft = np.kron(
            random.integers(40, 200, (9, 16)), np.ones((-(-rows // 9), -(-columns // 16)))
        )
        noise = random.integers(-8, 9, (rows, columns))
        planes.append((soft[:rows, :columns] + noise).clip(16, 235).astype(np.uint8))
    colour = Colour(Matrix.BT709, Range.LIMITED)
    return Frame(tuple(planes), form, width, height, 0, 1, Fraction(1, 25), colour)


def make_clip(path: Path, width: int, height: int, count: int) -> None:
    """Write a clip of made frames that move sideways."""
    frame = made_frame(width, height)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, frame.pixel_format.name
        stream.options = {"preset": "ultrafast", "crf": "18"}
        for index in range(count):
            planes = tuple(
                np.roll(plane, index * plane.shape[1] // width, 1) for plane in frame.planes
            )
            container.mux(stream.encode(to_av(replace(frame, planes=planes, pts=index))))
        container.mux(stream.encode(None))


def _sizes(device: torch.device) -> list[tuple[int, int]]:
    if device.type != "cuda":
        return [(320, 180), (640, 360)]
    return [(768, 432), (1280, 720), (1920, 1080), (3840, 2160)]


def _speed(device: torch.device) -> Any:  # noqa: ANN401  the other script, as a module
    """Return the functions of speed.py; where they are only tried, they measure once."""
    sys.path.insert(0, str(ROOT / "benchmarks" / "batch"))
    speed = importlib.import_module("speed")
    if device.type != "cuda":
        speed.measure_once()
    return speed


PARTS: dict[str, Callable[[torch.device, argparse.Namespace], dict[str, Any]]] = {
    "machine": machine,
    "tests": tests,
    "sameness": sameness,
    "network": network,
    "stylizer": stylizer,
    "memory": memory,
    "files": files,
    "training": training,
}


def run_part(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run one part in this process; its failure is its result."""
    try:
        return {"status": "ok", "found": PARTS[name](choose_device(options.device), options)}
    except NeedsGpu as error:
        return {"status": "left out", "reason": str(error)}
    except Exception as error:  # noqa: BLE001  whatever it is, the report says it
        last = traceback.format_exc().strip().splitlines()[-4:]
        return {"status": "failed", "reason": f"{type(error).__name__}: {error}", "where": last}


def run_all(options: argparse.Namespace) -> dict[str, Any]:
    """Run the parts one after the other, each in its own process and within its share of time."""
    results: dict[str, Any] = {}
    for name in options.parts:
        listing = options.output / f"{name}.json"
        listing.unlink(missing_ok=True)
        limit = SHARES[name] * options.seconds / sum(SHARES.values())
        command = [sys.executable, str(Path(__file__).resolve()), "--part", name]
        command += ["--device", options.device, "--output", str(options.output.resolve())]
        if options.loss_weights:
            command += ["--loss-weights", str(options.loss_weights.resolve())]
        since = time.monotonic()
        ended = run_process(command, limit)
        result = json.loads(listing.read_text()) if listing.exists() else ended
        results[name] = result | {"seconds": round(time.monotonic() - since, 1)}
        print(f"{name:<10} {result['status']:<9} {result.get('reason', '')}", flush=True)
    return results


def run_process(command: Sequence[str], limit: float) -> dict[str, Any]:
    """Run a command, for so many seconds at most; all that it has started ends with it.

    Returns:
        The result of a part that has left none.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        child = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
        )
        try:
            status = child.wait(limit)
        except subprocess.TimeoutExpired:
            return {"status": "failed", "reason": f"took more than its {limit:.0f} s"}
        finally:
            _kill(child)
        said.seek(0)
        last = (said.read().strip().splitlines() or ["it said nothing"])[-1]
    return {"status": "failed", "reason": f"ended with {status}: {last}"}


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End a process and, where there are such, its group: they would slow the next part down."""
    with suppress(ProcessLookupError):
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def markdown(results: dict[str, Any]) -> str:
    """Return the report as Markdown: the parts in a table, then what each found."""
    lines = ["# GPU check", "", "| part | status | seconds | reason |", "| --- | --- | --- | --- |"]
    for name, result in results.items():
        reason = result.get("reason", "")
        lines.append(f"| {name} | {result['status']} | {result['seconds']} | {reason} |")
    for name, result in results.items():
        lines += ["", f"## {name}", ""]
        lines += [f"- {key}: {_shown(value)}" for key, value in result.get("found", {}).items()]
        lines += [f"    {line}" for line in result.get("where", [])]
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items())
    return str(value)


def main() -> int:
    """Run the parts and write the report; 1 if one failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda", help="default: cuda")
    parser.add_argument("--output", type=Path, default=Path("gpu-check"), help="default: gpu-check")
    parser.add_argument("--seconds", type=float, default=480.0, help="for all parts (default: 480)")
    parser.add_argument("--loss-weights", type=Path, help="VGG-19, for the part that trains")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if options.part:
        result = run_part(options.part, options)
        (options.output / f"{options.part}.json").write_text(json.dumps(result, indent=1))
        return 0
    results = run_all(options)
    (options.output / "report.json").write_text(json.dumps(results, indent=1))
    (options.output / "report.md").write_text(markdown(results), encoding="utf-8")
    print(options.output / "report.md")
    return int(any(result["status"] == "failed" for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
