"""Rotation and mirroring of frames as they are to be shown."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Samples = TypeVar("Samples", bound=np.generic)


def oriented(image: NDArray[Samples], matrix: tuple[int, ...] | None) -> NDArray[Samples]:
    """Rotate by quarter turns and mirror an image as FFmpeg's display matrix says.

    x' = a x + c y, y' = b x + d y, where a, b are the first two numbers and c, d the fourth and
    fifth.

    Args:
        image: (H, W, ...); any dtype.
        matrix: 9 integers; None changes nothing.

    Returns:
        (H, W, ...) or (W, H, ...), a view.
    """
    if matrix is None:
        return image
    (a, b), (c, d) = matrix[0:2], matrix[3:5]
    if abs(b) > abs(a):
        image, a, d = image.swapaxes(0, 1), c, b
    if a < 0:
        image = image[:, ::-1]
    return image[::-1] if d < 0 else image
