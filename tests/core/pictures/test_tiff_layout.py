"""TIFF files in every layout: the samples that were stored, or a refusal that names the tag."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, TiffImagePlugin

from brushreel.core.clips.sequence import Pattern
from brushreel.core.clips.sequence_reader import SequenceReader
from brushreel.core.errors import MediaError
from brushreel.core.pictures.picture import read_picture
from brushreel.core.pictures.picture_tags import TiffTags

SIZE = HEIGHT, WIDTH = 37, 53
TILE = (16, 32)
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def tiff(
    path: Path, pieces: Sequence[bytes], tags: Mapping[int, Sequence[int]], order: str = "<"
) -> Path:
    """Write a TIFF file of pieces; tags hold shorts, offsets and counts are added."""
    offsets, content = [], b"II*\0" if order == "<" else b"MM\0*"
    content += bytes(4)
    for piece in pieces:
        offsets.append(len(content))
        content += piece + b"\0" * (len(piece) % 2)
    places = (324, 325) if 322 in tags else (273, 279)
    longs = {places[0]: offsets, places[1]: [len(piece) for piece in pieces]}
    entries = []
    for number, values in sorted({**tags, **longs}.items()):
        kind, code = (4, "I") if number in longs else (3, "H")
        value = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(value) > 4:
            place, value = len(content), value + b"\0" * (len(value) % 2)
            content, value = content + value, struct.pack(f"{order}I", place)
        entries.append(
            struct.pack(f"{order}HHI", number, kind, len(values)) + value.ljust(4, b"\0")
        )
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)
    path.write_bytes(content[:4] + struct.pack(f"{order}I", len(content)) + content[8:] + directory)
    return path


def noise(parts: int, bits: int = 8) -> np.ndarray:
    dtype = np.uint8 if bits == 8 else np.uint16
    return np.random.default_rng(3).integers(0, 2**bits, (*SIZE, parts), dtype)


def tags_of(pixels: np.ndarray) -> dict[int, list[int]]:
    parts, bits = pixels.shape[2], 8 * pixels.itemsize
    tags = {256: [WIDTH], 257: [HEIGHT], 258: [bits] * parts, 259: [1], 277: [parts]}
    return tags | {262: [2 if parts > 2 else 1]} | ({338: [2]} if parts in (2, 4) else {})


def tiles_of(pixels: np.ndarray) -> list[np.ndarray]:
    height, width = TILE
    rows, columns = -(-HEIGHT // height) * height, -(-WIDTH // width) * width
    padded = np.pad(pixels, ((0, rows - HEIGHT), (0, columns - WIDTH), (0, 0)), constant_values=7)
    return [
        padded[top : top + height, left : left + width]
        for top in range(0, rows, height)
        for left in range(0, columns, width)
    ]


def pixels_of(path: Path) -> np.ndarray:
    planes = read_picture(path).frame.planes
    if len(planes) == 1:
        return np.stack(planes, -1)
    green, blue, red, *alpha = planes
    return np.stack((red, green, blue, *alpha), -1)


def stored(array: np.ndarray, order: str) -> bytes:
    return array.astype(array.dtype.newbyteorder(order)).tobytes()  # type: ignore[arg-type]


class TestLayouts:
    @pytest.mark.parametrize("order", "<>")
    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("parts", [1, 3, 4])
    def test_tiles(self, tmp_path, parts, bits, order):
        pixels = noise(parts, bits)
        pieces = [stored(tile, order) for tile in tiles_of(pixels)]
        tags = tags_of(pixels) | {322: [TILE[1]], 323: [TILE[0]]}
        path = tiff(tmp_path / "a.tif", pieces, tags, order)
        np.testing.assert_array_equal(pixels_of(path), pixels)

    def test_grey_with_alpha_in_tiles(self, tmp_path):
        pixels = noise(2, 16)
        pieces = [tile.tobytes() for tile in tiles_of(pixels)]
        tags = tags_of(pixels) | {322: [TILE[1]], 323: [TILE[0]]}
        found = pixels_of(tiff(tmp_path / "a.tif", pieces, tags))
        np.testing.assert_array_equal(found, pixels[..., [0, 0, 0, 1]])

    def test_compressed_tiles_with_a_predictor(self, tmp_path):
        pixels = noise(3, 16)
        steps = [np.diff(tile, axis=1, prepend=tile[:, :1] * 0) for tile in tiles_of(pixels)]
        pieces = [zlib.compress(step.tobytes()) for step in steps]
        tags = tags_of(pixels) | {259: [8], 317: [2], 322: [TILE[1]], 323: [TILE[0]]}
        np.testing.assert_array_equal(pixels_of(tiff(tmp_path / "a.tif", pieces, tags)), pixels)

    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("tiled", [False, True])
    def test_one_plane_after_the_other(self, tmp_path, tiled, bits):
        pixels = noise(3, bits)
        planes = [pixels[..., [index]] for index in range(3)]
        tags = tags_of(pixels) | {284: [2]}
        if tiled:
            tags |= {322: [TILE[1]], 323: [TILE[0]]}
            pieces = [tile.tobytes() for plane in planes for tile in tiles_of(plane)]
        else:
            tags |= {278: [10]}
            pieces = [
                plane[top : top + 10].tobytes() for plane in planes for top in range(0, HEIGHT, 10)
            ]
        np.testing.assert_array_equal(pixels_of(tiff(tmp_path / "a.tif", pieces, tags)), pixels)

    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize("compression", [1, 8])
    def test_bits_in_the_other_order(self, tmp_path, compression, bits):
        pixels = noise(3, bits)
        content = zlib.compress(pixels.tobytes()) if compression == 8 else pixels.tobytes()
        tags = tags_of(pixels) | {259: [compression], 266: [2], 278: [HEIGHT]}
        path = tiff(tmp_path / "a.tif", [content.translate(_REVERSED)], tags)
        np.testing.assert_array_equal(pixels_of(path), pixels)

    def test_tiles_of_a_palette(self, tmp_path):
        codes = noise(1)
        table = np.random.default_rng(4).integers(0, 256, (3, 256), np.uint16)
        tags = tags_of(codes) | {262: [3], 320: (table.ravel() * 257).tolist()}
        tags |= {322: [TILE[1]], 323: [TILE[0]]}
        path = tiff(tmp_path / "a.tif", [tile.tobytes() for tile in tiles_of(codes)], tags)
        np.testing.assert_array_equal(pixels_of(path), table.T[codes[..., 0]])

    @pytest.mark.parametrize("mode", ["L", "RGB"])
    def test_jpeg(self, tmp_path, mode):
        image = Image.fromarray(noise(3)).filter(ImageFilter.GaussianBlur(3)).convert(mode)
        # It lies on its side; that stays a tag, and the samples as they are stored.
        image.save(tmp_path / "a.tif", compression="jpeg", tiffinfo={274: 6})
        image.save(tmp_path / "b.tif", compression="jpeg")
        with Image.open(tmp_path / "b.tif") as read:
            wanted = np.asarray(read).reshape(*SIZE, -1)
        found = pixels_of(tmp_path / "a.tif")
        np.testing.assert_array_equal(found, wanted)
        assert abs(found.astype(int) - np.asarray(image).reshape(*SIZE, -1)).mean() < 4

    @pytest.mark.parametrize("fill", [1, 2])
    @pytest.mark.parametrize("compression", ["raw", "group4"])
    def test_black_and_white(self, tmp_path, compression, fill):
        image = Image.fromarray(noise(1)[..., 0]).convert("1")
        image.save(tmp_path / "a.tif", compression=compression, tiffinfo={266: fill})
        with Image.open(tmp_path / "a.tif") as read:
            wanted = np.asarray(read) * 255
        np.testing.assert_array_equal(pixels_of(tmp_path / "a.tif")[..., 0], wanted)

    def test_pixel_shape_of_tiles(self, tmp_path):
        pixels = Image.fromarray(noise(3))
        pixels.save(tmp_path / "a.tif", dpi=(300, 150), tiffinfo={266: 2})
        assert read_picture(tmp_path / "a.tif").sample_aspect_ratio == 0.5


class TestRefused:
    @pytest.mark.parametrize(
        ("changed", "named"),
        [
            ({262: [5]}, r"PhotometricInterpretation = 5 \(CMYK\)"),
            ({262: [8]}, r"PhotometricInterpretation = 8 \(CIELab\)"),
            ({259: [50000]}, r"Compression = 50000 \(Zstandard\)"),
            ({259: [6]}, r"Compression = 6 \(old JPEG\)"),
            ({258: [8, 8, 16]}, "BitsPerSample = 8, 8, 16"),
            ({339: [2, 2, 2]}, "SampleFormat = 2"),
            ({277: [6]}, "SamplesPerPixel = 6"),
        ],
    )
    def test_each_tag_by_name(self, tmp_path, changed, named):
        pixels = noise(3)
        path = tiff(tmp_path / "a.tif", [pixels.tobytes()], tags_of(pixels) | changed)
        with pytest.raises(MediaError, match=named):
            read_picture(path)
        with pytest.raises(MediaError, match=named):
            SequenceReader(Pattern(path))

    def test_bigtiff(self, tmp_path):
        (tmp_path / "a.tif").write_bytes(b"II+\0\x08\0\0\0" + bytes(40))
        with pytest.raises(MediaError, match="is a BigTIFF file"):
            read_picture(tmp_path / "a.tif")

    def test_a_size_that_no_memory_holds(self, tmp_path):
        pixels = noise(3)
        tags = tags_of(pixels) | {256: [60_000], 257: [60_000], 284: [2]}
        path = tiff(tmp_path / "a.tif", [pixels.tobytes()], tags)
        with pytest.raises(MediaError, match="too large: 60000x60000"):
            read_picture(path)

    def test_libtiff_prints_nothing(self, tmp_path, capfd):
        image = Image.fromarray(noise(1)[..., 0]).convert("1")
        image.save(tmp_path / "a.tif", compression="group4", tiffinfo={266: 2})
        content = bytearray((tmp_path / "a.tif").read_bytes())
        for place in range(20, len(content) - 200, 7):
            content[place] ^= 0x55
        (tmp_path / "a.tif").write_bytes(content)
        with suppress(MediaError):
            read_picture(tmp_path / "a.tif")
        assert capfd.readouterr() == ("", "")

    def test_damaged_jpeg(self, tmp_path):
        Image.fromarray(noise(3)).save(tmp_path / "a.tif", compression="jpeg")
        content = bytearray((tmp_path / "a.tif").read_bytes())
        start = content.index(b"\xff\xd8", 8)
        content[start : start + 40] = bytes(40)
        (tmp_path / "a.tif").write_bytes(content)
        with pytest.raises(MediaError, match="can't be decoded: its JPEG is damaged"):
            read_picture(tmp_path / "a.tif")


def _packed(data: bytes, compression: int) -> bytes:
    if compression == 5:
        file = io.BytesIO()
        image = Image.frombytes("RGB", (WIDTH, len(data) // (3 * WIDTH)), data)
        image.save(file, "TIFF", compression="tiff_lzw", strip_size=1 << 20)
        written = Image.open(file)
        assert isinstance(written, TiffImagePlugin.TiffImageFile)
        tags = written.tag_v2
        return file.getvalue()[tags[273][0] : tags[273][0] + tags[279][0]]
    if compression == 32773:
        # In packets that end anywhere, not with a row; fillers among them.
        parts = (data[at : at + 100] for at in range(0, len(data), 100))
        return b"\x80".join(bytes([len(part) - 1]) + part for part in parts)
    return zlib.compress(data) if compression == 8 else data


class TestStripsThatAreTooShort:
    """FFmpeg's decoder fills in black, or what lies in memory, and says nothing."""

    @pytest.mark.parametrize("compression", [1, 5, 8, 32773])
    def test_are_refused(self, tmp_path, compression):
        pixels = noise(3)
        tags = tags_of(pixels) | {259: [compression]}
        whole = tiff(tmp_path / "a.tif", [_packed(pixels.tobytes(), compression)], tags)
        assert np.array_equal(pixels_of(whole), pixels)
        half = tiff(tmp_path / "b.tif", [_packed(pixels[:18].tobytes(), compression)], tags)
        with pytest.raises(MediaError, match=r"b.tif: (is cut short|can't be decoded)"):
            read_picture(half)

    def test_a_width_that_only_a_damaged_header_states(self, tmp_path):
        pixels = noise(3)
        tags = tags_of(pixels) | {256: [60_000]}
        with pytest.raises(MediaError, match="is cut short: a strip or tile has fewer samples"):
            read_picture(tiff(tmp_path / "a.tif", [pixels.tobytes()], tags))

    def test_fewer_of_them_than_the_height_needs(self, tmp_path):
        pixels = noise(3)
        tags = tags_of(pixels) | {257: [60_000], 278: [HEIGHT]}
        with pytest.raises(MediaError, match="another number of strips or tiles than it states"):
            read_picture(tiff(tmp_path / "a.tif", [pixels.tobytes()], tags))

    def test_an_old_program_states_no_size_of_a_single_one(self, tmp_path):
        pixels = noise(3)
        path = tiff(tmp_path / "a.tif", [pixels.tobytes()], tags_of(pixels))
        entry = struct.pack("<HHI", 279, 4, 1)
        path.write_bytes(path.read_bytes().replace(entry, struct.pack("<HHI", 65_000, 4, 1)))
        assert np.array_equal(pixels_of(path), pixels)


class TestSeveralImages:
    def test_pages_are_said(self, tmp_path):
        pages = [Image.fromarray(noise(3)) for _ in range(3)]
        pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
        with SequenceReader(Pattern(tmp_path / "a.tif")) as reader:
            assert list(reader.warnings()) == ["only the first of 3 images in a.tif is read"]

    def test_every_image_of_a_sequence_is_looked_at(self, tmp_path):
        page = Image.fromarray(noise(3))
        page.save(tmp_path / "a.1.tif")
        for name in ("a.2.tif", "a.3.tif"):
            page.save(tmp_path / name, save_all=True, append_images=[page])
        with SequenceReader(Pattern(tmp_path / "a.%d.tif")) as reader:
            warnings = list(reader.warnings())
        assert "only the first of 2 images in a.2.tif and 1 other files is read" in warnings

    def test_a_thumbnail_is_no_page(self, tmp_path):
        page, small = Image.fromarray(noise(3)), Image.new("RGB", (8, 8))
        small.encoderinfo = {"tiffinfo": {254: 1}}
        page.save(tmp_path / "a.tif", save_all=True, append_images=[small])
        with SequenceReader(Pattern(tmp_path / "a.tif")) as reader:
            assert not list(reader.warnings())

    def test_frames_of_numbered_pngs_are_said(self, tmp_path):
        frames = [Image.fromarray(noise(3) // (1 + index)) for index in range(4)]
        frames[0].save(tmp_path / "a.1.png", save_all=True, append_images=frames[1:])
        frames[0].save(tmp_path / "a.2.png")
        with SequenceReader(Pattern(tmp_path / "a.%d.png")) as reader:
            assert "only the first of 4 images in a.1.png is read" in list(reader.warnings())


def test_tags_of_another_form_are_left_out():
    """ExtraSamples of 513 values would keep Pillow from reading what is written."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((2, 3, 4), np.uint8)).save(file, "TIFF", dpi=(72, 72))
    whole = file.getvalue()
    at = whole.index(struct.pack("<HHI", 338, 3, 1))
    broken = whole[: at + 4] + struct.pack("<I", 2) + whole[at + 8 :]
    kept = {tag[0] for tag in TiffTags.read(whole).tags}
    assert {282, 283, 338} <= kept
    assert {tag[0] for tag in TiffTags.read(broken).tags} == kept - {338}
