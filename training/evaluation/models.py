"""Models that can be measured: styles, and other programs' networks as ONNX models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ...core.errors import StyleError, extra
from ...core.frames.stroke_size import (
    DETAIL,
    NATURAL,
    StrokeSize,
    detail_size,
    working_size,
)
from ...core.frames.strokes import stylized_rgb
from ...core.network import padded
from ...core.style import SUFFIX as STYLE_SUFFIX
from ...core.stylizer import Stylizer

# (N, 3, H, W) RGB in [0, 1], float32, to the same, any H and W.
Model = Callable[[Tensor], Tensor]

_SIZE_MULTIPLE = 4


def open_models(
    names: Sequence[str],
    *,
    twin: str | None = None,
    peer: str | None = None,
    stroke_size: StrokeSize = NATURAL,
    detail: float = DETAIL,
    device: torch.device | str = "cpu",
) -> tuple[dict[str, Model], str | None, str | None]:
    """Open models, their twin and their peer.

    Args:
        names: See `open_model`.
        twin: The twin, named in the same way.
        peer: The peer, named in the same way.
        stroke_size: See `open_model`.
        detail: The same.
        device: Where styles run.

    Returns:
        The models by their labels, twin and peer last, the twin's label and the peer's. A label is
        the file's name without suffix or, where two would share that, the name as given.

    Raises:
        StyleError: See `open_model`.
    """
    given = [*names, *(name for name in (twin, peer) if name is not None)]
    short = Counter(_short(name) for name in set(given))
    labels = {name: _short(name) if short[_short(name)] == 1 else name for name in given}
    models = {
        label: open_model(name, stroke_size=stroke_size, detail=detail, device=device)
        for name, label in labels.items()
    }
    others = [None if name is None else labels[name] for name in (twin, peer)]
    return models, others[0], others[1]


def _short(name: str) -> str:
    path = Path(name)
    return path.stem if path.suffix.lower() in (STYLE_SUFFIX, ".onnx") else name


def open_model(
    name: str,
    *,
    stroke_size: StrokeSize = NATURAL,
    detail: float = DETAIL,
    device: torch.device | str = "cpu",
) -> Model:
    """Open a model by its name or path.

    Args:
        name: A library name, the path of a style file, or the path of an .onnx file.
        stroke_size: Other programs' networks work at the height of a style of 432 lines; exported
            styles have a stroke size of their own.
        detail: Share of the source's detail that comes back.
        device: Where a style runs, in float32; ONNX models run on the CPU.

    Raises:
        StyleError: The model is unknown or damaged, or ONNX Runtime is not installed.
        UsageError: Stroke size or detail is out of range.
    """
    if name.lower().endswith(".onnx"):
        model = OnnxModel(Path(name))
        return model if model.own_strokes else _scaled(model, stroke_size, detail)
    return Stylizer(
        name, device=str(device), precision="fp32", stroke_size=stroke_size, detail=detail
    )


def _scaled(model: Model, stroke_size: StrokeSize, detail: float) -> Model:
    """Make a model work at a style's working size, and scale as `Stylizer` does."""

    def scaled(frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        size = working_size(width, height, stroke_size)
        if size is None:
            return model(frames)
        first = detail_size(width, height, stroke_size)
        return torch.cat(
            [
                stylized_rgb(frame, model, size, detail_size=first, detail=detail)
                for frame in frames.split(1)
            ]
        )

    return scaled


class OnnxModel:
    """A stylizing network of another program, run by ONNX Runtime on the CPU.

    Its first input takes frames, (N, 3, H, W) RGB in [0, 1] float32, H and W multiples of 4; its
    first output is the same, stylized. Sizes in between are padded by repeating the border, and
    cropped back; models that `brushreel export` wrote get every size as it is, since their strokes
    follow from it.

    Attributes:
        path: Its file.
        own_strokes: It states a stroke size, and scales frames itself.

    Raises:
        ExtraError: ONNX Runtime is not installed.
        StyleError: The file is not an ONNX model.
    """

    def __init__(self, path: Path):
        with extra("onnx"):
            import onnxruntime  # noqa: PLC0415
        if not path.is_file():
            raise StyleError("no such file", path=path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # errors are raised; stderr belongs to the command
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors have no common base
            raise StyleError(
                "can't be read as an ONNX model",
                path=path,
                hint="it is damaged, or of a newer version than ONNX Runtime",
            ) from error
        self.path = path
        stated = self._session.get_modelmeta().custom_metadata_map
        self.own_strokes = "brushreel.stroke_size" in stated

    def __call__(self, frames: Tensor) -> Tensor:
        """Stylize a batch of frames.

        Raises:
            StyleError: The model fails on frames, or returns another shape.
        """
        height, width = frames.shape[-2:]
        taken = padded(frames, 1 if self.own_strokes else _SIZE_MULTIPLE, least=1)
        stylized = self._run(taken)
        if stylized.shape != taken.shape:
            raise StyleError(
                f"returns {tuple(stylized.shape)} for frames of {tuple(taken.shape)}",
                path=self.path,
            )
        return stylized[..., :height, :width].clamp(0, 1).to(frames.device)

    def _run(self, frames: Tensor) -> Tensor:
        name = self._session.get_inputs()[0].name
        try:
            return torch.from_numpy(self._session.run(None, {name: frames.cpu().numpy()})[0])
        except Exception as error:  # ONNX Runtime's errors have no common base
            height, width = frames.shape[-2:]
            raise StyleError(
                f"fails on frames of {width}x{height}",
                path=self.path,
                hint="its input must be (N, 3, H, W) of floats in [0, 1]",
            ) from error
