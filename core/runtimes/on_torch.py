"""The network in PyTorch: every device, and the reference for the other runtimes."""

from __future__ import annotations

import torch
from torch import Tensor

from ..network import StylizingNetwork
from ..style import Style
from ..tiling import NetworkParts
from .cuda_graph import Recorded
from .folded import folded
from .runtime import Runtime, Wanted

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def open_runtime(style: Style, wanted: Wanted) -> Runtime:
    """Open a style's network, see `runtime.open_runtime`."""
    return _Torch(style, wanted)


class _Torch:
    def __init__(self, style: Style, wanted: Wanted):
        self.identity = f"torch {torch.__version__} {wanted.precision}"
        self._dtype = _DTYPES[wanted.precision]
        network = folded(style.network()).to(wanted.device, self._dtype)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.parts = _TorchParts(network, self._dtype)
        if wanted.device.type == "cuda":
            if wanted.precision == "fp32":
                # By default cuDNN keeps 10 bits of float32. This applies to the whole process.
                torch.backends.cudnn.allow_tf32 = False
            # One frame is uploaded and another downloaded while a third is stylized.
            self.parallel = min(3, wanted.parallel)
            self._stylize = Recorded(network)
            # Other threads' streams would not wait for the weights.
            torch.cuda.synchronize(wanted.device)
        else:
            # PyTorch distributes one frame over the cores.
            self.parallel = 1
            self._stylize = network

    @torch.no_grad()
    def __call__(self, frames: Tensor) -> Tensor:
        frames = frames.to(self._dtype, memory_format=torch.channels_last)
        return self._stylize(frames).to(torch.float32)


class _TorchParts(NetworkParts):
    """`tiling.Parts` in PyTorch: frames and pixels in float32, features in the network's dtype."""

    def __init__(self, network: StylizingNetwork, dtype: torch.dtype):
        super().__init__(network)
        self._dtype = dtype

    @torch.no_grad()
    def encode(self, frames: Tensor, /) -> Tensor:
        return super().encode(frames.to(self._dtype, memory_format=torch.channels_last))

    @torch.no_grad()
    def transform(self, features: Tensor, /) -> Tensor:
        return super().transform(features)

    @torch.no_grad()
    def decode(self, frames: Tensor, features: Tensor, /) -> Tensor:
        frames = frames.to(self._dtype, memory_format=torch.channels_last)
        return super().decode(frames, features).to(torch.float32)
