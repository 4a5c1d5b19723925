"""Consecutive frames of a clip as every model stylizes them: a strip over time, and one frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch
from torch import Tensor

from ...core.errors import extra
from ...core.frames.resampling import resized
from .models import Model
from .sequences import FrameSequence
from .table import SOURCE

with extra("train"):
    from PIL import Image, ImageDraw, ImageFont

    from ..reporting.report_images import FONT, GAP, GREY, INK, TEXT, shortened

MOST_FRAMES = 100
# On the page: how high strips are, how wide each of their columns, and how wide frames; pixels.
STRIP_HEIGHT, COLUMN = 480, 4
FRAME_WIDTH, LEAST_WIDTH = 768, 240
# Pictures side by side.
STRIPS, FRAMES = 4, 2


@dataclass(frozen=True, eq=False)
class Film:
    """Frames of one clip, stylized one after the other.

    Attributes:
        clip: Its name.
        strips: Name of a model, first the source, to (3, H, N) RGB in [0, 1]: the middle column of
            each of N frames.
        frames: The same to (3, H, W), one of the frames.
    """

    clip: str
    strips: dict[str, Tensor]
    frames: dict[str, Tensor]


@torch.no_grad()
def stylize_film(
    models: Mapping[str, Model],
    sequences: Iterable[FrameSequence],
    *,
    device: torch.device | str = "cpu",
) -> Film | None:
    """Stylize consecutive frames of the first clip that has any; None where none has.

    Args:
        models: Name to model; each gets (1, 3, H, W) RGB in [0, 1], float32, on `device`.
        sequences: To choose from.
        device: Device of the frames.
    """
    for sequence in sequences:
        columns: dict[str, list[Tensor]] = {SOURCE: [], **{name: [] for name in models}}
        shown: dict[str, Tensor] = {}
        for index, source in enumerate(sequence.consecutive(MOST_FRAMES)):
            for name, parts in columns.items():
                frame = source.to(device)
                frame = (frame if name == SOURCE else models[name](frame))[0].cpu()
                parts.append(frame[..., frame.shape[-1] // 2].clone())
                if index <= MOST_FRAMES // 2:
                    shown[name] = frame
        if shown:
            strips = {name: torch.stack(parts, -1) for name, parts in columns.items()}
            return Film(sequence.name, strips, shown)
    return None


def draw_strips(film: Film) -> bytes:
    """Draw the strips side by side under their models' names, as PNG."""
    return _grid({name: _strip(strip) for name, strip in film.strips.items()}, STRIPS)


def draw_frames(film: Film) -> bytes:
    """Draw the frames, scaled down, under their models' names, as PNG."""
    return _grid({name: _frame(frame) for name, frame in film.frames.items()}, FRAMES)


def _strip(strip: Tensor) -> Image.Image:
    _, height, columns = strip.shape
    return _image(
        resized(strip, (min(height, STRIP_HEIGHT), columns)).repeat_interleave(COLUMN, -1)
    )


def _frame(frame: Tensor) -> Image.Image:
    _, height, width = frame.shape
    scale = min(1.0, FRAME_WIDTH / width)
    return _image(resized(frame, (max(1, round(height * scale)), max(1, round(width * scale)))))


def _image(pixels: Tensor) -> Image.Image:
    codes = (pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(codes.numpy()))


def _grid(images: Mapping[str, Image.Image], columns: int) -> bytes:
    first = next(iter(images.values()))
    width, height = max(first.width, LEAST_WIDTH) + GAP, first.height + 2 * TEXT
    rows = -(-len(images) // columns)
    canvas = Image.new("RGB", (min(columns, len(images)) * width + GAP, rows * height + GAP), GREY)
    draw, font = ImageDraw.Draw(canvas), ImageFont.truetype(FONT, TEXT)
    for index, (name, image) in enumerate(images.items()):
        left, top = GAP + index % columns * width, index // columns * height
        draw.text((left, top + 1.6 * TEXT), shortened(name, width - GAP, font), INK, font, "ls")
        canvas.paste(image, (left, top + 2 * TEXT))
    content = BytesIO()
    canvas.save(content, "PNG")
    return content.getvalue()
