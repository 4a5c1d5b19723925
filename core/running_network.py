"""A style's network in runtimes, chosen by the size of frames; in tiles where memory is short."""

from __future__ import annotations

import threading
from typing import Literal

import torch
from torch import Tensor

from .allocator import give_back_large_blocks
from .errors import DeviceError, UsageError
from .memory import free_memory, is_shortage
from .network import padded
from .options import RuntimeName
from .runtimes.benchmark import fastest
from .runtimes.runtime import Runtime, Wanted, check_runtime, open_runtime
from .style import Style
from .tiling import LEAST_TILE, can_be_tiled, fitting_tile, stylize_in_tiles

Tile = Literal["auto", "off"] | int


class RunningNetwork:
    """A style's network, ready to run.

    Args:
        style: The style.
        wanted: Device, precision, and number of threads that may call it at a time.
        runtime: See `Stylizer`.
        tile: See `Stylizer`.

    Raises:
        UsageError: No runtime supports the request, or tiles make no sense.
        DeviceError: This machine lacks the runtime.
    """

    def __init__(self, style: Style, wanted: Wanted, runtime: RuntimeName, tile: Tile):
        self._style, self._wanted = style, wanted
        self.runtime: RuntimeName = runtime
        self.tile: Tile = tile
        check_runtime(runtime, wanted)
        self._check_tile()
        self._opened: dict[str, Runtime] = {}
        self._for_size: dict[tuple[int, int], Runtime] = {}
        self._lock = threading.Lock()
        self._in_tiles = threading.Lock()

    def parallel(self, height: int, width: int) -> int:
        """Return the number of threads that should call it at a time for frames of this size."""
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
                    name = fastest(self._style, self._wanted, height, width)
                if name not in self._opened:
                    self._opened[name] = open_runtime(name, self._style, self._wanted)
                self._for_size[height, width] = self._opened[name]
            return self._for_size[height, width]

    def __call__(self, source: Tensor) -> Tensor:
        """Stylize frames, in tiles where memory is short.

        Args:
            source: (N, 3, H, W) in [0, 1], float32, on the device.

        Returns:
            The same kind.

        Raises:
            DeviceError: There is not enough memory.
        """
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
        if self.tile == "off" or runtime.parts is None or not can_be_tiled(self._style.spec):
            return None
        return fitting_tile(
            height, width, free_memory(self._wanted.device), parallel=runtime.parallel
        )

    def _tiled(self, source: Tensor, runtime: Runtime, size: int) -> Tensor:
        if runtime.parts is None:
            raise UsageError("this runtime stylizes whole frames only", hint="use --tile off")
        give_back_large_blocks()
        height, width = source.shape[-2:]
        frames = padded(source, self._style.spec.size_multiple)
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
        if not can_be_tiled(self._style.spec):
            raise UsageError(
                f"{self._style.name} can't be stylized in tiles",
                hint="its network normalises whole frames at full resolution; use --tile off",
            )


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
