"""Frames of any host, painted: warm networks, and nothing painted twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock

import torch
import torch.nn.functional as F
import xxhash
from torch import Tensor

from ....core.errors import EditorError, StyleError
from ....core.file_identity import file_identity
from ....core.library import style_paths
from ....core.style import check_name
from ....core.stylizer import Stylizer, with_chroma_of
from .frame_cache import FrameCache
from .pixels import as_picture, read_rgb, write_rgb
from .protocol import Render
from .transfer import transfer

CACHE_BYTES = 2**30
MAX_WARM = 8
_LEAST_DRAFT_SIDE = 64


class Painter:
    """Paints frames over in place.

    A frame's pixels depend on its source and the request alone. One frame is painted at a time;
    who waits for a frame that somebody else has just painted gets that.
    """

    def __init__(self, *, cache_bytes: int = CACHE_BYTES):
        self._cache: FrameCache[Tensor] = FrameCache(cache_bytes)
        self._warm: OrderedDict[Hashable, Stylizer] = OrderedDict()
        self._network = Lock()

    def __call__(self, frame: Render, memory: memoryview, is_abandoned: Callable[[], bool]) -> None:
        """Paint one frame.

        Args:
            frame: What is asked for.
            memory: RGBA of `frame.size` bytes, rows from the top; painted over.
            is_abandoned: Asked once more before the network starts, which a frame that nobody
                waits for any more is not worth.

        Raises:
            BrushreelError: It can't be painted; the pixels are as they were.
        """
        if frame.strength == 0:
            return
        path = _library_file(frame.style)
        source = xxhash.xxh3_128_digest(memory)
        key = (source, frame, path, file_identity(path))
        if self._recalled(key, memory):
            return
        with self._network:
            if self._recalled(key, memory):
                return
            if is_abandoned():
                raise EditorError("nobody waits for this frame any more")
            self._paint(frame, memory, key)
        painted = torch.frombuffer(memory, dtype=torch.uint8).clone()
        self._cache.put(key, painted, painted.nbytes)

    def _recalled(self, key: Hashable, memory: memoryview) -> bool:
        known = self._cache.get(key)
        if known is None:
            return False
        torch.frombuffer(memory, dtype=torch.uint8).copy_(known)
        return True

    @torch.no_grad()
    def _paint(self, frame: Render, memory: memoryview, key: tuple) -> None:
        curve = transfer(frame.transform, frame.colourspace)
        picture = as_picture(memory, frame)
        shown = curve.to_display(read_rgb(picture, frame))
        painted = self._painting(frame, shown, key)
        if frame.keep_colors:
            painted = with_chroma_of(shown, painted)
        # The source goes in with what it has above white: highlights fade out, and do not clip.
        if frame.strength < 1:
            painted = torch.lerp(shown, painted, frame.strength)
        write_rgb(curve.from_display(painted), picture, frame)

    def _painting(self, frame: Render, shown: Tensor, key: tuple) -> Tensor:
        """What the network makes of it; strength and colours can change without it."""
        source, _, *style = key
        seen = (frame.depth, frame.premultiplied, frame.transform, frame.colourspace)
        # Two pictures of other sizes can have the same bytes.
        painting_key = (source, frame.width, frame.height, seen, frame.draft, *style)
        painted = self._cache.get(painting_key)
        if painted is None:
            painted = _painted(self._stylizer(frame, style), shown.clamp(0, 1), draft=frame.draft)
            self._cache.put(painting_key, painted, painted.nbytes)
        return painted

    def _stylizer(self, frame: Render, style: list) -> Stylizer:
        """Of that style and size, made ready once."""
        key = (*style, frame.width, frame.height, frame.draft)
        if key not in self._warm:
            self._warm[key] = Stylizer(style[0])
        self._warm.move_to_end(key)
        while len(self._warm) > MAX_WARM:
            self._warm.popitem(last=False)
        return self._warm[key]


def _painted(stylizer: Stylizer, shown: Tensor, *, draft: bool) -> Tensor:
    height, width = shown.shape[-2:]
    if not draft or min(height, width) < _LEAST_DRAFT_SIDE:
        return _checked(stylizer(shown))
    half = F.interpolate(shown, size=(height // 2, width // 2), mode="area")
    painted = _checked(stylizer(half))
    return F.interpolate(painted, size=(height, width), mode="bilinear").clamp_(0, 1)


def _checked(painted: Tensor) -> Tensor:
    if not painted.isfinite().all():
        raise EditorError("the network gave something that is not a picture")
    return painted


def _library_file(name: str) -> Path:
    """The style's file. Projects name styles, and may come from anybody: a name is no path.

    Raises:
        StyleError: The library has no such style.
    """
    check_name(name)
    if path := style_paths().get(name):
        return path
    raise StyleError(f"there is no style named {name!r}", hint="choose another")
