"""Networks compiled for a GPU, where this machine has what that takes."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec

import torch
from torch import nn
from tqdm import tqdm


def compiled(device: torch.device, *networks: nn.Module) -> list[nn.Module]:
    """The networks as they run fastest; says so where CUDA has to do without.

    Args:
        device: Where they lie.
        networks: Stay as they are: what comes back shares their weights.
    """
    if device.type != "cuda":
        return list(networks)
    if missing := _missing():
        tqdm.write(f"training without torch.compile: no {missing}", file=sys.stderr)
        return list(networks)
    return [torch.compile(network) for network in networks]  # type: ignore[misc]


def _missing() -> str | None:
    """Triton writes the kernels, and a C compiler builds what starts them."""
    if find_spec("triton") is None:
        return "Triton"
    compilers = (os.environ.get("CC", "cc"), "gcc", "clang")
    return None if any(map(shutil.which, compilers)) else "C compiler"
