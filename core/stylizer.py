"""Frames in, stylized frames out."""

from __future__ import annotations

from copy import copy
from fractions import Fraction
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .arrays import as_array, as_batch
from .cuda import own_stream
from .devices import choose_device, choose_precision
from .errors import UsageError
from .frames.colour import from_rgb, to_rgb
from .frames.frame import Colour, Frame, PixelFormat
from .frames.hdr import to_hdr, to_sdr
from .frames.mixing import mixed
from .frames.stroke_size import (
    DETAIL,
    NATURAL,
    Size,
    StrokeSize,
    check_detail,
    check_stroke_size,
    detail_size,
    working_size,
)
from .frames.strokes import from_working, stylized_rgb, to_working
from .library import load_style
from .options import PRECISIONS, Precision, RuntimeName
from .running_network import RunningNetwork, Tile
from .runtimes.runtime import Runtime, Wanted
from .style import Style


class Stylizer:
    """A style that is ready to run.

    Every frame is stylized by itself: the same frame gives the same pixels, independent of the
    frames before it and in its batch.

    Args:
        style: A loaded `Style`, a library name, a style file, or a blend ("wave:0.6+udnie:0.4").
        device: "auto" (CUDA, then MPS, then CPU), "cpu", "cuda", "cuda:1", "mps".
        precision: Number format of the network's arithmetic. "auto" is fp16 on CUDA, bf16 on a CPU
            that multiplies bf16 natively, else fp32; "int8" is faster on CPUs and less exact.
            Input and output keep the caller's type.
        runtime: "amx", "avx512", "torch", "openvino" or "onnxruntime"; "auto" takes the fastest,
            measured once for a machine and a size of frame.
        strength: 0 (the source, untouched) to 1 (the full style), mixed pixel by pixel.
        keep_colors: Take only lightness from the stylized frame; pixels keep the source's chroma.
        parallel: Number of threads that may call it at a time. On a CPU each then gets cores of its
            own, which is faster for many frames and slower for one.
        stroke_size: Size of the strokes: 1 for the style's own share of the frame's size at any
            resolution, "native" for the style's own size in pixels.
        detail: Share of the source's luma detail finer than strokes, such as grain, eyelashes and
            titles, that is added again: 0 to 1.
        tile: Side in pixels of the tiles in which a frame is stylized, which need less memory and
            show no seams; "off" for whole frames, "auto" for tiles where a frame would not fit.

    Raises:
        UsageError: Strength, precision or tile is out of range, no runtime supports the request, or
            a blend makes no sense.
        DeviceError: This machine lacks the device or the runtime.
        StyleError: The style is unknown or damaged.
    """

    def __init__(
        self,
        style: Style | str | Path,
        *,
        device: str = "auto",
        precision: Precision = "auto",
        runtime: RuntimeName = "auto",
        strength: float = 1.0,
        keep_colors: bool = False,
        parallel: int = 1,
        tile: Tile = "auto",
        stroke_size: StrokeSize = NATURAL,
        detail: float = DETAIL,
    ):
        self.strength = check_strength(strength)
        self.stroke_size: StrokeSize = check_stroke_size(stroke_size)
        self.detail = check_detail(detail)
        if precision not in PRECISIONS:
            raise UsageError(f"precision must be one of {', '.join(PRECISIONS)}")
        self.style = style if isinstance(style, Style) else load_style(style)
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.keep_colors = keep_colors
        wanted = Wanted(self.device, self.precision, parallel)
        self._network = RunningNetwork(self.style, wanted, runtime, tile)

    def settings(self) -> dict[str, str | int | float]:
        """Return the settings that decide its output, by name; style and device aside."""
        return {
            "precision": self.precision,
            "runtime": self._network.runtime,
            "tile": self._network.tile,
            "strength": self.strength,
            "keep_colors": self.keep_colors,
            "stroke_size": self.stroke_size,
            "detail": self.detail,
        }

    def working_size(
        self, height: int, width: int, sample_aspect_ratio: Fraction | float = 1
    ) -> Size | None:
        """Return the size at which frames of this size are stylized; None for "native".

        Raises:
            UsageError: That would be more than 4 times their own size.
        """
        return working_size(
            width,
            height,
            self.stroke_size,
            lines=self.style.lines,
            sample_aspect_ratio=sample_aspect_ratio,
        )

    def identity(
        self, height: int, width: int, sample_aspect_ratio: Fraction | float = 1
    ) -> str | None:
        """Return all that decides about the pixels of such frames; None at strength 0."""
        if not self.strength:
            return None
        size = self.working_size(height, width, sample_aspect_ratio)
        if size is None:
            return self.runtime_for(height, width).identity
        runtime = self.runtime_for(*size)
        return f"{runtime.identity}, {size.width}x{size.height}, detail {self.detail:g}"

    def parallel(self, height: int, width: int, sample_aspect_ratio: Fraction | float = 1) -> int:
        """Return the number of threads that should call it at a time for frames of this size."""
        if not self.strength:
            return 1
        size = self.working_size(height, width, sample_aspect_ratio) or (height, width)
        return self._network.parallel(*size)

    def runtime_for(self, height: int, width: int) -> Runtime:
        """Return the runtime for frames of this size, see `RunningNetwork`."""
        return self._network.runtime_for(height, width)

    def with_strokes(self, stroke_size: StrokeSize, detail: float) -> Stylizer:
        """Return a stylizer with other strokes, which shares this one's networks.

        Raises:
            UsageError: A value is out of range.
        """
        other = copy(self)
        other.stroke_size, other.detail = check_stroke_size(stroke_size), check_detail(detail)
        return other

    def with_mixture(self, strength: float, *, keep_colors: bool) -> Stylizer:
        """Return a stylizer with other shares of the source, which shares this one's networks.

        Raises:
            UsageError: The strength is out of range.
        """
        other = copy(self)
        other.strength, other.keep_colors = check_strength(strength), keep_colors
        return other

    @overload
    def __call__(
        self,
        frames: Tensor,
        *,
        sample_aspect_ratio: Fraction | float = 1,
        full_size: Size | None = None,
    ) -> Tensor: ...

    @overload
    def __call__(
        self,
        frames: NDArray[Any],
        *,
        sample_aspect_ratio: Fraction | float = 1,
        full_size: Size | None = None,
    ) -> NDArray[Any]: ...

    @torch.no_grad()
    def __call__(
        self,
        frames: Tensor | NDArray[Any],
        *,
        sample_aspect_ratio: Fraction | float = 1,
        full_size: Size | None = None,
    ) -> Tensor | NDArray[Any]:
        """Stylize a batch of frames, or one frame as an array.

        Args:
            frames: A tensor, (N, 3, H, W) RGB in [0, 1], floating point, any size and device; or
                an array, (H, W, 3) RGB, uint8 or floating point in [0, 1].
            sample_aspect_ratio: Width of a pixel by its height.
            full_size: Size in square pixels of the frames that these are proxies of: they get the
                look of those.

        Returns:
            The same kind, shape, dtype and device; at strength 0 the values unchanged.

        Raises:
            UsageError: It is neither, or an array's floating point values lie outside of [0, 1].
        """
        if isinstance(frames, np.ndarray):
            stylized = self(
                as_batch(frames), sample_aspect_ratio=sample_aspect_ratio, full_size=full_size
            )
            return as_array(stylized, frames)
        if frames.ndim != 4 or frames.shape[1] != 3 or not frames.is_floating_point():
            raise UsageError(
                f"frames must be (N, 3, H, W) floating point, not {tuple(frames.shape)} "
                f"{frames.dtype}"
            )
        if self.strength == 0:
            return frames.clone()
        source = frames.to(self.device, torch.float32)
        height, width = source.shape[-2:]
        if full_size is not None:
            (height, width), sample_aspect_ratio = full_size, 1
        size = self.working_size(height, width, sample_aspect_ratio)
        if size is None:
            stylized = self._mixed(source, self._network(source))
        else:
            details = self._detail_size(height, width, sample_aspect_ratio)
            stylized = torch.cat([self._scaled(frame, size, details) for frame in source.split(1)])
        return stylized.to(frames.device, frames.dtype)

    def _detail_size(
        self, height: int, width: int, sample_aspect_ratio: Fraction | float
    ) -> Size | None:
        return detail_size(
            width,
            height,
            self.stroke_size,
            lines=self.style.lines,
            sample_aspect_ratio=sample_aspect_ratio,
        )

    def _scaled(self, source: Tensor, size: Size, details: Size | None) -> Tensor:
        """Stylize (1, 3, H, W) at another size."""
        return stylized_rgb(
            source,
            self._network,
            size,
            detail_size=details,
            detail=self.detail,
            strength=self.strength,
            keep_colors=self.keep_colors,
        )

    def _mixed(self, source: Tensor, stylized: Tensor) -> Tensor:
        """Mix the stylized frame with the source, by strength and `keep_colors`."""
        return mixed(source, stylized, strength=self.strength, keep_colors=self.keep_colors)

    def stylize(
        self,
        frame: Frame,
        *,
        pixel_format: PixelFormat | None = None,
        colour: Colour | None = None,
        sample_aspect_ratio: Fraction | float = 1,
    ) -> Frame:
        """Stylize one `Frame`; its timing and alpha stay, the colour under alpha is stylized too.

        PQ and HLG are stylized as an SDR display would show them and become HDR again: see `hdr`.
        At strength 0 a frame that needs no conversion is returned itself.

        Args:
            frame: Native planes.
            pixel_format: Format of the result; the frame's own by default.
            colour: Colour of the result; the frame's own by default.
            sample_aspect_ratio: Width of a pixel by its height.
        """
        wanted = (pixel_format or frame.pixel_format, colour or frame.colour)
        if self.strength == 0 and wanted == (frame.pixel_format, frame.colour):
            return frame
        size = None
        if self.strength:
            size = self.working_size(frame.height, frame.width, sample_aspect_ratio)
        with own_stream(self.device):
            if size is not None:
                details = self._detail_size(frame.height, frame.width, sample_aspect_ratio)
                return self._in_planes(frame, size, details, *wanted)
            rgb = to_rgb(frame, device=self.device)
            stylized = self._hdr(rgb, frame.colour) if frame.colour.hdr else self(rgb)
            return from_rgb(stylized, frame, pixel_format=wanted[0], colour=wanted[1])

    @torch.no_grad()
    def _in_planes(
        self, frame: Frame, size: Size, details: Size | None, form: PixelFormat, colour: Colour
    ) -> Frame:
        """Stylize at another size, straight from planes and back to planes."""
        working = to_working(frame, size, detail_size=details, device=self.device)
        if frame.colour.hdr:
            shown, gain = to_sdr(working.rgb, frame.colour)
            stylized = to_hdr(self._network(shown), gain, frame.colour)
        else:
            stylized = self._network(working.rgb.clamp(0, 1))
        return from_working(
            stylized,
            working,
            frame,
            detail=self.detail,
            strength=self.strength,
            keep_colors=self.keep_colors,
            pixel_format=form,
            colour=colour,
        )

    @torch.no_grad()
    def _hdr(self, source: Tensor, colour: Colour) -> Tensor:
        if self.strength == 0:
            return source
        shown, gain = to_sdr(source, colour)
        return self._mixed(source, to_hdr(self._network(shown), gain, colour))


def check_strength(value: float) -> float:
    """Refuse what is no share of the stylized frame.

    Raises:
        UsageError: It does not lie between 0 and 1.
    """
    if not 0 <= value <= 1:
        raise UsageError(f"strength must lie between 0 and 1, not {value}")
    return value
