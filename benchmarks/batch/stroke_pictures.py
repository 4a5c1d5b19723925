"""Draw the pictures of docs/strokes.md and the sheet of styles from a frame of a clip.

    python benchmarks/batch/stroke_pictures.py CLIP FOLDER [--frame 60] [--style starry-night]
        [--styles NAME ...]

Writes into the folder, as JPEG: sizes.jpg (one frame at stroke sizes 0.5, 1, 2 and 4), proxy.jpg
(a 360-line proxy's output next to the full output), native.jpg (the same without a stroke size),
detail.jpg (detail 0, the default, and 1 at 100 %), crop.jpg (a 2160-line frame at 100 %) and
styles.jpg (every style that ships). Burnt-in bars are cut off.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from brushreel.core.clips.media import ClipReader
from brushreel.core.clips.sampling import sampled_frames
from brushreel.core.frames.bars import find_bars
from brushreel.core.frames.colour import to_rgb
from brushreel.core.frames.frame import Frame
from brushreel.core.frames.stroke_size import DETAIL
from brushreel.core.library import SHIPPED
from brushreel.core.stylizer import Stylizer

WIDTH, GAP, QUALITY = 1440, 4, 86
CROP = (420, 640)
"""Height and width of what is shown at 100 %."""


def frame_of(path: Path, index: int) -> Tensor:
    """Return a clip's frame, or its last one, without its bars, (1, 3, H, W) RGB."""
    with ClipReader(path) as reader:
        bars = find_bars(sampled_frames(path, reader.info.video))
        frames = (item for item in reader if isinstance(item, Frame))
        return to_rgb(bars.inside(deque(islice(frames, index + 1), 1).pop()))


def scaled(image: Tensor, lines: int) -> Tensor:
    """Bring an image to a number of lines."""
    height, width = image.shape[-2:]
    size = (lines, 2 * round(width * lines / height / 2))
    return F.interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)


def middle(image: Tensor) -> Tensor:
    """Cut out what is shown at 100 %."""
    height, width = image.shape[-2:]
    top, left = (height - CROP[0]) // 2, (width - CROP[1]) // 2
    return image[..., top : top + CROP[0], left : left + CROP[1]]


def write(path: Path, cells: Sequence[tuple[str, Tensor]], columns: int, *, fit: bool) -> None:
    """Write labelled images side by side; `fit` scales each to the sheet's share of the width."""
    pictures = [_picture(label, image, WIDTH // columns if fit else None) for label, image in cells]
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    width, heights = pictures[0].width, [max(p.height for p in row) + GAP for row in rows]
    sheet = Image.new("RGB", (columns * (width + GAP) - GAP, sum(heights) - GAP), "white")
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        sheet.paste(picture, (column * (width + GAP), sum(heights[:row])))
    sheet.save(path, quality=QUALITY)
    print(path)


def _picture(label: str, image: Tensor, width: int | None) -> Image.Image:
    codes = (image[0].permute(1, 2, 0) * 255).round().clamp(0, 255).byte().numpy()
    picture = Image.fromarray(codes)
    if width is not None:
        size = (width, round(picture.height * width / picture.width))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(15)
    box = draw.textbbox((8, 6), label, font=font)
    draw.rectangle((box[0] - 5, box[1] - 4, box[2] + 5, box[3] + 4), fill="black")
    draw.text((8, 6), label, font=font, fill="white")
    return picture


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frame", type=int, default=60)
    parser.add_argument("--style", default="starry-night")
    parser.add_argument(
        "--styles", nargs="*", default=sorted(p.stem for p in SHIPPED.glob("*.safetensors"))
    )
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    frame, style = frame_of(options.clip, options.frame), options.style
    plain = Stylizer(style)
    sizes = [
        (f"stroke size {size:g}", Stylizer(style, stroke_size=size)) for size in (0.5, 1, 2, 4)
    ]
    cells = [(label, stylizer(frame)) for label, stylizer in sizes]
    write(options.folder / "sizes.jpg", cells, 2, fit=True)
    proxy, native = scaled(frame, 360), Stylizer(style, stroke_size="native")
    for name, stylizer in (("proxy", plain), ("native", native)):
        cells = [("360-line proxy", stylizer(proxy)), ("full size", stylizer(frame))]
        write(options.folder / f"{name}.jpg", cells, 2, fit=True)
    shares = [(f"detail {share:g}", Stylizer(style, detail=share)) for share in (0, DETAIL, 1)]
    cells = [("source", middle(frame))]
    cells += [(label, middle(stylizer(frame))) for label, stylizer in shares]
    write(options.folder / "detail.jpg", cells, 2, fit=False)
    large = scaled(frame, 2160)
    cells = [("source, 2160 lines", middle(large)), (style, middle(plain(large)))]
    write(options.folder / "crop.jpg", cells, 2, fit=False)
    cells = [("source", frame), *((name, Stylizer(name)(frame)) for name in options.styles)]
    write(options.folder / "styles.jpg", cells, 3, fit=True)


if __name__ == "__main__":
    with torch.no_grad():
        main()
