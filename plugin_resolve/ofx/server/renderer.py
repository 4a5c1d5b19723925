"""Frames of any host, stylized: networks are kept ready, and no frame is stylized twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray
from torch import Tensor

from ....core.errors import EditorError, StyleError
from ....core.file_identity import file_identity
from ....core.frames.bars import Bars
from ....core.frames.mixing import with_chroma_of
from ....core.frames.stroke_size import MOST, Size
from ....core.library import style_paths
from ....core.style import check_name
from ....core.stylizer import Stylizer
from .frame_cache import FrameCache
from .pixels import as_array, is_opaque, read_rgb, write_rgb
from .protocol import Render
from .transfer import transfer

CACHE_BYTES = 2**30
MAX_WARM = 8


class Renderer:
    """A renderer that stylizes frames in place.

    A frame's pixels depend on its source and the request alone. Frames are stylized one at a time;
    who waits for a frame that has just been stylized for somebody else gets that one.
    """

    def __init__(self, *, cache_bytes: int = CACHE_BYTES):
        self._cache: FrameCache[Tensor] = FrameCache(cache_bytes)
        self._warm: OrderedDict[Hashable, Stylizer] = OrderedDict()
        self._network = Lock()

    def __call__(self, frame: Render, memory: memoryview, is_abandoned: Callable[[], bool]) -> None:
        """Stylize one frame in place.

        Args:
            frame: The request.
            memory: RGBA of `frame.size` bytes, rows from the top; overwritten.
            is_abandoned: Called once more before the network starts: a frame that nobody waits for
                any more is not worth it.

        Raises:
            BrushreelError: The frame can't be stylized; its pixels are unchanged.
        """
        if frame.strength == 0:
            return
        path = _library_file(frame.style)
        source = xxhash.xxh3_128_digest(memory)
        key = (source, frame, path, file_identity(path))
        if self._recall(key, memory):
            return
        with self._network:
            if self._recall(key, memory):
                return
            if is_abandoned():
                raise EditorError("nobody waits for this frame any more")
            self._render(frame, memory, key)
        rendered = torch.frombuffer(memory, dtype=torch.uint8).clone()
        self._cache.put(key, rendered, rendered.nbytes)

    def _recall(self, key: Hashable, memory: memoryview) -> bool:
        known = self._cache.get(key)
        if known is None:
            return False
        torch.frombuffer(memory, dtype=torch.uint8).copy_(known)
        return True

    @torch.no_grad()
    def _render(self, frame: Render, memory: memoryview, key: tuple) -> None:
        curve = transfer(frame.transform, frame.colourspace)
        pixels = as_array(memory, frame)
        source = curve.to_display(read_rgb(pixels, frame))
        if frame.keep_bars:
            rows, columns = _between_bars(source, is_opaque(pixels, frame))
            pixels, source = pixels[rows, columns], source[..., rows, columns].contiguous()
        stylized = self._stylized(frame, source, key)
        if frame.keep_colors:
            stylized = with_chroma_of(source, stylized)
        # The source is blended with its values above white: highlights fade out and do not clip.
        if frame.strength < 1:
            stylized = torch.lerp(source, stylized, frame.strength)
        write_rgb(curve.from_display(stylized), pixels, frame)

    def _stylized(self, frame: Render, source: Tensor, key: tuple) -> Tensor:
        """Return the network's output, which does not depend on strength and colours.

        Args:
            frame: The request.
            source: (1, 3, H, W), all of the frame or what is between its bars.
            key: Of the frame.
        """
        digest, _, *style = key
        reading = (frame.depth, frame.premultiplied, frame.transform, frame.colourspace)
        # Two images of different sizes can have the same bytes.
        shape = frame.height, frame.width, *source.shape[2:]
        strokes, full = _strokes(frame), _full_size(frame, source)
        output_key = (digest, shape, reading, strokes, full, *style)
        stylized = self._cache.get(output_key)
        if stylized is None:
            stylizer = self._stylizer(style).with_strokes(*strokes)
            stylized = _checked(stylizer(source.clamp(0, 1), full_size=full))
            self._cache.put(output_key, stylized, stylized.nbytes)
        return stylized

    def _stylizer(self, style: list) -> Stylizer:
        """Return the stylizer of a style, prepared once for strokes of all sizes."""
        key = tuple(style)
        if key not in self._warm:
            self._warm[key] = Stylizer(style[0])
        self._warm.move_to_end(key)
        while len(self._warm) > MAX_WARM:
            self._warm.popitem(last=False)
        return self._warm[key]


def _strokes(frame: Render) -> tuple[float, float]:
    """Return stroke size and detail; strokes of twice the size take a quarter of the time."""
    size = min(MOST, 2 * frame.stroke_size) if frame.draft else frame.stroke_size
    return size, frame.detail


def _between_bars(source: Tensor, opaque: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return rows and columns of the active picture, as far as this frame alone shows it.

    What is transparent is no bar: around a title it is as large as its letters leave it.
    """
    brightest = (source[0].amax(0).clamp(0, 1) * 255).to(torch.uint8).numpy()
    brightest[~opaque] = 255
    height, width = brightest.shape
    return Bars.of_brightest(brightest, even=False).between(width, height)


def _full_size(frame: Render, source: Tensor) -> Size:
    """Return the size in the whole clip, in square pixels, of what is stylized."""
    height, width = source.shape[2:]
    return Size(
        round(frame.full_height * height / frame.height),
        round(frame.full_width * width / frame.width),
    )


def _checked(stylized: Tensor) -> Tensor:
    if not stylized.isfinite().all():
        raise EditorError("the network's output has values that are not finite")
    return stylized


def _library_file(name: str) -> Path:
    """Return a style's file. Projects may come from anybody, so a style is a name and no path.

    Raises:
        StyleError: The library has no such style.
    """
    check_name(name)
    if path := style_paths().get(name):
        return path
    raise StyleError(f"there is no style named {name!r}", hint="choose another")
