"""Previews: a small frame of the timeline in every style, by which an editor picks one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from ...batch.contact_sheet import Still, shown_rgb, still_at, stylized_rgb
from ...core.errors import BrushreelError
from ...core.frames.orientation import oriented
from ...core.stylizer import Stylizer
from .dialog_choice import Look
from .survey import Cut

SOURCE = "source"
_LONG_SIDE = 640  # pixels


def make_previews(
    cut: Cut, rate: float, styles: Iterable[str], folder: Path, look: Look
) -> Iterator[tuple[str, Path]]:
    """Stylize the middle frame of a cut in each style; yield the style's name and its preview.

    The source frame comes first, as `SOURCE`, then the look's style. Frames are stylized at their
    full size, as shots will be: strokes have the same size in the frame, bars are passed through.
    Previews of other looks have other names. Styles that fail are left out.
    """
    try:
        still = still_at(cut.media, (cut.first + cut.frames // 2) / rate)
        source = _save(shown_rgb(still.frame), still, folder / f"{SOURCE}.jpg")
    except BrushreelError:
        return
    yield SOURCE, source
    for name in sorted(styles, key=lambda name: name != look.first):
        try:
            stylizer = Stylizer(name, stroke_size=look.stroke_size, detail=look.detail)
            stylized = stylized_rgb(still, stylizer)
        except BrushreelError:
            continue
        file = f"{name}.{look.stroke_size:g}.{look.detail:g}.jpg"
        yield name, _save(stylized, still, folder / file)


def _save(rgb: Tensor, still: Still, path: Path) -> Path:
    """Write (1, 3, H, W) RGB in [0, 1] as a small image with square pixels, upright."""
    video = still.info.video
    width = video.width * (video.sample_aspect_ratio or 1)
    scale = min(1, _LONG_SIDE / max(video.height, width))
    size = max(1, round(video.height * scale)), max(1, round(width * scale))
    small = interpolate(rgb.float(), size, mode="bilinear", antialias=True)
    codes = (small[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    image = Image.fromarray(oriented(codes, video.display_matrix).copy())
    partial = path.with_suffix(".partial")
    image.save(partial, "JPEG", quality=88)
    return partial.replace(path)
