"""Black bars burnt into frames (letterbox, pillarbox, or both): found, and kept out of the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .colour import chroma_levels, luma_levels
from .frame import Frame

# Of 255, above black: compression leaves bars a little above it.
BLACK = 12
# Share of a row that may be brighter and the row still belongs to a bar: noise, a hot pixel.
_STRAY = 0.005
# Bars surround an image, not a dark set, if at its edge this share of a row was ever lit.
_LIT_EDGE = 0.25
_EDGE_ROWS = 4
# Less of a side than this is no bar's doing but a dark scene; 9:16 in 16:9 keeps 0.32.
_LEAST_KEPT = 0.3


@dataclass(frozen=True)
class Bars:
    """Rows and columns of black on each side of every frame of a clip, in luma samples."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __bool__(self) -> bool:
        return (self.top, self.bottom, self.left, self.right) != (0, 0, 0, 0)

    @classmethod
    def of_brightest(cls, brightest: NDArray[np.uint8], *, even: bool = True) -> Self:
        """Return the bars of a shot.

        Args:
            brightest: (H, W) codes of 255: how bright each pixel ever was.
            even: Let a bar of an odd width take a row of the picture with it, so that what is
                between them is whole chroma samples in every pixel format.
        """
        lit = brightest > BLACK
        top, bottom = _dark_ends(lit.mean(1))
        left, right = _dark_ends(lit[top : len(lit) - bottom].mean(0))
        if not even:
            return cls(top, bottom, left, right)
        height, width = lit.shape
        return cls(*_even(top, bottom, height), *_even(left, right, width))

    def wider(self, margin: int) -> Self:
        """Return bars that take so many more rows and columns where there are some."""
        return type(self)(*(side and side + margin for side in astuple(self)))

    def active_size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of the active picture of a frame."""
        return width - self.left - self.right, height - self.top - self.bottom

    def between(self, width: int, height: int) -> tuple[slice, slice]:
        """Return rows and columns of the active picture of a frame."""
        return slice(self.top, height - self.bottom), slice(self.left, width - self.right)

    def inside(self, frame: Frame) -> Frame:
        """Return the active picture: views of the frame's planes, no copies."""
        rows, columns = self.between(frame.width, frame.height)
        return replace(
            frame,
            planes=tuple(
                plane[_of_plane(rows, frame, index, 1), _of_plane(columns, frame, index, 0)]
                for index, plane in enumerate(frame.planes)
            ),
            width=columns.stop - columns.start,
            height=rows.stop - rows.start,
        )

    def around(self, whole: Frame, active: Frame) -> Frame:
        """Return a frame with another active picture between its own bars.

        Args:
            whole: The frame with its bars, in the pixel format of `active`.
            active: What takes the place of `inside(whole)`.
        """
        planes = tuple(plane.copy() for plane in whole.planes)
        framed = replace(whole, planes=planes)
        for target, plane in zip(self.inside(framed).planes, active.planes, strict=True):
            target[...] = plane
        return framed


def _dark_ends(lit: NDArray[np.float64]) -> tuple[int, int]:
    """Return how many rows at either end are bars, by the share of each that was ever lit.

    Bars come in pairs: beyond an edge that is too dark to be sure of there is one of the other
    end's height, if it is black that far.
    """
    places = np.flatnonzero(lit > _STRAY)
    if len(places) == 0 or places[-1] + 1 - places[0] < _LEAST_KEPT * len(lit):
        return 0, 0
    before, after = int(places[0]), len(lit) - 1 - int(places[-1])
    inside = lit[before : len(lit) - after]
    begins, ends = (edge.max() >= _LIT_EDGE for edge in (inside[:_EDGE_ROWS], inside[-_EDGE_ROWS:]))
    if not (begins or ends):
        return 0, 0
    both = min(before, after)
    return before if begins else both, after if ends else both


def _even(before: int, after: int, size: int) -> tuple[int, int]:
    return before + before % 2, after + (size - after) % 2 if after else 0


def _of_plane(samples: slice, frame: Frame, index: int, axis: int) -> slice:
    if index not in (1, 2):
        return samples
    shift = frame.pixel_format.chroma_shift[axis]
    return slice(samples.start >> shift, -(-samples.stop >> shift))


def find_bars(frames: Iterable[Frame]) -> Bars:
    """Find the bars that all of these frames have.

    Args:
        frames: Some frames of one clip, of one size, from all over it: what is dark in one scene
            is lit in another.
    """
    brightest: NDArray[np.uint8] | None = None
    for frame in frames:
        seen = brightness(frame)
        brightest = seen if brightest is None else np.maximum(brightest, seen)
    return Bars() if brightest is None else Bars.of_brightest(brightest)


def brightness(frame: Frame) -> NDArray[np.uint8]:
    """Return how far each pixel is from black, (H, W) codes of 255; colour counts as light."""
    form = frame.pixel_format
    zero, span = (0.0, 1.0) if form.floating else luma_levels(form, frame.colour)[:2]
    count = 1 if form.family in ("yuv", "gray") else 3
    lights = [_codes(frame.planes[index], zero, span) for index in range(count)]
    if form.family == "yuv":
        zero, span = chroma_levels(form, frame.colour)[:2]
        across, down = form.chroma_shift
        for plane in frame.planes[1:3]:
            colour = np.maximum(_codes(plane, zero, span), _codes(plane, zero, -span))
            wide = colour.repeat(1 << down, 0).repeat(1 << across, 1)
            lights.append(wide[: frame.height, : frame.width])
    return np.maximum.reduce(lights)


def _codes(plane: np.ndarray, zero: float, span: float) -> NDArray[np.uint8]:
    scaled = (plane.astype(np.float32) - np.float32(zero)) * np.float32(255 / span)
    return np.nan_to_num(scaled).clip(0, 255).astype(np.uint8)
