"""One picture to frame pairs: a still under a moving camera, with exact motion."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.consistency import inside, warp
from ...core.errors import MediaError
from . import extraction
from .extraction import LEAST_DEVIATION, LEAST_SIDE, Extraction, Pixels, join, pair_record
from .motion import Motion, camera_motion, nchw, synthetic_motion
from .pictures import open_picture

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
# Half of them under a camera that pans, zooms and rolls, half smoothly warped.
PAIRS_PER_PICTURE = 4


def extract_picture(path: Path) -> Extraction:
    """Pairs of a picture and the same picture moved; the same picture gives the same pairs.

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
    motions = [(camera_motion, synthetic_motion)[n % 2] for n in range(PAIRS_PER_PICTURE)]
    records = [_moved(still, motion(height, width, random)) for motion in motions]
    return Extraction(join(records), {}, ("a still, moved",))


def _read(path: Path) -> Pixels | None:
    """(H, W, 3) RGB, scaled as clips are; None where it can't be read."""
    try:
        picture = open_picture(path).convert("RGB")
    except MediaError:
        return None
    from PIL.Image import Resampling  # noqa: PLC0415  an extra, there since open_picture

    scale = extraction.LONG_SIDE / max(picture.size)
    shape = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return np.asarray(picture.resize(shape, Resampling.BOX if scale < 1 else None))


def _moved(still: Pixels, flow: NDArray[np.float32]) -> NDArray[np.void]:
    """The still, then what the flow makes of it; the flow is exact, as records keep it."""
    flow = flow.astype(np.float16).astype(np.float32)
    pixels = torch.from_numpy(still.copy()).permute(2, 0, 1)[None].float()
    moved = warp(pixels, nchw(flow))
    current = moved[0].permute(1, 2, 0).round().numpy().astype(np.uint8)
    visible = inside(nchw(flow))[0].numpy()
    return pair_record(np.stack((still, current)), Motion(flow, visible))
