"""The network in OpenVINO: the fastest on CPUs, in 8-bit integers, bf16 or fp32."""

from __future__ import annotations

import copy
import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from openvino.preprocess import PrePostProcessor
from torch import Tensor, nn

from ..network import ConvBlock, StylizingNetwork, padded
from ..style import Style
from ..tiling import NetworkParts, Parts
from .folded import folded
from .model_cache import kept_model
from .quantized import quantized
from .runtime import Runtime, Wanted

# Layers of an int8 network that are not int8 run in bf16.
_TYPES = {"fp32": "f32", "bf16": "bf16", "int8": "bf16"}
# Changed whenever a network is converted differently, so that older models in the cache are not
# read.
_CONVERSION = "narrow features"
_SHAPES_KEPT = 4
# Side of the frame that a conversion traces; sizes are set when a model is compiled.
_EXAMPLE = 64


def open_runtime(style: Style, wanted: Wanted) -> Runtime:
    """Open a style's network, see `runtime.open_runtime`."""
    return _OpenVino(style, wanted)


class _OpenVino:
    def __init__(self, style: Style, wanted: Wanted):
        self.identity = f"openvino {ov.__version__} {wanted.precision}"
        self.parallel = wanted.parallel
        self._style, self._wanted = style, wanted
        self._whole = self._model("whole", wanted)

    def __call__(self, frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        sources = padded(frames, self._style.spec.size_multiple)
        stylized = [self._whole(source) for source in sources.split(1)]
        return torch.cat(stylized)[..., :height, :width]

    @property
    def parts(self) -> Parts:
        return self._opened_parts

    @cached_property
    def _opened_parts(self) -> _OpenVinoParts:
        # Frames too large for memory are stylized one at a time, each by all cores.
        one = replace(self._wanted, parallel=1)
        return _OpenVinoParts(lambda part: self._model(part, one), len(self._network.residuals))

    @cached_property
    def _network(self) -> StylizingNetwork:
        network = folded(self._style.network())
        return _steady(quantized(network) if self._wanted.precision == "int8" else network)

    def _model(self, part: str, wanted: Wanted) -> _Model:
        core = _core()
        model = kept_model(
            (self._style.digest, self.identity, part, _CONVERSION),
            make=lambda folder: self._convert(part, folder / "network.xml"),
            read=lambda folder: core.read_model(folder / "network.xml"),
        )
        return _Model(core, model, _settings(wanted))

    def _convert(self, part: str, path: Path) -> None:
        module, examples = _part(self._network, part)
        with warnings.catch_warnings(), torch.no_grad():
            # A trace turns sizes into constants; so frames are padded outside.
            warnings.simplefilter("ignore")
            model = ov.convert_model(module, example_input=examples)
        if part != "whole" and _TYPES[self._wanted.precision] == "bf16":
            model = _with_narrow_features(model, part)
        ov.save_model(model, os.fspath(path), compress_to_fp16=False)


@cache
def _core() -> ov.Core:
    """Return the process's only core, which lives to its end.

    OpenVINO gives the first thread that compiles another stack for signals, and frees it with its
    last object, in any thread: the next Ctrl-C would end in a segmentation fault.
    """
    return ov.Core()


class _OpenVinoParts:
    """`tiling.Parts` in OpenVINO."""

    def __init__(self, model: Callable[[str], _Model], blocks: int):
        self.encode = model("encode")
        self.decode = model("decode")
        self._blocks = [model(f"residual {index}") for index in range(blocks)]

    def transform(self, features: Tensor, /) -> Tensor:
        """Apply the residual blocks one by one, so that their memory is never needed at once."""
        self.encode.release_memory()
        for block in self._blocks:
            # In place: the step that writes a value of the result is the last to read the input's.
            block(features, into=features)
            block.release_memory()
        return features


class _Model:
    """A converted network, compiled for the shapes of its inputs; several threads may call it."""

    def __init__(self, core: ov.Core, model: ov.Model, settings: dict[str, object]):
        self._core, self._model, self._settings = core, model, settings
        self._compiled: OrderedDict[tuple[tuple[int, ...], ...], ov.CompiledModel] = OrderedDict()
        self._lock = threading.Lock()
        self._requests = threading.local()

    def __call__(self, *inputs: Tensor, into: Tensor | None = None) -> Tensor:
        request = self._request(tuple(tuple(tensor.shape) for tensor in inputs))
        # OpenVINO reads and writes the tensors' own memory.
        held = [tensor.contiguous() for tensor in inputs]
        for index, tensor in enumerate(held):
            request.set_input_tensor(index, _shared(tensor))
        output = request.model_outputs[0]
        narrow = output.element_type == ov.Type.bf16
        dtype = torch.bfloat16 if narrow else torch.float32
        result = torch.empty(tuple(output.shape), dtype=dtype) if into is None else into
        request.set_output_tensor(0, _shared(result))
        request.infer()
        return result

    def release_memory(self) -> None:
        """Release the memory that calls keep for the next one; no call may be running."""
        self._requests.last = None
        for compiled in self._compiled.values():
            compiled.release_memory()

    def _request(self, shapes: tuple[tuple[int, ...], ...]) -> ov.InferRequest:
        """Return this thread's request, kept for the last shapes."""
        kept = getattr(self._requests, "last", None)
        if kept is None or kept[0] != shapes:
            kept = (shapes, self._compile(shapes).create_infer_request())
            self._requests.last = kept
        return kept[1]

    def _compile(self, shapes: tuple[tuple[int, ...], ...]) -> ov.CompiledModel:
        """Compile for fixed shapes: their kernels are faster, and compiling takes 0.1 s."""
        with self._lock:
            if shapes not in self._compiled:
                model = self._model.clone()
                model.reshape(dict(zip(model.inputs, map(ov.PartialShape, shapes), strict=True)))
                self._compiled[shapes] = self._core.compile_model(model, "CPU", self._settings)
                if len(self._compiled) > _SHAPES_KEPT:
                    self._compiled.popitem(last=False)
            return self._compiled[shapes]


def _shared(tensor: Tensor) -> ov.Tensor:
    """Wrap a tensor's memory without a copy."""
    if tensor.dtype == torch.bfloat16:  # NumPy does not know it
        codes = tensor.view(torch.int16).numpy().view(np.uint16)
        return ov.Tensor(codes, ov.Shape(list(tensor.shape)), ov.Type.bf16)
    return ov.Tensor(tensor.numpy(), shared_memory=True)


def _with_narrow_features(model: ov.Model, part: str) -> ov.Model:
    """Set the type of feature inputs and outputs to bf16, half the memory; pixels stay float32."""
    outside = PrePostProcessor(model)
    if part != "encode":  # the last input of the other parts
        outside.input(len(model.inputs) - 1).tensor().set_element_type(ov.Type.bf16)
    if part != "decode":
        outside.output().tensor().set_element_type(ov.Type.bf16)
    return outside.build()


def _settings(wanted: Wanted) -> dict[str, object]:
    """Return settings that give each of several frames a thread, so that none waits for others."""
    return {
        "INFERENCE_PRECISION_HINT": _TYPES[wanted.precision],
        "NUM_STREAMS": wanted.parallel,
        "INFERENCE_NUM_THREADS": max(torch.get_num_threads(), wanted.parallel),
    }


def _steady(network: StylizingNetwork) -> StylizingNetwork:
    """Copy a network with sums of instance normalisation in an order independent of threads.

    OpenVINO's own splits a frame among its threads: rounded to bf16, frames would differ by up to
    two codes of 8 bits between machines and with the number of frames at a time.
    """
    network = copy.deepcopy(network)
    for block in network.modules():
        if isinstance(block, ConvBlock) and isinstance(block.norm, nn.InstanceNorm2d):
            block.norm = _SteadyNorm(block.norm)
    return network


class _SteadyNorm(nn.Module):
    """Instance normalisation, rows first."""

    def __init__(self, norm: nn.InstanceNorm2d):
        super().__init__()
        self.weight = norm.weight.detach()[:, None, None]
        self.bias = norm.bias.detach()[:, None, None]
        self.epsilon = norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        mean = _mean(x)
        gain = self.weight * torch.rsqrt(_mean((x - mean).square()) + self.epsilon)
        return x * gain + (self.bias - mean * gain)


def _mean(x: Tensor) -> Tensor:
    return x.mean(3, keepdim=True).mean(2, keepdim=True)


def _part(network: StylizingNetwork, part: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Return a part of the network as a module, with inputs to trace it."""
    frame = torch.zeros(1, 3, _EXAMPLE, _EXAMPLE)
    quarter = torch.zeros(1, network.spec.channels[2], _EXAMPLE // 4, _EXAMPLE // 4)
    name, _, index = part.partition(" ")
    if name == "residual":
        return network.residuals[int(index)], (quarter,)
    if name == "whole":
        return network, (frame,)
    return _Part(network, name), (frame,) if name == "encode" else (frame, quarter)


class _Part(nn.Module):
    def __init__(self, network: StylizingNetwork, part: str):
        super().__init__()
        self.network, self.part = network, part

    def forward(self, *inputs: Tensor) -> Tensor:
        return getattr(NetworkParts(self.network), self.part)(*inputs)
