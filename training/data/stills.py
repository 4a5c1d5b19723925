"""Frame pairs of one image: a still under a moving camera, with exact motion."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Resampling

from ...core.consistency import inside, warp
from ...core.errors import MediaError
from . import extraction
from .extraction import LEAST_DEVIATION, LEAST_SIDE, Extraction, Pixels, join, pair_record
from .images import open_image
from .motion import Motion, camera_motion, nchw, synthetic_motion

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
# Half of the pairs under a camera that pans, zooms and rolls, half smoothly warped.
PAIRS_PER_IMAGE = 4


def extract_image(path: Path) -> Extraction:
    """Make pairs of an image and the same image moved; the same image gives the same pairs.

    Raises:
        TrainingError: Pillow is not installed.
    """
    still = _read(path)
    if still is None:
        return Extraction(join([]), {"unreadable": 1})
    if min(still.shape[:2]) < LEAST_SIDE:
        return Extraction(join([]), {"too narrow": 1})
    if still.std() / 255 < LEAST_DEVIATION:
        return Extraction(join([]), {"flat": 1})
    random = np.random.default_rng(list(hashlib.sha256(still.tobytes()).digest()))
    height, width = still.shape[:2]
    motions = [(camera_motion, synthetic_motion)[n % 2] for n in range(PAIRS_PER_IMAGE)]
    records = [_moved(still, motion(height, width, random)) for motion in motions]
    return Extraction(join(records), {}, ("still image, moved",))


def _read(path: Path) -> Pixels | None:
    """Return (H, W, 3) RGB, scaled as clips are; None where the image can't be read."""
    try:
        image = open_image(path).convert("RGB")
    except MediaError:
        return None
    scale = extraction.LONG_SIDE / max(image.size)
    shape = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(shape, Resampling.BOX if scale < 1 else None))


def _moved(still: Pixels, flow: NDArray[np.float32]) -> NDArray[np.void]:
    """Return the still and the still warped by the flow, which is exact as records store it."""
    flow = flow.astype(np.float16).astype(np.float32)
    pixels = torch.from_numpy(still.copy()).permute(2, 0, 1)[None].float()
    moved = warp(pixels, nchw(flow))
    current = moved[0].permute(1, 2, 0).round().numpy().astype(np.uint8)
    visible = inside(nchw(flow))[0].numpy()
    return pair_record(np.stack((still, current)), Motion(flow, visible))
