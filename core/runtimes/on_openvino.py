"""The network in OpenVINO: the fastest on CPUs, in 8-bit integers, bf16 or fp32."""

from __future__ import annotations

import os
import threading
import warnings
from collections import OrderedDict
from pathlib import Path

import openvino as ov
import torch
from torch import Tensor

from ..network import padded
from ..style import Style
from .folded import folded
from .model_cache import kept_model
from .quantized import quantized
from .runtime import Runtime, Wanted

# Only the type that convolutions run in; what is not int8 in an int8 network stays bf16 or fp32.
_TYPES = {"fp32": "f32", "bf16": "bf16", "int8": "bf16"}
_SIZES_KEPT = 4


def open_runtime(style: Style, wanted: Wanted) -> Runtime:
    """See `runtime.open_runtime`."""
    return _OpenVino(style, wanted)


class _OpenVino:
    def __init__(self, style: Style, wanted: Wanted):
        self.identity = f"openvino {ov.__version__} {wanted.precision}"
        self.parallel = wanted.parallel
        self._multiple = style.spec.size_multiple
        self._core = ov.Core()
        self._model = kept_model(
            (style.digest, self.identity),
            make=lambda folder: _convert(style, wanted.precision, folder / "network.xml"),
            read=lambda folder: self._core.read_model(folder / "network.xml"),
        )
        self._settings = _settings(wanted)
        self._compiled: OrderedDict[tuple[int, int], ov.CompiledModel] = OrderedDict()
        self._lock = threading.Lock()
        self._requests = threading.local()

    def __call__(self, frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        sources = padded(frames, self._multiple).contiguous()
        painted = torch.empty_like(sources)
        request = self._request(sources.shape[-2], sources.shape[-1])
        for source, target in zip(sources.split(1), painted.split(1), strict=True):
            request.set_input_tensor(ov.Tensor(source.numpy(), shared_memory=True))
            request.set_output_tensor(ov.Tensor(target.numpy(), shared_memory=True))
            request.infer()
        return painted[..., :height, :width]

    def _request(self, height: int, width: int) -> ov.InferRequest:
        """This thread's own, for the size that it had last."""
        kept = getattr(self._requests, "last", None)
        if kept is None or kept[0] != (height, width):
            kept = ((height, width), self._compile(height, width).create_infer_request())
            self._requests.last = kept
        return kept[1]

    def _compile(self, height: int, width: int) -> ov.CompiledModel:
        """For one size: kernels with fixed sizes are faster, and making them takes 0.1 s."""
        with self._lock:
            if (height, width) not in self._compiled:
                model = self._model.clone()
                model.reshape([1, 3, height, width])
                self._compiled[height, width] = self._core.compile_model(
                    model, "CPU", self._settings
                )
                if len(self._compiled) > _SIZES_KEPT:
                    self._compiled.popitem(last=False)
            return self._compiled[height, width]


def _settings(wanted: Wanted) -> dict[str, object]:
    """Several frames at a time: a thread each, so that none waits for another's halves."""
    cores = torch.get_num_threads()
    return {
        "INFERENCE_PRECISION_HINT": _TYPES[wanted.precision],
        "NUM_STREAMS": wanted.parallel,
        "INFERENCE_NUM_THREADS": max(cores, wanted.parallel),
    }


def _convert(style: Style, precision: str, path: Path) -> None:
    network = folded(style.network())
    if precision == "int8":
        network = quantized(network)
    example = torch.zeros(1, 3, 64, 64)
    with warnings.catch_warnings(), torch.no_grad():
        # Sizes are Python numbers to a trace; frames are padded before they come here.
        warnings.simplefilter("ignore")
        model = ov.convert_model(network, example_input=example)
    ov.save_model(model, os.fspath(path), compress_to_fp16=False)
