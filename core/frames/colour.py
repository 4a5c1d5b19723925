"""Conversion of native planes to RGB and back, on the device: matrix, range, depth, chroma.

Sources: ITU-T H.273 (matrix coefficients, equations 20-60: limited and full range scaling);
BT.601, BT.709, BT.2020 for the luma weights; chroma sample location types as in H.264 figure E-1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..cuda import download, upload
from .frame import ChromaLocation, Colour, Frame, Matrix, PixelFormat, Range

BT709_LUMA = (0.2126, 0.7152, 0.0722)
"""Shares of R, G and B in luma (ITU-R BT.709, item 3.2)."""

LUMA_WEIGHTS = {
    Matrix.BT709: (BT709_LUMA[0], BT709_LUMA[2]),
    Matrix.FCC: (0.30, 0.11),
    Matrix.BT470BG: (0.299, 0.114),
    Matrix.SMPTE170M: (0.299, 0.114),
    Matrix.SMPTE240M: (0.212, 0.087),
    Matrix.BT2020_NCL: (0.2627, 0.0593),
}
"""Kr and Kb."""

# Vertically, chroma is between the luma samples in all of them.
CO_SITED_ACROSS = (ChromaLocation.LEFT, ChromaLocation.UNSPECIFIED)


class Levels(NamedTuple):
    """Codes of a component: ``code = zero + span × value``, legal from ``low`` to ``high``."""

    zero: int
    span: int
    low: int
    high: int


def to_rgb(frame: Frame, *, device: torch.device | str = "cpu") -> Tensor:
    """Convert a frame to RGB: (1, 3, H, W), float32 in [0, 1] (HLG: to 1.09; floats: any).

    The planes are uploaded unchanged and converted on ``device``. Chroma is interpolated bilinearly
    by the chroma location of ``frame.colour``. R'G'B' stays in the frame's own transfer and
    primaries; codes below black and above white are clamped, except that HLG of limited range
    extends to 109 % (BT.2100, table 9). Alpha is left out; R'G'B' under it keeps its codes.
    Floating point samples are made finite and divided by alpha.
    """
    if frame.pixel_format.floating:
        return _rgb_of_floats(frame, device)
    colours = frame.planes[: frame.pixel_format.colour_plane_count]
    planes = [_upload(plane, device, frame.pixel_format.depth) for plane in colours]
    levels = luma_levels(frame.pixel_format, frame.colour)
    if frame.pixel_format.family == "yuv":
        rgb = _rgb_of_chroma(planes[1], planes[2], frame)
        rgb.add_(_normalise(planes[0], levels))
    else:
        values = [_normalise(plane, levels) for plane in planes]
        order = (0, 0, 0) if frame.pixel_format.family == "gray" else (2, 0, 1)
        rgb = torch.stack([values[index] for index in order])
    return rgb.clamp_(0, (levels.high - levels.zero) / levels.span).unsqueeze(0)


def from_rgb(
    rgb: Tensor,
    like: Frame,
    *,
    pixel_format: PixelFormat | None = None,
    colour: Colour | None = None,
) -> Frame:
    """Convert RGB to a frame, with the timing of another frame.

    Args:
        rgb: (1, 3, H, W), any float dtype, on any device, in [0, 1] (HLG: to 1.09; floats: any).
        like: Frame that gives pts, duration, time base, and alpha where the target has it: the
            same codes at the same depth, stretched at another, opaque where ``like`` has none.
            A floating point target is multiplied by its alpha; where that is 0, the colours are
            those of ``like`` if it has the same format.
        pixel_format: Target format; that of ``like`` by default.
        colour: Target colour; that of ``like`` by default.

    Returns:
        H × W frame of contiguous planes; its alpha is the plane of ``like`` itself. Codes are
        rounded to nearest and clamped to the legal range; chroma is filtered down to the chroma
        location of the colour.

    Raises:
        ColourError: The matrix does not fit the pixel format.
        ValueError: ``rgb`` has another shape or no float dtype.
    """
    if rgb.ndim != 4 or rgb.shape[:2] != (1, 3) or not rgb.is_floating_point():
        raise ValueError(f"rgb is {tuple(rgb.shape)} {rgb.dtype}, not (1, 3, H, W) of floats")
    target = pixel_format or like.pixel_format
    meaning = colour or like.colour
    meaning.check_fits(target)
    alpha = alpha_planes(like, target, (rgb.shape[2], rgb.shape[3]))
    colours = rgb.detach()[0].to(torch.float32)
    planes = (
        _floats(colours, like, target, alpha)
        if target.floating
        else _planes(colours, target, meaning)
    )
    return Frame(
        planes=(*planes, *alpha),
        pixel_format=target,
        width=rgb.shape[3],
        height=rgb.shape[2],
        pts=like.pts,
        duration=like.duration,
        time_base=like.time_base,
        colour=meaning,
    )


def luma_levels(pixel_format: PixelFormat, colour: Colour) -> Levels:
    """Return the levels of luma, grey, R, G and B."""
    if colour.range == Range.FULL:
        top = 2**pixel_format.depth - 1
        return Levels(0, top, 0, top)
    zero, span, white, top = (code << (pixel_format.depth - 8) for code in (16, 219, 235, 255))
    # The highest code is kept for synchronisation.
    return Levels(zero, span, zero, top - 1 if colour.hdr == "HLG" else white)


def chroma_levels(pixel_format: PixelFormat, colour: Colour) -> Levels:
    """Return the levels of Cb and Cr."""
    if colour.range == Range.FULL:
        top = 2**pixel_format.depth - 1
        return Levels(2 ** (pixel_format.depth - 1), top, 0, top)
    return Levels(*(code << (pixel_format.depth - 8) for code in (128, 224, 16, 240)))


# Planes to RGB


def _upload(plane: np.ndarray, device: torch.device | str, depth: int = 8) -> Tensor:
    """Copy a plane to the device, as float32 codes."""
    if not plane.flags.writeable or min(plane.strides) < 0:
        plane = plane.copy()  # torch can't share these
    if plane.dtype != np.uint16:
        return upload(torch.from_numpy(plane), device).to(torch.float32)
    # Not every device converts uint16. At 16 bits the sign bit may be set.
    codes = upload(torch.from_numpy(plane.view(np.int16)), device)
    if depth == 16:
        return codes.to(torch.int32).bitwise_and_(0xFFFF).to(torch.float32)
    return codes.to(torch.float32)


def _rgb_of_floats(frame: Frame, device: torch.device | str) -> Tensor:
    """Convert floating point planes to RGB, divided by alpha; NaN becomes black."""
    form, alpha = frame.pixel_format, frame.alpha
    planes = [_upload(plane, device) for plane in frame.planes[: form.colour_plane_count]]
    order = (0, 0, 0) if form.family == "gray" else (2, 0, 1)
    rgb = torch.stack([planes[index] for index in order])
    if alpha is not None:
        opacity = _upload(alpha, device)
        rgb = torch.where(opacity > 0, rgb / opacity, rgb)
    most = float(np.finfo(np.float16).max)
    return rgb.nan_to_num_(0, most, -most).clamp_(-most, most).unsqueeze(0)


def _normalise(codes: Tensor, levels: Levels) -> Tensor:
    return codes.sub_(levels.zero).div_(levels.span)


def _rgb_of_chroma(cb: Tensor, cr: Tensor, frame: Frame) -> Tensor:
    """Compute the addition of chroma to luma in R, G and B: (3, H, W).

    Interpolation and matrix are linear, so the matrix is applied first, to fewer samples.
    """
    levels = chroma_levels(frame.pixel_format, frame.colour)
    shares = chroma_shares(_normalise(cb, levels), _normalise(cr, levels), frame.colour.matrix)
    across, down = frame.pixel_format.chroma_shift
    if across:
        wide = shares.new_empty((*shares.shape[:-1], frame.width))
        co_sited = frame.colour.chroma_location in CO_SITED_ACROSS
        shares = _upsample(shares, wide, co_sited=co_sited)
    if down:
        tall = shares.new_empty((3, frame.height, frame.width))
        shares = _upsample(shares.mT, tall.mT, co_sited=False).mT
    return shares


def chroma_shares(cb: Tensor, cr: Tensor, matrix: Matrix) -> Tensor:
    """Compute chroma's part of R, G and B from Cb and Cr in [-0.5, 0.5]."""
    kr, kb = LUMA_WEIGHTS[matrix]
    kg = 1 - kr - kb
    shares = cb.new_empty((3, *cb.shape))
    torch.mul(cr, 2 * (1 - kr), out=shares[0])
    torch.mul(cb, 2 * (1 - kb), out=shares[2])
    torch.mul(shares[0], -kr / kg, out=shares[1])
    shares[1].add_(shares[2], alpha=-kb / kg)
    return shares


def _upsample(source: Tensor, target: Tensor, *, co_sited: bool) -> Tensor:
    """Double the last axis into ``target`` bilinearly, edges replicated; return ``target``.

    Co-sited samples are on the even positions; centred ones between an even and an odd one, a
    quarter of their own spacing from either.
    """
    even, odd = target[..., 0::2], target[..., 1::2]
    left, right = source[..., :-1], source[..., 1:]
    inner = left.shape[-1]
    even[..., :1] = source[..., :1]
    odd[..., inner:] = source[..., -1:]
    if co_sited:
        even[..., 1:] = right
        torch.lerp(left, right, 0.5, out=odd[..., :inner])
    else:
        torch.lerp(right, left, 0.25, out=even[..., 1:])
        torch.lerp(left, right, 0.25, out=odd[..., :inner])
    return target


# RGB to planes


def _planes(rgb: Tensor, pixel_format: PixelFormat, colour: Colour) -> tuple[np.ndarray, ...]:
    """Quantise (3, H, W) float32 to planes."""
    levels = luma_levels(pixel_format, colour)
    if pixel_format.family == "rgb":
        codes = [_quantise(rgb[index], levels, pixel_format) for index in (1, 2, 0)]
    else:
        luma = _luma(rgb, colour.matrix)
        codes = [_quantise(luma, levels, pixel_format)]
        if pixel_format.family == "yuv":
            chroma = _chroma_of_rgb(rgb, luma, pixel_format, colour)
            levels = chroma_levels(pixel_format, colour)
            codes += [_quantise(component, levels, pixel_format) for component in chroma]
    return tuple(codes_plane(samples, pixel_format) for samples in download(codes))


def _floats(
    rgb: Tensor, like: Frame, pixel_format: PixelFormat, alpha: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, ...]:
    """Convert (3, H, W) float32 to floating point planes, clamped to the format's range."""
    values = rgb if pixel_format.family == "rgb" else _luma(rgb, Matrix.BT709).unsqueeze(0)
    planes = values.cpu().numpy()[[1, 2, 0] if len(values) == 3 else [0]]
    most = np.finfo(pixel_format.dtype).max
    if not alpha:
        return tuple(np.clip(planes, -most, most).astype(pixel_format.dtype))
    opacity = alpha[0].astype(np.float32)
    seen = opacity > 0
    scaled = np.where(seen, planes * opacity, 0).clip(-most, most).astype(pixel_format.dtype)
    if like.pixel_format == pixel_format:
        # Light that covers nothing (fire, glow) has no colour of its own and stays.
        scaled = np.where(seen, scaled, np.stack(like.planes[:-1]))
    return tuple(np.ascontiguousarray(plane) for plane in scaled)


def alpha_planes(
    like: Frame, pixel_format: PixelFormat, shape: tuple[int, int]
) -> tuple[np.ndarray, ...]:
    """Return the alpha plane for a format that has one, else none."""
    if not pixel_format.alpha:
        return ()
    top, alpha = _opaque(pixel_format), like.alpha
    if alpha is None:
        return (np.full(shape, top, pixel_format.dtype),)
    if pixel_format.dtype == alpha.dtype and pixel_format.depth == like.pixel_format.depth:
        return (alpha,)
    stretched = alpha.astype(np.float64) * (top / _opaque(like.pixel_format))
    if not pixel_format.floating:
        stretched = np.rint(np.nan_to_num(stretched).clip(0, top))
    return (stretched.astype(pixel_format.dtype),)


def _opaque(pixel_format: PixelFormat) -> int:
    return 1 if pixel_format.floating else 2**pixel_format.depth - 1


def _luma(rgb: Tensor, matrix: Matrix) -> Tensor:
    kr, kb = LUMA_WEIGHTS[matrix]
    return (rgb[0] * kr).add_(rgb[1], alpha=1 - kr - kb).add_(rgb[2], alpha=kb)


def _chroma_of_rgb(rgb: Tensor, luma: Tensor, pixel_format: PixelFormat, colour: Colour) -> Tensor:
    """Compute Cb and Cr in [-0.5, 0.5]: (2, rows, columns)."""
    kr, kb = LUMA_WEIGHTS[colour.matrix]
    chroma = rgb.new_empty((2, *luma.shape))
    torch.sub(rgb[2], luma, out=chroma[0])
    torch.sub(rgb[0], luma, out=chroma[1])
    across, down = pixel_format.chroma_shift
    if down:
        chroma = _downsample(chroma.mT, co_sited=False).mT
    if across:
        chroma = _downsample(chroma, co_sited=colour.chroma_location in CO_SITED_ACROSS)
    chroma[0].div_(2 * (1 - kb))
    chroma[1].div_(2 * (1 - kr))
    return chroma


def _downsample(source: Tensor, *, co_sited: bool) -> Tensor:
    """Halve the last axis, edges replicated: [1, 2, 1] / 4 on even positions, or pair means."""
    even, odd = source[..., 0::2], source[..., 1::2]
    pairs = odd.shape[-1]
    target = even * 0.5
    if co_sited:
        target[..., 1:].add_(odd[..., : even.shape[-1] - 1], alpha=0.25)
        target[..., :1].add_(even[..., :1], alpha=0.25)
        target[..., :pairs].add_(odd, alpha=0.25)
        target[..., pairs:].add_(even[..., pairs:], alpha=0.25)
    else:
        target[..., :pairs].add_(odd, alpha=0.5)
        target[..., pairs:].add_(even[..., pairs:], alpha=0.5)
    return target


def _quantise(values: Tensor, levels: Levels, pixel_format: PixelFormat) -> Tensor:
    """Round values to codes, in the narrowest type that every device has."""
    codes = (values * levels.span).add_(levels.zero).round_().clamp_(levels.low, levels.high)
    types = {8: torch.uint8, 16: torch.int32}
    return codes.to(types.get(pixel_format.depth, torch.int16)).contiguous()


def codes_plane(codes: Tensor, pixel_format: PixelFormat) -> np.ndarray:
    """Return codes on the CPU as a plane of a format.

    Args:
        codes: (H, W) uint8, int16 or int32, or floats.
        pixel_format: Which the plane is of.
    """
    plane = codes.numpy()
    same_size = plane.itemsize == pixel_format.dtype.itemsize
    return plane.view(pixel_format.dtype) if same_size else plane.astype(pixel_format.dtype)
