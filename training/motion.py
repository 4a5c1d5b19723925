"""Motion between consecutive frames: optical flow and which pixels it can be trusted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.consistency import visibility_mask
from ..core.errors import TrainingError


@dataclass(frozen=True, eq=False)
class Motion:
    """From the current frame into the previous one.

    Attributes:
        flow: (H, W, 2) float32, pixels, x then y: where each current pixel lay before.
        visible: (H, W) bool: False where occluded or at a motion boundary.
    """

    flow: NDArray[np.float32]
    visible: NDArray[np.bool_]


class FlowEstimator:
    """Dense inverse search (Kroeger et al. 2016), in both directions.

    Raises:
        TrainingError: OpenCV is not installed.
    """

    # Part of the cache's key: change it whenever the flow would come out differently.
    version = "dis-medium-1"

    def __init__(self) -> None:
        try:
            import cv2  # noqa: PLC0415  an extra: only training needs it
        except ImportError as error:
            raise TrainingError(
                "optical flow needs OpenCV", hint="pip install 'housestyle[train]'"
            ) from error
        self._cv2: Any = cv2
        self._dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, previous: NDArray[np.uint8], current: NDArray[np.uint8]) -> Motion:
        """Motion from `current` into `previous`, both (H, W, 3) RGB uint8."""
        grey = [self._cv2.cvtColor(f, self._cv2.COLOR_RGB2GRAY) for f in (previous, current)]
        # The estimator starts from its last result where it can: two calls must not share it.
        flow = self._dis.calc(grey[1], grey[0], None)
        back = self._dis.calc(grey[0], grey[1], None)
        mask = visibility_mask(_nchw(flow), _nchw(back))
        return Motion(flow=flow, visible=mask[0, 0].numpy() > 0)


def _nchw(flow: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(flow).permute(2, 0, 1).unsqueeze(0)
