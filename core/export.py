"""A style as an ONNX model, for other programs and for ONNX Runtime."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .atomic import atomic_write
from .errors import OutputError, extra
from .export_modules import WRAPPERS
from .export_scaling import STROKE_SIZE, StrokesInModel
from .frames.stroke_size import DETAIL, NATURAL, StrokeSize, check_detail, check_stroke_size
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
# Stroke sizes at which a model that has it as an input is tried.
_TRIED = (0.5, NATURAL, 1.7)


def export_onnx(
    style: Style,
    path: Path,
    *,
    pixels: PixelLayout = "float",
    stroke_size: StrokeSize | Literal["input"] = NATURAL,
    detail: float = DETAIL,
) -> None:
    """Write a model with dynamic batch, height and width, after a trial at several sizes.

    Its metadata names the style, its digest and lines, stroke size and detail, the layout and the
    range of values.

    Args:
        style: The style to export.
        path: The file to write; it appears only when it is complete.
        pixels: "float": `frames` and `painted`, (N, 3, H, W) RGB in [0, 1], float32. "rgb8":
            (N, H, W, 3) RGB, uint8. "nv12": `luma` (N, H, W) and `chroma` (N, H / 2, W / 2, 2),
            uint8, limited-range BT.709 with chroma at the left, the outputs `painted_luma` and
            `painted_chroma`; even sizes.
        stroke_size: The model scales frames, of square pixels, to the working size for such strokes
            and back. "native": it is the network alone. "input": `stroke_size` is an input of the
            model, a float64 without dimensions.
        detail: Share of the source's finest detail that it adds again, 0 to 1.

    Raises:
        UsageError: Stroke size or detail is out of range.
        ExtraError: The packages for it are not installed.
        OutputError: It can't be written, or its frames differ from those of `Stylizer`.
    """
    if stroke_size != "input":
        stroke_size = check_stroke_size(stroke_size)
    detail = check_detail(detail)
    with extra("onnx"):
        import onnx  # noqa: PLC0415
        import onnxruntime  # noqa: PLC0415
        import onnxscript  # noqa: F401, PLC0415  PyTorch's exporter needs it
    network = folded(style.network())
    if stroke_size == "native":
        module = WRAPPERS[pixels](network)
        model = _converted(module, pixels)
        trials = [(module, _TRIALS, {})]
    else:
        is_input = stroke_size == "input"
        strokes = StrokesInModel(
            network,
            pixels,
            stroke_size=None if stroke_size == "input" else stroke_size,
            lines=style.lines,
            detail=detail,
        )
        model = _converted(strokes.module, pixels, strokes.example_sides(*_EXAMPLE))
        model = strokes.add_to(model, _SIDES[pixels][0])
        trials = [
            (
                partial(strokes.reference, stroke_size=size),
                strokes.trial_sizes(size),
                {STROKE_SIZE: np.array(size)} if is_input else {},
            )
            for size in (_TRIED if stroke_size == "input" else (stroke_size,))
        ]
    _name_sizes(model, pixels)
    for key, value in _about(style, pixels, stroke_size, detail).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    for wanted, sizes, more in trials:
        _try(session, wanted, pixels, sizes, more)
    try:
        with atomic_write(path) as file:
            file.write(data)
    except OSError as error:
        raise OutputError.because(error, "can't be written", path=path) from error


def _about(
    style: Style, pixels: PixelLayout, stroke_size: StrokeSize | Literal["input"], detail: float
) -> dict[str, str]:
    layouts = {
        "float": "(N, 3, H, W) RGB, float32 in [0, 1]",
        "rgb8": "(N, H, W, 3) RGB, uint8 in 0 to 255",
        "nv12": "NV12 planes, uint8, limited-range BT.709, chroma sited left",
    }
    painting, native = style.painting, stroke_size == "native"
    return {
        "brushreel.version": __version__,
        "brushreel.style": style.name,
        "brushreel.digest": style.digest,
        "brushreel.painting": f"{painting.artist}, {painting.title}, {painting.year}",
        "brushreel.pixels": layouts[pixels],
        "brushreel.lines": str(style.lines),
        "brushreel.stroke_size": (
            stroke_size if isinstance(stroke_size, str) else f"{stroke_size:g}"
        ),
        "brushreel.detail": "none" if native else f"{detail:g}",
    }


def _converted(
    module: nn.Module, pixels: PixelLayout, sides: dict[str, Tensor] | None = None
) -> ModelProto:
    """Convert a module with PyTorch's exporter.

    Args:
        module: It takes images, and a dictionary of sides if there are any.
        pixels: Layout of the images.
        sides: Examples of vectors that are inputs too, of dynamic lengths.
    """
    height, width = _SIDES[pixels]
    examples = _example_images(pixels, 2, *_EXAMPLE)
    inputs, outputs = _NAMES[pixels]
    dynamic = dict.fromkeys((0, height, width), torch.export.Dim.DYNAMIC)
    of_sides = {name: {0: torch.export.Dim.DYNAMIC} for name in sides or {}}
    with torch.no_grad(), warnings.catch_warnings(), redirect_stdout(io.StringIO()), _quiet():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            # A dictionary at the end is taken for keyword arguments.
            (*examples, sides, {}) if sides else examples,
            dynamo=True,
            dynamic_shapes=(*(dynamic for _ in examples), *([of_sides] if sides else [])),
            input_names=[*inputs, *of_sides],
            output_names=outputs,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _name_sizes(model: ModelProto, pixels: PixelLayout) -> None:
    """Name the dynamic sizes in words that people read, instead of formulas."""
    height, width = _SIDES[pixels]
    half = " / 2" if pixels == "nv12" else ""
    images = (
        each for each in (*model.graph.input, *model.graph.output) if each.name != STROKE_SIZE
    )
    for index, value in enumerate(images):
        sides = value.type.tensor_type.shape.dim
        suffix = half if index % 2 else ""
        sides[0].dim_param = "batch"
        sides[height].dim_param, sides[width].dim_param = f"height{suffix}", f"width{suffix}"
    del model.graph.value_info[:]
    # The exporter's notes on where each operator comes from are a tenth of the file.
    for node in model.graph.node:
        del node.metadata_props[:]


class _quiet:  # noqa: N801  reads as a word in a with statement
    """A context in which the exporter's own log stays silent."""

    def __enter__(self) -> None:
        self._level = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self._level)


def _try(
    session: InferenceSession,
    stylized: Callable[..., Tensor | tuple[Tensor, ...]],
    pixels: PixelLayout,
    sizes: Sequence[tuple[int, int]],
    more: Mapping[str, NDArray[np.float64]],
) -> None:
    """Run the model as another program would, with `more` inputs beside the images.

    Raises:
        OutputError: Its frames differ from those that `stylized` gives.
    """
    for height, width in sizes:
        images = _example_images(pixels, 1, height, width)
        feed = {name: image.numpy() for name, image in zip(_NAMES[pixels][0], images, strict=True)}
        with torch.no_grad():
            wanted = stylized(*images)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        for got, right in zip(session.run(None, feed | dict(more)), wanted, strict=True):
            off = (torch.from_numpy(got).float() - right.float()).abs().max().item()
            if not off <= _LARGEST_DIFFERENCE[pixels]:
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
