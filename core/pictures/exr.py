"""OpenEXR: linear light in floats, and whatever else a studio keeps in such a file."""

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
from .exr_file import Part, encode_parts, read_parts
from .metadata import TICK, ImageMetadata, Picture

_LOSSY = frozenset({"B44", "B44A", "DWAA", "DWAB", "LJ2K"})
# Stored with the precision of a float.
_SAME_CHROMATICITIES = 1e-4
# Twice the area between red, green and blue in x and y; BT.709's is 0.22.
_LEAST_GAMUT = 1e-3


@dataclass(frozen=True, eq=False)
class PassThrough:
    """What a painted picture takes over.

    Attributes:
        parts: Of the file, all of them.
        place: Which of them is painted.
        painted: Names of its channels that are, in the order of the frame's planes.
        window: First row and column, height and width of the data window in the frame.
    """

    parts: Sequence[Part]
    place: int
    painted: Sequence[str]
    window: tuple[int, int, int, int]


def read_exr(path: Path) -> Picture:
    """Read an OpenEXR file: R, G, B and A of its first part that has them, and everything else.

    Where only one layer has R, G and B, it is that layer's; where none has, it is Y. The frame
    covers the display window and the data window; where there are no data it is 0.

    Raises:
        MediaError: It is damaged, has deep or subsampled data, no colours, or chromaticities that
            span none.
    """
    parts = read_parts(path)
    place, names = _chosen(parts)
    header = parts[place].header
    painted = {name: parts[place].channels[name] for name in names}
    data, display = _window(header["dataWindow"]), _window(header["displayWindow"])
    canvas = _around(data, display)
    rest = PassThrough(parts, place, names, _inside(data, canvas))
    aspect = Fraction(header.get("pixelAspectRatio", 1.0)).limit_denominator(10_000)
    return Picture(
        frame=_frame(painted, rest, canvas, _colour(header, len(names))),
        codec="exr",
        shown=_inside(display, canvas),
        sample_aspect_ratio=None if aspect == 1 else aspect,
        frame_rate=_rate(header),
        timecode=_timecode(header),
        kept=rest,
        warnings=tuple(_warnings(rest)),
        grey=len(names) == 2,
    )


def _chosen(parts: Sequence[Part]) -> tuple[int, tuple[str, ...]]:
    """Which part is painted, and the names of its channels that are."""
    found = {place: names for place, part in enumerate(parts) if (names := _names(part.channels))}
    own = [place for place, names in found.items() if "R" in names]
    if not own and len(found) != 1:
        layers = {name.rpartition(".")[0] or name for part in parts for name in part.channels}
        raise MediaError(
            f"has no R, G and B of its own, but {', '.join(sorted(layers))}",
            hint="name one layer's channels R, G, B",
        )
    place = (own or list(found))[0]
    if any(parts[place].channels[name].dtype == np.uint32 for name in found[place]):
        raise MediaError("has whole numbers for colours")
    return place, found[place]


def _names(channels: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Of what can be painted in the order of a frame's planes: G, B, R, alpha; or Y; or none."""
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
    rest: PassThrough,
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
    if not _spans_colours(stated):
        raise MediaError(
            f"has chromaticities that span no colours: {', '.join(f'{c:g}' for c in stated)}",
            hint="write it anew with those of its colour space, or with none for BT.709",
        )
    return Colour(matrix, Range.FULL, transfer=LINEAR, chromaticities=stated)


def _spans_colours(stated: tuple[float, ...]) -> bool:
    """Whether red, green and blue are three, and white has a lightness."""
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
        yield f"{name} loses with every writing: written with ZIP"
    for place, part in enumerate(rest.parts):
        if place != rest.place and "R" in _names(part.channels):
            yield f"its part {part.name} has R, G and B as well, and is not painted"


def _compression(part: Part) -> str:
    return part.header["compression"].name.removesuffix("_COMPRESSION")


def _loses(part: Part) -> bool:
    floats = any(array.dtype == np.float32 for array in part.channels.values())
    return _compression(part) in _LOSSY or (_compression(part) == "PXR24" and floats)


def encode_exr(frame: Frame, like: Picture | None, beside: ImageMetadata) -> bytes:
    """An OpenEXR file's content, see `encode_picture`.

    Of a picture that was OpenEXR itself everything but the colours goes over: parts, attributes,
    windows, other channels, and the compression if it is lossless.

    Raises:
        OutputError: The library refuses it.
    """
    if like is None or not isinstance(like.kept, PassThrough):
        return encode_parts([_anew(frame, beside, grey=like is not None and like.grey)])
    rest = like.kept
    parts = list(rest.parts)
    parts[rest.place] = _painted(frame, rest)
    return encode_parts([_lossless(part) for part in parts])


def _painted(frame: Frame, rest: PassThrough) -> Part:
    top, left, height, width = rest.window
    part = rest.parts[rest.place]
    # Grey with alpha went as RGB.
    planes = frame.planes if len(rest.painted) != 2 else (frame.planes[0], frame.planes[3])
    channels = dict(part.channels)
    for name, plane in zip(rest.painted, planes, strict=True):
        inside = plane[top : top + height, left : left + width]
        channels[name] = inside.astype(part.channels[name].dtype)
    # The thumbnail shows what the picture no longer is.
    header = {name: value for name, value in part.header.items() if name != "preview"}
    return Part(header, channels)


def _lossless(part: Part) -> Part:
    header = dict(part.header)
    if _loses(part):
        header["compression"] = OpenEXR.ZIP_COMPRESSION
    tiles = header.get("tiles")
    if tiles is not None and tiles.mode != OpenEXR.ONE_LEVEL:
        # Smaller copies for textures: those of the source are no longer of this picture.
        del header["tiles"]
        header["type"] = OpenEXR.scanlineimage
    return Part(header, part.channels)


def _anew(frame: Frame, beside: ImageMetadata, *, grey: bool) -> Part:
    header: dict[str, Any] = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "chromaticities": CHROMATICITIES[frame.colour.primaries],
    }
    if beside.sample_aspect_ratio is not None:
        header["pixelAspectRatio"] = float(beside.sample_aspect_ratio)
    if beside.frame_rate is not None:
        header["framesPerSecond"] = beside.frame_rate
    if (timecode := beside.timecode) is not None:
        clock = (timecode.hours, timecode.minutes, timecode.seconds, timecode.frames)
        header["timeCode"] = OpenEXR.TimeCode(*clock, timecode.drop, *[0] * 13)
    if grey:
        return Part(header, {"Y": frame.planes[0], "A": frame.planes[3]})
    names = "Y" if frame.pixel_format.family == "gray" else "GBRA"
    return Part(header, dict(zip(names, frame.planes, strict=False)))
