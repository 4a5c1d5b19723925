"""Previews: a small frame of the timeline in every style, by which an editor picks one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from ...batch.contact_sheet import Still, still_at
from ...core.errors import BrushreelError
from ...core.frames.colour import to_rgb
from ...core.frames.hdr import to_sdr
from ...core.frames.orientation import oriented
from ...core.stylizer import Stylizer
from .dialog_choice import Look
from .survey import Cut

SOURCE = "source"
# Pixels. The smallest strokes need a source of about this many lines.
_LONG_SIDE, _SOURCE_LINES = 640, 1080


def make_previews(
    cut: Cut, rate: float, styles: Iterable[str], folder: Path, look: Look
) -> Iterator[tuple[str, Path]]:
    """Stylize the middle frame of a cut in each style; yield the style's name and its preview.

    The source frame comes first, as `SOURCE`, then the look's style. Strokes have the size that
    they will have in the full-sized frame. Previews of other looks have other names. Styles that
    fail are left out.
    """
    try:
        still = still_at(cut.media, (cut.first + cut.frames // 2) / rate)
        source = _source(still)
    except BrushreelError:
        return
    yield SOURCE, _save(source, still, folder / f"{SOURCE}.jpg")
    for name in sorted(styles, key=lambda name: name != look.first):
        try:
            stylized = Stylizer(name, stroke_size=look.stroke_size, detail=look.detail)(source)
        except BrushreelError:
            continue
        file = f"{name}.{look.stroke_size:g}.{look.detail:g}.jpg"
        yield name, _save(stylized, still, folder / file)


def _source(still: Still) -> Tensor:
    """Return (1, 3, H, W) RGB in [0, 1] with square pixels, not rotated yet."""
    rgb = to_rgb(still.frame)
    if still.frame.colour.hdr:
        rgb = to_sdr(rgb, still.frame.colour)[0]
    video = still.info.video
    width = video.width * (video.sample_aspect_ratio or 1)
    scale = min(1.0, _SOURCE_LINES / min(width, video.height))
    return _scaled(rgb.float(), round(video.height * scale), round(width * scale)).clamp(0, 1)


def _scaled(rgb: Tensor, height: int, width: int) -> Tensor:
    size = max(1, height), max(1, width)
    return interpolate(rgb, size, mode="bilinear", antialias=True)


def _save(rgb: Tensor, still: Still, path: Path) -> Path:
    height, width = rgb.shape[-2:]
    scale = min(1.0, _LONG_SIDE / max(height, width))
    small = _scaled(rgb, round(height * scale), round(width * scale))
    codes = (small[0] * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    image = Image.fromarray(oriented(codes, still.info.video.display_matrix).copy())
    partial = path.with_suffix(".partial")
    image.save(partial, "JPEG", quality=88)
    return partial.replace(path)
