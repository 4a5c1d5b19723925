"""Pictures of a frame for the page: exact ones, and small ones that are soon there."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..batch.contact_sheet import shown_rgb, still_at
from ..core.clips.clip_info import VideoInfo
from ..core.errors import UsageError
from ..core.frames.bars import Bars
from ..core.frames.frame import Frame
from ..core.frames.hdr import to_sdr
from ..core.frames.orientation import oriented
from ..core.frames.stroke_size import Size
from ..core.frames.strokes import to_working
from ..core.source_stylizer import SourceStylizer
from ..core.stylizer import Stylizer
from .frame_source import FrameSource

LEAST_LINES, MOST_LINES = 48, 1080
"""Lines of small pictures."""
_THUMBNAIL_LINES = 108
_PAINTING_SIDE = 480
_JPEG_QUALITY = 86
# PNG at its fastest: the page is on this machine.
_PNG_LEVEL = 1


def exact(source: FrameSource, number: int, stylizer: Stylizer | None, network: Lock) -> bytes:
    """Return a frame as PNG, with the pixels that `brushreel stylize` gives to the encoder.

    HDR is shown as an SDR display would show it. The picture is upright; its pixels are those of
    the clip, whatever their aspect ratio.

    Args:
        source: Its clip.
        number: Of the frame.
        stylizer: The look; None for the source frame.
        network: Held while the frame is stylized.

    Raises:
        BrushreelError: It can't be read or stylized.
    """
    frame = source.frame(number)
    if stylizer is not None:
        stylize = SourceStylizer(stylizer, source.info.video, source.bars)
        with network:
            frame = stylize(frame)
    content = io.BytesIO()
    _image(shown_rgb(frame), source.info.video.display_matrix).save(
        content, "PNG", compress_level=_PNG_LEVEL
    )
    return content.getvalue()


@dataclass(frozen=True)
class SmallFrame:
    """A frame as it is shown while a clip plays: scaled down, with square pixels.

    Attributes:
        rgb: (1, 3, h, w) in [0, 1], as an SDR display would show it.
        rows, columns: What lies between the clip's bars.
        full_size: Size of the active picture of the clip, in square pixels.
    """

    rgb: Tensor
    rows: slice
    columns: slice
    full_size: Size

    @classmethod
    def of(cls, frame: Frame, source: FrameSource, lines: int) -> SmallFrame:
        """Scale a frame down, never up.

        Args:
            frame: A frame of the clip.
            source: The clip.
            lines: Height of the result in pixels, before rotation.
        """
        video, bars = source.info.video, source.bars
        rgb = scaled(frame, video, lines)
        width, height = bars.active_size(frame.width, frame.height)
        full_size = Size(height, round(width * (video.sample_aspect_ratio or 1)))
        return cls(rgb, *_between(bars, frame, Size(*rgb.shape[-2:])), full_size)

    def stylized(self, stylizer: Stylizer) -> Tensor:
        """Return it stylized, in the look that the whole frame gets: (1, 3, h, w) in [0, 1]."""
        active = self.rgb[..., self.rows, self.columns].contiguous()
        result = self.rgb.clone()
        result[..., self.rows, self.columns] = stylizer(active, full_size=self.full_size)
        return result


def scaled(frame: Frame, video: VideoInfo, lines: int) -> Tensor:
    """Return a frame scaled down, never up, with square pixels, as an SDR display would show it.

    Args:
        frame: A frame of a clip.
        video: The clip's video stream.
        lines: Height of the result in pixels, before rotation.

    Returns:
        (1, 3, h, w) RGB in [0, 1].
    """
    scale = min(Fraction(1), Fraction(lines, frame.height))
    width = frame.width * (video.sample_aspect_ratio or 1)
    rgb = to_working(frame, Size(_even(frame.height * scale), _even(width * scale))).rgb
    return (to_sdr(rgb, frame.colour)[0] if frame.colour.hdr else rgb).clamp(0, 1)


def small(rgb: Tensor, video: VideoInfo) -> bytes:
    """Return (1, 3, h, w) RGB in [0, 1] of a clip's frame as JPEG, upright."""
    return jpeg(rgb, video.display_matrix)


def jpeg(rgb: Tensor, matrix: tuple[int, ...] | None = None) -> bytes:
    """Return (1, 3, h, w) RGB in [0, 1] as JPEG, turned by a display matrix."""
    content = io.BytesIO()
    _image(rgb, matrix).save(content, "JPEG", quality=_JPEG_QUALITY)
    return content.getvalue()


def of_painting(image: Image.Image) -> bytes:
    """Return a painting as a small JPEG."""
    small, content = image.convert("RGB"), io.BytesIO()
    small.thumbnail((_PAINTING_SIDE, _PAINTING_SIDE), Image.Resampling.LANCZOS)
    small.save(content, "JPEG", quality=_JPEG_QUALITY)
    return content.getvalue()


def thumbnail(path: Path) -> bytes:
    """Return the middle frame of a clip or image sequence as a small JPEG.

    Raises:
        BrushreelError: It can't be read.
    """
    still = still_at(path, None)
    video = still.info.video
    return small(scaled(still.frame, video, _THUMBNAIL_LINES), video)


def check_lines(value: Any) -> int:  # noqa: ANN401  it came from outside
    """Refuse a height that no small picture has.

    Raises:
        UsageError: It is no number, or out of range.
    """
    try:
        lines = int(value)
    except (TypeError, ValueError):
        lines = 0
    if not LEAST_LINES <= lines <= MOST_LINES:
        raise UsageError(f"a picture has {LEAST_LINES} to {MOST_LINES} lines, not {value}")
    return lines


def _image(rgb: Tensor, matrix: tuple[int, ...] | None) -> Image.Image:
    codes = (rgb[0].float().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu()
    upright = oriented(codes.numpy(), matrix)
    return Image.fromarray(np.ascontiguousarray(upright))


def _between(bars: Bars, frame: Frame, size: Size) -> tuple[slice, slice]:
    """Return rows and columns of the active picture in a frame that was scaled."""
    rows, columns = bars.between(frame.width, frame.height)
    down, across = size.height / frame.height, size.width / frame.width
    return (
        slice(round(rows.start * down), round(rows.stop * down)),
        slice(round(columns.start * across), round(columns.stop * across)),
    )


def _even(side: Fraction | float) -> int:
    return max(2, 2 * round(side / 2))
