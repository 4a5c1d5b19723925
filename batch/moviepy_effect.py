"""A style as an effect of MoviePy 2.

>>> from moviepy import VideoFileClip  # doctest: +SKIP
>>> VideoFileClip("holiday.mp4").with_effects([Stylize("wave")])  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from moviepy import Effect, ImageClip, VideoClip
from moviepy.Clip import Clip
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..core.frames.bars import Bars
from ..core.frames.stroke_size import DETAIL, NATURAL, StrokeSize
from ..core.options import BarsMode
from ..core.style import Style
from ..core.stylizer import Stylizer

_MOMENTS = 12


@dataclass
class Stylize(Effect):
    """MoviePy effect that stylizes every frame; mask, audio, speed and length stay.

    The network is loaded once, when the effect is made, however many clips it is applied to. A
    frame's pixels depend on that frame alone, and are `Stylizer`'s; black bars burnt into a clip
    pass through, as twelve of its frames show them. MoviePy hands out frames as
    8-bit RGB and does not support HDR: for more, stylize the files themselves.

    Attributes:
        style: A `Style`, a library name, a style file or a blend.
        strength: 0 (the source, untouched) to 1.
        keep_colors: Keep the source's chroma.
        stroke_size: See `Stylizer`.
        detail: See `Stylizer`.
        bars: "keep" passes burnt-in black bars through untouched; "style" stylizes whole frames.
        device: See `Stylizer`.

    Raises:
        BrushreelError: As `Stylizer`, when the effect is made; a `UsageError` when it is applied
            to audio or to a mask, which has no colours.
    """

    style: Style | str | Path
    strength: float = 1.0
    keep_colors: bool = False
    stroke_size: StrokeSize = NATURAL
    detail: float = DETAIL
    bars: BarsMode = "keep"
    device: str = "auto"
    _stylizer: Stylizer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._stylizer = Stylizer(
            self.style,
            device=self.device,
            strength=self.strength,
            keep_colors=self.keep_colors,
            stroke_size=self.stroke_size,
            detail=self.detail,
        )

    def apply(self, clip: Clip) -> VideoClip:
        """Return the stylized clip: an image at once, a clip frame by frame when it is asked."""
        if not isinstance(clip, VideoClip) or clip.is_mask:
            raise UsageError("only video in colour can be stylized, not audio or a mask")
        bars = _bars(clip) if self.bars == "keep" else Bars()
        return clip.image_transform(partial(self._between, bars) if bars else self._stylized)

    def _between(self, bars: Bars, frame: NDArray[Any]) -> NDArray[np.uint8]:
        """Stylize what lies between the bars."""
        result = _codes(frame)
        rows, columns = bars.between(result.shape[1], len(result))
        result[rows, columns] = self._stylized(frame[rows, columns])
        return result

    def _stylized(self, frame: NDArray[Any]) -> NDArray[np.uint8]:
        """Stylize (H, W, 3) RGB of 8 bit; other numbers count as 8 bit codes."""
        codes = torch.from_numpy(np.ascontiguousarray(frame[..., :3], np.float32))
        rgb = (codes / 255).clamp(0, 1).permute(2, 0, 1).unsqueeze(0)
        stylized = (self._stylizer(rgb)[0] * 255).round().byte()
        return stylized.permute(1, 2, 0).contiguous().numpy()


def _codes(frame: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(frame[..., :3]).round().clip(0, 255).astype(np.uint8)


def _bars(clip: VideoClip) -> Bars:
    """Return the bars of a clip; none of an image, or of a clip without an end."""
    if isinstance(clip, ImageClip) or not clip.duration:
        return Bars()
    moments = np.linspace(0, clip.duration, 2 * _MOMENTS + 1)[1::2]
    brightest = [_codes(np.asarray(clip.get_frame(moment))).max(2) for moment in moments]
    return Bars.of_brightest(np.maximum.reduce(brightest))
