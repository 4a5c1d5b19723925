"""Pairs of frames at the height at which strokes are judged."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ...core.frames.resampling import resized
from ...core.frames.stroke_size import Size, StrokeSize, working_size
from ..data.sampler import Pair


def judged_size(frames: Tensor, stroke_size: StrokeSize) -> Size:
    """Return the working size of a style of 432 lines, at which frames are judged.

    There the strokes of frames are as large as those of the painting that a style is trained on.

    Args:
        frames: (..., H, W).
        stroke_size: Of the strokes in stylized frames; "native" judges frames at their own size.

    Raises:
        UsageError: It is too small for such frames.
    """
    height, width = frames.shape[-2:]
    return working_size(width, height, stroke_size) or Size(height, width)


def judged_pair(pair: Pair, size: Size) -> Pair:
    """Scale a pair, antialiased; its motion counts where that of all pixels together counted.

    Args:
        pair: Of any size.
        size: The result's.
    """
    height, width = pair.frames.shape[-2:]
    if (height, width) == size:
        return pair
    scale = pair.flow.new_tensor((size.width / width, size.height / height)).view(1, 2, 1, 1)
    # An average of flow across a motion boundary is nobody's motion: such pixels do not count.
    return Pair(
        judged_frames(pair.frames, size),
        F.adaptive_avg_pool2d(pair.flow, size) * scale,
        (F.adaptive_avg_pool2d(pair.mask, size) > 0.999).float(),
    )


def judged_frames(frames: Tensor, size: Size) -> Tensor:
    """Scale (N, 3, H, W) RGB in [0, 1], antialiased, to the same."""
    return resized(frames, size).clamp(0, 1)
