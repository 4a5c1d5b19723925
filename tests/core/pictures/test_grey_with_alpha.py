"""Grey with alpha, which no frame has a form for, comes out as grey with alpha."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from brushreel.core.frames.frame import Frame
from brushreel.core.pictures.metadata import Picture
from brushreel.core.pictures.picture import (
    as_grey,
    as_linear,
    check_written,
    encode_picture,
    read_picture,
)

from .drawn import assert_same, exr, light, noise, write


def stylized(frame: Frame) -> Frame:
    """Return a frame with other colours, which are not grey; alpha stays."""
    *colours, alpha = frame.planes
    if frame.pixel_format.floating:
        colours = [np.nan_to_num(plane, posinf=4, neginf=-4) for plane in colours]
    colours = [np.roll(plane, shift) for shift, plane in enumerate(colours, 1)]
    return replace(frame, planes=(*colours, alpha))


class TestGreyWithAlpha:
    @pytest.fixture(params=["la.png", "la16.png", "la.tif", "half.exr", "float.exr"])
    def source(self, request, tmp_path) -> Path:
        path = tmp_path / request.param
        if path.suffix == ".exr":
            dtype = np.float16 if path.stem == "half" else np.float32
            return exr(path, light(*"YA", dtype=dtype))
        codes = np.random.default_rng(3).integers(0, 256, (23, 35, 2), np.uint8)
        if path.stem == "la":
            Image.fromarray(codes).save(path)
            return path
        return write(path, encode_picture(self.grey_noise(), "png", self.like("png")))

    def grey_noise(self) -> Frame:
        return as_grey(noise("gbrap16le"))

    def like(self, kind: str) -> Picture:
        return Picture(noise("gbrap16le"), f"no {kind}", (0, 0, 23, 35), grey=True)

    def test_unstylized_it_keeps_every_bit(self, tmp_path, source):
        picture = read_picture(source)
        assert picture.grey
        assert_same(as_grey(picture.frame), picture.frame)
        for plane, theirs in zip(as_grey(picture.frame).planes, picture.frame.planes, strict=True):
            np.testing.assert_array_equal(np.signbit(plane), np.signbit(theirs))
        again = write(tmp_path / "b", encode_picture(picture.frame, picture.codec, picture))
        found = read_picture(again, picture.codec)
        assert found.grey
        assert_same(found.frame, picture.frame)

    def test_stylized_it_stays_grey(self, tmp_path, source):
        picture = read_picture(source)
        frame = as_grey(stylized(picture.frame))
        content = encode_picture(frame, picture.codec, picture)
        check_written(write(tmp_path / "b", content), picture.codec, frame, picture)
        found = read_picture(tmp_path / "b", picture.codec)
        assert found.grey
        np.testing.assert_array_equal(found.frame.planes[0], found.frame.planes[2])
        np.testing.assert_array_equal(found.frame.planes[3], picture.frame.planes[3])

    @pytest.mark.parametrize("kind", ["png", "tiff", "exr"])
    def test_it_stays_grey_in_another_kind(self, tmp_path, kind):
        frame = self.grey_noise()
        frame = as_linear(frame) if kind == "exr" else frame
        path = write(tmp_path / "b", encode_picture(frame, kind, self.like(kind)))
        check_written(path, kind, frame, self.like(kind))
        assert read_picture(path, kind).grey

    def test_other_programs_see_grey(self, tmp_path, source):
        picture = read_picture(source)
        frame = as_grey(stylized(picture.frame))
        path = write(tmp_path / "b", encode_picture(frame, picture.codec, picture))
        if picture.codec == "exr":
            found = OpenEXR.File(str(path), separate_channels=True).channels()
            assert set(found) == {"Y", "A"}
            np.testing.assert_array_equal(found["Y"].pixels, frame.planes[1])
        else:
            with Image.open(path) as other:
                assert other.mode == "LA" or source.stem == "la16"

    def test_luma_is_that_of_bt709(self):
        frame = noise("gbrap")
        green, blue, red = (plane.astype(float) for plane in frame.planes[:3])
        wanted = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        np.testing.assert_allclose(as_grey(frame).planes[1], wanted, atol=0.5)
        np.testing.assert_array_equal(as_grey(frame).planes[3], frame.planes[3])
