"""Training pairs: records of footage as tensors, and random crops of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.consistency import inside
from ...core.errors import TrainingError
from .extraction import LEAST_DEVIATION
from .footage import Footage

MOST_DRAWS = 1000


@dataclass(frozen=True)
class Pair:
    """A training pair on the CPU.

    Attributes:
        frames: (2, 3, H, W) float32 RGB in [0, 1], previous then current.
        flow: (1, 2, H, W) float32 pixels, from current into previous.
        mask: (1, 1, H, W) float32, 1 where the flow is reliable.
    """

    frames: Tensor
    flow: Tensor
    mask: Tensor

    @classmethod
    def of(
        cls, frames: NDArray[np.uint8], flow: NDArray[np.float32], visible: NDArray[np.bool_]
    ) -> Self:
        """Make a pair of (2, H, W, 3) RGB, flow (H, W, 2) in pixels and visibility (H, W)."""
        return cls(
            frames=torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255,
            flow=torch.from_numpy(flow).permute(2, 0, 1)[None],
            mask=torch.from_numpy(visible)[None, None].float(),
        )


def to_pair(record: np.void, rows: slice = slice(None), columns: slice = slice(None)) -> Pair:
    """Convert a record of `Footage.pairs`, whole or cropped, to tensors."""
    return Pair.of(
        record["frames"][:, rows, columns].copy(),
        record["flow"][rows, columns].astype(np.float32),
        record["visible"][rows, columns].copy(),
    )


class PairSampler:
    """Random crops of random pairs.

    Every clip is drawn equally often, however many of its pairs are usable.

    Args:
        footage: Clips with at least one pair each.
        crop: Side of the crops, pixels.
        longest_gap: The most frames that the two of a pair may be apart.

    Raises:
        TrainingError: A clip's frames are smaller than the crop, or no clip has such a pair.
    """

    def __init__(self, footage: list[Footage], *, crop: int, longest_gap: int = 1):
        for clip in footage:
            if min(clip.height, clip.width) < crop:
                raise TrainingError(
                    f"its frames of {clip.width}x{clip.height} are smaller than the crop of {crop}",
                    path=clip.path,
                    hint="choose a smaller crop or leave it out",
                )
        # Records are sorted by gap, so the first ones are those to draw from.
        counts = [int((clip.pairs["gap"] <= longest_gap).sum()) for clip in footage]
        self._drawn_from = [
            (clip, count) for clip, count in zip(footage, counts, strict=True) if count
        ]
        if not self._drawn_from:
            raise TrainingError(f"no clip has a usable pair {longest_gap} frames apart or less")
        self.crop = crop

    def draw(self, random: np.random.Generator) -> Pair:
        """Draw a crop that is not flat, mirrored half of the time; depends on `random` alone.

        Raises:
            TrainingError: Nearly every crop is flat.
        """
        for _ in range(MOST_DRAWS):
            clip, count = self._drawn_from[random.integers(len(self._drawn_from))]
            record = clip.pairs[random.integers(count)]
            height, width = record["visible"].shape
            top = random.integers(height - self.crop + 1)
            left = random.integers(width - self.crop + 1)
            pair = to_pair(record, slice(top, top + self.crop), slice(left, left + self.crop))
            if pair.frames.std() >= LEAST_DEVIATION:
                pair = _within_the_crop(pair)
                return _mirrored(pair) if random.random() < 0.5 else pair
        raise TrainingError(
            f"nearly every crop of {self.crop} pixels is flat",
            hint="choose a larger crop or footage with more detail",
        )


def _within_the_crop(pair: Pair) -> Pair:
    # Records only mask what comes from outside the whole frame.
    return replace(pair, mask=pair.mask * inside(pair.flow)[:, None])


def _mirrored(pair: Pair) -> Pair:
    flow = pair.flow.flip(-1)
    flow[:, 0] *= -1
    return Pair(pair.frames.flip(-1), flow, pair.mask.flip(-1))
