"""Pictures made for tests, and what a folder of them holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from brushreel.core.frames.frame import PIXEL_FORMATS, Colour, Frame, Matrix, Range
from brushreel.core.pictures.metadata import TICK
from brushreel.core.pictures.picture import read_picture

SIZE = (48, 32)


def codes(name: str, index: int, size: tuple[int, int] = SIZE) -> Frame:
    form = PIXEL_FORMATS[name]
    random = np.random.default_rng(index)
    planes = tuple(
        random.integers(0, 2**form.depth, (size[1], size[0])).astype(form.dtype)
        for _ in range(form.plane_count)
    )
    matrix = Matrix.RGB if form.family == "rgb" else Matrix.BT709
    return Frame(planes, form, *size, 0, 1, TICK, Colour(matrix, Range.FULL))


def light(index: int, size: tuple[int, int] = SIZE) -> dict[str, np.ndarray]:
    random = np.random.default_rng(index)
    channels = {name: random.gamma(0.5, 1, (size[1], size[0])) for name in "RGBA"}
    channels["R"][4:9, 4:9] = channels["G"][4:9, 4:9] = channels["B"][4:9, 4:9] = 50
    channels["A"][:] = 1
    channels["G"][0, :3] = [-0.2, np.inf, np.nan]
    made = {name: values.astype(np.float16) for name, values in channels.items()}
    return made | {"Z": random.random((size[1], size[0])).astype(np.float32)}


def same_pictures(one: Path, other: Path, numbers: range, shift: int = 0) -> None:
    for number in numbers:
        frame = read_picture(Path(str(one) % number)).frame
        copy = read_picture(Path(str(other) % (number + shift))).frame
        assert frame.pixel_format == copy.pixel_format
        for plane, theirs in zip(frame.planes, copy.planes, strict=True):
            np.testing.assert_array_equal(plane, theirs)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
