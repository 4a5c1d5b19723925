"""The network in ONNX Runtime: TensorRT and CUDA where its build has them, else the CPU."""

from __future__ import annotations

import onnxruntime
import torch
from torch import Tensor

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
        there = onnxruntime.get_available_providers()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = max(1, torch.get_num_threads() // wanted.parallel)
        data = kept_model(
            (style.digest, f"onnx of torch {torch.__version__}"),
            make=lambda folder: export_onnx(style, folder / "network.onnx"),
            read=lambda folder: (folder / "network.onnx").read_bytes(),
        )
        self._session = onnxruntime.InferenceSession(
            data,
            options,
            providers=[name for name in _PROVIDERS[wanted.device.type] if name in there],
        )

    def __call__(self, frames: Tensor) -> Tensor:
        # One by one: a frame's picture must not depend on what shares its batch.
        painted = [
            torch.from_numpy(self._session.run(["painted"], {"frames": frame.numpy()})[0])
            for frame in frames.cpu().split(1)
        ]
        return torch.cat(painted).to(frames.device)
