"""Conversion of frames to the size at which they are stylized, and back to a frame's planes.

Luma and chroma go straight to the working size, and the stylized frame straight to each plane's
own size: no RGB is made at full resolution, unless samples are floating point, or the source is
mixed into planes of another kind. HDR is scaled in its own signal; only the working size becomes
SDR.

A stylized frame that is enlarged has nothing finer than its own pixels. What the source's luma
has and a plane of the working size has not (grain, eyelashes, the edges of titles) is its detail::

    out = up(stylized) + up(a) * (luma - up(down(luma)))

How much, a, belongs to the place: where the source is flat but for its texture, it is what was
asked for; at an edge, what the edge is in the stylized frame, found by linear regression of its
luma on the source's nearby (the coefficient of a guided filter: He, Sun and Tang, ECCV 2010), and
none where there is no such edge or the opposite one. So an edge that got soft is steep again, and
one that the style moved or left out gets no second outline. As enlarging is linear and a is
smooth, this is done as ``up(stylized - a * down(luma)) + up(a) * luma``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..cuda import download
from . import scaling_library, scaling_on_torch
from .colour import (
    CO_SITED_ACROSS,
    LUMA_WEIGHTS,
    Levels,
    alpha_planes,
    chroma_levels,
    chroma_shares,
    codes_plane,
    from_rgb,
    luma_levels,
    to_rgb,
)
from .frame import Colour, Frame, Matrix, PixelFormat, Range
from .mixing import mixed
from .resampling import Axis, resampled, resized, taps
from .scaling_library import Chroma, Mixture, Prepared
from .scaling_on_torch import Resident, detail_gain, strips
from .stroke_size import DETAIL, Size

# The variance of luma that is half an edge: about that of a step of 1/16.
_EDGE = 1e-3
# Linear light, 1 being a white sheet, is resampled as its logarithm from this much on: no light is
# so bright that a kernel's negative weights would burn a dark ring around it.
_DARK = 0.01

_FLOATS = PixelFormat("gbrpf32le", "rgb", 32, floating=True)
_RGB = Colour(matrix=Matrix.RGB, range=Range.FULL)

Mix = Callable[[Tensor, Tensor], Tensor]
"""The source's R'G'B' and the stylized one to what is wanted, pixel by pixel; (1, 3, H, W) each."""


@dataclass(frozen=True)
class Working:
    """Frame scaled to the working size.

    Attributes:
        rgb: (1, 3, h, w) R'G'B' in [0, 1] (HLG: to 1.09; floats: any), float32, as `colour.to_rgb`
            gives it at full resolution.
        luma: (h2, w2) float32, beyond which detail is finer; as the codes have it, of linear light
            its logarithm.
        resident: The frame's planes on the device.
    """

    rgb: Tensor
    luma: Tensor
    resident: Resident = field(repr=False)


def to_working(
    frame: Frame,
    size: Size,
    *,
    detail_size: Size | None = None,
    device: torch.device | str = "cpu",
    threads: int = 1,
) -> Working:
    """Scale a frame to be stylized.

    Args:
        frame: Any.
        size: At which it is stylized.
        detail_size: Beyond which detail comes back; `size` by default.
        device: Where it is stylized.
        threads: How many may work on it, on a CPU.
    """
    resident = Resident(torch.device(device))
    scaling = _Scaling(frame, resident, threads)
    down = scaling.floats_down if _is_unbounded(frame) else scaling.down
    rgb, luma = down(size)
    if detail_size not in (None, size):
        luma = down(detail_size)[1] if _is_unbounded(frame) else scaling.luma_down(detail_size)
    return Working(rgb, luma, resident)


def from_working(
    stylized: Tensor,
    working: Working,
    frame: Frame,
    *,
    detail: float = DETAIL,
    strength: float = 1,
    keep_colors: bool = False,
    pixel_format: PixelFormat | None = None,
    colour: Colour | None = None,
    threads: int = 1,
) -> Frame:
    """Bring a stylized frame to a frame's own size and planes.

    Args:
        stylized: (1, 3, h, w), like `working.rgb` and on its device.
        working: What was stylized.
        frame: What that was made of.
        detail: How much of the source's finer luma comes back: 0 to 1.
        strength: From 0, the source, to 1, the stylized frame.
        keep_colors: Take only luma from the stylized frame.
        pixel_format: Of the result; the frame's own by default.
        colour: Of the result; the frame's own by default.
        threads: How many may work on it, on a CPU.

    Returns:
        A frame of contiguous planes, rounded to nearest and clamped to the legal range, with the
        alpha and the timing of `frame`.

    Raises:
        ColourError: The matrix does not fit the pixel format.
    """
    target, meaning = pixel_format or frame.pixel_format, colour or frame.colour
    meaning.check_fits(target)
    scaling = _Scaling(frame, working.resident, threads)
    luma = working.luma
    stylized = resized(stylized, Size(*luma.shape))
    own = strength < 1 or keep_colors
    same = (target, meaning) == (frame.pixel_format, frame.colour)
    if target.floating or _is_unbounded(frame) or (own and not same):
        mix = partial(mixed, strength=strength, keep_colors=keep_colors)
        return scaling.mixed_up(stylized, luma, detail, mix, target, meaning)
    planes = scaling.up(
        stylized[0], luma, target, meaning, detail=detail, strength=strength, keep=keep_colors
    )
    alpha = alpha_planes(frame, target, (frame.height, frame.width))
    return replace(frame, planes=(*planes, *alpha), pixel_format=target, colour=meaning)


def stylized_rgb(
    rgb: Tensor,
    stylize: Callable[[Tensor], Tensor],
    size: Size,
    *,
    detail_size: Size | None = None,
    detail: float = DETAIL,
    strength: float = 1,
    keep_colors: bool = False,
    threads: int = 1,
) -> Tensor:
    """Stylize a frame at another size and bring it back to its own.

    Args:
        rgb: (1, 3, H, W) RGB in [0, 1], float32, on any device.
        stylize: (1, 3, h, w) in [0, 1] to the same.
        size: At which it is stylized.
        detail_size: Beyond which detail comes back; `size` by default.
        detail: How much of it, 0 to 1.
        strength: From 0, the source, to 1, the stylized frame.
        keep_colors: Take only luma from the stylized frame.
        threads: How many may work on it, on a CPU.

    Returns:
        (1, 3, H, W) RGB in [0, 1], float32, on the same device.
    """
    first = detail_size or size
    if rgb.device.type == "cpu":
        red, green, blue = rgb[0].numpy()
        height, width = red.shape
        planes = (green, blue, red)
        frame = Frame(planes, _FLOATS, width, height, 0, 0, Fraction(1), _RGB)
        scaling = _Scaling(frame, Resident(rgb.device), threads)
        small, luma = scaling.down(size)
        luma = luma if first == size else scaling.luma_down(first)
        stylized = resized(stylize(small), first)[0]
        made = scaling.up(
            stylized, luma, _FLOATS, _RGB, detail=detail, strength=strength, keep=keep_colors
        )
        green, blue, red = map(torch.from_numpy, made)
        return torch.stack([red, green, blue]).clamp_(0, 1).unsqueeze(0)
    whole = Size(*rgb.shape[-2:])
    stylized = resized(stylize(resized(rgb, size).clamp(0, 1)), first)[0]
    coarse = _luma(resized(rgb, first)[0], _RGB)
    slope = detail_gain(_luma(stylized, _RGB), coarse, detail_shares(detail))
    made = resized(stylized - slope * coarse, whole) + resized(slope, whole) * _luma(rgb[0], _RGB)
    return mixed(rgb, made.clamp_(0, 1).unsqueeze(0), strength=strength, keep_colors=keep_colors)


class _Scaling:
    """Both ways between a frame's planes and the working size."""

    def __init__(self, frame: Frame, resident: Resident, threads: int):
        self.frame, self.resident, self.threads = frame, resident, threads
        self.size = (frame.height, frame.width)

    # Codes

    def down(self, size: Size) -> tuple[Tensor, Tensor]:
        """Return R'G'B', (1, 3, h, w), and luma, (h, w)."""
        form, colour = self.frame.pixel_format, self.frame.colour
        levels = _levels(form, colour)
        if form.family == "rgb":
            rgb = torch.stack([self._plane_down(index, size) for index in (2, 0, 1)])
            luma = _luma(rgb, colour)
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
        axes = self._axes(form, colour, chroma, size)
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
        axes = self._axes(form, colour, chroma, Size(*bases.shape[-2:]), up=True)
        if self._on_kernels(mixture.planes, *axes):
            planes = [np.empty(shape, form.dtype) for _ in wanted]
            scaling_library.enlarge(bases, slope, *axes, planes, mixture, threads=self.threads)
            return planes
        depth = self.frame.pixel_format.depth
        return scaling_on_torch.enlarge(
            bases, slope, *axes, mixture, form=form, depth=depth, resident=self.resident
        )

    # R'G'B' at full resolution, a strip at a time

    def floats_down(self, size: Size) -> tuple[Tensor, Tensor]:
        """Do as `down`, of floating point and linear light."""
        colour = self.frame.colour
        across, down = self._axes(self.frame.pixel_format, colour, False, size)
        parts = []
        for rows in self._strips(down.target):
            rgb = self._source(taps(down).rows(rows.start, rows.stop))
            parts.append(resampled(_to_even(rgb[0], colour), across, down, rows))
        even = torch.cat(parts, 1)
        return _from_even(even, colour).unsqueeze(0), _luma(even, colour)

    def mixed_up(
        self,
        stylized: Tensor,
        luma: Tensor,
        detail: float,
        mix: Mix,
        form: PixelFormat,
        colour: Colour,
    ) -> Frame:
        """Return the finished frame of (1, 3, h, w) R'G'B', by way of R'G'B'."""
        frame, own = self.frame, self.frame.colour
        even = _to_even(stylized[0], own)
        slope = detail_gain(_luma(even, own), luma, detail_shares(detail))
        base = even - slope * luma
        across, down = self._axes(_FLOATS, own, False, Size(*luma.shape), up=True)
        shapes = (
            form.plane_shape(index, frame.width, frame.height) for index in range(form.plane_count)
        )
        planes = [np.empty(shape, form.dtype) for shape in shapes]
        for rows in self._strips(frame.height):
            source = self._source(rows)
            lines = taps(down).rows(rows.start, rows.stop)
            made = resampled(base[:, lines], across, down, rows)
            gain = resampled(slope[lines], across, down, rows)
            made = _from_even(made.add_(gain * _luma(_to_even(source[0], own), own)), own)
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

    # Both

    def _on_kernels(self, planes: Sequence[np.ndarray], *axes: Axis) -> bool:
        return self.resident.device.type == "cpu" and scaling_library.can_scale(planes, *axes)

    def _strips(self, rows: int) -> Sequence[slice]:
        height, width = self.size
        return list(strips(rows, height * width, self.resident.device))

    def _axes(
        self, form: PixelFormat, colour: Colour, chroma: bool, size: Size, *, up: bool = False
    ) -> tuple[Axis, Axis]:
        """Return x and y, between a plane of the frame's size in a format and the working size."""
        height, width = self.size
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

    def _shares(self) -> tuple[float, ...]:
        """Return the shares of the source's planes in its luma."""
        if self.frame.pixel_format.family != "rgb":
            return (1.0,)
        red, green, blue = _luma_shares(self.frame.colour)
        return green, blue, red


def detail_shares(detail: float) -> tuple[float, float, float]:
    """Return what comes back of flat texture and of edges, and the variance of half an edge.

    Edges suffer from softness what texture does not.
    """
    return detail, detail * (2 - detail), _EDGE


def _on_cpu(planes: Sequence[np.ndarray | Tensor], form: PixelFormat) -> list[np.ndarray]:
    """Bring planes of codes to the CPU, all at once, in the types of a format."""
    tensors = [plane for plane in planes if isinstance(plane, Tensor)]
    arrays = iter([codes_plane(codes, form) for codes in download(tensors)])
    return [next(arrays) if isinstance(plane, Tensor) else plane for plane in planes]


def _levels(form: PixelFormat, colour: Colour) -> Levels:
    """Return the levels of luma or R'G'B'; of floating point from 0 to 1."""
    return Levels(0, 1, 0, 1) if form.floating else luma_levels(form, colour)


def _luma_shares(colour: Colour) -> tuple[float, float, float]:
    """Return those of red, green and blue; RGB that names no matrix is taken for BT.709."""
    kr, kb = LUMA_WEIGHTS.get(colour.matrix, LUMA_WEIGHTS[Matrix.BT709])
    return kr, 1 - kr - kb, kb


def _luma(rgb: Tensor, colour: Colour) -> Tensor:
    """Return the luma, (H, W), of (3, H, W)."""
    red, green, blue = _luma_shares(colour)
    return (rgb[0] * red).add_(rgb[1], alpha=green).add_(rgb[2], alpha=blue)


def _is_unbounded(frame: Frame) -> bool:
    """Return whether samples, or what they mean, have no bounds."""
    return frame.pixel_format.floating or frame.colour.hdr == "linear"


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
