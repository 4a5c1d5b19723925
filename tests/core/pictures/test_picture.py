"""PNG, TIFF and OpenEXR files: what goes in comes out, to the bit, and what lies beside it too."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from brushreel.core.errors import MediaError, OutputError
from brushreel.core.frames.frame import LINEAR, PIXEL_FORMATS
from brushreel.core.pictures.metadata import ImageMetadata, Picture
from brushreel.core.pictures.picture import (
    as_display,
    as_linear,
    check_written,
    encode_picture,
    kind_of,
    read_picture,
    written_format,
)

from .drawn import assert_same, exr, light, noise, write

RASTERS = ["gray", "gbrp", "gbrap", "gray16le", "gbrp16le", "gbrap16le"]
ACES_CG = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)


class TestRaster:
    @pytest.mark.parametrize("name", RASTERS)
    @pytest.mark.parametrize("suffix", ["png", "tif"])
    def test_every_code_comes_back(self, tmp_path, suffix, name):
        frame = noise(name)
        path = write(tmp_path / f"a.{suffix}", encode_picture(frame, kind_of(Path(f"a.{suffix}"))))
        read = read_picture(path)
        assert_same(read.frame, frame)
        again = write(tmp_path / f"b.{suffix}", encode_picture(read.frame, read.codec, read))
        assert_same(read_picture(again).frame, frame)
        with Image.open(again) as other:
            assert other.size == (35, 23)

    @pytest.mark.parametrize("name", ["a.png", "a.tif", "big.tif"])
    def test_profile_resolution_and_texts_go_over(self, tmp_path, name):
        pixels = Image.fromarray(np.random.default_rng(0).integers(0, 256, (23, 35, 3), np.uint8))
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Author", "Me")
        extra: dict[str, Any] = {"pnginfo": texts} if name == "a.png" else {"description": "me"}
        extra |= {"big_endian": True} if name == "big.tif" else {}
        pixels.save(tmp_path / name, icc_profile=profile, dpi=(300, 150), **extra)
        source = read_picture(tmp_path / name)
        assert source.sample_aspect_ratio == Fraction(1, 2)
        with Image.open(io.BytesIO(encode_picture(source.frame, source.codec, source))) as copy:
            copy.load()
            assert copy.info["icc_profile"] == profile
            assert copy.info["dpi"] == pytest.approx((300, 150), abs=0.1)
            text = copy.info.get("Author") or getattr(copy, "tag_v2", {}).get(270)
            assert text in ("Me", "me")
            np.testing.assert_array_equal(np.asarray(copy), np.asarray(pixels))

    @pytest.mark.parametrize("kind", ["png", "tiff"])
    def test_pixel_shape_of_a_clip(self, tmp_path, kind):
        content = encode_picture(noise("gbrp"), kind, None, ImageMetadata(Fraction(4, 3)))
        read = read_picture(write(tmp_path / "a", content), kind)
        assert read.sample_aspect_ratio == Fraction(4, 3)

    def test_palette_with_transparency(self, tmp_path):
        pixels = Image.fromarray(np.random.default_rng(0).integers(0, 256, (23, 35, 3), np.uint8))
        pixels.convert("P").save(tmp_path / "a.png", transparency=b"\0\x20\x80")
        with Image.open(tmp_path / "a.png") as picture:
            wanted = np.asarray(picture.convert("RGBA"))
        read = read_picture(tmp_path / "a.png").frame
        for plane, channel in zip(read.planes, (1, 2, 0, 3), strict=True):
            np.testing.assert_array_equal(plane, wanted[..., channel])

    @pytest.mark.parametrize("kind", ["png", "tiff"])
    @pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
    def test_cut_short(self, tmp_path, kind, part):
        content = encode_picture(noise("gbrp16le"), kind)
        path = write(tmp_path / f"a.{kind}", content[: int(part * len(content))])
        with pytest.raises(MediaError) as raised:
            read_picture(path)
        assert raised.value.path == path

    def test_tiff_with_its_tags_first_is_cut_short(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (23, 35, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.tif")
        content = (tmp_path / "a.tif").read_bytes()
        assert int.from_bytes(content[4:8], "little") < 100
        with pytest.raises(MediaError, match="is cut short"):
            read_picture(write(tmp_path / "a.tif", content[:-500]))

    def test_a_tiff_that_lies_on_its_side_says_so_afterwards(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (23, 35, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.tif", tiffinfo={274: 6})
        source = read_picture(tmp_path / "a.tif")
        with Image.open(io.BytesIO(encode_picture(source.frame, "tiff", source))) as copy:
            assert copy.getexif()[274] == 6

    def test_a_tiff_with_strip_counts_of_another_type(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (23, 35, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.tif")
        content = bytearray((tmp_path / "a.tif").read_bytes())
        entry = content.index(struct.pack("<HH", 279, 4))
        content[entry + 2] = 1
        with pytest.raises(MediaError, match="damaged"):
            read_picture(write(tmp_path / "a.tif", bytes(content)))

    @pytest.mark.parametrize("kind", ["png", "tiff", "exr"])
    def test_something_else(self, tmp_path, kind, capfd):
        path = write(tmp_path / f"a.{kind}", b"no picture at all" * 20)
        with pytest.raises(MediaError):
            read_picture(path)
        assert not capfd.readouterr().out

    def test_a_wrong_checksum(self, tmp_path):
        content = bytearray(encode_picture(noise("gbrp"), "png"))
        content[len(content) // 2] ^= 1
        with pytest.raises(MediaError, match="a checksum is wrong"):
            read_picture(write(tmp_path / "a.png", bytes(content)))


def window(left: int, top: int, width: int, height: int) -> tuple:
    corners = ((left, top), (left + width - 1, top + height - 1))
    return tuple(np.array(corner, np.int32) for corner in corners)


class TestExr:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    @pytest.mark.parametrize("names", ["RGB", "RGBA", "Y", "YA"])
    def test_every_value_comes_back(self, tmp_path, names, dtype):
        source = light(*names, dtype=dtype)
        picture = read_picture(exr(tmp_path / "a.exr", source))
        assert picture.frame.pixel_format.floating
        assert picture.frame.colour.transfer == LINEAR
        write(tmp_path / "b.exr", encode_picture(picture.frame, "exr", picture))
        found = OpenEXR.File(str(tmp_path / "b.exr"), separate_channels=True).channels()
        assert set(found) == set(source)
        for name, array in source.items():
            assert found[name].pixels.dtype == dtype
            np.testing.assert_array_equal(found[name].pixels, array)

    def test_everything_else_goes_over(self, tmp_path):
        source = light("R", "G", "B", "A", "diffuse.R")
        source |= light("Z", dtype=np.float32)
        source["id"] = np.arange(35 * 23, dtype=np.uint32).reshape(23, 35)
        header = {
            "compression": OpenEXR.PIZ_COMPRESSION,
            "pixelAspectRatio": 2.0,
            "chromaticities": ACES_CG,
            "timeCode": OpenEXR.TimeCode(1, 2, 3, 4, *[0] * 14),
            "framesPerSecond": Fraction(24000, 1001),
            "owner": "somebody",
            "dataWindow": window(-3, 4, 35, 23),
            "displayWindow": window(0, 0, 20, 30),
        }
        picture = read_picture(exr(tmp_path / "a.exr", source, **header))
        assert picture.sample_aspect_ratio == 2
        assert picture.frame_rate == Fraction(24000, 1001)
        assert picture.timecode == "01:02:03:04"
        assert picture.frame.colour.chromaticities == pytest.approx(ACES_CG)
        assert (picture.frame.width, picture.frame.height) == (35, 30)
        assert picture.shown == (0, 3, 30, 20)
        write(tmp_path / "b.exr", encode_picture(picture.frame, "exr", picture))
        before = OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True)
        after = OpenEXR.File(str(tmp_path / "b.exr"), separate_channels=True)
        assert str(after.header()) == str(before.header())
        for name, array in source.items():
            np.testing.assert_array_equal(after.channels()[name].pixels, array)

    @pytest.mark.parametrize(
        "stated",
        [(0.0,) * 8, (0.64, 0.33) * 3 + (0.3127, 0.329), (*ACES_CG[:7], 0.0), (np.nan,) * 8],
    )
    def test_chromaticities_that_span_nothing(self, tmp_path, stated):
        path = exr(tmp_path / "a.exr", light(*"RGB"), chromaticities=stated)
        with pytest.raises(MediaError, match="chromaticities that span no colours") as caught:
            read_picture(path)
        assert caught.value.path == path

    def test_a_thumbnail_does_not_go_over(self, tmp_path):
        thumbnail = OpenEXR.PreviewImage(2, 1)
        picture = read_picture(exr(tmp_path / "a.exr", light(*"RGB"), preview=thumbnail))
        write(tmp_path / "b.exr", encode_picture(picture.frame, "exr", picture))
        assert "preview" not in OpenEXR.File(str(tmp_path / "b.exr")).header()

    @pytest.mark.parametrize("name", ["ZIPS", "RLE", "NO", "PXR24"])
    def test_lossless_compression_is_kept(self, tmp_path, name):
        kind = getattr(OpenEXR, f"{name}_COMPRESSION")
        picture = read_picture(exr(tmp_path / "a.exr", light(*"RGB"), compression=kind))
        write(tmp_path / "b.exr", encode_picture(picture.frame, "exr", picture))
        assert OpenEXR.File(str(tmp_path / "b.exr")).header()["compression"] == kind
        assert not picture.warnings

    @pytest.mark.parametrize("name", ["DWAA", "B44"])
    def test_lossy_compression_becomes_zip(self, tmp_path, name):
        kind = getattr(OpenEXR, f"{name}_COMPRESSION")
        picture = read_picture(exr(tmp_path / "a.exr", light(*"RGB"), compression=kind))
        assert "ZIP" in picture.warnings[0]
        write(tmp_path / "b.exr", encode_picture(picture.frame, "exr", picture))
        assert_same(read_picture(tmp_path / "b.exr").frame, picture.frame)

    def test_tiles_stay(self, tmp_path):
        tiles = OpenEXR.TileDescription()
        tiles.xSize = tiles.ySize = 16
        header = {"type": OpenEXR.tiledimage, "tiles": tiles}
        picture = read_picture(exr(tmp_path / "a.exr", light(*"RGB"), **header))
        write(tmp_path / "b.exr", encode_picture(picture.frame, "exr", picture))
        assert OpenEXR.File(str(tmp_path / "b.exr")).header()["type"] == OpenEXR.tiledimage
        assert_same(read_picture(tmp_path / "b.exr").frame, picture.frame)

    def test_the_only_layer_with_colours(self, tmp_path):
        source = light("beauty.R", "beauty.G", "beauty.B", "beauty.A", "Z")
        frame = read_picture(exr(tmp_path / "a.exr", source)).frame
        assert frame.pixel_format.name == "gbrapf16le"
        np.testing.assert_array_equal(frame.planes[2], source["beauty.R"])

    @pytest.mark.parametrize("names", [("a.R", "a.G", "a.B", "b.R", "b.G", "b.B"), ("Z", "N.X")])
    def test_no_colours_of_its_own(self, tmp_path, names):
        with pytest.raises(MediaError, match="has no channels R, G and B"):
            read_picture(exr(tmp_path / "a.exr", light(*names)))

    def test_several_parts(self, tmp_path):
        parts = {
            "depth": light("Z", dtype=np.float32),
            "rgba": light(*"RGBA"),
            "mattes": light("m.x"),
        }
        kinds = (OpenEXR.PIZ_COMPRESSION, OpenEXR.ZIP_COMPRESSION, OpenEXR.RLE_COMPRESSION)
        written = [
            OpenEXR.Part({"compression": kind, "owner": name}, dict(channels), name)
            for (name, channels), kind in zip(parts.items(), kinds, strict=True)
        ]
        OpenEXR.File(written).write(str(tmp_path / "a.exr"))
        picture = read_picture(tmp_path / "a.exr")
        assert not picture.warnings
        np.testing.assert_array_equal(picture.frame.planes[2], light(*"RGBA")["R"])
        copy = write(tmp_path / "b.exr", encode_picture(picture.frame, "exr", picture))
        assert copy.read_bytes() == (tmp_path / "a.exr").read_bytes()

    def test_a_second_part_with_colours_is_not_stylized_and_said_so(self, tmp_path):
        parts = [OpenEXR.Part({}, light(*"RGB"), name) for name in ("left", "right")]
        OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
        assert "part right" in read_picture(tmp_path / "a.exr").warnings[0]

    def test_a_damaged_part(self, tmp_path, capfd):
        parts = [OpenEXR.Part({}, light(*"RGB"), name) for name in ("left", "right")]
        OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
        content = (tmp_path / "a.exr").read_bytes()
        with pytest.raises(MediaError, match="can't be decoded"):
            read_picture(write(tmp_path / "a.exr", content[:-300]))
        assert not capfd.readouterr().out

    @pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
    def test_cut_short(self, tmp_path, part, capfd):
        content = exr(tmp_path / "a.exr", light(*"RGB")).read_bytes()
        path = write(tmp_path / "c.exr", content[: int(part * len(content))])
        with pytest.raises(MediaError, match="can't be decoded"):
            read_picture(path)
        assert not capfd.readouterr().out

    def test_many_threads_leave_the_output_as_it_was(self, tmp_path, capsys):
        exr(tmp_path / "a.exr", light(*"RGB"))
        broken = write(tmp_path / "b.exr", (tmp_path / "a.exr").read_bytes()[:-300])

        def read_both(number: int) -> None:
            read_picture(tmp_path / "a.exr")
            sys.stdout.write(f"{number}\n")
            with pytest.raises(MediaError):
                read_picture(broken)

        before = sys.stdout
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(read_both, range(40)))
        assert sys.stdout is before
        assert sorted(map(int, capsys.readouterr().out.split())) == list(range(40))


class TestBetweenKinds:
    def test_light_as_a_display_shows_it(self, tmp_path):
        source = {name: np.tile(np.array([0, 0.18, 1, 50], np.float16), (4, 1)) for name in "RGB"}
        shown = as_display(read_picture(exr(tmp_path / "a.exr", source)))
        assert shown.pixel_format.name == "gbrp16le"
        assert (shown.colour.primaries, shown.colour.transfer) == (1, 1)
        codes = shown.planes[0][0] / 65535
        assert codes[0] == 0
        assert codes[1] == pytest.approx(0.18 ** (1 / 2.4), abs=0.01)
        assert 0.85 < codes[2] < 0.95
        assert codes[3] == 1

    def test_only_the_display_window_is_shown(self, tmp_path):
        header = {"dataWindow": window(-2, -1, 35, 23), "displayWindow": window(0, 0, 16, 12)}
        picture = read_picture(exr(tmp_path / "a.exr", light(*"RGB"), **header))
        assert (as_display(picture).width, as_display(picture).height) == (16, 12)

    def test_signals_become_light(self):
        frame = noise("gbrp16le")
        linear = as_linear(frame)
        assert linear.pixel_format.name == "gbrpf16le"
        wanted = (frame.planes[0] / 65535) ** 2.4
        np.testing.assert_allclose(linear.planes[0], wanted, rtol=1e-3, atol=1e-6)

    @pytest.mark.parametrize(
        ("primaries", "red"), [(1, 0.64), (4, 0.67), (5, 0.64), (6, 0.63), (7, 0.63), (11, 0.68)]
    )
    def test_light_of_a_clip_says_its_primaries(self, tmp_path, primaries, red):
        frame = noise("gbrp16le")
        frame = replace(frame, colour=replace(frame.colour, primaries=primaries))
        path = write(tmp_path / "a.exr", encode_picture(as_linear(frame), "exr"))
        assert OpenEXR.File(str(path)).header()["chromaticities"][0] == pytest.approx(red)
        found = read_picture(path).frame.colour
        assert (found.primaries, found.chromaticities) == (6 if primaries == 7 else primaries, None)

    @pytest.mark.parametrize(
        ("source", "kind", "wanted"),
        [
            ("yuv420p", "png", "gbrp"),
            ("yuv422p10le", "png", "gbrp16le"),
            ("yuva444p12le", "tiff", "gbrap16le"),
            ("gray10le", "png", "gray16le"),
            ("gbrap", "exr", "gbrapf16le"),
        ],
    )
    def test_what_holds_it(self, source, kind, wanted):
        assert written_format(PIXEL_FORMATS[source], kind).name == wanted


def test_something_else_was_written(tmp_path):
    frame = noise("gbrp16le")
    path = write(tmp_path / "a.png", encode_picture(frame, "png"))
    check_written(path, "png", frame, None)
    frame.planes[1][3, 4] ^= 1
    with pytest.raises(OutputError, match="failed verification"):
        check_written(path, "png", frame, None)


def test_no_such_file(tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        read_picture(tmp_path / "a.png")
    assert Picture.__doc__


@pytest.mark.parametrize(
    ("window", "corner", "says"),
    [
        (b"dataWindow\0box2i\0", (90_000, 70_000), r"\d+x\d+ pixels are not in so small a file$"),
        (b"displayWindow\0box2i\0", (90_000, 70_000), "its display window makes it 90001x70001 "),
        (b"displayWindow\0box2i\0", (255, 33_000), "its display window makes it 256x33001 "),
    ],
)
def test_a_window_that_a_damaged_header_states_takes_no_memory(tmp_path, window, corner, says):
    path = exr(tmp_path / "a.exr", light("R", "G", "B"))
    content = path.read_bytes()
    at = content.index(window) + len(window) + 4
    path.write_bytes(content[:at] + struct.pack("<4i", 0, 0, *corner) + content[at + 16 :])
    with pytest.raises(MediaError, match=f"a.exr: is damaged: {says}"):
        read_picture(path)


@pytest.mark.parametrize("across", [1, 0xFFFFFFFF])
def test_pixels_of_a_shape_that_only_a_damaged_header_states_are_square(tmp_path, across):
    path = write(tmp_path / "a.png", encode_picture(noise("gbrp"), "png"))
    content = path.read_bytes()
    chunk = b"pHYs" + struct.pack("!IIB", across, 0x10000 if across == 1 else 1, 0)
    at = content.index(b"IDAT") - 4
    checked = struct.pack("!I", 9) + chunk + struct.pack("!I", zlib.crc32(chunk))
    path.write_bytes(content[:at] + checked + content[at:])
    assert read_picture(path).sample_aspect_ratio is None
