"""Pixels at the sides of decoded frames that are not to be shown."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from .frame import Frame, PixelFormat


class Crop(NamedTuple):
    """Pixels at each side of the decoder's frames that are not shown."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def aligned(self, form: PixelFormat, *, fields: bool = False) -> Crop:
        """Return the crop that begins with a whole chroma sample, and keeps all that is shown.

        Args:
            form: Pixel format of the frames.
            fields: True if the frames stay interlaced, so that rows come in pairs.
        """
        across, down = form.chroma_shift
        wide, high = 1 << across, 1 << (down + fields)
        return self._replace(left=self.left // wide * wide, top=self.top // high * high)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of what is shown of frames of a size."""
        return width - self.left - self.right, height - self.top - self.bottom


NO_CROP = Crop()


def cropped_frame(frame: Frame, crop: Crop) -> Frame:
    """Return what is shown of a frame; its planes are views.

    Args:
        frame: The frame.
        crop: See `Crop.aligned`.
    """
    if crop == NO_CROP:
        return frame
    width, height = crop.size(frame.width, frame.height)
    planes = []
    for index, plane in enumerate(frame.planes):
        across, down = frame.pixel_format.chroma_shift if index in (1, 2) else (0, 0)
        rows, columns = frame.pixel_format.plane_shape(index, width, height)
        top, left = crop.top >> down, crop.left >> across
        planes.append(plane[top : top + rows, left : left + columns])
    return replace(frame, planes=tuple(planes), width=width, height=height)
