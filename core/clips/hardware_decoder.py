"""Hardware decoders, used only if they give the frames that software gives."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import av.error
import numpy as np
from av.codec.hwaccel import hwdevices_available

from ..errors import MediaError
from ..frames.frame import Frame
from ..options import Interlaced
from .media import ClipReader

# Enough for frames that depend on others: one between two, and the one after.
_COMPARED = 5


def working_device(path: Path, *, interlaced: Interlaced = "deinterlace") -> str | None:
    """Return the first type of device whose decoder gives this clip's first frames bit-exact.

    Args:
        path: The clip.
        interlaced: See `ClipReader`.

    Returns:
        Value for the argument `device` of `ClipReader`; None where only software decodes it.

    Raises:
        MediaError: Software can't read it either.
    """
    wanted: list[Frame] | None = None
    for device in hwdevices_available():
        try:
            found = _first_frames(path, interlaced, device)
        except (MediaError, av.error.FFmpegError, RuntimeError, OSError, ValueError):
            # Not there, not for this codec, without a driver: every library reports it differently.
            continue
        wanted = wanted or _first_frames(path, interlaced, None)
        if len(found) == len(wanted) and all(map(_same, found, wanted)):
            return device
    return None


def _first_frames(path: Path, interlaced: Interlaced, device: str | None) -> list[Frame]:
    with ClipReader(path, interlaced=interlaced, device=device) as reader:
        return list(islice(reader, _COMPARED))


def _same(one: Frame, other: Frame) -> bool:
    if (one.pts, one.pixel_format, one.colour) != (other.pts, other.pixel_format, other.colour):
        return False
    return all(map(np.array_equal, one.planes, other.planes))
