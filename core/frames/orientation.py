"""Pictures turned and mirrored as they are to be shown."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Samples = TypeVar("Samples", bound=np.generic)


def turned(picture: NDArray[Samples], matrix: tuple[int, ...] | None) -> NDArray[Samples]:
    """A picture as FFmpeg's display matrix shows it: quarter turns and mirroring.

    x' = a x + c y, y' = b x + d y, with a, b the first two numbers and c, d the fourth and fifth.

    Args:
        picture: (H, W, ...); any type.
        matrix: 9 integers; None leaves it as it is.

    Returns:
        (H, W, ...) or (W, H, ...), a view.
    """
    if matrix is None:
        return picture
    (a, b), (c, d) = matrix[0:2], matrix[3:5]
    if abs(b) > abs(a):
        picture, a, d = picture.swapaxes(0, 1), c, b
    if a < 0:
        picture = picture[:, ::-1]
    return picture[::-1] if d < 0 else picture
