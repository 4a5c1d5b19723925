"""Measure whether a proxy looks like the final: SSIM between both, by style and proxy height.

    python benchmarks/batch/proxies.py CLIPS... [--styles wave ...] [--lines 360 540 720]
        [--frame 20] [--json FILE]

A frame of each clip is stylized at its own size and as proxies of fewer lines. The full output is
brought to the proxy's size and compared with the proxy's output (SSIM of luma, Gaussian window of
1.5 pixels, Wang et al. 2004). Once at the default stroke size, and once with `native`, where
strokes have a size in pixels.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor
from torch.nn import functional as F

from brushreel.core.clips.media import ClipReader
from brushreel.core.frames.colour import BT709_LUMA, to_rgb
from brushreel.core.frames.frame import Frame
from brushreel.core.frames.stroke_size import StrokeSize
from brushreel.core.library import style_paths
from brushreel.core.stylizer import Stylizer

SIGMA, REACH = 1.5, 5


def ssim(one: Tensor, other: Tensor) -> float:
    """Return the mean structural similarity of two (1, 3, H, W) RGB images in [0, 1]."""
    weights = torch.tensor(BT709_LUMA).view(1, 3, 1, 1)
    x, y = ((image * weights).sum(1, keepdim=True) for image in (one, other))
    mean_x, mean_y = _blurred(x), _blurred(y)
    spread_x, spread_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    together = _blurred(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    return (light * (2 * together + 0.03**2) / (spread_x + spread_y + 0.03**2)).mean().item()


def _blurred(image: Tensor) -> Tensor:
    places = torch.arange(-REACH, REACH + 1, dtype=torch.float32)
    kernel = torch.exp(-(places**2) / (2 * SIGMA**2))
    kernel = (kernel / kernel.sum()).view(1, 1, -1, 1)
    return F.conv2d(F.conv2d(image, kernel), kernel.mT)


def scaled(image: Tensor, lines: int) -> Tensor:
    """Bring an image to fewer lines, as an editing program makes a proxy."""
    height, width = image.shape[-2:]
    size = (lines, 2 * round(width * lines / height / 2))
    return F.interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)


def alike(stylizer: Stylizer, image: Tensor, lines: int) -> float:
    """Return the SSIM of a proxy's output and the full output at the proxy's size."""
    return ssim(stylizer(scaled(image, lines)), scaled(stylizer(image), lines))


def frames_of(clips: list[Path], index: int) -> Iterator[tuple[str, Tensor]]:
    """Yield a frame of each clip as (1, 3, H, W) RGB."""
    for path in clips:
        with ClipReader(path) as reader:
            frames = (item for item in reader if isinstance(item, Frame))
            yield path.name, to_rgb(next(islice(frames, index, None)))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--styles", nargs="*", default=list(style_paths()))
    parser.add_argument("--lines", nargs="*", type=int, default=[360, 540, 720])
    parser.add_argument("--frame", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    images = list(frames_of(options.clips, options.frame))
    sizes: tuple[StrokeSize, ...] = (1.0, "native")
    rows = []
    print("| style | stroke size | mean | worst |\n| --- | --- | --- | --- |")
    for size in sizes:
        found = []
        for style in options.styles:
            stylizer = Stylizer(style, stroke_size=size)
            values = [alike(stylizer, image, n) for _, image in images for n in options.lines]
            rows.append({"style": style, "stroke_size": size, "ssim": values})
            print(f"| {style} | {size} | {mean(values):.3f} | {min(values):.3f} |", flush=True)
            found += values
        print(f"| all | {size} | {mean(found):.3f} | {min(found):.3f} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
