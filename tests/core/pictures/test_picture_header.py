"""Headers of image files, read before any is decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from brushreel.core.clips.sequence import Pattern
from brushreel.core.clips.sequence_reader import SequenceReader
from brushreel.core.errors import MediaError
from brushreel.core.pictures.picture_header import stated

SIZE = (23, 35)


def part(name: str = "", **channels: type) -> OpenEXR.Part:
    arrays = {channel: np.zeros(SIZE, dtype) for channel, dtype in channels.items()}
    return OpenEXR.Part({}, arrays, name)


def exr(path: Path, *parts: OpenEXR.Part) -> Path:
    OpenEXR.File(list(parts)).write(str(path))
    return path


def test_channels_with_their_types(tmp_path):
    path = exr(tmp_path / "a.exr", part(R=np.float16, Z=np.float32, id=np.uint32))
    about = stated(path, "exr")
    assert (about.width, about.height) == (35, 23)
    assert about.samples == "channels R, Z, id of half, float, uint"


def test_every_part(tmp_path):
    path = exr(tmp_path / "a.exr", part("left", R=np.float16), part("depth", Z=np.float32))
    assert stated(path, "exr").samples == "channels left R of half; depth Z of float"


def test_half_and_float_do_not_go_together(tmp_path):
    for number, dtype in enumerate((np.float16, np.float16, np.float32), 1):
        exr(tmp_path / f"a.{number}.exr", part(R=dtype, G=dtype, B=dtype))
    with pytest.raises(MediaError, match=r"a\.3\.exr: .* of float, .*, and a\.1\.exr .* of half"):
        SequenceReader(Pattern(tmp_path / "a.%d.exr"))


def test_grey_and_a_palette_do_not_go_together(tmp_path):
    grey = Image.fromarray(np.zeros(SIZE, np.uint8))
    grey.save(tmp_path / "a.1.png")
    grey.convert("P").save(tmp_path / "a.2.png", bits=8)
    with pytest.raises(MediaError, match=r"a palette's, and a\.1\.png"):
        SequenceReader(Pattern(tmp_path / "a.%d.png"))


@pytest.mark.parametrize("length", [3, 8, 20, 60, 200])
def test_a_header_that_is_cut_short(tmp_path, length):
    path = exr(tmp_path / "a.exr", part(R=np.float16))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(MediaError, match="its header can't be read"):
        stated(path, "exr")
