"""Frames in, stylized frames out."""

from __future__ import annotations

import threading
from copy import copy
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .allocator import give_back_large_blocks
from .cuda import own_stream
from .errors import DeviceError, UsageError
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
from .memory import free_memory, is_shortage
from .network import padded
from .options import PRECISIONS, Precision, RuntimeName
from .runtimes.benchmark import fastest
from .runtimes.runtime import Runtime, Wanted, check_runtime, open_runtime
from .style import Style
from .tiling import LEAST_TILE, can_be_tiled, fitting_tile, stylize_in_tiles

Tile = Literal["auto", "off"] | int

# Values that arithmetic has left a little outside of [0, 1].
_ROUNDING = 1e-3


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
        if not 0 <= strength <= 1:
            raise UsageError(f"strength must lie between 0 and 1, not {strength}")
        self.stroke_size: StrokeSize = check_stroke_size(stroke_size)
        self.detail = check_detail(detail)
        if precision not in PRECISIONS:
            raise UsageError(f"precision must be one of {', '.join(PRECISIONS)}")
        self.style = style if isinstance(style, Style) else load_style(style)
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.runtime = runtime
        self.tile = tile
        self.strength = strength
        self.keep_colors = keep_colors
        self._wanted = Wanted(self.device, self.precision, parallel)
        check_runtime(runtime, self._wanted)
        self._check_tile()
        self._opened: dict[str, Runtime] = {}
        self._for_size: dict[tuple[int, int], Runtime] = {}
        self._lock = threading.Lock()
        self._in_tiles = threading.Lock()

    def settings(self) -> dict[str, str | int | float]:
        """Return the settings that decide its output, by name; style and device aside."""
        return {
            "precision": self.precision,
            "runtime": self.runtime,
            "tile": self.tile,
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
        height, width = self.working_size(height, width, sample_aspect_ratio) or (height, width)
        runtime = self.runtime_for(height, width)
        # A frame in tiles has all cores and the memory to itself.
        return 1 if self._tile_size(height, width, runtime) else runtime.parallel

    def runtime_for(self, height: int, width: int) -> Runtime:
        """Return the runtime for frames of this size; choosing may take seconds, once on a machine.

        Raises:
            StyleError: The style is damaged.
        """
        with self._lock:
            if (height, width) not in self._for_size:
                name = self.runtime
                if name == "auto":
                    name = fastest(self.style, self._wanted, height, width)
                if name not in self._opened:
                    self._opened[name] = open_runtime(name, self.style, self._wanted)
                self._for_size[height, width] = self._opened[name]
            return self._for_size[height, width]

    def with_strokes(self, stroke_size: StrokeSize, detail: float) -> Stylizer:
        """Return a stylizer with other strokes, which shares this one's networks.

        Raises:
            UsageError: A value is out of range.
        """
        other = copy(self)
        other.stroke_size, other.detail = check_stroke_size(stroke_size), check_detail(detail)
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
                _as_batch(frames), sample_aspect_ratio=sample_aspect_ratio, full_size=full_size
            )
            return _as_array(stylized, frames)
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
            stylized = self._mixed(source, self._stylized(source))
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
            self._stylized,
            size,
            detail_size=details,
            detail=self.detail,
            strength=self.strength,
            keep_colors=self.keep_colors,
        )

    def _stylized(self, source: Tensor) -> Tensor:
        """Apply the network, in tiles where memory is short; float32."""
        height, width = source.shape[-2:]
        runtime = self.runtime_for(height, width)
        size = self._tile_size(height, width, runtime)
        while True:
            try:
                return runtime(source) if size is None else self._tiled(source, runtime, size)
            except (RuntimeError, MemoryError) as error:
                if self.tile != "auto" or runtime.parts is None or not is_shortage(error):
                    raise
                size = _smaller(size, height, width)

    def _tile_size(self, height: int, width: int, runtime: Runtime) -> int | None:
        """Return the side of a tile; None for whole frames."""
        if isinstance(self.tile, int):
            return self.tile
        if self.tile == "off" or runtime.parts is None or not can_be_tiled(self.style.spec):
            return None
        return fitting_tile(height, width, free_memory(self.device), parallel=runtime.parallel)

    def _tiled(self, source: Tensor, runtime: Runtime, size: int) -> Tensor:
        if runtime.parts is None:
            raise UsageError("this runtime stylizes whole frames only", hint="use --tile off")
        give_back_large_blocks()
        height, width = source.shape[-2:]
        frames = padded(source, self.style.spec.size_multiple)
        with self._in_tiles:
            stylized = [stylize_in_tiles(runtime.parts, frame, size) for frame in frames.split(1)]
        # A copy of an 8K frame is 400 MB.
        together = torch.cat(stylized) if len(stylized) > 1 else stylized[0]
        return together[..., :height, :width]

    def _check_tile(self) -> None:
        if self.tile in ("auto", "off"):
            return
        if not isinstance(self.tile, int) or self.tile < LEAST_TILE:
            raise UsageError(f"tile must be auto, off or from {LEAST_TILE} pixels, not {self.tile}")
        if not can_be_tiled(self.style.spec):
            raise UsageError(
                f"{self.style.name} can't be stylized in tiles",
                hint="its network normalises whole frames at full resolution; use --tile off",
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
            stylized = to_hdr(self._stylized(shown), gain, frame.colour)
        else:
            stylized = self._stylized(working.rgb.clamp(0, 1))
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
        return self._mixed(source, to_hdr(self._stylized(shown), gain, colour))


def _as_batch(frame: NDArray[Any]) -> Tensor:
    """Return an array, (H, W, 3) uint8 or floating point in [0, 1], as (1, 3, H, W) in [0, 1]."""
    integer = frame.dtype == np.uint8
    floating = frame.dtype.kind == "f" and frame.dtype.itemsize <= 8
    if frame.ndim != 3 or frame.shape[2] != 3 or not (integer or floating):
        raise UsageError(
            f"an array must be (H, W, 3) RGB, uint8 or floating point, not {frame.shape} "
            f"{frame.dtype}"
        )
    if floating and not (frame.min() >= -_ROUNDING and frame.max() <= 1 + _ROUNDING):
        raise UsageError(
            f"floating point values must lie in [0, 1], not {frame.min():g} to {frame.max():g}",
            hint="divide by 255, or give uint8",
        )
    # Views that are mirrored (BGR to RGB) or can't be written to are copied.
    own = np.require(frame, frame.dtype.newbyteorder("="), ["C", "W"])
    batch = torch.from_numpy(own).permute(2, 0, 1)[None]
    return batch.float() / 255 if integer else batch


def _as_array(stylized: Tensor, like: NDArray[Any]) -> NDArray[Any]:
    """Return (1, 3, H, W) in [0, 1] as an array of the dtype of another."""
    array = stylized[0].permute(1, 2, 0).contiguous()
    if like.dtype == np.uint8:
        array = (array.clamp(0, 1) * 255).round().byte()
    return array.numpy()


def _smaller(tile: int | None, height: int, width: int) -> int:
    """Return the next smaller tile, to try when memory ran out.

    Raises:
        DeviceError: There is none.
    """
    size = max(height, width) if tile is None else tile
    if size <= LEAST_TILE:
        raise DeviceError(
            f"there is not enough memory for frames of {width}x{height}",
            hint="close other programs, or use another device",
        )
    return max(size // 2, LEAST_TILE)


def choose_device(name: str) -> torch.device:
    """Return the device of a name; "auto" takes the fastest type that this machine has.

    Raises:
        DeviceError: This machine lacks the device.
    """
    if name == "auto":
        found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        name = next((kind for kind, there in found.items() if there), "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        # PyTorch's own text has several lines about builds.
        raise DeviceError(
            f"device {name!r} is not available here", hint="brushreel doctor lists the devices"
        ) from error
    return device


def choose_precision(name: Precision, device: torch.device) -> str:
    """Resolve "auto" to the fastest precision without visible differences."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "fp16"
    native = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bf16" if native else "fp32"
