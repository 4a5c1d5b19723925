"""The protocol of runtimes, and the table of those that exist."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..errors import DeviceError, UsageError, extra_hint
from ..style import Style
from ..tiling import Parts
from .kernels_library import has_amx, has_avx512


class Runtime(Protocol):
    """A style's network, ready to run; may be called by several threads at a time.

    Attributes:
        identity: Everything that the last bit depends on: program, version, precision.
        parallel: Number of threads that should call it at a time to keep the device busy.
        parts: The same network in steps, for frames that do not fit into memory; None if the
            runtime has no such steps.
    """

    identity: str
    parallel: int

    @property
    def parts(self) -> Parts | None:
        """The network in steps, or None."""
        ...

    def __call__(self, frames: Tensor) -> Tensor:
        """Stylize frames.

        Args:
            frames: (N, 3, H, W) RGB in [0, 1], float32, on the runtime's device.

        Returns:
            The same shape, dtype and device. Every frame is stylized by itself.
        """
        ...


@dataclass(frozen=True)
class Wanted:
    """Device, precision and parallelism that a network is to run with.

    Attributes:
        device: Device of the frames.
        precision: "fp32", "bf16", "fp16" or "int8".
        parallel: Number of frames that the caller can process at a time.
    """

    device: torch.device
    precision: str
    parallel: int = 1


@dataclass(frozen=True)
class Kind:
    """A row of the table of runtimes.

    Attributes:
        module: Module of its ``open_runtime(style, wanted)``.
        package: Package that it needs.
        install: Command that installs the package, if it does not come with Brushreel.
        devices: Types of device that it runs on.
        precisions: Precisions that it computes in.
        machine: Requirements on the machine, in words.
        runs_here: Test whether this machine meets them.
    """

    module: str
    package: str
    install: str
    devices: tuple[str, ...]
    precisions: tuple[str, ...]
    machine: str = ""
    runs_here: Callable[[], bool] = lambda: True

    @property
    def installed(self) -> bool:
        """True if its package is installed."""
        return importlib.util.find_spec(self.package) is not None


KINDS: dict[str, Kind] = {
    "amx": Kind(
        module="on_amx",
        package="brushreel",
        install="",
        devices=("cpu",),
        precisions=("bf16",),
        machine="it needs Linux, a CPU with AMX, and a C compiler when Brushreel is installed",
        runs_here=has_amx,
    ),
    "avx512": Kind(
        module="on_avx512",
        package="brushreel",
        install="",
        devices=("cpu",),
        precisions=("bf16",),
        machine="it needs Linux, a CPU with AVX-512's products of bf16, and a C compiler when "
        "Brushreel is installed",
        runs_here=has_avx512,
    ),
    "openvino": Kind(
        module="on_openvino",
        package="openvino",
        install="pip install openvino",
        devices=("cpu",),
        precisions=("fp32", "bf16", "int8"),
    ),
    "onnxruntime": Kind(
        module="on_onnxruntime",
        package="onnxruntime",
        install=extra_hint("onnx"),
        devices=("cpu", "cuda", "mps"),
        precisions=("fp32",),
    ),
    "torch": Kind(
        module="on_torch",
        package="torch",
        install="pip install torch",
        devices=("cpu", "cuda", "mps"),
        precisions=("fp32", "bf16", "fp16"),
    ),
}
"""Runtimes by name, the likely fastest first."""


def able(wanted: Wanted) -> list[str]:
    """Return the installed runtimes that support a request."""
    return [
        name
        for name, kind in KINDS.items()
        if kind.installed and kind.runs_here() and _fits(kind, wanted)
    ]


def check_runtime(name: str, wanted: Wanted) -> None:
    """Refuse a request that a runtime (with "auto": any) does not support, without opening it.

    Raises:
        UsageError: There is no such runtime, or it does not support the request.
        DeviceError: It is not installed, or can't run on this machine.
    """
    if name == "auto":
        if not able(wanted):
            raise UsageError(f"no runtime here supports {wanted.precision} on {wanted.device.type}")
        return
    if name not in KINDS:
        raise UsageError(f"runtime must be one of auto, {', '.join(KINDS)}, not {name!r}")
    kind = KINDS[name]
    if not kind.installed:
        raise DeviceError(f"{name} is not installed", hint=kind.install)
    if not kind.runs_here():
        raise DeviceError(f"{name} can't run here", hint=kind.machine)
    if not _fits(kind, wanted):
        raise UsageError(
            f"{name} does not support {wanted.precision} on {wanted.device.type}",
            hint=f"it supports {', '.join(kind.precisions)} on {', '.join(kind.devices)}",
        )


def open_runtime(name: str, style: Style, wanted: Wanted) -> Runtime:
    """Open a style's network in a runtime that `check_runtime` accepts.

    Raises:
        DeviceError: The installed build can't use the device, or not for this network.
        StyleError: The style is damaged.
        UsageError: The precision degrades the style too much.
    """
    module = importlib.import_module(f".{KINDS[name].module}", __package__)
    return module.open_runtime(style, wanted)


def _fits(kind: Kind, wanted: Wanted) -> bool:
    return wanted.device.type in kind.devices and wanted.precision in kind.precisions
