"""Measure whether a proxy looks like the final: SSIM between both, by style and proxy height.

    python benchmarks/batch/proxies.py CLIPS... [--styles wave ...] [--lines 360 540 720]
        [--frame 20] [--json FILE]

A frame of each clip, without its bars, is stylized at its own size and as proxies of fewer lines.
The full output is brought to the proxy's size and compared with the proxy's output (SSIM of luma,
Gaussian window of 1.5 pixels, Wang et al. 2004). Once at the default stroke size, and once with
`native`, where strokes have a size in pixels. The last table has the worst of all styles for each
clip.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from stroke_pictures import frame_of, scaled
from torch import Tensor
from torch.nn import functional as F

from brushreel.core.frames.colour import BT709_LUMA
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


def alike(stylizer: Stylizer, image: Tensor, heights: list[int]) -> list[float]:
    """Return the SSIM of each proxy's output and the full output at the proxy's size."""
    whole = stylizer(image)
    return [ssim(stylizer(scaled(image, n)), scaled(whole, n)) for n in heights]


def of(row: dict[str, Any], size: StrokeSize, clip: str | None = None) -> list[float]:
    """Return the values of a style at a stroke size, of one clip or of all."""
    found = row["ssim"] if row["stroke_size"] == size else {}
    return [value for name, values in found.items() if clip in (None, name) for value in values]


def print_row(label: str, *found: list[float]) -> None:
    """Print a row of a table: mean and worst of each list of values."""
    cells = (f"{mean(values):.3f} | {min(values):.3f}" for values in found)
    print(f"| {label} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--styles", nargs="*", default=list(style_paths()))
    parser.add_argument("--lines", nargs="*", type=int, default=[360, 540, 720])
    parser.add_argument("--frame", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    images = {path.name: frame_of(path, options.frame) for path in options.clips}
    sizes: tuple[StrokeSize, ...] = (1.0, "native")
    rows = []
    print("| style | stroke size | mean | worst |\n| --- | --- | --- | --- |")
    for size in sizes:
        for style in options.styles:
            stylizer = Stylizer(style, stroke_size=size)
            found = {clip: alike(stylizer, image, options.lines) for clip, image in images.items()}
            rows.append({"style": style, "stroke_size": size, "ssim": found})
            print_row(f"{style} | {size}", [value for each in found.values() for value in each])
        print_row(f"all | {size}", [value for row in rows for value in of(row, size)])
    print("\n| clip | size without bars | mean | worst | native, mean | worst |")
    print("| --- | --- | --- | --- | --- | --- |")
    for clip, image in images.items():
        height, width = image.shape[-2:]
        own, native = ([v for row in rows for v in of(row, size, clip)] for size in sizes)
        print_row(f"{clip} | {width}x{height}", own, native)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
