"""Input transforms: a host's pixel values to those of an sRGB display, and back.

Only the transfer curve is converted, not the primaries. The sRGB curve (IEC 61966-2-1) is
continued above 1 and mirrored below 0, so that every value can be converted back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ....core.errors import EditorError

_Curve = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Transfer:
    """A transfer function of the host's pixels, both ways, for float32 of any shape.

    Attributes:
        to_display: Conversion to sRGB display values; scene light above white gives more than 1.
        from_display: The inverse.
    """

    to_display: _Curve
    from_display: _Curve


def _srgb(linear: Tensor) -> Tensor:
    size = linear.abs()
    curve = 1.055 * size.clamp(min=0.0031308).pow(1 / 2.4) - 0.055
    return torch.where(size <= 0.0031308, 12.92 * size, curve).copysign(linear)


def _from_srgb(signal: Tensor) -> Tensor:
    size = signal.abs()
    curve = ((size.clamp(min=0.04045) + 0.055) / 1.055).pow(2.4)
    return torch.where(size <= 0.04045, size / 12.92, curve).copysign(signal)


def _log_curve(
    slope: float, offset: float, scale: float, base_offset: float, cut: float, toe: float
) -> tuple[_Curve, _Curve]:
    """Return a log curve and its inverse: a logarithm above `cut`, a line below it.

    The logarithm is scale · log2(slope · x + offset) + base_offset. The line meets it at `cut`;
    `toe` is its slope.
    """
    at_cut = scale * math.log2(slope * cut + offset) + base_offset

    def encode(linear: Tensor) -> Tensor:
        curve = (slope * linear.clamp(min=cut) + offset).log2() * scale + base_offset
        return torch.where(linear > cut, curve, (linear - cut) * toe + at_cut)

    def decode(signal: Tensor) -> Tensor:
        curve = (torch.exp2((signal.clamp(min=at_cut) - base_offset) / scale) - offset) / slope
        return torch.where(signal > at_cut, curve, (signal - at_cut) / toe + cut)

    return encode, decode


def _via_display(encode: _Curve, decode: _Curve) -> Transfer:
    return Transfer(lambda signal: _srgb(decode(signal)), lambda signal: encode(_from_srgb(signal)))


_LOG10_2 = math.log10(2)

_DISPLAY = Transfer(lambda signal: signal, lambda signal: signal)
_LINEAR = Transfer(_srgb, _from_srgb)
# Blackmagic Design, "DaVinci Resolve 17 Wide Gamut Intermediate".
_DAVINCI_INTERMEDIATE = _via_display(
    *_log_curve(1.0, 0.0075, 0.07329248, 7.0 * 0.07329248, 0.00262409, 10.44426855)
)
# Academy S-2016-001.
_ACESCCT = _via_display(*_log_curve(1.0, 0.0, 1 / 17.52, 9.72 / 17.52, 0.0078125, 10.5402377416545))
# ARRI, "ALEXA LogC Curve", scene exposure factor, EI 800.
_LOGC3 = _via_display(
    *_log_curve(5.555556, 0.052272, 0.247190 * _LOG10_2, 0.385537, 0.010591, 5.367655)
)
# Sony, "Technical Summary for S-Gamut3.Cine/S-Log3".
_SLOG3 = _via_display(
    *_log_curve(
        1 / 0.19,
        0.01 / 0.19,
        261.5 / 1023 * _LOG10_2,
        420 / 1023,
        0.01125,
        (171.2102946929 - 95) / 1023 / 0.01125,
    )
)
_TRANSFORMS = (_DISPLAY, _LINEAR, None, _DAVINCI_INTERMEDIATE, _ACESCCT, _LOGC3, _SLOG3)
"""Input transforms in the order of the effect's menu; None is the curve that the host names."""

_BY_NAME = {
    "davinciintermediate": _DAVINCI_INTERMEDIATE,
    "acescct": _ACESCCT,
    "logc3": _LOGC3,
    "slog3": _SLOG3,
}


def transfer(number: int, colourspace: str) -> Transfer:
    """Return the input transform of a number in the effect's menu.

    Args:
        number: 0 display, 1 scene linear, 2 the log curve that the host names, 3 DaVinci
            Intermediate, 4 ACEScct, 5 ARRI LogC3, 6 Sony S-Log3.
        colourspace: The host's name of it (OpenFX 1.5, `OfxImageClipPropColourspace`).

    Raises:
        EditorError: The host names none, or one whose curve is not known here.
    """
    if chosen := _TRANSFORMS[number]:
        return chosen
    plain = "".join(filter(str.isalnum, colourspace.lower()))
    for name, found in _BY_NAME.items():
        if name in plain:
            return found
    named = f"calls its pixels {colourspace!r}" if colourspace else "does not name its log curve"
    raise EditorError(f"the host {named}", hint="choose the curve as Input")
