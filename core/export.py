"""A style as an ONNX model, for other programs and for ONNX Runtime."""

from __future__ import annotations

import importlib
import io
import logging
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .atomic import atomic_write
from .errors import DeviceError, OutputError, extra_hint
from .frames.colour import BT709_LUMA
from .network import StylizingNetwork
from .options import PixelLayout
from .runtimes.folded import folded
from .style import Style
from .version import __version__

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

# Sizes at which a model is tried: a multiple of 4, others, and below the network's least.
_TRIALS = ((64, 96), (66, 50), (8, 6))
_LARGEST_DIFFERENCE = {"float": 1e-3, "rgb8": 1, "nv12": 1}
# Neither side is a multiple of 4: the exporter would conclude that a side never needs padding.
_EXAMPLE = (66, 90)


def export_onnx(style: Style, path: Path, *, pixels: PixelLayout = "float") -> None:
    """Write a model with dynamic batch, height and width, after a trial at three sizes.

    Its metadata names the style, its digest, the layout and the range of values.

    Args:
        style: The style to export.
        path: The file to write; it appears only when it is complete.
        pixels: "float": `frames` and `painted`, (N, 3, H, W) RGB in [0, 1], float32. "rgb8":
            (N, H, W, 3) RGB, uint8. "nv12": `luma` (N, H, W) and `chroma` (N, H / 2, W / 2, 2),
            uint8, limited-range BT.709 with chroma at the left, the outputs `painted_luma` and
            `painted_chroma`; even sizes.

    Raises:
        DeviceError: The packages for it are not installed.
        OutputError: It can't be written, or its frames differ from the network's.
    """
    onnx, onnxruntime = (_package(name) for name in ("onnx", "onnxruntime"))
    module = _WRAPPERS[pixels](folded(style.network()))
    model = _converted(module, pixels)
    _name_sizes(model, pixels)
    for key, value in _about(style, pixels).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    _try(onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]), module, pixels)
    try:
        with atomic_write(path) as file:
            file.write(data)
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", path=path) from error


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DeviceError(f"{name} is not installed", hint=extra_hint("onnx")) from error


def _about(style: Style, pixels: PixelLayout) -> dict[str, str]:
    layouts = {
        "float": "(N, 3, H, W) RGB, float32 in [0, 1]",
        "rgb8": "(N, H, W, 3) RGB, uint8 in 0 to 255",
        "nv12": "NV12 planes, uint8, limited-range BT.709, chroma sited left",
    }
    painting = style.painting
    return {
        "brushreel.version": __version__,
        "brushreel.style": style.name,
        "brushreel.digest": style.digest,
        "brushreel.painting": f"{painting.artist}, {painting.title}, {painting.year}",
        "brushreel.pixels": layouts[pixels],
    }


def _converted(module: nn.Module, pixels: PixelLayout) -> ModelProto:
    """Convert a module with PyTorch's exporter."""
    _package("onnxscript")
    height, width = _SIDES[pixels]
    dynamic = dict.fromkeys((0, height, width), torch.export.Dim.DYNAMIC)
    examples = _example_images(pixels, 2, *_EXAMPLE)
    inputs, outputs = _NAMES[pixels]
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), _quiet():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            examples,
            dynamo=True,
            dynamic_shapes=tuple(dynamic for _ in examples),
            input_names=inputs,
            output_names=outputs,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _name_sizes(model: ModelProto, pixels: PixelLayout) -> None:
    """Name the dynamic sizes in words that people read, instead of formulas."""
    height, width = _SIDES[pixels]
    half = " / 2" if pixels == "nv12" else ""
    for index, value in enumerate((*model.graph.input, *model.graph.output)):
        sides = value.type.tensor_type.shape.dim
        suffix = half if index % 2 else ""
        sides[0].dim_param = "batch"
        sides[height].dim_param, sides[width].dim_param = f"height{suffix}", f"width{suffix}"
    del model.graph.value_info[:]


class _quiet:  # noqa: N801  reads as a word in a with statement
    """A context in which the exporter's own log stays silent."""

    def __enter__(self) -> None:
        self._level = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self._level)


def _try(session: InferenceSession, module: nn.Module, pixels: PixelLayout) -> None:
    """Run the model as another program would.

    Raises:
        OutputError: Its frames differ from the network's.
    """
    for height, width in _TRIALS:
        images = _example_images(pixels, 1, height, width)
        feed = {name: image.numpy() for name, image in zip(_NAMES[pixels][0], images, strict=True)}
        with torch.no_grad():
            wanted = module(*images)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        for got, right in zip(session.run(None, feed), wanted, strict=True):
            off = (torch.from_numpy(got).float() - right.float()).abs().max().item()
            if off > _LARGEST_DIFFERENCE[pixels]:
                raise OutputError(
                    f"the exported model differs from the network by {off:.3g} at {width}x{height}",
                    hint="another release of onnxruntime or torch may help",
                )


_SIDES = {"float": (2, 3), "rgb8": (1, 2), "nv12": (1, 2)}
"""Indices of the dimensions of height and width."""
_NAMES: dict[str, tuple[list[str], list[str]]] = {
    "float": (["frames"], ["painted"]),
    "rgb8": (["frames"], ["painted"]),
    "nv12": (["luma", "chroma"], ["painted_luma", "painted_chroma"]),
}


def _example_images(pixels: PixelLayout, count: int, height: int, width: int) -> tuple[Tensor, ...]:
    """Return noise in the layout of the model's inputs."""
    generator = torch.Generator().manual_seed(0)
    if pixels == "float":
        return (torch.rand(count, 3, height, width, generator=generator),)
    shapes = {
        "rgb8": [(count, height, width, 3)],
        "nv12": [(count, height, width), (count, height // 2, width // 2, 2)],
    }
    noise = (torch.randint(16, 236, shape, generator=generator) for shape in shapes[pixels])
    return tuple(image.to(torch.uint8) for image in noise)


class _Rgb8(nn.Module):
    """The network between (N, H, W, 3) uint8 and the same."""

    def __init__(self, network: StylizingNetwork):
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        stylized = self.network(frames.permute(0, 3, 1, 2).to(torch.float32) / 255)
        return (stylized.permute(0, 2, 3, 1) * 255).round().to(torch.uint8)


class _Nv12(nn.Module):
    """The network between limited-range BT.709 planes (H.273), chroma at the left."""

    def __init__(self, network: StylizingNetwork):
        super().__init__()
        self.network = network
        kr, _, kb = BT709_LUMA
        kg = 1 - kr - kb
        to_rgb = torch.tensor(
            [
                [1.0, 0.0, 2 * (1 - kr)],
                [1.0, -2 * (1 - kb) * kb / kg, -2 * (1 - kr) * kr / kg],
                [1.0, 2 * (1 - kb), 0.0],
            ]
        )
        self.register_buffer("to_rgb", to_rgb)
        self.register_buffer("from_rgb", torch.linalg.inv(to_rgb))

    def forward(self, luma: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
        y = (luma.to(torch.float32).unsqueeze(1) - 16) / 219
        c = _doubled((chroma.permute(0, 3, 1, 2).to(torch.float32) - 128) / 224)
        rgb = torch.einsum("ij,njhw->nihw", self.to_rgb, torch.cat([y, c], 1)).clamp(0, 1)
        ycc = torch.einsum("ij,njhw->nihw", self.from_rgb, self.network(rgb))
        stylized_luma = (ycc[:, 0] * 219 + 16).round().to(torch.uint8)
        halved = _halved(ycc[:, 1:]).permute(0, 2, 3, 1)
        return stylized_luma, (halved * 224 + 128).round().clamp(16, 240).to(torch.uint8)


def _doubled(chroma: Tensor) -> Tensor:
    """Double (N, 2, h, w) bilinearly; samples are on even columns, between rows."""
    right = torch.cat([chroma[..., 1:], chroma[..., -1:]], 3)
    wide = torch.stack([chroma, (chroma + right) / 2], -1).flatten(3)
    return F.interpolate(wide, scale_factor=(2.0, 1.0), mode="bilinear")


def _halved(chroma: Tensor) -> Tensor:
    """Halve (N, 2, 2h, 2w) to (N, 2, h, w), by a tent of three columns and the mean of two rows."""
    rows = (chroma[..., 0::2, :] + chroma[..., 1::2, :]) / 2
    even, odd = rows[..., 0::2], rows[..., 1::2]
    left = torch.cat([even[..., :1], odd[..., :-1]], 3)
    return (left + 2 * even + odd) / 4


_WRAPPERS: dict[str, Callable[[StylizingNetwork], nn.Module]] = {
    "float": lambda network: network,
    "rgb8": _Rgb8,
    "nv12": _Nv12,
}
