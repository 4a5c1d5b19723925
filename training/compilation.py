"""Compilation of networks for a GPU, where this machine has the tools for it."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec

import torch
from torch import nn
from tqdm import tqdm


def compiled(device: torch.device, *networks: nn.Module) -> list[nn.Module]:
    """Return the networks compiled for CUDA; print why where that is not possible.

    Args:
        device: The device that they are on; on other devices than CUDA they are returned as is.
        networks: Not changed: what is returned shares their weights.
    """
    if device.type != "cuda":
        return list(networks)
    if missing := _missing():
        tqdm.write(f"training without torch.compile: no {missing}", file=sys.stderr)
        return list(networks)
    return [torch.compile(network) for network in networks]  # type: ignore[misc]


def _missing() -> str | None:
    """Return which tool is missing: Triton writes the kernels, a C compiler builds the launcher."""
    if find_spec("triton") is None:
        return "Triton"
    compilers = (os.environ.get("CC", "cc"), "gcc", "clang")
    return None if any(map(shutil.which, compilers)) else "C compiler"
