"""Images of a run's report: frames before and after, and the losses over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...core.errors import extra

with extra("train"):
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

# The sheet, pixels.
WIDEST = 1600
GAP = 16
TEXT = 20
GREY, INK = (96, 96, 96), (240, 240, 240)
# Pillow's own font has little beyond ASCII.
FONT = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
LINE = "#20639b"


def draw_painting(painting: Tensor) -> bytes:
    """Return a painting, (3, H, W) RGB in [0, 1], as PNG, scaled down to fit beside the sheet."""
    return _png(_fitting((painting.detach().float().clamp(0, 1) * 255).round().byte()))


def draw_frame(frame: Tensor) -> bytes:
    """Return a frame, (3, H, W) RGB, uint8, as PNG of its own size."""
    return _png(_image(frame))


def draw_sheet(sheet: Sequence[tuple[str, Tensor, Tensor]]) -> bytes:
    """Draw frames before and after, a row for each clip under its name, as PNG.

    Args:
        sheet: Name of a clip, a frame of it and the same frame stylized, both (3, H, W) RGB,
            uint8; one or more. They are scaled down to fit, never up.
    """
    rows = [(name, [_fitting(frame) for frame in frames]) for name, *frames in sheet]
    column = max(image.width for _, pair in rows for image in pair)
    heights = [2 * TEXT + max(image.height for image in pair) for _, pair in rows]
    canvas = Image.new("RGB", (3 * GAP + 2 * column, sum(heights) + GAP), GREY)
    draw, font = ImageDraw.Draw(canvas), ImageFont.truetype(FONT, TEXT)
    top = 0
    for (name, pair), height in zip(rows, heights, strict=True):
        text = shortened(name, canvas.width - 2 * GAP, font)
        draw.text((GAP, top + 1.6 * TEXT), text, INK, font, anchor="ls")
        for index, image in enumerate(pair):
            canvas.paste(image, (GAP + index * (column + GAP), top + 2 * TEXT))
        top += height
    return _png(canvas)


def _fitting(frame: Tensor) -> Image.Image:
    image = _image(frame)
    side = (WIDEST - 3 * GAP) // 2
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def _image(frame: Tensor) -> Image.Image:
    return Image.fromarray(frame.permute(1, 2, 0).contiguous().cpu().numpy())


def _png(image: Image.Image) -> bytes:
    content = BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def shortened(name: str, width: float, font: ImageFont.FreeTypeFont) -> str:
    """Return as much of a name as fits, without line breaks."""
    name = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
    if font.getlength(name) <= width:
        return name
    while name and font.getlength(f"{name}…") > width:
        name = name[:-1]
    return f"{name}…"


def draw_losses(losses: Mapping[str, NDArray[np.float64]], window: int) -> bytes:
    """Plot four losses over the steps, a dot for each step and a line for their mean, as PNG.

    Args:
        losses: Name to values, (steps,) each.
        window: Steps that the line averages over, at most half of all.
    """
    figure = Figure(figsize=(10, 6.4), layout=ConstrainedLayoutEngine(hspace=0.06, wspace=0.05))
    panels = figure.subplots(2, 2, sharex=True).flatten()
    for panel, (name, values) in zip(panels, losses.items(), strict=True):
        _draw_loss(panel, name, values, window)
    for panel in panels[2:]:
        panel.set_xlabel("step")
    content = BytesIO()
    figure.savefig(content, format="png", dpi=130)
    return content.getvalue()


def _draw_loss(panel: Axes, name: str, values: NDArray[np.float64], window: int) -> None:
    count = len(values)
    steps = np.arange(1, count + 1)
    mean = moving_mean(values, window)
    faint = float(np.clip(10 / count**0.5, 0.04, 0.5))
    panel.plot(steps, values, ".", color=LINE, markersize=4, markeredgewidth=0, alpha=faint)
    panel.plot(steps, mean, color=LINE, linewidth=1.8)
    panel.set_title(name, loc="left", fontsize="medium", fontweight="bold")
    end = float(f"{values[-window:].mean():.3g}")
    panel.set_title(f"{end:g} at the end", loc="right", fontsize="medium", color="dimgrey")
    panel.set_xlim(0, count + 1)
    panel.locator_params(axis="x", integer=True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(alpha=0.3)
    _scale(panel, values, mean)


def _scale(panel: Axes, values: NDArray[np.float64], mean: NDArray[np.float64]) -> None:
    """Scale a panel to the line and most of the dots: outliers would flatten both."""
    low, high = np.quantile(values, (0.02, 0.98))
    low, high = min(low, mean.min()), max(high, mean.max())
    if not 0 < 10 * low < high:
        panel.set_ylim(0, 1.1 * high or 1)
        return
    panel.set(yscale="log", ylim=(low / 1.2, high * 1.2))
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))


def moving_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return (steps,), the mean of the values around each step, weighted by a Hann window."""
    near = np.hanning(2 * window + 1)[1:-1]
    return np.convolve(values, near, "same") / np.convolve(np.ones(len(values)), near, "same")
