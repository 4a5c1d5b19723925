"""Pictures made for tests: noise in every form, and light with all that floats can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR

from brushreel.core.frames.frame import PIXEL_FORMATS, Colour, Frame, Matrix, Range
from brushreel.core.pictures.metadata import TICK


def noise(name: str, size: tuple[int, int] = (35, 23)) -> Frame:
    form = PIXEL_FORMATS[name]
    random = np.random.default_rng(1)
    shape = (size[1], size[0])
    planes = tuple(
        random.integers(0, 2**form.depth, shape).astype(form.dtype) for _ in range(form.plane_count)
    )
    matrix = Matrix.RGB if form.family == "rgb" else Matrix.BT709
    return Frame(planes, form, *size, 0, 1, TICK, Colour(matrix, Range.FULL, 1, 13))


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def assert_same(one: Frame, other: Frame) -> None:
    assert one.pixel_format == other.pixel_format
    for plane, theirs in zip(one.planes, other.planes, strict=True):
        np.testing.assert_array_equal(plane, theirs)


def exr(path: Path, channels: dict, **header) -> Path:
    about = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage} | header
    OpenEXR.File(about, {name: array.copy() for name, array in channels.items()}).write(str(path))
    return path


def light(*names: str, dtype: type = np.float16, size: tuple[int, int] = (35, 23)) -> dict:
    random = np.random.default_rng(2)
    values = {name: random.normal(1, 3, (size[1], size[0])).astype(dtype) for name in names}
    for array in values.values():
        array[0, :5] = [np.nan, np.inf, -np.inf, 65504, -0.0]
    return values
