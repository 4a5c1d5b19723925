"""Scaling of planes of codes to the working size, and back to a frame's own size.

Luma and chroma go straight from and to their own sizes. HDR is scaled in its own signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..cuda import download
from . import scaling_library, scaling_on_torch
from .colour import (
    CO_SITED_ACROSS,
    LUMA_WEIGHTS,
    Levels,
    chroma_levels,
    chroma_shares,
    codes_plane,
    luma_levels,
)
from .frame import Colour, Frame, Matrix, PixelFormat
from .resampling import Axis
from .scaling_library import Chroma, Mixture, Prepared
from .scaling_on_torch import Resident
from .stroke_size import Size

# The variance of luma that is half an edge: about that of a step of 1/16.
_EDGE = 1e-3


class PlaneScaling:
    """Both ways between a frame's planes of codes and the working size.

    Args:
        frame: The frame.
        resident: Its planes on the device.
        threads: How many may work on it, on a CPU.
    """

    def __init__(self, frame: Frame, resident: Resident, threads: int):
        self.frame, self.resident, self.threads = frame, resident, threads
        self.size = (frame.height, frame.width)

    def down(self, size: Size) -> tuple[Tensor, Tensor]:
        """Return R'G'B', (1, 3, h, w), and luma, (h, w)."""
        form, colour = self.frame.pixel_format, self.frame.colour
        levels = _levels(form, colour)
        if form.family == "rgb":
            rgb = torch.stack([self._plane_down(index, size) for index in (2, 0, 1)])
            luma = luma_of(rgb, colour)
        else:
            luma = self._plane_down(0, size)
            if form.family == "gray":
                rgb = luma.expand(3, -1, -1).clone()
            else:
                cb, cr = self._plane_down(1, size), self._plane_down(2, size)
                rgb = chroma_shares(cb, cr, colour.matrix).add_(luma)
        return rgb.clamp_(0, (levels.high - levels.zero) / levels.span).unsqueeze(0), luma

    def luma_down(self, size: Size) -> Tensor:
        """Return luma, (h, w)."""
        if self.frame.pixel_format.family == "rgb":
            return self.down(size)[1]
        return self._plane_down(0, size)

    def _plane_down(self, index: int, size: Size) -> Tensor:
        """Return the values of a plane, (h, w) float32."""
        form, colour = self.frame.pixel_format, self.frame.colour
        chroma = form.family == "yuv" and index in (1, 2)
        levels = (chroma_levels if chroma else _levels)(form, colour)
        axes = plane_axes(self.frame, form, colour, chroma, size)
        plane, gain, shift = self.frame.planes[index], 1 / levels.span, -levels.zero / levels.span
        if self._on_kernels([plane], *axes):
            return scaling_library.reduce(
                plane, *axes, gain=gain, shift=shift, threads=self.threads
            )
        return scaling_on_torch.reduce(
            plane, *axes, gain=gain, shift=shift, depth=form.depth, resident=self.resident
        )

    def up(
        self,
        stylized: Tensor,
        luma: Tensor,
        form: PixelFormat,
        colour: Colour,
        *,
        detail: float,
        strength: float,
        keep: bool,
    ) -> list[np.ndarray]:
        """Return colour planes of (3, h, w) R'G'B'; a source that is mixed in has their format."""
        made = self._prepared(stylized, luma, form, colour, detail, keep=keep)
        levels = _levels(form, colour)
        mixture = Mixture((levels.low, levels.high), strength=strength)
        if detail or keep or strength < 1:
            first = 3 if self.frame.pixel_format.family == "rgb" else 1
            mixture = replace(mixture, planes=self.frame.planes[:first], shares=self._shares())
        if keep:
            kept = self._chroma() if form.family == "yuv" else form.family == "rgb"
            mixture = replace(mixture, keep=kept)
        wanted = range(3 if form.family == "rgb" else 1)
        planes = [*self._planes_up(made.bases, made.slope, mixture, form, colour, wanted)]
        if made.chroma is not None:
            levels = chroma_levels(form, colour)
            own = self.frame.planes[1:3] if strength < 1 else ()
            mixture = Mixture((levels.low, levels.high), own, strength=strength)
            planes += self._planes_up(made.chroma, None, mixture, form, colour, range(1, 3))
        finished = _on_cpu(planes, form)
        if form.family == "yuv" and keep:
            finished += [np.ascontiguousarray(plane) for plane in self.frame.planes[1:3]]
        return finished

    def _prepared(
        self,
        stylized: Tensor,
        luma: Tensor,
        form: PixelFormat,
        colour: Colour,
        detail: float,
        *,
        keep: bool,
    ) -> Prepared:
        """Bring (3, h, w) R'G'B' to the codes of a format, and tell the detail's place in it."""
        levels, shares = _levels(form, colour), _luma_shares(colour)
        own = _levels(self.frame.pixel_format, self.frame.colour)
        chroma = None
        if form.family == "yuv" and not keep:
            of_chroma = chroma_levels(form, colour)
            blue, red = (of_chroma.span / (2 - 2 * share) for share in (shares[2], shares[0]))
            chroma = (of_chroma.zero, blue, red)
        kernels = self._on_kernels([])
        prepare = scaling_library.prepare if kernels else scaling_on_torch.prepare
        return prepare(
            stylized.contiguous(),
            shares,
            luma.contiguous() if detail else None,
            detail=detail_shares(detail),
            order=(1, 2, 0) if form.family == "rgb" and not keep else None,
            levels=(levels.zero, levels.span),
            luma_levels=(own.zero, own.span),
            chroma_levels=chroma,
            threads=self.threads,
        )

    def _chroma(self) -> Chroma:
        """Return the source's colours, which are kept."""
        form, colour = self.frame.pixel_format, self.frame.colour
        levels = chroma_levels(form, colour)
        ratio = luma_levels(form, colour).span / levels.span
        kr, kg, kb = _luma_shares(colour)
        red, blue = 2 * (1 - kr) * ratio, 2 * (1 - kb) * ratio
        green = (-red * kr / kg, -blue * kb / kg)
        return Chroma(self.frame.planes[1:3], form.chroma_shift, levels.zero, red, blue, green)

    def _planes_up(
        self,
        bases: Tensor,
        slope: Tensor | None,
        mixture: Mixture,
        form: PixelFormat,
        colour: Colour,
        wanted: range,
    ) -> Sequence[np.ndarray | Tensor]:
        """Scale (C, h, w) in codes to planes."""
        height, width = self.size
        shape = form.plane_shape(wanted[0], width, height)
        chroma = form.family == "yuv" and wanted[0] > 0
        axes = plane_axes(self.frame, form, colour, chroma, Size(*bases.shape[-2:]), up=True)
        if self._on_kernels(mixture.planes, *axes):
            planes = [np.empty(shape, form.dtype) for _ in wanted]
            scaling_library.enlarge(bases, slope, *axes, planes, mixture, threads=self.threads)
            return planes
        depth = self.frame.pixel_format.depth
        return scaling_on_torch.enlarge(
            bases, slope, *axes, mixture, form=form, depth=depth, resident=self.resident
        )

    def _on_kernels(self, planes: Sequence[np.ndarray], *axes: Axis) -> bool:
        return self.resident.device.type == "cpu" and scaling_library.can_scale(planes, *axes)

    def _shares(self) -> tuple[float, ...]:
        """Return the shares of the source's planes in its luma."""
        if self.frame.pixel_format.family != "rgb":
            return (1.0,)
        red, green, blue = _luma_shares(self.frame.colour)
        return green, blue, red


def plane_axes(
    frame: Frame, form: PixelFormat, colour: Colour, chroma: bool, size: Size, *, up: bool = False
) -> tuple[Axis, Axis]:
    """Return x and y, between a plane of a frame's size and the working size.

    Args:
        frame: The frame.
        form: Format of the plane.
        colour: Its colour.
        chroma: Whether it is a plane of chroma.
        size: The working size.
        up: From the working size to the plane, not the other way.
    """
    height, width = frame.height, frame.width
    rows, columns = form.plane_shape(1 if chroma else 0, width, height)
    shift_across, shift_down = form.chroma_shift if chroma else (0, 0)
    co_sited = shift_across and colour.chroma_location in CO_SITED_ACROSS
    at = 0.25 if co_sited else 0.5
    # An odd size has half a sample of chroma more than luma.
    wide, tall = width / 2**shift_across, height / 2**shift_down
    if up:
        return (
            Axis(size.width, columns, size.width / wide, at_target=at),
            Axis(size.height, rows, size.height / tall),
        )
    return (
        Axis(columns, size.width, wide / size.width, at_source=at),
        Axis(rows, size.height, tall / size.height),
    )


def detail_shares(detail: float) -> tuple[float, float, float]:
    """Return what comes back of flat texture and of edges, and the variance of half an edge.

    Edges suffer from softness what texture does not.
    """
    return detail, detail * (2 - detail), _EDGE


def _levels(form: PixelFormat, colour: Colour) -> Levels:
    """Return the levels of luma or R'G'B'; of floating point from 0 to 1."""
    return Levels(0, 1, 0, 1) if form.floating else luma_levels(form, colour)


def _luma_shares(colour: Colour) -> tuple[float, float, float]:
    """Return those of red, green and blue; RGB that names no matrix is taken for BT.709."""
    kr, kb = LUMA_WEIGHTS.get(colour.matrix, LUMA_WEIGHTS[Matrix.BT709])
    return kr, 1 - kr - kb, kb


def luma_of(rgb: Tensor, colour: Colour) -> Tensor:
    """Return the luma, (H, W), of (3, H, W)."""
    red, green, blue = _luma_shares(colour)
    return (rgb[0] * red).add_(rgb[1], alpha=green).add_(rgb[2], alpha=blue)


def _on_cpu(planes: Sequence[np.ndarray | Tensor], form: PixelFormat) -> list[np.ndarray]:
    """Bring planes of codes to the CPU, all at once, in the types of a format."""
    tensors = [plane for plane in planes if isinstance(plane, Tensor)]
    arrays = iter([codes_plane(codes, form) for codes in download(tensors)])
    return [next(arrays) if isinstance(plane, Tensor) else plane for plane in planes]
