"""Black bars burnt into a video stream: letterbox and pillarbox."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.frames.bars import BLACK

# Share of a side: where less is lit, the scene is dark and has no bars; 9:16 in 16:9 keeps 0.32.
LEAST_KEPT = 0.3
# Scaling and subsampled chroma blend the rows next to a bar with it.
MARGIN = 2


@dataclass(frozen=True)
class Bars:
    """Black rows and columns on each side of every frame, pixels."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def note(self) -> tuple[str, ...]:
        """Return what was cropped, in words; nothing where there are no bars."""
        sides = (("rows", self.top + self.bottom), ("columns", self.left + self.right))
        return tuple(f"{count} {what} of black bars cropped" for what, count in sides if count)


def find_bars(brightest: NDArray[np.uint8]) -> Bars:
    """Find the bars of a shot.

    Args:
        brightest: (H, W) codes of 255: the maximum of each pixel over frames and channels.
    """
    lit = brightest > BLACK
    top, bottom = _dark_ends(lit.max(1))
    left, right = _dark_ends(lit.max(0))
    return Bars(top, bottom, left, right)


def _dark_ends(lit: NDArray[np.bool_]) -> tuple[int, int]:
    indices = np.flatnonzero(lit)
    if not len(indices) or len(indices) < LEAST_KEPT * len(lit):
        return 0, 0
    before, after = int(indices[0]), len(lit) - 1 - int(indices[-1])
    return (before + MARGIN if before else 0), (after + MARGIN if after else 0)
