"""Scaling of frames to the working size and back by way of R'G'B', a strip of rows at a time.

So is done what planes of codes can't: floating point, linear light, and sources that are mixed
into planes of another kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .colour import alpha_planes, from_rgb, luma_levels, to_rgb
from .frame import Colour, Frame, PixelFormat
from .plane_scaling import detail_shares, luma_of, plane_axes
from .resampling import resampled, taps
from .scaling_on_torch import Resident, detail_gain, strips
from .stroke_size import Size

# Linear light, 1 being a white sheet, is resampled as its logarithm from this much on: no light is
# so bright that a kernel's negative weights would burn a dark ring around it.
_DARK = 0.01

FLOATS = PixelFormat("gbrpf32le", "rgb", 32, floating=True)
"""R'G'B' as planes."""

Mix = Callable[[Tensor, Tensor], Tensor]
"""The source's R'G'B' and the stylized one to what is wanted, pixel by pixel; (1, 3, H, W) each."""


class RgbScaling:
    """Both ways between a frame and the working size, by way of R'G'B'.

    Args:
        frame: The frame.
        resident: Its planes on the device.
    """

    def __init__(self, frame: Frame, resident: Resident):
        self.frame, self.resident = frame, resident

    def down(self, size: Size) -> tuple[Tensor, Tensor]:
        """Return R'G'B', (1, 3, h, w), and luma, (h, w), of linear light its logarithm."""
        frame, colour = self.frame, self.frame.colour
        across, down = plane_axes(frame, frame.pixel_format, colour, False, size)
        parts = []
        for rows in self._strips(down.target):
            rgb = self._source(taps(down).rows(rows.start, rows.stop))
            parts.append(resampled(_to_even(rgb[0], colour), across, down, rows))
        even = torch.cat(parts, 1)
        return _from_even(even, colour).unsqueeze(0), luma_of(even, colour)

    def luma_down(self, size: Size) -> Tensor:
        """Return luma, (h, w), of linear light its logarithm."""
        return self.down(size)[1]

    def up(
        self,
        stylized: Tensor,
        luma: Tensor,
        detail: float,
        mix: Mix,
        form: PixelFormat,
        colour: Colour,
    ) -> Frame:
        """Return the finished frame of (1, 3, h, w) R'G'B', mixed with the source's."""
        frame, own = self.frame, self.frame.colour
        even = _to_even(stylized[0], own)
        slope = detail_gain(luma_of(even, own), luma, detail_shares(detail))
        base = even - slope * luma
        across, down = plane_axes(frame, FLOATS, own, False, Size(*luma.shape), up=True)
        shapes = (
            form.plane_shape(index, frame.width, frame.height) for index in range(form.plane_count)
        )
        planes = [np.empty(shape, form.dtype) for shape in shapes]
        for rows in self._strips(frame.height):
            source = self._source(rows)
            lines = taps(down).rows(rows.start, rows.stop)
            made = resampled(base[:, lines], across, down, rows)
            gain = resampled(slope[lines], across, down, rows)
            made = _from_even(made.add_(gain * luma_of(_to_even(source[0], own), own)), own)
            if not frame.pixel_format.floating:
                levels = luma_levels(frame.pixel_format, own)
                made.clamp_(0, (levels.high - levels.zero) / levels.span)
            mixed_rgb = mix(source, made.unsqueeze(0))
            part = from_rgb(mixed_rgb, _rows(frame, rows), pixel_format=form, colour=colour)
            for index, plane in enumerate(part.planes):
                planes[index][_rows_of(form, index, rows)] = plane
        if form.alpha:
            planes[-1:] = alpha_planes(frame, form, (frame.height, frame.width))
        return replace(frame, planes=tuple(planes), pixel_format=form, colour=colour)

    def _source(self, rows: slice) -> Tensor:
        """Return R'G'B' of some rows, chroma interpolated as if all were there."""
        begin = max(rows.start // 2 * 2 - 2, 0)
        end = min(rows.stop + 2, self.frame.height)
        rgb = to_rgb(_rows(self.frame, slice(begin, end)), device=self.resident.device)
        return rgb[:, :, rows.start - begin : rows.stop - begin]

    def _strips(self, rows: int) -> Sequence[slice]:
        pixels = self.frame.height * self.frame.width
        return list(strips(rows, pixels, self.resident.device))


def _to_even(rgb: Tensor, colour: Colour) -> Tensor:
    """Return R'G'B' in steps that look even: linear light as its logarithm, negative mirrored."""
    if colour.hdr != "linear":
        return rgb
    return (rgb.abs() / _DARK).log1p_().copysign_(rgb)


def _from_even(rgb: Tensor, colour: Colour) -> Tensor:
    """Undo `_to_even`."""
    if colour.hdr != "linear":
        return rgb
    return rgb.abs().expm1_().mul_(_DARK).copysign_(rgb)


def _rows(frame: Frame, rows: slice) -> Frame:
    """Return some rows of a frame, from an even one on."""
    form = frame.pixel_format
    planes = (plane[_rows_of(form, index, rows)] for index, plane in enumerate(frame.planes))
    return replace(frame, planes=tuple(planes), height=rows.stop - rows.start)


def _rows_of(form: PixelFormat, index: int, rows: slice) -> slice:
    """Return the rows of a plane that belong to rows of the frame."""
    shift = form.chroma_shift[1] if form.family == "yuv" and index in (1, 2) else 0
    return slice(rows.start >> shift, -(-rows.stop >> shift))
