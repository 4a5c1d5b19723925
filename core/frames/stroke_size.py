"""Size of strokes, and the working size of the network that gives them that size.

Footage for training is scaled to about 432 lines, so that is where a style's strokes are as large
as training made them. A stroke's size belongs to the frame, not to its pixels: 1 is that size as
a share of the frame's shorter side, whatever resolution it comes in. So a proxy looks like the
final.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal, NamedTuple

from ..errors import UsageError

StrokeSize = float | Literal["native"]
"""From `LEAST` to `MOST`, 1 for a style's own size; "native": the frame's own pixels."""

NATURAL = 1.0
"""The default, a style's own size. A frame too small for it gets the smallest strokes it can."""

DETAIL = 0.25
"""Default share of the source's texture that is added again: with much more, the camera's noise
moves the output more than half as much as without scaling (docs/strokes.md); with none, faces look
soft."""

LINES = 432
"""Shorter side at which strokes of a style without a note have their own size."""

LEAST, MOST = 0.25, 4.0
# Larger factors would enlarge a frame that has no detail for strokes.
MOST_ENLARGED = 4
# The network halves twice; sizes that it has to pad would cost a copy, and proxies of a slightly
# other shape than the final would not get the same size.
MULTIPLE = 4
LEAST_SIDE = 8


# Pixels of stranger shapes are damage.
_MOST_ASPECT = 32


def believable_aspect(ratio: Fraction | float | None) -> Fraction:
    """Return the width of a pixel over its height; 1 where none is stated, or none that can be.

    Args:
        ratio: As a file states it; not finite, not positive, or beyond 1:32 and 32:1 if damaged.
    """
    if ratio is None or not math.isfinite(ratio):
        return Fraction(1)
    return Fraction(ratio) if 1 / _MOST_ASPECT <= ratio <= _MOST_ASPECT else Fraction(1)


class Size(NamedTuple):
    """Height and width of a frame in pixels."""

    height: int
    width: int


def check_stroke_size(value: object) -> StrokeSize:
    """Refuse what is no stroke size.

    Args:
        value: A number, "native", or either as text.

    Raises:
        UsageError: It is neither.
    """
    if value == "native":
        return "native"
    try:
        size = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        size = math.nan
    if not LEAST <= size <= MOST:
        raise UsageError(f"stroke size must be native or from {LEAST:g} to {MOST:g}, not {value}")
    return size


def check_detail(value: float) -> float:
    """Refuse what is no share of the source's detail.

    Raises:
        UsageError: It does not lie between 0 and 1.
    """
    if not 0 <= value <= 1:
        raise UsageError(f"detail must lie between 0 and 1, not {value}")
    return value


def working_size(
    width: int,
    height: int,
    stroke_size: StrokeSize,
    *,
    lines: float = LINES,
    sample_aspect_ratio: Fraction | float = 1,
) -> Size | None:
    """Return the size at which the network stylizes a frame, in square pixels.

    Its shorter side as shown has about `lines` / `stroke_size` lines: portrait and landscape alike,
    so that it does not matter whether a frame was rotated before or after.

    Args:
        width: Of the whole frame in pixels, however small a part of it is stylized.
        height: Of the whole frame in pixels.
        stroke_size: See `StrokeSize`.
        lines: At which the style's strokes have their own size.
        sample_aspect_ratio: Width of a pixel by its height.

    Returns:
        Multiples of 4, so that the shape is the frame's to within 2 pixels; None for "native".

    Raises:
        UsageError: It has more than 4 times the frame's own lines, and `stroke_size` is not the
            default.
    """
    if stroke_size == "native":
        return None
    shorter = min(width * float(sample_aspect_ratio), height)
    most = MOST_ENLARGED * shorter
    if lines / stroke_size > most and stroke_size != NATURAL:
        raise UsageError(
            f"a stroke size of {stroke_size:g} is too small for a frame of {width}x{height}",
            hint=f"use at least {lines / shorter / MOST_ENLARGED:.2f}, or native",
        )
    return _size(width, height, min(lines / stroke_size, most), sample_aspect_ratio)


def detail_size(
    width: int,
    height: int,
    stroke_size: StrokeSize,
    *,
    lines: float = LINES,
    sample_aspect_ratio: Fraction | float = 1,
) -> Size | None:
    """Return the size beyond which a frame has detail that the stylized one has not.

    Where strokes are larger than their own size, that is as for these: else a face would show
    through strokes that are too large for it, as in a double exposure. Arguments and result are
    those of `working_size`.
    """
    if stroke_size == "native":
        return None
    shorter = min(width * float(sample_aspect_ratio), height)
    lines = min(lines / min(stroke_size, NATURAL), MOST_ENLARGED * shorter)
    return _size(width, height, lines, sample_aspect_ratio)


def _size(width: int, height: int, lines: float, sample_aspect_ratio: Fraction | float) -> Size:
    shown = width * float(sample_aspect_ratio)
    scale = lines / min(shown, height)
    return Size(_whole(height * scale), _whole(shown * scale))


def _whole(side: float) -> int:
    return max(LEAST_SIDE, MULTIPLE * round(side / MULTIPLE))
