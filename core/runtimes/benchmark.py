"""The fastest runtime on this machine: measured once, then remembered."""

from __future__ import annotations

import importlib
import json
import math
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ..atomic import atomic_write
from ..errors import DeviceError, ExtraError
from ..style import Style
from ..user_folders import cache_folder
from .runtime import KINDS, Runtime, Wanted, able, open_runtime

_FRAMES_EACH = 2
# log2 of pixels. Smaller frames are not worth a measurement; frames above 1080p share one.
_LEAST_SIZE, _LARGEST_SIZE = 15, 21


def fastest(style: Style, wanted: Wanted, height: int, width: int) -> str:
    """Return the name of the runtime that stylizes frames of about this size fastest.

    The figures are kept in the user's cache, for this machine, these versions and this shape of
    network. If only one runtime supports the request, or frames are tiny, nothing is measured.

    Raises:
        StyleError: The style is damaged.
    """
    names = _candidates(wanted)
    size = min((height * width - 1).bit_length(), _LARGEST_SIZE)
    if len(names) == 1 or size < _LEAST_SIZE:
        return names[-1]
    figures = measured(style, wanted, size)
    return min(figures, key=figures.__getitem__)


def measured(style: Style, wanted: Wanted, size: int, *, again: bool = False) -> dict[str, float]:
    """Return each suitable runtime's milliseconds for a frame of 2^size pixels, kept or measured.

    Raises:
        StyleError: The style is damaged.
    """
    names = _candidates(wanted)
    key = _key(style, wanted, names, size)
    kept = _read()
    if again or key not in kept:
        frame = torch.rand(1, 3, *shape_of(size), device=wanted.device)
        figures = {}
        for name in names:
            # A runtime may be installed without its libraries for the device.
            with suppress(DeviceError, ExtraError):
                figures[name] = _milliseconds(open_runtime(name, style, wanted), frame)
        kept = _read() | {key: figures}
        with suppress(OSError), atomic_write(_path()) as file:
            file.write(json.dumps(kept, indent=1).encode())
    return kept[key]


def _candidates(wanted: Wanted) -> list[str]:
    """List suitable runtimes without those that are slower than another, or inexact (Core ML)."""
    names = able(wanted)
    left_out = set()
    if "openvino" in names or wanted.device.type == "mps":
        left_out.add("onnxruntime")
    if "amx" in names:
        left_out.add("avx512")
    return [name for name in names if name not in left_out]


def _milliseconds(runtime: Runtime, frame: torch.Tensor) -> float:
    """Measure a frame's wall time, with the runtime's number of threads, after a warm-up."""

    def run(_index: int) -> None:
        runtime(frame).flatten()[0].item()  # waits for the device

    with ThreadPoolExecutor(runtime.parallel) as threads:
        list(threads.map(run, range(runtime.parallel)))
        count = _FRAMES_EACH * runtime.parallel
        since = time.perf_counter()
        list(threads.map(run, range(count)))
    return (time.perf_counter() - since) / count * 1000


def shape_of(size: int) -> tuple[int, int]:
    """Return height and width of a 16:9 frame with about 2^size pixels."""
    height = round(math.sqrt(2**size * 9 / 16) / 8) * 8
    return height, 2**size // height // 8 * 8


def _key(style: Style, wanted: Wanted, names: list[str], size: int) -> str:
    device = str(wanted.device)
    if wanted.device.type == "cuda":
        device += " " + torch.cuda.get_device_name(wanted.device)
    versions = [f"{name} {_version(KINDS[name].package)}" for name in names]
    facts = [_processor(), f"{torch.get_num_threads()} of {os.cpu_count()} cores", device]
    facts += [wanted.precision, f"{wanted.parallel} at a time", f"2^{size} pixels", *versions]
    return "; ".join([*facts, json.dumps(style.spec.to_json(), sort_keys=True)])


def _version(module: str) -> str:
    try:
        return version(module)
    except PackageNotFoundError:
        # Some builds are distributed under another name, as onnxruntime-gpu is.
        return importlib.import_module(module).__version__


def _processor() -> str:
    """Return the processor's name; `platform` does not know Linux's source of it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _path() -> Path:
    return cache_folder() / "runtimes.json"


def _read() -> dict[str, dict[str, float]]:
    """Read the kept figures; none if the file can't be read or has other content."""
    try:
        kept = json.loads(_path().read_bytes())
        return {key: {name: float(ms) for name, ms in row.items()} for key, row in kept.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
