"""What every runtime is, and which one is taken."""

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
from .amx_library import library


class Runtime(Protocol):
    """A style's network, ready to run; may be called by several threads at a time.

    Attributes:
        identity: Everything that decides about the last bit: program, version, precision.
        parallel: How many threads should call it at a time to keep the device busy.
        parts: The same network in steps, for frames that do not fit into memory; None where the
            runtime has no such thing.
    """

    identity: str
    parallel: int

    @property
    def parts(self) -> Parts | None:
        """See the class."""
        ...

    def __call__(self, frames: Tensor) -> Tensor:
        """Paint frames.

        Args:
            frames: (N, 3, H, W) RGB in [0, 1], float32, on the runtime's device.

        Returns:
            The same shape, dtype and device. Every frame is painted by itself.
        """
        ...


@dataclass(frozen=True)
class Wanted:
    """What a network is to run on, and how.

    Attributes:
        device: Where frames lie.
        precision: "fp32", "bf16", "fp16" or "int8".
        parallel: How many frames the caller can have in work at a time.
    """

    device: torch.device
    precision: str
    parallel: int = 1


@dataclass(frozen=True)
class Kind:
    """A runtime that there is.

    Attributes:
        module: Where its ``open_runtime(style, wanted)`` is.
        package: The module that it needs.
        install: How to install that module, where it does not come with Brushreel.
        devices: Types of device that it runs on.
        precisions: What it computes in.
        machine: What it takes of the machine, in words.
        runs_here: Whether this machine has that.
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
        """Whether its package is there."""
        return importlib.util.find_spec(self.package) is not None


KINDS: dict[str, Kind] = {
    "amx": Kind(
        module="on_amx",
        package="brushreel",
        install="",
        devices=("cpu",),
        precisions=("bf16",),
        machine="it takes Linux, a CPU with AMX, and a C compiler when Brushreel is installed",
        runs_here=lambda: library() is not None,
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
"""The likely fastest first: the others are measured against it."""


def able(wanted: Wanted) -> list[str]:
    """The runtimes that are installed and can do it."""
    return [
        name
        for name, kind in KINDS.items()
        if kind.installed and kind.runs_here() and _fits(kind, wanted)
    ]


def check_runtime(name: str, wanted: Wanted) -> None:
    """Find out without opening it whether a runtime, or any for "auto", can do what is wanted.

    Raises:
        UsageError: There is no such runtime, or it can't do it.
        DeviceError: It is not installed, or can't run on this machine.
    """
    if name == "auto":
        if not able(wanted):
            raise UsageError(f"nothing here runs in {wanted.precision} on {wanted.device.type}")
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
            f"{name} does not run in {wanted.precision} on {wanted.device.type}",
            hint=f"it runs in {', '.join(kind.precisions)} on {', '.join(kind.devices)}",
        )


def open_runtime(name: str, style: Style, wanted: Wanted) -> Runtime:
    """Make a style's network ready in a runtime that `check_runtime` finds able.

    Raises:
        DeviceError: What is installed can't use the device, or not for this network.
        StyleError: The style is damaged.
        UsageError: The style does not bear the precision.
    """
    module = importlib.import_module(f".{KINDS[name].module}", __package__)
    return module.open_runtime(style, wanted)


def _fits(kind: Kind, wanted: Wanted) -> bool:
    return wanted.device.type in kind.devices and wanted.precision in kind.precisions
