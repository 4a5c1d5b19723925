"""Motion between frames: optical flow and where it is reliable, and exact synthetic motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.consistency import visibility_mask
from ...core.errors import extra

# Synthetic motion: pixels, pixels, pixels, share, radians.
WARP_CELL, WARP_DEVIATION = 100, 8.0
SHIFT, ZOOM, ROLL = 10, 0.03, 0.035


@dataclass(frozen=True, eq=False)
class Motion:
    """Motion from the current frame into the previous one.

    Attributes:
        flow: (H, W, 2) float32, pixels, x then y: where each current pixel was before.
        visible: (H, W) bool: False where occluded or at a motion boundary.
    """

    flow: NDArray[np.float32]
    visible: NDArray[np.bool_]


class FlowEstimator:
    """Optical flow by dense inverse search (Kroeger et al. 2016), in both directions.

    Raises:
        ExtraError: OpenCV is not installed.
    """

    # Part of the cache's key: change it whenever the flow would come out differently.
    version = "dis-medium-1"

    def __init__(self) -> None:
        with extra("train"):
            import cv2  # noqa: PLC0415
        self._cv2: Any = cv2
        self._dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, previous: NDArray[np.uint8], current: NDArray[np.uint8]) -> Motion:
        """Estimate motion from `current` into `previous`, both (H, W, 3) RGB uint8."""
        grey = [self._cv2.cvtColor(f, self._cv2.COLOR_RGB2GRAY) for f in (previous, current)]
        # OpenCV starts from the last result where it can: two calls must not share one.
        flow = self._dis.calc(grey[1], grey[0], None)
        back = self._dis.calc(grey[0], grey[1], None)
        mask = visibility_mask(nchw(flow), nchw(back))
        return Motion(flow=flow, visible=mask[0, 0].numpy() > 0)


def nchw(flow: NDArray[np.float32]) -> torch.Tensor:
    """Convert (H, W, 2) to (1, 2, H, W)."""
    return torch.from_numpy(flow).permute(2, 0, 1).unsqueeze(0)


def synthetic_motion(height: int, width: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw a smooth random warp, exact by construction: compound regularisation, Wang et al. 2020.

    One random vector, N(0, 8 px) per axis, for each cell of 100 x 100 px, up-sampled by the cubic
    B-spline (bicubic, and blurs as it goes), and a shift of the whole within 10 px.

    Args:
        height: Pixels.
        width: Pixels.
        random: The only source of randomness.

    Returns:
        (H, W, 2) float32, pixels, x then y, from current into previous.
    """
    rows, columns = _spline(height), _spline(width)
    cells = random.normal(0, WARP_DEVIATION, (2, rows.shape[1], columns.shape[1]))
    flow = rows @ cells @ columns.T + random.uniform(-SHIFT, SHIFT, (2, 1, 1))
    return np.ascontiguousarray(flow.transpose(1, 2, 0), np.float32)


def _spline(size: int) -> NDArray[np.float64]:
    """Return (size, cells + 3), the uniform cubic B-spline's weights at every pixel."""
    cell, t = np.divmod((np.arange(size) + 0.5) / WARP_CELL, 1)
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 3 * (t + t**2 - t**3) + 1, t**3)
    spline = np.zeros((size, int(cell[-1]) + 4))
    for offset, weight in enumerate(weights):
        spline[np.arange(size), cell.astype(int) + offset] = weight / 6
    return spline


def shift_motion(height: int, width: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw a shift of the whole frame by whole pixels, at most 10 along each axis.

    Args:
        height: Pixels.
        width: Pixels.
        random: The only source of randomness.

    Returns:
        (H, W, 2) float32, pixels, x then y, from current into previous.
    """
    shift = random.integers(-SHIFT, SHIFT, 2, endpoint=True).astype(np.float32)
    return np.broadcast_to(shift, (height, width, 2)).copy()


def camera_motion(height: int, width: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw a camera's pan, zoom and roll about the frame's centre, exact by construction.

    Args:
        height: Pixels.
        width: Pixels.
        random: The only source of randomness.

    Returns:
        (H, W, 2) float32, pixels, x then y, from current into previous: at most 10 px of pan,
        3 % of zoom and 2 degrees of roll.
    """
    pan = random.uniform(-SHIFT, SHIFT, 2)
    rotation = np.exp(random.uniform(-ZOOM, ZOOM) + 1j * random.uniform(-ROLL, ROLL)) - 1
    x, y = np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2
    moved = (x + 1j * y[:, None]) * rotation
    return np.stack((moved.real + pan[0], moved.imag + pan[1]), -1).astype(np.float32)
