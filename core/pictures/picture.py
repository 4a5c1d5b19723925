"""Image files of every kind: read to a `Frame`, and written from one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import MediaError, OutputError
from ..frames.colour import BT709_LUMA, from_rgb, to_rgb
from ..frames.frame import (
    FLOAT_FORMATS,
    LINEAR,
    PIXEL_FORMATS,
    Colour,
    Frame,
    Matrix,
    PixelFormat,
    Range,
)
from ..frames.hdr import CHROMATICITIES, to_linear, to_sdr
from .metadata import NOTHING, ImageMetadata, Picture


def kind_of(path: Path) -> str:
    """Return the kind of a file by its suffix: "png", "tiff", "exr" or "jpeg"."""
    kinds = {".png": "png", ".exr": "exr", ".jpg": "jpeg", ".jpeg": "jpeg"}
    return kinds.get(path.suffix.lower(), "tiff")


def read_picture(path: Path, kind: str | None = None) -> Picture:
    """Read an image file.

    Args:
        path: The file.
        kind: See `kind_of`; by the file's name if None.

    Raises:
        MediaError: It is missing, damaged, or has content that can't be stylized.
    """
    if not path.is_file():
        raise MediaError("no such file", path=path)
    if path.stat().st_size == 0:
        raise MediaError("is empty (0 bytes)", path=path)
    try:
        return _reader(kind or kind_of(path))(path)
    except MediaError as error:
        error.path = path
        raise
    except OSError as error:
        raise MediaError.because(error, "can't be read", path=path) from error


def _reader(kind: str) -> Callable[[Path], Picture]:
    if kind == "exr":
        from .exr import read_exr  # noqa: PLC0415  the library loads slowly

        return read_exr
    if kind == "jpeg":
        from .jpeg import read_jpeg  # noqa: PLC0415

        return read_jpeg
    from .raster import read_raster  # noqa: PLC0415

    return lambda path: read_raster(path, kind)


def encode_picture(
    frame: Frame, kind: str, like: Picture | None = None, metadata: ImageMetadata = NOTHING
) -> bytes:
    """Encode an image file's content.

    Args:
        frame: A frame in a format of `written_format`; linear light for "exr".
        kind: "png", "tiff" or "exr".
        like: The source image; if it has the same kind, its metadata passes through: headers,
            other channels, profiles, resolution, texts. Where it is grey, the frame must come
            from `as_grey`.
        metadata: Metadata where `like` has none.

    Raises:
        OutputError: It can't be encoded.
    """
    if kind == "exr":
        from .exr import encode_exr  # noqa: PLC0415

        return encode_exr(frame, like, metadata)
    from .raster import encode_raster  # noqa: PLC0415

    return encode_raster(frame, kind, like, metadata.sample_aspect_ratio)


def check_written(path: Path, kind: str, frame: Frame, like: Picture | None) -> None:
    """Verify a written image: read it and compare its samples with the frame's.

    Args:
        path: The file.
        kind: The kind that `encode_picture` got, like the rest.
        frame: The expected samples; of OpenEXR those inside the data window.
        like: The source image.

    Raises:
        OutputError: It has other samples, lacks metadata of the source image, or can't be read.
    """
    try:
        found = read_picture(path, kind)
    except MediaError as error:
        raise OutputError(f"failed verification: {error.what}") from error
    window = (0, 0, frame.height, frame.width)
    if kind == "exr" and like is not None and like.codec == "exr":
        window = like.kept.window
    wanted, read = cropped(frame, window), cropped(found.frame, window)
    same = read.pixel_format == wanted.pixel_format and all(
        np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        for one, other in zip(read.planes, wanted.planes, strict=True)
    )
    if not same:
        raise OutputError("failed verification: its samples differ from those written")
    carried = () if like is None or like.codec != kind else like.alone
    lost = [name for name in carried if name not in found.alone and not _is_said(name, like)]
    if lost:
        raise OutputError(f"failed verification: it lacks {', '.join(lost)}")


def _is_said(name: str, like: Picture | None) -> bool:
    """Return whether it was announced that an image loses something."""
    return like is not None and any(line.startswith(name) for line in like.warnings)


def written_format(source: PixelFormat, kind: str) -> PixelFormat:
    """Return the format in which an image of a kind stores frames of another format.

    PNG and TIFF have 8 and 16 bits, grey and RGB; OpenEXR keeps floats and stores any others as
    half floats.
    """
    family = "gray" if source.family == "gray" and not source.alpha else "gbr"
    layout = "gray" if family == "gray" else f"gbr{'a' if source.alpha else ''}p"
    if kind == "exr":
        depth = source.depth if source.floating else 16
        return FLOAT_FORMATS[f"{layout}f{depth}le"]
    return PIXEL_FORMATS[layout if source.depth == 8 else f"{layout}16le"]


def as_display(picture: Picture) -> Frame:
    """Convert an image of linear light to SDR, 16 bits; return the frame of any other unchanged.

    BT.709 primaries; highlights are rolled off, see `hdr`; samples outside the display window are
    left out; colours are divided by alpha.
    """
    frame = picture.frame
    if not frame.pixel_format.floating:
        return frame
    shown, _ = to_sdr(to_rgb(frame), frame.colour)
    target = written_format(frame.pixel_format, "png")
    matrix = Matrix.BT709 if target.family == "gray" else Matrix.RGB
    frame = from_rgb(shown, frame, pixel_format=target, colour=Colour(matrix, Range.FULL, 1, 1))
    return cropped(frame, picture.shown)


def as_linear(frame: Frame) -> Frame:
    """Convert a display signal to linear light in half floats, 1.0 for white paper."""
    if frame.pixel_format.floating:
        return frame
    primaries = frame.colour.primaries if frame.colour.primaries in CHROMATICITIES else 1
    target = written_format(frame.pixel_format, "exr")
    light = to_linear(to_rgb(frame), frame.colour)
    matrix = Matrix.BT709 if target.family == "gray" else Matrix.RGB
    return from_rgb(
        light,
        frame,
        pixel_format=target,
        colour=Colour(matrix, Range.FULL, primaries, LINEAR),
    )


def as_grey(frame: Frame) -> Frame:
    """Replace R, G and B of a frame with alpha by their BT.709 luma.

    Equal R, G and B keep their codes. Light that is multiplied by alpha stays so.
    """
    *colours, alpha = frame.planes
    # float64 reproduces every float32.
    green, blue, red = (plane.astype(np.float64) for plane in colours)
    kr, kg, kb = BT709_LUMA
    luma = kr * red + kg * green + kb * blue
    if not frame.pixel_format.floating:
        luma = np.rint(luma)
    grey = luma.astype(frame.pixel_format.dtype)
    return replace(frame, planes=(grey, grey, grey, alpha))


def cropped(frame: Frame, window: tuple[int, int, int, int]) -> Frame:
    """Crop a frame without subsampled planes to (first row, first column, height, width)."""
    top, left, height, width = window
    if window == (0, 0, frame.height, frame.width):
        return frame
    return Frame(
        planes=tuple(plane[top : top + height, left : left + width] for plane in frame.planes),
        pixel_format=frame.pixel_format,
        width=width,
        height=height,
        pts=frame.pts,
        duration=frame.duration,
        time_base=frame.time_base,
        colour=frame.colour,
    )
