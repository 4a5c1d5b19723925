"""Conversion of HDR to SDR for a network trained on SDR, and of its stylized frames back to HDR.

Codes of PQ and HLG (ITU-R BT.2100) have other meanings than those of the images that styles are
trained on: white paper is at 58 % or 75 %, and a painting's white as a code would be the brightest
light possible. So the network gets a frame as an SDR display would show it:

1. Signal to light on the display: the EOTF of PQ, or HLG's inverse OETF and its OOTF for a display
   of 1000 cd/m² (BT.2100, tables 4 and 5).
2. From the clip's primaries to BT.709's; colours outside are clipped to the border.
3. Highlights are rolled off from 1000 to 203 cd/m², HDR's reference white (BT.2408), with the EETF
   of BT.2390, section 5.4.1, applied to the largest of R, G and B; all three are divided by one
   factor, so that hues stay. The factor is 1 up to 88 cd/m², 1.28 at 203, and grows without limit.
4. Light to an SDR signal: the inverse EOTF of BT.1886.

The stylized frame is converted back by the inverse steps, each pixel multiplied by the source's own
factor (a gain map, see ISO 21496-1). So stylized white is white paper where the source was no
brighter, and a light stays a light, stylized dark or bright; no highlight is clipped; and a network
that changes nothing returns the source. Stylized colours stay inside BT.709, the gamut of the
paintings that styles are trained from. Mixing with the source and keeping its colours are done in
the clip's own signal, like in SDR.

HLG of limited range extends to 109 % (BT.2100, table 9) both ways.

Linear light (H.273's linear transfer, OpenEXR's content) is converted by the same steps with 1.0
for the reference white, and has no upper limit. Negative light is shown as black.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from .frame import Colour

REFERENCE_WHITE = 203.0
"""cd/m² of white paper in HDR (BT.2408); white of the SDR display."""

_PQ_PEAK = 10_000.0
_ROLLED_OFF_PEAK = 1000.0
_BT1886_GAMMA = 2.4

# BT.2100, table 4.
_M1, _M2 = 2610 / 16384, 128 * 2523 / 4096
_C1, _C2, _C3 = 3424 / 4096, 32 * 2413 / 4096, 32 * 2392 / 4096
# BT.2100, table 5.
_A = 0.17883277
_B, _C = 1 - 4 * _A, 0.5 - _A * math.log(4 * _A)
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2
_HLG_HEADROOM = 1.0911
_BT2020_LUMA = (0.2627, 0.6780, 0.0593)

_D65 = (0.3127, 0.3290)
_D50 = np.array((0.9642, 1.0, 0.8249))
_BRADFORD = np.array(
    [(0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)]
)
CHROMATICITIES = {
    1: (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65),
    4: (0.670, 0.330, 0.210, 0.710, 0.140, 0.080, 0.310, 0.316),
    5: (0.640, 0.330, 0.290, 0.600, 0.150, 0.060, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
}
"""x and y of red, green, blue and white by code point (ITU-T H.273, table 2)."""


def to_sdr(signal: Tensor, colour: Colour) -> tuple[Tensor, Tensor]:
    """Convert an HDR frame to SDR as a display would show it, with the gain that leads back.

    Args:
        signal: (N, 3, H, W) R'G'B' in [0, 1] (HLG: to 1.09; linear: any), float32, PQ or HLG or
            linear.
        colour: Its transfer and primaries; primaries without a conversion count as BT.2020, or
            BT.709 where it is linear.

    Returns:
        (N, 3, H, W) R'G'B' of BT.709 and BT.1886 in [0, 1], and (N, 1, H, W), at least 1: the
        factor by which the source is brighter than shown.
    """
    light = _light(signal, colour)
    light = _mixed(light, _to_bt709(_chromaticities(colour))).clamp_(min=0)
    largest = light.amax(1, keepdim=True)
    gain = _gain(largest)
    shown = light.div_(gain * REFERENCE_WHITE).clamp_(max=1)
    return shown.pow_(1 / _BT1886_GAMMA), gain


def to_hdr(stylized: Tensor, gain: Tensor, colour: Colour) -> Tensor:
    """Convert a stylized frame of `to_sdr` back to the source's own signal.

    Args:
        stylized: (N, 3, H, W) R'G'B' of BT.709 and BT.1886 in [0, 1], float32.
        gain: The gain that `to_sdr` returned.
        colour: The colour that `to_sdr` got.

    Returns:
        (N, 3, H, W) R'G'B' in [0, 1] (HLG: to 1.09; linear: from 0), PQ or HLG or linear.
    """
    light = stylized.pow(_BT1886_GAMMA).mul_(gain * REFERENCE_WHITE)
    light = _mixed(light, np.linalg.inv(_to_bt709(_chromaticities(colour)))).clamp_(min=0)
    if colour.hdr == "linear":
        return light.div_(REFERENCE_WHITE)
    if colour.hdr == "PQ":
        return _inverse_eotf(light).clamp_(0, 1)
    return _hlg_signal(light).clamp_(0, _HLG_HEADROOM)


def to_linear(signal: Tensor, colour: Colour) -> Tensor:
    """Convert a signal to light in its own primaries, 1.0 for white paper.

    Args:
        signal: (N, 3, H, W) R'G'B' in [0, 1] (HLG: to 1.09), float32.
        colour: Its transfer; SDR is light of a BT.1886 display.

    Returns:
        (N, 3, H, W), from 0.
    """
    if colour.hdr is None:
        return signal.clamp(min=0).pow_(_BT1886_GAMMA)
    return _light(signal, colour).div_(REFERENCE_WHITE)


def _light(signal: Tensor, colour: Colour) -> Tensor:
    """Convert a signal to cd/m² on the display."""
    if colour.hdr == "linear":
        return signal * REFERENCE_WHITE
    return _eotf(signal) if colour.hdr == "PQ" else _hlg_light(signal)


def _gain(light: Tensor) -> Tensor:
    """Compute the factor by which BT.2390's EETF darkens light in cd/m², above the peak as well."""
    peak, white = (_inverse_eotf(torch.tensor(nits)).item() for nits in (_ROLLED_OFF_PEAK, 203.0))
    most = white / peak
    knee = 1.5 * most - 0.5
    position = (_inverse_eotf(light) / peak).clamp_(max=1)
    t = (position - knee) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * most
    )
    return torch.where(position < knee, 1.0, light / _eotf(spline * peak)).clamp_(min=1)


def _eotf(signal: Tensor) -> Tensor:
    """Convert PQ to cd/m²."""
    powered = signal.pow(1 / _M2)
    return ((powered - _C1).clamp_(min=0) / (_C2 - _C3 * powered)).pow_(1 / _M1).mul_(_PQ_PEAK)


def _inverse_eotf(light: Tensor) -> Tensor:
    """Convert cd/m² to PQ."""
    powered = (light / _PQ_PEAK).pow_(_M1)
    return ((_C1 + _C2 * powered) / (1 + _C3 * powered)).pow_(_M2)


def _hlg_light(signal: Tensor) -> Tensor:
    """Convert HLG to cd/m² of a display of 1000 cd/m²."""
    dark = signal.square() / 3
    bright = (((signal - _C) / _A).exp_() + _B) / 12
    scene = torch.where(signal <= 0.5, dark, bright)
    return scene * _luminance(scene).pow_(_HLG_GAMMA - 1) * _HLG_PEAK


def _hlg_signal(light: Tensor) -> Tensor:
    """Convert cd/m² of a display of 1000 cd/m² to HLG."""
    display = light / _HLG_PEAK
    # The luminance of black can't be a divisor; 1e-7 cd/m² is black enough.
    luminance = _luminance(display).clamp_(min=1e-10)
    scene = display * luminance.pow_((1 - _HLG_GAMMA) / _HLG_GAMMA)
    bright = _A * (12 * scene - _B).clamp_(min=1e-6).log_() + _C
    return torch.where(scene <= 1 / 12, (3 * scene).sqrt_(), bright)


def _luminance(rgb: Tensor) -> Tensor:
    return _mixed(rgb, np.array([_BT2020_LUMA]))


def _mixed(rgb: Tensor, matrix: np.ndarray) -> Tensor:
    """Multiply (N, 3, H, W) by a (rows, 3) matrix: (N, rows, H, W)."""
    weights = torch.from_numpy(matrix).to(rgb.device, rgb.dtype)
    return torch.einsum("rc,nchw->nrhw", weights, rgb)


def _chromaticities(colour: Colour) -> tuple[float, ...]:
    usual = CHROMATICITIES[1 if colour.hdr == "linear" else 9]
    return colour.chromaticities or CHROMATICITIES.get(colour.primaries, usual)


@cache
def _to_bt709(chromaticities: tuple[float, ...]) -> np.ndarray:
    source, target = _to_xyz(chromaticities), _to_xyz(CHROMATICITIES[1])
    if chromaticities[6:] == _D65:
        return np.linalg.inv(target) @ source
    # Cone responses of another white are scaled to D65's (Bradford, see ICC.1:2022, annex E).
    scale = (_BRADFORD @ target.sum(1)) / (_BRADFORD @ source.sum(1))
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(scale) @ _BRADFORD
    return np.linalg.inv(target) @ adapted @ source


def adapted_to_d50(chromaticities: tuple[float, ...]) -> np.ndarray:
    """Return red, green and blue in XYZ, white adapted to D50 as in ICC profiles: (3, 3), columns.

    Args:
        chromaticities: See `CHROMATICITIES`.
    """
    source = _to_xyz(chromaticities)
    scale = (_BRADFORD @ _D50) / (_BRADFORD @ source.sum(1))
    return np.linalg.inv(_BRADFORD) @ np.diag(scale) @ _BRADFORD @ source


def _to_xyz(chromaticities: tuple[float, ...]) -> np.ndarray:
    """Return the matrix from RGB to CIE XYZ (SMPTE RP 177); y of a primary may be 0, like XYZ's."""
    points = zip(chromaticities[::2], chromaticities[1::2], strict=True)
    columns = np.array([(x, y, 1 - x - y) for x, y in points]).T
    primaries, white = columns[:, :3], columns[:, 3]
    return primaries * np.linalg.solve(primaries, white / white[1])
