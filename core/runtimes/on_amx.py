"""The network in own kernels (`amx.c`): the fastest on CPUs with AMX, in bf16.

Low-pass filters and bilinear doublings are merged with the adjacent convolutions; between input and
output pixels, no features are rearranged or copied.
"""

from __future__ import annotations

import ctypes
import threading

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import DeviceError
from ..network import LowPass, NetworkSpec, StylizingNetwork, padded, sub_pixel
from ..style import Style
from ..tiling import Parts
from .amx_library import Kind, Map, Step, library
from .runtime import Runtime, Wanted

# Increased whenever the same frame gives other values.
_VERSION = 1
# Outputs and inputs of an AMX tile.
_OUTPUTS, _INPUTS = 16, 32
# A convolution from or to 3 channels computes 4 adjacent pixels at once: one pixel leaves most of a
# tile empty.
_ACROSS = 4
# More than the pixels of a row that are loaded at once.
_BEYOND = 256


def open_runtime(style: Style, wanted: Wanted) -> Runtime:
    """Open a style's network, see `runtime.open_runtime`."""
    if not can_run(style.spec):
        raise DeviceError("amx does not run networks of this shape", hint="use --runtime auto")
    return _Amx(style, wanted)


def can_run(spec: NetworkSpec) -> bool:
    """Return whether there are kernels for all steps of a network."""
    resized = (spec.downsampling, spec.upsampling) == ("filtered", "bilinear")
    whole_tiles = all(width % _OUTPUTS == 0 for width in spec.channels)
    return resized and whole_tiles and spec.skips and spec.normalization == "residual"


class _Amx:
    def __init__(self, style: Style, wanted: Wanted):
        self.identity = f"amx {_VERSION} {wanted.precision}"
        self.parallel = wanted.parallel
        self._layers = _Layers(style.network())
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
        return _AmxParts(self._layers, self._threads)


class _AmxParts:
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
        memory = torch.zeros((rows * columns + _BEYOND) * channels + _INPUTS, dtype=torch.bfloat16)
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

    def transform(self, features: Tensor) -> Tensor:
        """Apply the residual blocks to (C, H, W) in place."""
        self.quarter.fill(features, reflect=True)
        self.run(self.residuals())
        return features.copy_(self.quarter.planes)

    def residuals(self) -> list[Step]:
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

    def run(self, steps: list[Step]) -> None:
        """Run steps one after the other."""
        kernels = library()
        assert kernels is not None
        kernels.brushreel_run((Step * len(steps))(*steps), len(steps), self.threads)


class _Frame(_Quarter):
    """The network on frames of one size, with its memory."""

    def __init__(self, layers: _Layers, shape: torch.Size, threads: int):
        height, width = shape
        super().__init__(layers, torch.Size((height // 4, width // 4)), threads)
        self.shape = shape
        full, half, _ = layers.channels
        self._pixels = _Map(_Convolution.COLOURS, height, width, 1)
        self._full = _Map(full, height, width, 2)
        self._half = _Map(half, height // 2, width // 2, 2)
        self._residuals = self.residuals()

    def stylize(self, source: Tensor, result: Tensor) -> None:
        """Map (3, H, W) in [0, 1] to the same shape."""
        self.run([*self._encoder(source), *self._residuals, *self._decoder(result)])

    def encode(self, source: Tensor) -> Tensor:
        """Map (3, H, W) to (C, H / 4, W / 4)."""
        self.run(self._encoder(source))
        return self.quarter.planes.clone()

    def decode(self, source: Tensor, features: Tensor, result: Tensor) -> None:
        """Map (3, H, W) and (C, H / 4, W / 4) to (3, H, W)."""
        self.run(self._encoder(source)[:-1])
        self.quarter.fill(features, reflect=False)
        self.run(self._decoder(result))

    def _encoder(self, source: Tensor) -> list[Step]:
        first, second, third = self.layers.encoder
        read = Step(kind=Kind.FROM_PIXELS, reflect=True, pixels=source.data_ptr())
        read.out = ctypes.pointer(self._pixels.struct)
        blocks = bool(self.layers.residuals)
        return [
            read,
            first.step(Kind.RELU, self._pixels, self._full),
            second.step(Kind.RELU, self._full, self._half, stride=2),
            third.step(Kind.RELU, self._half, self.quarter, stride=2, reflect=blocks),
        ]

    def _decoder(self, result: Tensor) -> list[Step]:
        first, second = self.layers.decoder
        write = self.layers.output.step(Kind.TO_PIXELS, self._full, None)
        write.pixels = result.data_ptr()
        return [
            first.step(Kind.DOUBLE_ADD_RELU, self.quarter, self._half, reflect=False),
            second.step(Kind.DOUBLE_ADD_RELU, self._half, self._full),
            write,
        ]


class _Convolution:
    """A convolution's weights in `amx.c`'s layout.

    For every two groups of 16 outputs (the last may be single) and every row of taps, the inputs of
    adjacent taps are split into chunks of 32; each chunk has a tile for each of the groups, 16
    pairs of inputs by 16 outputs, the two of a pair together.

    Args:
        weight: (O, C, K, K) or, for K' - K + 1 adjacent pixels, (O, C, K, K'); C is a multiple of
            16, or 3.
        bias: (O,).
    """

    COLOURS = 4
    """Channels of padded pixels: red, green, blue and 0."""

    def __init__(self, weight: Tensor, bias: Tensor):
        outputs, inputs, self.size, width = weight.shape
        self.across = width - self.size + 1
        more = (0, -outputs % _OUTPUTS)
        weight = F.pad(weight, (0, 0, 0, 0, 0, self.COLOURS - 3 if inputs == 3 else 0, *more))
        rows = weight.permute(2, 3, 1, 0).flatten(1, 2)
        rows = F.pad(rows, (0, 0, 0, -rows.shape[1] % _INPUTS))
        tiles = rows.reshape(self.size, -1, _INPUTS // 2, 2, rows.shape[2] // _OUTPUTS, _OUTPUTS)
        tiles = tiles.permute(0, 1, 4, 2, 5, 3)
        pairs = [group.flatten() for group in tiles.split(2, dim=2)]
        self._weights = torch.cat(pairs).to(torch.bfloat16)
        self._bias = F.pad(bias, more).float().contiguous()
        self.tiles = tiles.shape[2]

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
        step.weights, step.bias, step.sums = self._weights.data_ptr(), self._bias.data_ptr(), sums
        step.source = ctypes.pointer(source.struct)
        if out is not None:
            step.out = ctypes.pointer(out.struct)
        return step


class _Branch:
    """A convolution and the normalisation after it, inside a residual block."""

    def __init__(self, block: nn.Module):
        norm = block.norm
        assert isinstance(norm, nn.InstanceNorm2d)
        self.convolution = _Convolution(*_weights(block))
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

    def __init__(self, network: StylizingNetwork):
        self.channels = network.spec.channels
        first, *strided = map(_weights, network.encoder)
        self.encoder = [
            # Outputs of 4 pixels, in the order of the map that receives them.
            _Convolution(_for_pixels_across(first[0]).flatten(0, 1), first[1].repeat(_ACROSS)),
            *(_Convolution(_filtered(weight), bias) for weight, bias in strided),
        ]
        self.residuals = [
            tuple(_Branch(branch) for branch in block.children()) for block in network.residuals
        ]
        self.decoder = [
            _Convolution(*map(_by_position, sub_pixel(*_weights(block))))
            for block in network.decoder
        ]
        # Pixels are stored as planes of red, green and blue: 4 pixels of each.
        weight, bias = _weights(network.output)
        planes = _for_pixels_across(weight).transpose(0, 1).flatten(0, 1)
        self.output = _Convolution(planes, bias.repeat_interleave(_ACROSS))


def _weights(block: nn.Module) -> tuple[Tensor, Tensor]:
    """Return weights and bias of a block's convolution."""
    conv = block.conv
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    return conv.weight, conv.bias


def _for_pixels_across(weight: Tensor) -> Tensor:
    """Expand (O, C, K, K) to (4, O, C, K, K + 3), for each of 4 adjacent pixels."""
    return torch.stack([F.pad(weight, (x, _ACROSS - 1 - x)) for x in range(_ACROSS)])


def _filtered(weight: Tensor) -> Tensor:
    """Merge (O, C, 3, 3) with the `network.LowPass` before it into (O, C, 5, 5)."""
    response = F.conv2d(F.pad(LowPass(1).kernel, (2, 2, 2, 2)), weight.reshape(-1, 1, 3, 3))
    return response.reshape(*weight.shape[:2], 5, 5).flip(2, 3)


def _by_position(values: Tensor) -> Tensor:
    """Sort `pixel_shuffle`'s outputs, grouped by channel, into groups by position."""
    return values.unflatten(0, (-1, 4)).transpose(0, 1).flatten(0, 1)
