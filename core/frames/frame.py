"""One decoded frame in its native form: planes, timing and colour tags.

The numbers of ``Matrix``, primaries and transfer are the code points of ITU-T H.273, those of
``Range`` and ``ChromaLocation`` are FFmpeg's (AVColorRange, AVChromaLocation), so that a stream's
tags are read and written without translation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from ..errors import ColourError

UNSPECIFIED_TAG = 2
"""H.273's "unspecified" for matrix, primaries and transfer."""

UNSPECIFIED_TAGS = (0, UNSPECIFIED_TAG, 3)
"""Tags that say nothing: 0 and 3 are reserved."""


class Matrix(IntEnum):
    """Supported matrix coefficients (ITU-T H.273, table 4)."""

    RGB = 0
    BT709 = 1
    UNSPECIFIED = 2
    FCC = 4
    BT470BG = 5
    SMPTE170M = 6
    SMPTE240M = 7
    BT2020_NCL = 9


class Range(IntEnum):
    """Range of codes from black to white (FFmpeg's AVColorRange)."""

    UNSPECIFIED = 0
    LIMITED = 1
    FULL = 2


class ChromaLocation(IntEnum):
    """Position of a chroma sample among its luma samples (FFmpeg's AVChromaLocation).

    PyAV does not expose a stream's own, so top left, which discs of BT.2020 have, is missing and
    treated as left.
    """

    UNSPECIFIED = 0
    LEFT = 1
    CENTER = 2


LINEAR = 8
"""H.273's linear transfer."""

_HDR_TRANSFERS: dict[int, Literal["linear", "PQ", "HLG"]] = {
    LINEAR: "linear",
    16: "PQ",
    18: "HLG",
}

_UNSUPPORTED_MATRICES = {
    8: "YCgCo",
    10: "BT.2020 constant luminance",
    11: "SMPTE ST 2085",
    12: "chromaticity-derived",
    13: "chromaticity-derived constant luminance",
    14: "ICtCp",
    15: "IPT-PQ-C2",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}

# Primaries and transfer that go with a matrix (H.273; MPEG-2 and DV practice for the SD ones).
# RGB goes with any, so it implies none.
_COMPANIONS = {
    Matrix.RGB: (UNSPECIFIED_TAG, UNSPECIFIED_TAG),
    Matrix.BT709: (1, 1),
    Matrix.FCC: (4, 4),
    Matrix.BT470BG: (5, 6),
    Matrix.SMPTE170M: (6, 6),
    Matrix.SMPTE240M: (7, 7),
    Matrix.BT2020_NCL: (9, 14),
}


@dataclass(frozen=True)
class PixelFormat:
    """A planar pixel format.

    Attributes:
        name: FFmpeg's name, e.g. ``"yuv420p10le"``.
        family: Content of the planes: Y, Cb, Cr; or grey; or G, B, R in this order.
        depth: Bits per sample.
        chroma_shift: log2 of the horizontal and vertical chroma subsampling.
        alpha: True if the last plane is opacity: full size, 0 to the highest code.
        floating: True if samples are floating point: no codes, colours multiplied by alpha.
    """

    name: str
    family: Literal["yuv", "gray", "rgb"]
    depth: int
    chroma_shift: tuple[int, int] = (0, 0)
    alpha: bool = False
    floating: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Sample type: uint8 for 8 bit, uint16 (value in the low bits) above; or a float."""
        if self.floating:
            return np.dtype(np.float16 if self.depth == 16 else np.float32)
        return np.dtype(np.uint8 if self.depth == 8 else np.uint16)

    @property
    def plane_count(self) -> int:
        """Number of planes, alpha included."""
        return self.colour_plane_count + self.alpha

    @property
    def colour_plane_count(self) -> int:
        """Number of planes, alpha left out."""
        return 1 if self.family == "gray" else 3

    def plane_shape(self, index: int, width: int, height: int) -> tuple[int, int]:
        """Return (rows, columns) of plane ``index`` in a frame of width × height pixels.

        Odd sizes of chroma are rounded up.
        """
        across, down = self.chroma_shift if index in (1, 2) else (0, 0)
        return -(-height >> down), -(-width >> across)


_LAYOUTS: dict[str, tuple[Literal["yuv", "gray", "rgb"], tuple[int, int], bool]] = {
    "yuv420p": ("yuv", (1, 1), False),
    "yuv422p": ("yuv", (1, 0), False),
    "yuv444p": ("yuv", (0, 0), False),
    "gray": ("gray", (0, 0), False),
    "gbrp": ("rgb", (0, 0), False),
    "yuva420p": ("yuv", (1, 1), True),
    "yuva422p": ("yuv", (1, 0), True),
    "yuva444p": ("yuv", (0, 0), True),
    "gbrap": ("rgb", (0, 0), True),
}
_UNKNOWN_TO_FFMPEG = "yuva420p12le"


def _all_formats() -> Iterator[PixelFormat]:
    for layout, (family, chroma_shift, alpha) in _LAYOUTS.items():
        # More than 12 bits come from images only, and they are RGB or grey.
        for depth in (8, 10, 12) if family == "yuv" else (8, 10, 12, 16):
            name = layout if depth == 8 else f"{layout}{depth}le"
            if name != _UNKNOWN_TO_FFMPEG:
                yield PixelFormat(name, family, depth, chroma_shift, alpha)


PIXEL_FORMATS: dict[str, PixelFormat] = {format_.name: format_ for format_ in _all_formats()}
"""Supported integer pixel formats, by FFmpeg's name."""

FLOAT_FORMATS: dict[str, PixelFormat] = {
    f"{layout}f{depth}le": PixelFormat(
        f"{layout}f{depth}le", family, depth, alpha=alpha, floating=True
    )
    for layout, (family, chroma_shift, alpha) in _LAYOUTS.items()
    if family != "yuv"
    for depth in (16, 32)
}
"""Supported floating point formats, by FFmpeg's name; OpenEXR has them, no clip does."""


def pixel_format(name: str) -> PixelFormat:
    """Return the pixel format of FFmpeg's ``name``.

    Raises:
        ColourError: It is not supported; the hint lists the supported ones.
    """
    try:
        return PIXEL_FORMATS[name]
    except KeyError:
        supported = ", ".join(PIXEL_FORMATS)
        raise ColourError(
            f"pixel format {name} is not supported", hint=f"supported: {supported}"
        ) from None


@dataclass(frozen=True)
class Colour:
    """The meaning of codes as colours. Matrix and range are always known.

    Attributes:
        matrix: Matrix coefficients.
        range: Code range.
        primaries: H.273 code point, passed through as a tag; only the conversion of HDR depends
            on it.
        transfer: H.273 code point, like primaries.
        chroma_location: Location of subsampled chroma; unspecified is treated as left.
        chromaticities: x and y of red, green, blue and white where no code point has them.

    Raises:
        ColourError: Matrix or range is unspecified (see ``resolve``).
    """

    matrix: Matrix
    range: Range
    primaries: int = UNSPECIFIED_TAG
    transfer: int = UNSPECIFIED_TAG
    chroma_location: ChromaLocation = ChromaLocation.LEFT
    chromaticities: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.matrix == Matrix.UNSPECIFIED:
            raise ColourError("the colour matrix is unspecified")
        if self.range == Range.UNSPECIFIED:
            raise ColourError("the colour range is unspecified")

    @property
    def hdr(self) -> Literal["linear", "PQ", "HLG"] | None:
        """Name of the transfer, if it is one of BT.2100's or linear."""
        return _HDR_TRANSFERS.get(self.transfer)

    def check_fits(self, pixel_format: PixelFormat) -> None:
        """Refuse RGB planes with a YUV matrix and YUV or grey planes without one.

        Raises:
            ColourError: They do not fit.
        """
        if (self.matrix == Matrix.RGB) != (pixel_format.family == "rgb"):
            raise ColourError(
                f"colour matrix {self.matrix.name} does not fit pixel format {pixel_format.name}"
            )

    @classmethod
    def resolve(
        cls,
        *,
        matrix: int,
        range: int,  # noqa: A002 - the field's own term
        primaries: int,
        transfer: int,
        pixel_format: PixelFormat,
        width: int,
        height: int,
        full_range_format: bool = False,
    ) -> Colour:
        """Fill unspecified tags of a stream like players do; keep the specified ones.

        An unknown matrix follows the size: BT.709 from 1280 wide or above 576 high, BT.601 (625
        lines) at 576 or 288 high, else BT.601 (525 lines). Unknown primaries and transfer follow
        the matrix. An unknown range is limited. RGB planes are RGB, full range unless tagged.

        Args:
            matrix: H.273 code point of the stream.
            range: AVColorRange number of the stream.
            primaries: H.273 code point of the stream.
            transfer: H.273 code point of the stream.
            pixel_format: Pixel format of the stream.
            width: Width in pixels.
            height: Height in pixels.
            full_range_format: True if the stream's format implies full range (FFmpeg's yuvj*).

        Raises:
            ColourError: The matrix or range is not supported.
        """
        rgb = pixel_format.family == "rgb"
        known = Matrix.RGB if rgb else _yuv_matrix(matrix, width, height)
        default_range = Range.FULL if rgb or full_range_format else Range.LIMITED
        filled = _COMPANIONS[known]
        return cls(
            matrix=known,
            range=_known_range(range) or default_range,
            primaries=filled[0] if primaries in UNSPECIFIED_TAGS else primaries,
            transfer=filled[1] if transfer in UNSPECIFIED_TAGS else transfer,
        )


def _yuv_matrix(code: int, width: int, height: int) -> Matrix:
    # RGB on YUV planes (seen on grey images) is a wrong tag and counts as none.
    if code in (Matrix.UNSPECIFIED, Matrix.RGB):
        return _matrix_of_size(width, height)
    try:
        return Matrix(code)
    except ValueError:
        name = _UNSUPPORTED_MATRICES.get(code, "unknown")
        raise ColourError(
            f"colour matrix {code} ({name}) is not supported",
            hint="convert the clip first, e.g. with ffmpeg -vf zscale=matrix=709",
        ) from None


def _matrix_of_size(width: int, height: int) -> Matrix:
    if width >= 1280 or height > 576:
        return Matrix.BT709
    return Matrix.BT470BG if height in (576, 288) else Matrix.SMPTE170M


def _known_range(code: int) -> Range:
    try:
        return Range(code)
    except ValueError:
        raise ColourError(f"colour range {code} is not supported") from None


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame: native planes, timing, colour.

    Attributes:
        planes: One array per plane of shape ``pixel_format.plane_shape(index, width, height)`` and
            dtype ``pixel_format.dtype``; strides may pad rows. Y, Cb, Cr or G, B, R, then alpha
            where the format has it.
        pixel_format: Layout and depth of the planes.
        width: Width in pixels.
        height: Height in pixels.
        pts: Presentation time in units of ``time_base``.
        duration: Duration in units of ``time_base``; 0 where unknown.
        time_base: Unit in seconds.
        colour: Meaning of the codes.

    Raises:
        ColourError: The matrix does not fit the pixel format (RGB planes with a YUV matrix, or
            the other way round).
        ValueError: Planes or numbers do not fit each other.
    """

    planes: tuple[np.ndarray, ...]
    pixel_format: PixelFormat
    width: int
    height: int
    pts: int
    duration: int
    time_base: Fraction
    colour: Colour

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a frame of {self.width}x{self.height} pixels")
        if self.time_base <= 0:
            raise ValueError(f"time base {self.time_base} is not positive")
        if len(self.planes) != self.pixel_format.plane_count:
            raise ValueError(f"{len(self.planes)} planes for {self.pixel_format.name}")
        for index in range(len(self.planes)):
            self._check_plane(index)
        self.colour.check_fits(self.pixel_format)

    def _check_plane(self, index: int) -> None:
        plane, wanted = self.planes[index], self.pixel_format.dtype
        shape = self.pixel_format.plane_shape(index, self.width, self.height)
        if plane.shape != shape or plane.dtype != wanted:
            raise ValueError(
                f"plane {index} is {plane.shape} {plane.dtype}, "
                f"{self.width}x{self.height} {self.pixel_format.name} needs {shape} {wanted}"
            )

    @property
    def alpha(self) -> np.ndarray | None:
        """The opacity plane: 0 (clear) to ``2**depth - 1``, or 1.0 (opaque); None without one."""
        return self.planes[-1] if self.pixel_format.alpha else None

    @property
    def time(self) -> Fraction:
        """Presentation time in seconds, exact."""
        return self.pts * self.time_base

    def __repr__(self) -> str:
        shapes = ", ".join("x".join(map(str, plane.shape)) for plane in self.planes)
        return (
            f"Frame({self.pixel_format.name} {self.width}x{self.height}, planes {shapes} "
            f"{self.pixel_format.dtype}, pts={self.pts}, duration={self.duration}, "
            f"time_base={self.time_base}, {self.colour})"
        )
