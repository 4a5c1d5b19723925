"""OpenEXR: linear light in floats, and whatever else a studio keeps in such a file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from .errors import MediaError, OutputError
from .frame import FLOAT_FORMATS, LINEAR, Colour, Frame, Matrix, Range
from .hdr import CHROMATICITIES
from .picture import TICK, Picture

_LOSSY = frozenset({"B44", "B44A", "DWAA", "DWAB", "LJ2K"})
_DTYPES = (np.uint32, np.float16, np.float32)  # by OpenEXR's numbers for them
# Stored with the precision of a float.
_SAME_CHROMATICITIES = 1e-4


@dataclass(frozen=True, eq=False)
class Rest:
    """What a painted picture takes over.

    Attributes:
        header: Every attribute.
        channels: Every channel that is not painted, by its name.
        painted: Name and sample type of those that are, in the order of the frame's planes.
        window: First row and column, height and width of the data window in the frame.
    """

    header: Mapping[str, Any]
    channels: Mapping[str, np.ndarray]
    painted: Mapping[str, np.dtype[Any]]
    window: tuple[int, int, int, int]


def read_exr(path: Path) -> Picture:
    """Read an OpenEXR file with one part: its R, G, B and A, or its Y, and everything else.

    Where only one layer has R, G and B, it is that layer's. The frame covers the display window
    and the data window; where there are no data it is 0.

    Raises:
        MediaError: It is damaged, has several parts, deep or subsampled data, or no colours.
    """
    try:
        file = OpenEXR.File(str(path), header_only=True)
        _check_parts(len(file.parts))
        header = dict(file.header())
        arrays = _read_channels(path, header)
    except (RuntimeError, OSError, ValueError) as error:
        raise MediaError(f"can't be decoded: {error}") from error
    names = _painted_names(arrays)
    painted = {name: arrays.pop(name) for name in names}
    data, display = _window(header["dataWindow"]), _window(header["displayWindow"])
    canvas = _around(data, display)
    rest = Rest(
        header={name: value for name, value in header.items() if name != "channels"},
        channels=arrays,
        painted={name: array.dtype for name, array in painted.items()},
        window=_inside(data, canvas),
    )
    aspect = Fraction(header.get("pixelAspectRatio", 1.0)).limit_denominator(10_000)
    return Picture(
        frame=_frame(painted, rest, canvas, _colour(header, len(names))),
        codec="exr",
        shown=_inside(display, canvas),
        sample_aspect_ratio=None if aspect == 1 else aspect,
        frame_rate=_rate(header),
        timecode=_timecode(header),
        kept=rest,
        warnings=tuple(_warnings(header, painted)),
    )


def _check_parts(count: int) -> None:
    if count > 1:
        raise MediaError(
            f"has {count} parts, and only files with one can be painted",
            hint="write each part to a file of its own, or all as layers of one part",
        )


def _read_channels(path: Path, header: Mapping[str, Any]) -> dict[str, np.ndarray]:
    if header["type"] not in (OpenEXR.scanlineimage, OpenEXR.tiledimage):
        raise MediaError("holds deep data, which can't be painted")
    _, _, height, width = _window(header["dataWindow"])
    # The newer class only prints that pixels can't be decoded; this one raises.
    file = OpenEXR.InputFile(str(path))
    try:
        about: dict[str, Any] = file.header()["channels"]
        if any((channel.xSampling, channel.ySampling) != (1, 1) for channel in about.values()):
            raise MediaError(
                "has subsampled channels (luminance and chroma)", hint="write it as RGB"
            )
        contents = file.channels(list(about))
    finally:
        file.close()
    return {
        name: np.frombuffer(content, _DTYPES[channel.type.v]).reshape(height, width)
        for (name, channel), content in zip(about.items(), contents, strict=True)
    }


def _painted_names(channels: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """In the order of a frame's planes: G, B, R and alpha, or Y."""
    layers = [name[:-1] for name in channels if name == "R" or name.endswith(".R")]
    whole = [layer for layer in layers if all(layer + part in channels for part in "GB")]
    layer = "" if "" in whole else whole[0] if len(whole) == 1 else None
    if layer is not None:
        names = [layer + part for part in "GBR"]
    elif not whole and "Y" in channels:
        layer, names = "", ["Y"]
    else:
        has = ", ".join(sorted({name.rpartition(".")[0] or name for name in channels}))
        raise MediaError(
            f"has no R, G and B of its own, but {has}", hint="name one layer's channels R, G, B"
        )
    alpha = layer + "A"
    names += [alpha] if alpha in channels else []
    if any(channels[name].dtype == np.uint32 for name in names):
        raise MediaError("has whole numbers for colours")
    return tuple(names)


def _window(box: tuple[np.ndarray, np.ndarray]) -> tuple[int, int, int, int]:
    """First row and column, height and width of a box, which is told by its corners."""
    (left, top), (right, bottom) = box
    return int(top), int(left), int(bottom - top + 1), int(right - left + 1)


def _around(
    one: tuple[int, int, int, int], other: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    top, left = min(one[0], other[0]), min(one[1], other[1])
    bottom = max(one[0] + one[2], other[0] + other[2])
    right = max(one[1] + one[3], other[1] + other[3])
    return top, left, bottom - top, right - left


def _inside(
    window: tuple[int, int, int, int], canvas: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    return window[0] - canvas[0], window[1] - canvas[1], window[2], window[3]


def _frame(
    painted: Mapping[str, np.ndarray],
    rest: Rest,
    canvas: tuple[int, int, int, int],
    colour: Colour,
) -> Frame:
    layout = {1: "gray", 2: "gray", 3: "gbrp", 4: "gbrap"}[len(painted)]
    depth = max(8 * array.dtype.itemsize for array in painted.values())
    if len(painted) == 2:
        # Grey with alpha has no planar form: it goes as RGB.
        grey, alpha = painted
        painted = {"G": painted[grey], "B": painted[grey], "R": painted[grey], "A": painted[alpha]}
        layout = "gbrap"
    form = FLOAT_FORMATS[f"{layout}f{depth}le"]
    _, _, height, width = canvas
    top, left, rows, columns = rest.window
    planes = []
    for array in painted.values():
        plane = np.zeros((height, width), form.dtype)
        plane[top : top + rows, left : left + columns] = array
        planes.append(plane)
    return Frame(tuple(planes), form, width, height, 0, 1, TICK, colour)


def _colour(header: Mapping[str, Any], count: int) -> Colour:
    """Without chromaticities it is BT.709, as OpenEXR's technical introduction says."""
    matrix = Matrix.BT709 if count == 1 else Matrix.RGB
    stated = tuple(header.get("chromaticities", CHROMATICITIES[1]))
    for code, known in CHROMATICITIES.items():
        if np.allclose(stated, known, atol=_SAME_CHROMATICITIES):
            return Colour(matrix, Range.FULL, code, LINEAR)
    return Colour(matrix, Range.FULL, transfer=LINEAR, chromaticities=stated)


def _rate(header: Mapping[str, Any]) -> Fraction | None:
    rate = header.get("framesPerSecond")
    try:
        return Fraction(rate) if rate and Fraction(rate) > 0 else None
    except (TypeError, ValueError):
        return None


def _timecode(header: Mapping[str, Any]) -> str | None:
    code: Any = header.get("timeCode")
    if not isinstance(code, OpenEXR.TimeCode):
        return None
    separator = ";" if code.dropFrame else ":"
    return f"{code.hours:02}:{code.minutes:02}:{code.seconds:02}{separator}{code.frame:02}"


def _warnings(header: Mapping[str, Any], painted: Mapping[str, np.ndarray]) -> list[str]:
    name = header["compression"].name.removesuffix("_COMPRESSION")
    return [f"{name} loses with every writing: written with ZIP"] if _loses(name, painted) else []


def _loses(compression: str, channels: Mapping[str, np.ndarray]) -> bool:
    floats = any(array.dtype == np.float32 for array in channels.values())
    return compression in _LOSSY or (compression == "PXR24" and floats)


def encode_exr(frame: Frame, like: Picture | None, aspect: Fraction | None) -> bytes:
    """An OpenEXR file's content.

    Of a picture that was OpenEXR itself everything but the colours goes over: attributes, windows,
    other channels, and the compression if it is lossless.

    Raises:
        OutputError: The library refuses it.
    """
    rest = like.kept if like is not None and isinstance(like.kept, Rest) else None
    header, channels = _anew(frame, aspect) if rest is None else _again(frame, rest)
    content = io.BytesIO()
    try:
        # Written to memory: the library says nothing of a disk that is full.
        OpenEXR.File(header, channels).write(content)
    except (RuntimeError, ValueError) as error:
        raise OutputError(f"can't be encoded: {error}") from error
    return content.getvalue()


def _again(frame: Frame, rest: Rest) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    top, left, height, width = rest.window
    names = list(rest.painted)
    planes = frame.planes
    if len(names) == 2:
        planes = (planes[0], planes[3])
    channels = {name: array.copy() for name, array in rest.channels.items()}
    for (name, dtype), plane in zip(rest.painted.items(), planes, strict=True):
        part = plane[top : top + height, left : left + width]
        channels[name] = np.ascontiguousarray(part, dtype)
    header = dict(rest.header)
    compression = header["compression"].name.removesuffix("_COMPRESSION")
    if _loses(compression, channels):
        header["compression"] = OpenEXR.ZIP_COMPRESSION
    tiles = header.get("tiles")
    if tiles is not None and tiles.mode != OpenEXR.ONE_LEVEL:
        # Smaller copies for textures: those of the source are no longer of this picture.
        del header["tiles"]
        header["type"] = OpenEXR.scanlineimage
    return header, channels


def _anew(frame: Frame, aspect: Fraction | None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    header: dict[str, Any] = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "chromaticities": CHROMATICITIES[frame.colour.primaries],
        "framesPerSecond": 1 / frame.time_base,
    }
    if aspect is not None:
        header["pixelAspectRatio"] = float(aspect)
    names = "Y" if frame.pixel_format.family == "gray" else "GBRA"
    return header, {
        name: np.ascontiguousarray(plane) for name, plane in zip(names, frame.planes, strict=False)
    }
