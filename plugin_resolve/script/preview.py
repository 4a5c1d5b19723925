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
from .survey import Cut

SOURCE = "source"
# Pixels: a CPU needs well below a second at this size.
_LONG_SIDE = 640


def make_previews(
    cut: Cut, rate: float, styles: Iterable[str], folder: Path
) -> Iterator[tuple[str, Path]]:
    """Stylize the middle frame of a cut in each style; yield the style's name and its preview.

    The source frame comes first, as `SOURCE`. It is stylized at a small size, so that strokes are
    larger than in the full-sized frame. Styles that fail are left out.
    """
    try:
        still = still_at(cut.media, (cut.first + cut.frames // 2) / rate)
        source = _small(still)
    except BrushreelError:
        return
    yield SOURCE, _save(source, still, folder / f"{SOURCE}.jpg")
    for name in styles:
        try:
            stylized = Stylizer(name)(source)
        except BrushreelError:
            continue
        yield name, _save(stylized, still, folder / f"{name}.jpg")


def _small(still: Still) -> Tensor:
    """Return (1, 3, H, W) RGB in [0, 1] with square pixels, not rotated yet."""
    rgb = to_rgb(still.frame)
    if still.frame.colour.hdr:
        rgb = to_sdr(rgb, still.frame.colour)[0]
    video = still.info.video
    width = video.width * (video.sample_aspect_ratio or 1)
    scale = min(1.0, _LONG_SIDE / max(width, video.height))
    size = (max(1, round(video.height * scale)), max(1, round(width * scale)))
    return interpolate(rgb.float(), size, mode="bilinear", antialias=True).clamp(0, 1)


def _save(rgb: Tensor, still: Still, path: Path) -> Path:
    codes = (rgb[0] * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    image = Image.fromarray(oriented(codes, still.info.video.display_matrix).copy())
    partial = path.with_suffix(".partial")
    image.save(partial, "JPEG", quality=88)
    return partial.replace(path)
