"""Devices and precisions, chosen by name."""

from __future__ import annotations

import torch

from .errors import DeviceError
from .options import Precision


def choose_device(name: str) -> torch.device:
    """Return the device of a name; "auto" takes the fastest type that this machine has.

    Raises:
        DeviceError: This machine lacks the device.
    """
    if name == "auto":
        found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        name = next((kind for kind, there in found.items() if there), "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        # PyTorch's own text has several lines about builds.
        raise DeviceError(
            f"device {name!r} is not available here", hint="brushreel doctor lists the devices"
        ) from error
    return device


def choose_precision(name: Precision, device: torch.device) -> str:
    """Resolve "auto" to the fastest precision without visible differences."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "fp16"
    native = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bf16" if native else "fp32"
