from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import OpenEXR
import pytest

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.report import ClipReport
from brushreel.core.pictures.picture import encode_picture, kind_of
from brushreel.core.stylizer import Stylizer

from .drawn import SIZE, codes, light


@pytest.fixture
def make(tmp_path) -> Callable[..., Path]:
    """Writes a sequence; gives the names of its pictures."""

    def write(pattern: str, numbers=range(5), form: str = "gbrp16le", size=SIZE, **header) -> Path:
        names = tmp_path / pattern
        names.parent.mkdir(parents=True, exist_ok=True)
        for index, number in enumerate(numbers):
            path = names.with_name(names.name % number)
            if path.suffix == ".exr":
                OpenEXR.File(
                    {"compression": OpenEXR.PIZ_COMPRESSION} | header, light(index, size)
                ).write(str(path))
            else:
                path.write_bytes(encode_picture(codes(form, index, size), kind_of(path)))
        return names

    return write


@pytest.fixture
def run(tmp_path, untouched) -> Callable[..., ClipReport]:
    """Converts into the test's folder."""

    def convert_it(
        source: Path, output: str, stylizer: Stylizer = untouched, **settings
    ) -> ClipReport:
        return convert(source, tmp_path / output, stylizer, **settings)

    return convert_it
