"""The network in ONNX Runtime: TensorRT, CUDA, Core ML, DirectML or the CPU, by its build.

PyTorch has no device for DirectML (any graphics chip on Windows): frames come from the CPU and
return to it.
"""

from __future__ import annotations

import threading
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import DeviceError, extra
from ..export import export_onnx
from ..style import Style
from .model_cache import kept_model
from .runtime import Runtime, Wanted

with extra("onnx"):
    import onnxruntime

_DIRECTML = "DmlExecutionProvider"
_PROVIDERS = {
    "cpu": (_DIRECTML, "CPUExecutionProvider"),
    "cuda": ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
    "mps": ("CoreMLExecutionProvider",),
}
_ERRORS_ONLY = 3


def open_runtime(style: Style, wanted: Wanted) -> Runtime:
    """Open a style's network, see `runtime.open_runtime`."""
    return _OnnxRuntime(style, wanted)


class _OnnxRuntime:
    parts = None

    def __init__(self, style: Style, wanted: Wanted):
        providers = _providers(wanted.device)
        # Two threads may not call a session of DirectML at a time.
        alone = _DIRECTML in providers
        self.parallel = 1 if alone else wanted.parallel
        self._turn = threading.Lock() if alone else nullcontext()
        self._session = kept_model(
            (style.digest, f"onnx of torch {torch.__version__}"),
            make=lambda folder: export_onnx(style, folder / "network.onnx", stroke_size="native"),
            read=lambda folder: _session(folder / "network.onnx", wanted, providers),
        )
        # If the device's libraries are missing, it silently runs on the CPU.
        if not set(providers) & set(self._session.get_providers()):
            raise DeviceError(
                f"onnxruntime can't use {wanted.device}",
                hint="the libraries that its build needs are missing",
            )
        first = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        self.identity = f"onnxruntime {onnxruntime.__version__} {first} {wanted.precision}"

    def __call__(self, frames: Tensor) -> Tensor:
        # Frames run one by one: a result must not depend on the batch.
        stylized = [self._stylized(frame.numpy()) for frame in frames.cpu().split(1)]
        return torch.cat(stylized).to(frames.device)

    def _stylized(self, frame: np.ndarray) -> Tensor:
        with self._turn:
            return torch.from_numpy(self._session.run(["painted"], {"frames": frame})[0])


def _providers(device: torch.device) -> list[str]:
    """Return this build's providers for the device.

    Raises:
        DeviceError: There is none.
    """
    there = onnxruntime.get_available_providers()
    providers = [name for name in _PROVIDERS[device.type] if name in there]
    if not providers:
        raise DeviceError(
            f"this build of onnxruntime does not run on {device.type}",
            hint="install onnxruntime-gpu instead, or use another --runtime",
        )
    return providers


def _session(path: Path, wanted: Wanted, providers: list[str]) -> onnxruntime.InferenceSession:
    """Open a model.

    Raises:
        RuntimeError: The file is damaged.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = max(1, torch.get_num_threads() // wanted.parallel)
    # DirectML manages its own memory.
    options.enable_mem_pattern = _DIRECTML not in providers
    content = path.read_bytes()
    # The GPU that was named, if there are several.
    device = {"device_id": wanted.device.index or 0} if wanted.device.type == "cuda" else {}
    try:
        return onnxruntime.InferenceSession(
            content, options, providers=[(name, device) for name in providers]
        )
    except Exception as error:  # its errors have no common base
        raise RuntimeError(f"onnxruntime can't read the network: {error}") from error
