"""Ground truth: .flo files (Middlebury) with the motion of frames, and these frames."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import MediaError

# Formats of the data sets that come with ground truth.
_FRAME_SUFFIXES = (".png", ".ppm", ".jpg")

_MAGIC = 202021.25
_HEADER = struct.Struct("<fii")
_LONGEST_SIDE = 99_999
# The format marks a pixel of unknown motion by a larger value.
_UNKNOWN = 1e9

_NUMBERED = re.compile(r"(.*?)(\d+)")
_NAMED_AFTER_PAIR = re.compile(r"(.+[-_])(?:flow|gt)")


@dataclass(frozen=True)
class GroundTruth:
    """A .flo file and its frames: the flow belongs to `current` and points into `other`."""

    flo: Path
    current: Path
    other: Path


def find_ground_truth(folder: Path) -> list[GroundTruth]:
    """Find every .flo file below a folder with its two frames, sorted by path.

    The frames are next to it, one folder up, or where Sintel and Middlebury keep them. Known
    names: flow10 with frame10 and frame11, frame_0001 with frame_0001 and frame_0002, and
    00001_flow or 00001-gt with 00001_img1 and 00001_img2 or 00001-img0 and 00001-img1.

    Raises:
        MediaError: A .flo file without its frames.
    """
    return [_with_frames(flo) for flo in sorted(folder.rglob("*.flo")) if flo.is_file()]


def _with_frames(flo: Path) -> GroundTruth:
    names = _frame_names(flo.stem)
    for folder in _frame_folders(flo.parent):
        for current, other in names:
            frames = _image(folder, current), _image(folder, other)
            if frames[0] and frames[1]:
                return GroundTruth(flo, frames[0], frames[1])
    wanted = " and ".join(f"{name}.png" for name in names[0]) if names else "two numbered frames"
    raise MediaError("its frames are missing", path=flo, hint=f"put {wanted} next to it")


def _frame_folders(folder: Path) -> list[Path]:
    # MPI-Sintel has flow/SCENE next to final/SCENE and clean/SCENE, Middlebury other-gt-flow/SCENE
    # next to other-data/SCENE.
    root = folder.parent.parent
    trees = [root / tree / folder.name for tree in ("final", "clean", "other-data")]
    return [folder, folder.parent, *trees]


def _frame_names(stem: str) -> list[tuple[str, str]]:
    if match := _NAMED_AFTER_PAIR.fullmatch(stem):
        return [(f"{match[1]}img{n}", f"{match[1]}img{n + 1}") for n in (1, 0)]
    if match := _NUMBERED.fullmatch(stem):
        prefix, number = match.groups()
        following = str(int(number) + 1).zfill(len(number))
        return [(f"{start}{number}", f"{start}{following}") for start in ("frame", prefix)]
    return []


def _image(folder: Path, stem: str) -> Path | None:
    paths = (folder / f"{stem}{suffix}" for suffix in _FRAME_SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def read_flo(path: Path) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Read a .flo file: float32 202021.25, int32 width and height, then u, v row by row.

    Returns:
        Flow (H, W, 2) in pixels, x then y, 0 where it is unknown; and (H, W) bool, where it is
        known.

    Raises:
        MediaError: It can't be read, is not a .flo file, or has not the size that its header
            states.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MediaError.because(error, "can't be read", path=path) from error
    if len(content) < _HEADER.size:
        raise MediaError("is truncated: its header is incomplete", path=path)
    magic, width, height = _HEADER.unpack_from(content)
    if magic != _MAGIC or not (0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE):
        raise MediaError("is not a .flo file", path=path)
    expected = _HEADER.size + 8 * width * height
    if len(content) != expected:
        what = "is truncated" if len(content) < expected else "has extra bytes at its end"
        size = f"{len(content)} bytes instead of {expected} for {width}x{height}"
        raise MediaError(f"{what}: {size}", path=path)
    flow = np.frombuffer(content, "<f4", offset=_HEADER.size).reshape(height, width, 2)
    known = np.all(np.abs(flow) <= _UNKNOWN, axis=-1)
    return np.where(known[..., None], flow, 0).astype(np.float32), known
