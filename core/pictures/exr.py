"""OpenEXR: linear light in floats, and everything else in such a file, passed through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from ..errors import MediaError
from ..frames.frame import FLOAT_FORMATS, LINEAR, Colour, Frame, Matrix, Range
from ..frames.hdr import CHROMATICITIES
from ..frames.stroke_size import believable_aspect
from .exr_file import Part, encode_parts, read_parts
from .metadata import TICK, ImageMetadata, Picture

_LOSSY = frozenset({"B44", "B44A", "DWAA", "DWAB", "LJ2K"})
# What every file states, or other images and clips state in their own way.
_USUAL = frozenset(
    {
        *("channels", "compression", "dataWindow", "displayWindow", "lineOrder", "type", "name"),
        *("pixelAspectRatio", "screenWindowCenter", "screenWindowWidth", "chromaticities"),
        *("framesPerSecond", "timeCode", "tiles", "version", "chunkCount", "preview", "view"),
        *("dwaCompressionLevel", "zipCompressionLevel"),
    }
)
# Chromaticities are stored with the precision of a float.
_SAME_CHROMATICITIES = 1e-4
# Twice the area between red, green and blue in x and y; BT.709's is 0.22.
_LEAST_GAMUT = 1e-3
# More than any screen; data of that size may have such a window too.
_MOST_PIXELS = 1 << 28
_MOST_ELONGATED = 32


@dataclass(frozen=True, eq=False)
class PassThrough:
    """Parts, channels and attributes that pass through to the stylized image.

    Attributes:
        parts: All parts of the file.
        index: Index of the part that is stylized.
        stylized: Names of its stylized channels, in the order of the frame's planes.
        window: First row and column, height and width of the data window in the frame.
    """

    parts: Sequence[Part]
    index: int
    stylized: Sequence[str]
    window: tuple[int, int, int, int]


def read_exr(path: Path) -> Picture:
    """Read an OpenEXR file: R, G, B and A of the first part that has them, and everything else.

    Where only a layer has R, G and B, they are the layer's; without any, Y is read. The frame
    covers the display window and the data window; it is 0 where there are no data.

    Raises:
        MediaError: It is damaged, has deep or subsampled data, has no colours, or chromaticities
            that span none.
    """
    parts = read_parts(path)
    index, names = _chosen(parts)
    header = parts[index].header
    channels = {name: parts[index].channels[name] for name in names}
    data, display = _window(header["dataWindow"]), _window(header["displayWindow"])
    canvas = _around(data, display)
    _check_size(canvas, data)
    rest = PassThrough(parts, index, names, _inside(data, canvas))
    aspect = believable_aspect(header.get("pixelAspectRatio")).limit_denominator(10_000)
    return Picture(
        frame=_frame(channels, rest, canvas, _colour(header, len(names))),
        codec="exr",
        shown=_inside(display, canvas),
        sample_aspect_ratio=None if aspect == 1 else aspect,
        frame_rate=_rate(header),
        timecode=_timecode(header),
        kept=rest,
        warnings=tuple(_warnings(rest)),
        alone=tuple(_alone(rest)),
        grey=len(names) == 2,
    )


def _chosen(parts: Sequence[Part]) -> tuple[int, tuple[str, ...]]:
    """Choose the part to stylize; return its index and the names of its colour channels."""
    found = {index: names for index, part in enumerate(parts) if (names := _names(part.channels))}
    own = [index for index, names in found.items() if "R" in names]
    if not own and len(found) != 1:
        layers = {name.rpartition(".")[0] or name for part in parts for name in part.channels}
        raise MediaError(
            f"has no channels R, G and B, but {', '.join(sorted(layers))}",
            hint="name one layer's channels R, G, B",
        )
    index = (own or list(found))[0]
    if any(parts[index].channels[name].dtype == np.uint32 for name in found[index]):
        raise MediaError("has integer colours", hint="write it with half or float channels")
    return index, found[index]


def _names(channels: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Return the names of colour channels in a frame's order: G, B, R, alpha; or Y; or none."""
    layers = [name[:-1] for name in channels if name == "R" or name.endswith(".R")]
    whole = [layer for layer in layers if all(layer + part in channels for part in "GB")]
    if "" in whole or len(whole) == 1:
        layer = "" if "" in whole else whole[0]
        names = [layer + part for part in "GBR"]
    elif not whole and "Y" in channels:
        layer, names = "", ["Y"]
    else:
        return ()
    return (*names, *([layer + "A"] if layer + "A" in channels else []))


def _window(box: tuple[np.ndarray, np.ndarray]) -> tuple[int, int, int, int]:
    """Return first row and column, height and width of a box given by its corners."""
    (left, top), (right, bottom) = box
    return int(top), int(left), int(bottom - top + 1), int(right - left + 1)


def _around(
    one: tuple[int, int, int, int], other: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    top, left = min(one[0], other[0]), min(one[1], other[1])
    bottom = max(one[0] + one[2], other[0] + other[2])
    right = max(one[1] + one[3], other[1] + other[3])
    return top, left, bottom - top, right - left


def _check_size(canvas: tuple[int, int, int, int], data: tuple[int, int, int, int]) -> None:
    """Refuse a display window that only a damaged header can state."""
    (*_, height, width), (*_, rows, columns) = canvas, data
    long = max(height, width) > _MOST_ELONGATED * min(height, width)
    if height * width > max(0 if long else _MOST_PIXELS, 2 * rows * columns):
        raise MediaError(f"is damaged: its display window makes it {width}x{height} pixels")


def _inside(
    window: tuple[int, int, int, int], canvas: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    return window[0] - canvas[0], window[1] - canvas[1], window[2], window[3]


def _frame(
    channels: Mapping[str, np.ndarray],
    rest: PassThrough,
    canvas: tuple[int, int, int, int],
    colour: Colour,
) -> Frame:
    layout = {1: "gray", 2: "gray", 3: "gbrp", 4: "gbrap"}[len(channels)]
    depth = max(8 * array.dtype.itemsize for array in channels.values())
    if len(channels) == 2:
        # Grey with alpha has no planar format and is represented as RGB.
        grey, alpha = channels.values()
        channels = {"G": grey, "B": grey, "R": grey, "A": alpha}
        layout = "gbrap"
    form = FLOAT_FORMATS[f"{layout}f{depth}le"]
    _, _, height, width = canvas
    top, left, rows, columns = rest.window
    planes = []
    for array in channels.values():
        plane = np.zeros((height, width), form.dtype)
        plane[top : top + rows, left : left + columns] = array
        planes.append(plane)
    return Frame(tuple(planes), form, width, height, 0, 1, TICK, colour)


def _colour(header: Mapping[str, Any], count: int) -> Colour:
    """Return the colour of a header; without chromaticities BT.709 (OpenEXR's introduction)."""
    matrix = Matrix.BT709 if count == 1 else Matrix.RGB
    stated = tuple(header.get("chromaticities", CHROMATICITIES[1]))
    for code, known in CHROMATICITIES.items():
        if np.allclose(stated, known, atol=_SAME_CHROMATICITIES):
            return Colour(matrix, Range.FULL, code, LINEAR)
    if not _spans_colours(stated):
        raise MediaError(
            f"has chromaticities that span no colours: {', '.join(f'{c:g}' for c in stated)}",
            hint="write it again with those of its colour space, or with none for BT.709",
        )
    return Colour(matrix, Range.FULL, transfer=LINEAR, chromaticities=stated)


def _spans_colours(stated: tuple[float, ...]) -> bool:
    """Return whether red, green and blue span a gamut, and white has a luminance."""
    corners = np.array([(x, y, 1) for x, y in zip(stated[:6:2], stated[1:6:2], strict=True)])
    finite = bool(np.isfinite(stated).all())
    return finite and stated[7] > 0 and abs(np.linalg.det(corners)) >= _LEAST_GAMUT


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


def _warnings(rest: PassThrough) -> Iterator[str]:
    lossy = {_compression(part) for part in rest.parts if _loses(part)}
    for name in sorted(lossy):
        yield f"{name} is lossy: written with ZIP"
    for index, part in enumerate(rest.parts):
        if index != rest.index and "R" in _names(part.channels):
            yield f"its part {part.name} also has R, G and B, and is not stylized"


def _alone(rest: PassThrough) -> Iterator[str]:
    own = [name for name in rest.parts[rest.index].channels if name not in rest.stylized]
    if own:
        yield f"channels {', '.join(sorted(own))}"
    for index, part in enumerate(rest.parts):
        if index != rest.index:
            yield f"part {part.name}"
    if attributes := ", ".join(sorted(set(rest.parts[rest.index].header) - _USUAL)):
        yield f"attributes {attributes}"


def _compression(part: Part) -> str:
    return part.header["compression"].name.removesuffix("_COMPRESSION")


def _loses(part: Part) -> bool:
    floats = any(array.dtype == np.float32 for array in part.channels.values())
    return _compression(part) in _LOSSY or (_compression(part) == "PXR24" and floats)


def encode_exr(frame: Frame, like: Picture | None, metadata: ImageMetadata) -> bytes:
    """Encode an OpenEXR file's content, see `encode_picture`.

    From an OpenEXR source everything except the colours passes through: parts, attributes,
    windows, other channels, and a lossless compression.

    Raises:
        OutputError: The library refuses it.
    """
    if like is None or not isinstance(like.kept, PassThrough):
        return encode_parts([_new(frame, metadata, grey=like is not None and like.grey)])
    rest = like.kept
    parts = list(rest.parts)
    parts[rest.index] = _stylized(frame, rest)
    return encode_parts([_lossless(part) for part in parts])


def _stylized(frame: Frame, rest: PassThrough) -> Part:
    top, left, height, width = rest.window
    part = rest.parts[rest.index]
    # Grey with alpha was represented as RGB.
    planes = frame.planes if len(rest.stylized) != 2 else (frame.planes[0], frame.planes[3])
    channels = dict(part.channels)
    for name, plane in zip(rest.stylized, planes, strict=True):
        inside = plane[top : top + height, left : left + width]
        channels[name] = inside.astype(part.channels[name].dtype)
    # The thumbnail shows the source.
    header = {name: value for name, value in part.header.items() if name != "preview"}
    return Part(header, channels)


def _lossless(part: Part) -> Part:
    header = dict(part.header)
    if _loses(part):
        header["compression"] = OpenEXR.ZIP_COMPRESSION
    tiles = header.get("tiles")
    if tiles is not None and tiles.mode != OpenEXR.ONE_LEVEL:
        # Smaller copies, for textures, show the source.
        del header["tiles"]
        header["type"] = OpenEXR.scanlineimage
    return Part(header, part.channels)


def _new(frame: Frame, metadata: ImageMetadata, *, grey: bool) -> Part:
    header: dict[str, Any] = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "chromaticities": CHROMATICITIES[frame.colour.primaries],
    }
    if metadata.sample_aspect_ratio is not None:
        header["pixelAspectRatio"] = float(metadata.sample_aspect_ratio)
    if metadata.frame_rate is not None:
        header["framesPerSecond"] = metadata.frame_rate
    if (timecode := metadata.timecode) is not None:
        clock = (timecode.hours, timecode.minutes, timecode.seconds, timecode.frames)
        header["timeCode"] = OpenEXR.TimeCode(*clock, timecode.drop, *[0] * 13)
    if grey:
        return Part(header, {"Y": frame.planes[0], "A": frame.planes[3]})
    names = "Y" if frame.pixel_format.family == "gray" else "GBRA"
    return Part(header, dict(zip(names, frame.planes, strict=False)))
