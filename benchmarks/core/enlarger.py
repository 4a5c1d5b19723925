"""Train a small network that enlarges luma, and compare it with the kernel that is used.

    python benchmarks/core/enlarger.py PAINTINGS --clip CLIP [--held-out NAME ...] [--steps 2000]
        [--style starry-night] [--picture FILE.png --at X Y]

The network takes paintings reduced from 1080 lines to 432 and adds to their bicubic enlargement
what it has learned, 5 x 5 pixels for every 2 x 2. Printed: PSNR and SSIM of held-out paintings; of
stylized frames of a 1080p clip the change between neighbours, how far pixels lie outside of what
is around them in the small frame (rings along edges), in codes of 255, and the milliseconds that
each takes on one thread in PyTorch. The picture shows a crop of the last frame at 200 %.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from brushreel.core.clips.media import read
from brushreel.core.frames.frame import Frame
from brushreel.core.frames.resampling import resized
from brushreel.core.frames.stroke_size import Size
from brushreel.core.frames.strokes import from_working, to_working
from brushreel.core.stylizer import Stylizer

LINES, WORKING = 1080, Size(432, 768)
WEIGHTS = torch.tensor((0.2126, 0.7152, 0.0722))
CROP, SKIPPED, FRAMES = 200, 10, 6


class Enlarger(nn.Module):
    """Network that enlarges (N, 1, h, w) luma with even sides by 5/2."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, width, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(width, 25, 4, stride=2, padding=1), nn.PixelShuffle(5)),
        )

    def forward(self, luma: Tensor) -> Tensor:
        """Return (N, 1, 5/2 h, 5/2 w)."""
        return bicubic(luma) + self.features(luma - 0.5)


def bicubic(luma: Tensor) -> Tensor:
    """Return (N, 1, 5/2 h, 5/2 w), by the kernel that is used."""
    return resized(luma, Size(luma.shape[-2] * 5 // 2, luma.shape[-1] * 5 // 2))


def painting(path: Path) -> Tensor:
    """Read the luma of a painting, reduced to 1080 lines: (1, 1, H, W), sides divisible by 10."""
    with Image.open(path) as image:
        image.thumbnail((LINES * 4, LINES))
        rgb = torch.from_numpy(np.asarray(image.convert("RGB"), np.float32) / 255)
    height, width = (side // 10 * 10 for side in rgb.shape[:2])
    return (rgb[:height, :width] @ WEIGHTS)[None, None]


def reduced(luma: Tensor) -> Tensor:
    """Reduce by 5/2."""
    return resized(luma, Size(luma.shape[-2] * 2 // 5, luma.shape[-1] * 2 // 5))


def trained(paintings: list[Tensor], steps: int) -> Enlarger:
    """Train on crops of 48 x 48 pixels, mirrored at random, for the mean absolute difference."""
    pairs, random = [(reduced(one), one) for one in paintings], np.random.default_rng(0)
    torch.manual_seed(0)
    network = Enlarger()
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def crop() -> tuple[Tensor, Tensor]:
        small, large = pairs[random.integers(len(pairs))]
        y, x = (2 * int(random.integers(0, side // 2 - 23)) for side in small.shape[-2:])
        wanted = large[..., y * 5 // 2 : y * 5 // 2 + 120, x * 5 // 2 : x * 5 // 2 + 120]
        axes = [axis for axis in (-1, -2) if random.random() < 0.5]
        return small[..., y : y + 48, x : x + 48].flip(axes), wanted.flip(axes)

    for _ in range(steps):
        small, large = map(torch.cat, zip(*(crop() for _ in range(8)), strict=True))
        # Beyond a crop's border lies what the network can't know.
        loss = (network(small) - large)[..., 10:-10, 10:-10].abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network


def ssim(one: Tensor, other: Tensor) -> float:
    """Measure the mean structural similarity of (1, 1, H, W) in [0, 1]."""
    a, b = one[0, 0].numpy(), other[0, 0].numpy()

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    first, second = mean(a), mean(b)
    both = (first * second, mean(a * b) - first * second)
    apart = (first**2 + second**2, mean(a * a) - first**2 + mean(b * b) - second**2)
    near = (2 * both[0] + 1e-4) * (2 * both[1] + 9e-4)
    return float((near / ((apart[0] + 1e-4) * (apart[1] + 9e-4))).mean())


def frames(path: Path, style: str) -> Iterator[tuple[Frame, Tensor, Frame, Frame]]:
    """Yield frames with their stylized luma at 432 lines, and finished without and with detail."""
    stylizer = Stylizer(style, device="cpu")
    clip = (frame for frame in read(path) if isinstance(frame, Frame))
    for frame in itertools.islice(clip, SKIPPED, SKIPPED + FRAMES):
        working = to_working(frame, WORKING)
        stylized = stylizer.runtime_for(*WORKING)(working.rgb)
        luma = (stylized[0] * WEIGHTS[:, None, None]).sum(0)[None, None]
        plain = from_working(stylized, working, frame, detail=0)
        yield frame, luma, plain, from_working(stylized, working, frame)


def beyond(large: Tensor, small: Tensor) -> float:
    """Measure how far pixels lie outside of the small frame's values around them, in codes."""
    size = large.shape[-2:]
    least = F.interpolate(-F.max_pool2d(-small, 3, 1, 1), size)
    most = F.interpolate(F.max_pool2d(small, 3, 1, 1), size)
    return float(((large - most).clamp(min=0) + (least - large).clamp(min=0)).mean()) * 255


def timed(work: Callable[[Tensor], Tensor], luma: Tensor) -> tuple[Tensor, float]:
    """Return the result in [0, 1], and milliseconds of processor time."""
    since = time.process_time()
    made = work(luma)
    return made.clamp(0, 1), (time.process_time() - since) * 1000


def coloured(luma: Tensor, frame: Frame) -> Image.Image:
    """Return luma with a frame's colours (4:2:0, limited range)."""
    codes = (16 + 219 * luma[0, 0]).round().clamp(16, 235).byte().numpy()
    planes = np.concatenate([plane.ravel() for plane in (codes, *frame.planes[1:])])
    yuv = planes.reshape(-1, frame.width)
    return Image.fromarray(cv2.cvtColor(yuv, cv2.COLOR_YUV2RGB_I420))


def luma_of(frame: Frame) -> Tensor:
    """Return (1, 1, H, W) in [0, 1] of a frame of limited range."""
    return ((torch.from_numpy(frame.planes[0].astype(np.float32)) - 16) / 219)[None, None]


def main() -> None:
    """Train, measure, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paintings", type=Path)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--held-out", nargs="+", default=["starry_night", "great_wave", "udnie"])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--style", default="starry-night")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--at", type=int, nargs=2, default=(600, 360))
    options = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(options.paintings.glob("*.jpg"))
    network = trained(
        [painting(path) for path in files if path.stem not in options.held_out], options.steps
    ).requires_grad_(requires_grad=False)
    ways: dict[str, Callable[[Tensor], Tensor]] = {"bicubic": bicubic, "learned": network}
    for path in files:
        if path.stem in options.held_out:
            whole = painting(path)
            for name, way in ways.items():
                made = way(reduced(whole)).clamp(0, 1)
                psnr = -10 * float(((made - whole) ** 2).mean().log10())
                print(f"{path.stem}, {name}: {psnr:.2f} dB, SSIM {ssim(made, whole):.4f}")
    compare(ways, options)


def compare(ways: dict[str, Callable[[Tensor], Tensor]], options: argparse.Namespace) -> None:
    """Measure stylized frames, and draw a crop of the last one."""
    rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    before: dict[str, Tensor] = {}
    shown: dict[str, Image.Image] = {}
    for frame, small, plain, finished in frames(options.clip, options.style):
        for name, way in ways.items():
            made, took = timed(way, small)
            if name in before:
                change = float((made - before[name]).abs().mean()) * 255
                rows[name].append((change, beyond(made, small), took))
            before[name] = made
        source = luma_of(frame)
        detail = 0.25 * (source - bicubic(reduced(source)))
        shown = {
            "bicubic": coloured(before["bicubic"], plain),
            "bicubic + detail": coloured(before["bicubic"] + detail, plain),
            "detail at edges by both (used)": coloured(luma_of(finished), plain),
            "learned": coloured(before["learned"], plain),
        }
    for name, figures in rows.items():
        change, rings, _ = np.mean(figures, axis=0)
        took = min(row[2] for row in figures)
        print(f"{name}: change {change:.2f}, rings {rings:.3f}, {took:.0f} ms")
    if options.picture:
        draw(shown, options.picture, *options.at)


def draw(shown: dict[str, Image.Image], path: Path, x: int, y: int) -> None:
    """Draw a crop of each, side by side, at 200 %."""
    sheet = np.full((2 * CROP + 30, len(shown) * (2 * CROP + 8) - 8, 3), 255, np.uint8)
    for index, (name, image) in enumerate(shown.items()):
        left = index * (2 * CROP + 8)
        crop = image.crop((x, y, x + CROP, y + CROP)).resize((2 * CROP, 2 * CROP), 0)
        sheet[30:, left : left + 2 * CROP] = np.asarray(crop)
        cv2.putText(sheet, name, (left + 4, 20), 0, 0.55, (0, 0, 0), 1, cv2.LINE_AA)
    Image.fromarray(sheet).save(path, quality=90)


if __name__ == "__main__":
    main()
