"""Mastering display and content light level, in the words of each encoder's library.

SMPTE ST 2086 and CTA-861.3. They travel inside the stream; ProRes, DNxHR and FFV1 have no place
for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from ...core.clips.clip_info import VideoInfo
from .codecs import Encoder

_CHROMATICITY, _LUMINANCE = 50_000, 10_000
"""Steps of a coordinate and of a candela per square metre (H.265, D.3.28)."""


def mastering_params(encoder: Encoder, video: VideoInfo) -> Iterator[str]:
    """Return the encoder's own settings that write the source's metadata, if it has any."""
    names = _NAMES.get(encoder.name)
    if names is None:
        return
    display_option, light_option, in_steps = names
    if video.mastering_display is not None:
        yield f"{display_option}={_display(video.mastering_display, in_steps=in_steps)}"
    if video.content_light is not None:
        yield f"{light_option}={video.content_light[0]},{video.content_light[1]}"


def loses_mastering(encoder: Encoder, video: VideoInfo) -> bool:
    """Return whether the source has metadata of this kind that the encoder can't write."""
    says = video.mastering_display is not None or video.content_light is not None
    return says and encoder.name not in _NAMES


# Option for the display, option for the light level, whether the display is given in steps.
_NAMES = {
    "libx264": ("mastering-display", "cll", True),
    "libx265": ("master-display", "max-cll", True),
    "libsvtav1": ("mastering-display", "content-light", False),
}


def _display(values: tuple[Fraction, ...], *, in_steps: bool) -> str:
    def point(x: Fraction, y: Fraction) -> str:
        return f"({number(x, _CHROMATICITY)},{number(y, _CHROMATICITY)})"

    def number(value: Fraction, steps: int) -> str:
        return str(round(value * steps)) if in_steps else f"{float(value):.6f}"

    red, green, blue, white = (point(*values[i : i + 2]) for i in (0, 2, 4, 6))
    least, most = (number(value, _LUMINANCE) for value in values[8:])
    return f"G{green}B{blue}R{red}WP{white}L({most},{least})"
