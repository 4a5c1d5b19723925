"""Findings about this machine, for `brushreel doctor`."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import torch

from .devices import choose_device, choose_precision
from .errors import BrushreelError, extra_hint
from .finding import Finding
from .human import counted, human_bytes
from .library import SHIPPED, load_style, style_paths, user_styles
from .runtimes.benchmark import measured, shape_of
from .runtimes.kernels_library import has_avx512
from .runtimes.runtime import Wanted, able
from .style import Style
from .user_folders import cache_folder

# Powers of two of pixels: from 640x360 to 1080p.
_SIZES_TIMED = (18, 19, 20, 21)


def examine() -> list[Finding]:
    """Inspect everything that a run depends on, except the encoders."""
    return [
        Finding("python", "ok", f"{platform.python_version()} at {sys.executable}"),
        Finding(
            "torch", "ok", f"{torch.__version__}, {counted(torch.get_num_threads(), 'thread')}"
        ),
        Finding("ffmpeg", "ok", f"{av.ffmpeg_version_info} in PyAV {av.__version__}"),
        *_devices(),
        *_styles(),
        _own_styles(),
        *_folders(),
        _extra("train", "cv2", "training new styles"),
        _extra("studio", "uvicorn", "the studio in the browser"),
        _extra("onnx", "onnxruntime", "exporting styles and comparing with ONNX models"),
        *_runtimes(),
    ]


def _devices() -> list[Finding]:
    native = torch.cpu._is_avx512_bf16_supported()
    speed = "bf16 in hardware" if native else "fp32 only: it has no bf16 in hardware"
    found = [Finding("cpu", "ok", f"{counted(os.cpu_count() or 1, 'core')}, {speed}")]
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        memory = f"{facts.total_memory / 2**30:.0f} GiB"
        found.append(Finding(f"cuda:{index}", "ok", f"{facts.name}, {memory}"))
    if not torch.cuda.is_available():
        found.append(
            Finding(
                "cuda",
                "missing",
                "no NVIDIA GPU that this build of torch can use",
                fix="install a CUDA build of torch" if _has_nvidia_driver() else None,
            )
        )
    if torch.backends.mps.is_available():
        found.append(Finding("mps", "ok", "Apple GPU"))
    return found


def _has_nvidia_driver() -> bool:
    return shutil.which("nvidia-smi") is not None


def _runtimes() -> list[Finding]:
    found = [Finding("runtimes", "ok", f"{', '.join(able(_automatic()))}; --bench measures them")]
    if sys.platform == "linux" and torch.cpu._is_avx512_bf16_supported() and not has_avx512():
        found.append(
            Finding(
                "kernels",
                "missing",
                "this CPU multiplies bf16, but Brushreel's kernels for it were not compiled",
                fix="install a C compiler, then Brushreel again",
            )
        )
    return found


def time_runtimes() -> list[Finding]:
    """Measure again the milliseconds a frame of each runtime, by which `--runtime auto` chooses."""
    style, wanted = load_style("wave"), _automatic()
    found = []
    for size in _SIZES_TIMED:
        figures = measured(style, wanted, size, again=True)
        height, width = shape_of(size)
        ranked = sorted(figures.items(), key=lambda item: item[1])
        times = [f"{name} {milliseconds:.1f} ms" for name, milliseconds in ranked]
        found.append(Finding(f"{width}x{height}", "ok", f"{wanted.precision}: {', '.join(times)}"))
    return found


def _automatic() -> Wanted:
    """Return the device and precision of a batch without such flags."""
    device = choose_device("auto")
    return Wanted(device, choose_precision("auto", device), parallel=torch.get_num_threads())


def _styles() -> list[Finding]:
    found, shipped = [], []
    for name, path in style_paths().items():
        try:
            Style.load(path)
        except BrushreelError as error:
            found.append(Finding(f"style {name}", "broken", error.what, f"remove {path}"))
        else:
            if path.parent == SHIPPED:
                shipped.append(name)
    return [Finding("styles", "ok", f"{', '.join(shipped)} ship"), *found]


def _own_styles() -> Finding:
    folder = user_styles()
    if not folder.exists():
        return Finding("own styles", "ok", f"none yet; they are stored in {folder}")
    if not os.access(folder, os.R_OK | os.X_OK):
        return Finding("own styles", "broken", f"{folder} can't be read", "give yourself access")
    names = ", ".join(name for name, path in style_paths().items() if path.parent == folder)
    return Finding("own styles", "ok", f"{names or 'none'}; brushreel styles remove NAME: {folder}")


def _folders() -> Iterator[Finding]:
    """Yield what is stored for this user besides styles, and what may be deleted."""
    runs = user_styles().parent / "training"
    if runs.is_dir():
        about = "reports and checkpoints of training; delete what you don't need"
        yield Finding("training", "ok", f"{human_bytes(_size(runs))}, {about}: {runs}")
    cache = cache_folder()
    if cache.is_dir():
        parts = ", ".join(
            f"{path.name} {human_bytes(_size(path))}" for path in sorted(cache.iterdir())
        )
        about = f"{parts or 'empty'}; delete any of it, it is made again when needed"
        yield Finding("cache", "ok", f"{human_bytes(_size(cache))}: {about}: {cache}")


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    paths = [path] if path.is_file() else path.rglob("*")
    return sum(item.stat().st_size for item in paths if item.is_file())


def _extra(name: str, module: str, purpose: str) -> Finding:
    if importlib.util.find_spec(module) is None:
        return Finding(name, "missing", f"{purpose} is not installed", extra_hint(name))
    return Finding(name, "ok", f"{purpose} is installed")
