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

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial

import torch
from torch import Tensor

from .colour import alpha_planes
from .frame import Colour, Frame, Matrix, PixelFormat, Range
from .mixing import mixed
from .plane_scaling import PlaneScaling, detail_shares, luma_of
from .resampling import resized
from .rgb_scaling import FLOATS, RgbScaling
from .scaling_on_torch import Resident, detail_gain
from .stroke_size import DETAIL, Size

_RGB = Colour(matrix=Matrix.RGB, range=Range.FULL)


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
    unbounded = _is_unbounded(frame)
    scaling = RgbScaling(frame, resident) if unbounded else PlaneScaling(frame, resident, threads)
    rgb, luma = scaling.down(size)
    if detail_size not in (None, size):
        luma = scaling.luma_down(detail_size)
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
    luma = working.luma
    stylized = resized(stylized, Size(*luma.shape))
    own = strength < 1 or keep_colors
    same = (target, meaning) == (frame.pixel_format, frame.colour)
    if target.floating or _is_unbounded(frame) or (own and not same):
        mix = partial(mixed, strength=strength, keep_colors=keep_colors)
        return RgbScaling(frame, working.resident).up(stylized, luma, detail, mix, target, meaning)
    scaling = PlaneScaling(frame, working.resident, threads)
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
        frame = Frame(planes, FLOATS, width, height, 0, 0, Fraction(1), _RGB)
        scaling = PlaneScaling(frame, Resident(rgb.device), threads)
        small, luma = scaling.down(size)
        luma = luma if first == size else scaling.luma_down(first)
        stylized = resized(stylize(small), first)[0]
        made = scaling.up(
            stylized, luma, FLOATS, _RGB, detail=detail, strength=strength, keep=keep_colors
        )
        green, blue, red = map(torch.from_numpy, made)
        return torch.stack([red, green, blue]).clamp_(0, 1).unsqueeze(0)
    whole = Size(*rgb.shape[-2:])
    stylized = resized(stylize(resized(rgb, size).clamp(0, 1)), first)[0]
    coarse = luma_of(resized(rgb, first)[0], _RGB)
    slope = detail_gain(luma_of(stylized, _RGB), coarse, detail_shares(detail))
    made = resized(stylized - slope * coarse, whole) + resized(slope, whole) * luma_of(rgb[0], _RGB)
    return mixed(rgb, made.clamp_(0, 1).unsqueeze(0), strength=strength, keep_colors=keep_colors)


def _is_unbounded(frame: Frame) -> bool:
    """Return whether samples, or what they mean, have no bounds."""
    return frame.pixel_format.floating or frame.colour.hdr == "linear"
