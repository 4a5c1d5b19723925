"""The network in own kernels (`kernels.c`), in bf16: what those for AMX and for AVX-512 share.

Between input and output pixels, no features are rearranged or copied. `on_amx.py` and
`on_avx512.py` lay out the weights.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import DeviceError
from ..network import NetworkSpec, StylizingNetwork, padded
from ..style import Style
from ..tiling import Parts
from .kernels_library import Kind, Map, Step, library
from .runtime import Runtime, Wanted

# Outputs that are computed at once, and inputs of an AMX tile.
OUTPUTS, INPUTS = 16, 32
ACROSS = 4
"""Adjacent pixels that the last convolution computes at once: one leaves most outputs empty."""
COLOURS = 4
"""Channels of padded pixels: red, green, blue and 0."""
# More than the pixels of a row that are loaded at once.
_BEYOND = 256


@dataclass(frozen=True)
class Convolution:
    """A convolution's weights as the kernels read them.

    Attributes:
        weights: bf16, in the kernels' order.
        bias: float32, of `tiles` times 16 outputs.
        size: Taps along an axis, those of the low-pass filter before it included.
        tiles: Groups of 16 outputs.
        across: Adjacent pixels whose outputs are computed at once.
    """

    weights: Tensor
    bias: Tensor
    size: int
    tiles: int
    across: int = 1

    def step(
        self,
        kind: Kind,
        source: _Map,
        out: _Map | None,
        *,
        stride: int = 1,
        reflect: bool = True,
        sums: int = 0,
    ) -> Step:
        """Return the step that applies it; both maps have to outlive the step."""
        step = Step(kind=kind, reflect=reflect, size=self.size, stride=stride)
        step.across, step.tiles = self.across, self.tiles
        step.weights, step.bias, step.sums = self.weights.data_ptr(), self.bias.data_ptr(), sums
        step.source = ctypes.pointer(source.struct)
        if out is not None:
            step.out = ctypes.pointer(out.struct)
        return step


_LaidOut = Callable[[Tensor, Tensor], Convolution]
"""(O, C, 3, 3) and (O,) as a `Convolution`."""


@dataclass(frozen=True)
class Layout:
    """A family of kernels, and how each kind of convolution is laid out for it.

    Attributes:
        identity: Its name and a version, increased whenever the same frame gives other values.
        amx: True for the kernels for AMX, False for those for AVX-512.
        first: From pixels.
        plain: Inside the residual blocks.
        strided: With a stride of 2 after a low-pass filter.
        doubled: After a bilinear doubling.
        output: To pixels, whose outputs are `ACROSS` of each colour.
    """

    identity: str
    amx: bool
    first: _LaidOut
    plain: _LaidOut
    strided: _LaidOut
    doubled: _LaidOut
    output: _LaidOut


def open_with(layout: Layout, style: Style, wanted: Wanted) -> Runtime:
    """Open a style's network, see `runtime.open_runtime`."""
    if not can_run(style.spec):
        name = layout.identity.split()[0]
        raise DeviceError(f"{name} does not run networks of this shape", hint="use --runtime auto")
    return _Kernels(layout, style, wanted)


def can_run(spec: NetworkSpec) -> bool:
    """Return whether there are kernels for all steps of a network."""
    resized = (spec.downsampling, spec.upsampling) == ("filtered", "bilinear")
    whole_tiles = all(width % OUTPUTS == 0 for width in spec.channels)
    return resized and whole_tiles and spec.skips and spec.normalization == "residual"


class _Kernels:
    def __init__(self, layout: Layout, style: Style, wanted: Wanted):
        self.identity = f"{layout.identity} {wanted.precision}"
        self.parallel = wanted.parallel
        self._layers = _Layers(layout, style.network())
        self._threads = torch.get_num_threads()
        self._kept = threading.local()

    def __call__(self, frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        sources = padded(frames, 4).contiguous()
        stylized = torch.empty_like(sources)
        last = getattr(self._kept, "frame", None)
        if last is None or last.shape != sources.shape[-2:]:
            self._kept.frame = last = None  # frees its memory before the next one's
            threads = max(1, self._threads // self.parallel)
            self._kept.frame = last = _Frame(self._layers, sources.shape[-2:], threads)
        for source, result in zip(sources, stylized, strict=True):
            last.stylize(source, result)
        return stylized[..., :height, :width]

    @property
    def parts(self) -> Parts:
        # Frames too large for memory are stylized one at a time, each by all cores.
        return _KernelParts(self._layers, self._threads)


class _KernelParts:
    """`tiling.Parts` in the kernels."""

    def __init__(self, layers: _Layers, threads: int):
        self._layers, self._threads = layers, threads
        self._tile: _Frame | None = None

    def encode(self, frames: Tensor, /) -> Tensor:
        tile = self._of_shape(frames)
        return tile.encode(frames[0].contiguous())[None]

    def transform(self, features: Tensor, /) -> Tensor:
        self._tile = None  # frees its memory
        quarter = _Quarter(self._layers, features.shape[-2:], self._threads)
        return quarter.transform(features[0])[None]

    def decode(self, frames: Tensor, features: Tensor, /) -> Tensor:
        source = frames[0].contiguous()
        result = torch.empty_like(source)
        self._of_shape(frames).decode(source, features[0], result)
        return result[None]

    def _of_shape(self, frames: Tensor) -> _Frame:
        shape = frames.shape[-2:]
        if self._tile is None or self._tile.shape != shape:
            self._tile = _Frame(self._layers, shape, self._threads)
        return self._tile


class _Map:
    """Features of one frame, (H, W, C) in bf16, with a border."""

    def __init__(self, channels: int, height: int, width: int, border: int):
        rows, columns = height + 2 * border, width + 2 * border
        # Zeros: values loaded beyond the end are multiplied by 0, and must be finite.
        memory = torch.zeros((rows * columns + _BEYOND) * channels + INPUTS, dtype=torch.bfloat16)
        self._values = memory[: rows * columns * channels].view(rows, columns, channels)
        inside = self._values[border:-border, border:-border]
        self.planes = inside.permute(2, 0, 1)
        row = columns * channels
        self.struct = Map(inside.data_ptr(), row, width, height, channels, border)

    def fill(self, planes: Tensor, *, reflect: bool) -> None:
        """Copy (C, H, W) and fill a border of 1 from it."""
        self.planes.copy_(planes)
        values, near = self._values, 2 if reflect else 1
        values[:, 0], values[:, -1] = values[:, near], values[:, -1 - near]
        values[0], values[-1] = values[near], values[-1 - near]


class _Quarter:
    """The residual blocks on features of one size."""

    def __init__(self, layers: _Layers, shape: torch.Size, threads: int):
        self.layers, self.threads = layers, threads
        (height, width), channels = shape, layers.channels[2]
        self.quarter, self._first, self._second = (
            _Map(channels, height, width, 1) for _ in range(3)
        )
        self._sums = torch.empty(height, 2, channels)
        self.residuals = self._residuals()
        self._kept = self.keep_rows(self.residuals)

    def transform(self, features: Tensor) -> Tensor:
        """Apply the residual blocks to (C, H, W) in place."""
        self.quarter.fill(features, reflect=True)
        self.run(self.residuals)
        return features.copy_(self.quarter.planes)

    def _residuals(self) -> list[Step]:
        """Return the steps from `quarter` to `quarter`."""
        x, first, second, sums = self.quarter, self._first, self._second, self._sums.data_ptr()
        steps = []
        for index, (one, two) in enumerate(self.layers.residuals):
            last = index == len(self.layers.residuals) - 1
            steps += [
                one.convolution.step(Kind.SUMS, x, first, sums=sums),
                one.step(Kind.NORMALIZE_RELU, first, first, sums=sums),
                two.convolution.step(Kind.SUMS, first, second, sums=sums),
                # Doubling repeats the border; other steps reflect it.
                two.step(Kind.NORMALIZE_ADD, second, x, sums=sums, reflect=not last),
            ]
        return steps

    def keep_rows(self, steps: list[Step]) -> list[Tensor]:
        """Give steps that keep rows of their own the memory for it, and return that memory."""
        if self.layers.amx:
            return []
        kernels = library()
        assert kernels is not None
        memory = []
        for step in steps:
            step.kept_size = kernels.brushreel_kept_size(step)
            memory.append(torch.zeros(self.threads * step.kept_size, dtype=torch.uint8))
            step.kept = memory[-1].data_ptr()
        return memory

    def run(self, steps: list[Step]) -> None:
        """Run steps one after the other."""
        kernels = library()
        assert kernels is not None
        kernels.brushreel_run(
            (Step * len(steps))(*steps), len(steps), self.threads, self.layers.amx
        )


class _Frame(_Quarter):
    """The network on frames of one size, with its memory."""

    def __init__(self, layers: _Layers, shape: torch.Size, threads: int):
        height, width = shape
        super().__init__(layers, torch.Size((height // 4, width // 4)), threads)
        self.shape = shape
        full, half, _ = layers.channels
        self._pixels = _Map(COLOURS, height, width, 1)
        self._full = _Map(full, height, width, 2)
        self._half = _Map(half, height // 2, width // 2, 2)
        self._encoder, self._decoder = self._encoding(), self._decoding()
        self._kept += self.keep_rows([*self._encoder, *self._decoder])

    def stylize(self, source: Tensor, result: Tensor) -> None:
        """Map (3, H, W) in [0, 1] to the same shape."""
        self._encoder[0].pixels = source.data_ptr()
        self._decoder[-1].pixels = result.data_ptr()
        self.run([*self._encoder, *self.residuals, *self._decoder])

    def encode(self, source: Tensor) -> Tensor:
        """Map (3, H, W) to (C, H / 4, W / 4)."""
        self._encoder[0].pixels = source.data_ptr()
        self.run(self._encoder)
        return self.quarter.planes.clone()

    def decode(self, source: Tensor, features: Tensor, result: Tensor) -> None:
        """Map (3, H, W) and (C, H / 4, W / 4) to (3, H, W)."""
        self._encoder[0].pixels = source.data_ptr()
        self.run(self._encoder[:-1])
        self.quarter.fill(features, reflect=False)
        self._decoder[-1].pixels = result.data_ptr()
        self.run(self._decoder)

    def _encoding(self) -> list[Step]:
        first, second, third = self.layers.encoder
        read = Step(kind=Kind.FROM_PIXELS, reflect=True)
        read.out = ctypes.pointer(self._pixels.struct)
        blocks = bool(self.layers.residuals)
        return [
            read,
            first.step(Kind.RELU, self._pixels, self._full),
            second.step(Kind.RELU, self._full, self._half, stride=2),
            third.step(Kind.RELU, self._half, self.quarter, stride=2, reflect=blocks),
        ]

    def _decoding(self) -> list[Step]:
        first, second = self.layers.decoder
        return [
            first.step(Kind.DOUBLE_ADD_RELU, self.quarter, self._half, reflect=False),
            second.step(Kind.DOUBLE_ADD_RELU, self._half, self._full),
            self.layers.output.step(Kind.TO_PIXELS, self._full, None),
        ]


class _Branch:
    """A convolution and the normalisation after it, inside a residual block."""

    def __init__(self, layout: Layout, block: nn.Module):
        norm = block.norm
        assert isinstance(norm, nn.InstanceNorm2d)
        self.convolution = layout.plain(*_weights(block))
        self._gains = torch.cat([norm.weight, norm.bias]).float()
        self._epsilon = norm.eps

    def step(self, kind: Kind, source: _Map, out: _Map, *, sums: int, reflect: bool = True) -> Step:
        """Return the step that normalises the convolution's result."""
        step = Step(kind=kind, reflect=reflect, epsilon=self._epsilon, sums=sums)
        step.bias = self._gains.data_ptr()
        step.source, step.out = ctypes.pointer(source.struct), ctypes.pointer(out.struct)
        return step


class _Layers:
    """A network's weights, for all frames and threads."""

    def __init__(self, layout: Layout, network: StylizingNetwork):
        self.amx, self.channels = layout.amx, network.spec.channels
        first, *strided = map(_weights, network.encoder)
        self.encoder = [layout.first(*first), *(layout.strided(*one) for one in strided)]
        self.residuals = [
            tuple(_Branch(layout, branch) for branch in block.children())
            for block in network.residuals
        ]
        self.decoder = [layout.doubled(*_weights(block)) for block in network.decoder]
        # Pixels are stored as planes of red, green and blue: some pixels of each.
        weight, bias = _weights(network.output)
        planes = across(weight).transpose(0, 1).flatten(0, 1)
        self.output = layout.output(planes, bias.repeat_interleave(ACROSS))


def _weights(block: nn.Module) -> tuple[Tensor, Tensor]:
    """Return weights and bias of a block's convolution."""
    conv = block.conv
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    return conv.weight, conv.bias


def across(weight: Tensor) -> Tensor:
    """Expand (O, C, K, K) to (ACROSS, O, C, K, K + ACROSS - 1), for each of adjacent pixels."""
    return torch.stack([F.pad(weight, (x, ACROSS - 1 - x)) for x in range(ACROSS)])


def rows_of_taps(weight: Tensor) -> Tensor:
    """Sort (O, C, K, K') into (K, K' C, O), with whole groups of outputs and a 0 beside 3 colours.

    Adjacent taps' inputs are adjacent, as they are in memory.
    """
    outputs, inputs = weight.shape[:2]
    more = COLOURS - 3 if inputs == 3 else 0
    weight = F.pad(weight, (0, 0, 0, 0, 0, more, 0, -outputs % OUTPUTS))
    return weight.permute(2, 3, 1, 0).flatten(1, 2)


def whole_groups(bias: Tensor) -> Tensor:
    """Fill (O,) up to whole groups of outputs."""
    return F.pad(bias, (0, -len(bias) % OUTPUTS)).float().contiguous()
