"""The network in ONNX Runtime: TensorRT and CUDA where its build has them, else the CPU."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import torch
from torch import Tensor

from ..errors import DeviceError
from ..export import export_onnx
from ..style import Style
from .model_cache import kept_model
from .runtime import Runtime, Wanted

_PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
}
_ERRORS_ONLY = 3


def open_runtime(style: Style, wanted: Wanted) -> Runtime:
    """See `runtime.open_runtime`."""
    return _OnnxRuntime(style, wanted)


class _OnnxRuntime:
    parts = None

    def __init__(self, style: Style, wanted: Wanted):
        self.identity = f"onnxruntime {onnxruntime.__version__} {wanted.precision}"
        self.parallel = wanted.parallel
        providers = _providers(wanted.device)
        self._session = kept_model(
            (style.digest, f"onnx of torch {torch.__version__}"),
            make=lambda folder: export_onnx(style, folder / "network.onnx"),
            read=lambda folder: _session(folder / "network.onnx", wanted, providers),
        )
        # It goes to the CPU, and says nothing, where the device's libraries are missing.
        if not set(providers) & set(self._session.get_providers()):
            raise DeviceError(
                f"onnxruntime can't use {wanted.device}",
                hint="the libraries that its build needs are missing",
            )

    def __call__(self, frames: Tensor) -> Tensor:
        # One by one: a frame's picture must not depend on what shares its batch.
        painted = [
            torch.from_numpy(self._session.run(["painted"], {"frames": frame.numpy()})[0])
            for frame in frames.cpu().split(1)
        ]
        return torch.cat(painted).to(frames.device)


def _providers(device: torch.device) -> list[str]:
    """Those of this build that compute on the device.

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
    """Raises RuntimeError where the file is damaged, as `kept_model` wants it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = max(1, torch.get_num_threads() // wanted.parallel)
    content = path.read_bytes()
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # its own have no other base
        raise RuntimeError(f"onnxruntime can't read the network: {error}") from error
