"""Black bars that were burnt into a picture: letterbox and pillarbox."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Codes of 255: compression leaves bars a little above black.
BLACK = 12
# Less than this of a side is no bar's doing but a dark scene; 9:16 in 16:9 keeps 0.32.
LEAST_KEPT = 0.3
# Beside a bar lie rows that are half of it, by scaling and subsampled chroma.
MARGIN = 2


@dataclass(frozen=True)
class Bars:
    """Rows and columns of black on each side of every frame, pixels."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def note(self) -> tuple[str, ...]:
        """What was cropped, in words; nothing where there are no bars."""
        sides = (("rows", self.top + self.bottom), ("columns", self.left + self.right))
        return tuple(f"{count} {what} of black bars cropped" for what, count in sides if count)


def find_bars(brightest: NDArray[np.uint8]) -> Bars:
    """The bars of a shot.

    Args:
        brightest: (H, W) codes of 255: how bright each pixel ever was, in its brightest channel.
    """
    lit = brightest > BLACK
    top, bottom = _dark_ends(lit.max(1))
    left, right = _dark_ends(lit.max(0))
    return Bars(top, bottom, left, right)


def _dark_ends(lit: NDArray[np.bool_]) -> tuple[int, int]:
    places = np.flatnonzero(lit)
    if not len(places) or len(places) < LEAST_KEPT * len(lit):
        return 0, 0
    before, after = int(places[0]), len(lit) - 1 - int(places[-1])
    return (before + MARGIN if before else 0), (after + MARGIN if after else 0)
