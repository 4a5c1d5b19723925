from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from brushreel.core.consistency import temporal_error
from brushreel.training.data import extraction
from brushreel.training.data.footage import load_footage
from brushreel.training.data.sampler import to_pair
from brushreel.training.data.stills import PAIRS_PER_IMAGE, extract_image


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(extraction, "LONG_SIDE", 160)


@pytest.fixture
def still(tmp_path, texture):
    Image.fromarray(texture(90, 160)).save(tmp_path / "still.png")
    return tmp_path / "still.png"


def test_pairs_move_exactly_as_their_flow_says(still, texture):
    extracted = extract_image(still)
    assert len(extracted.pairs) == PAIRS_PER_IMAGE
    assert set(extracted.pairs["gap"]) == {1}
    for record in extracted.pairs:
        np.testing.assert_array_equal(record["frames"][0], texture(90, 160))
        assert np.abs(record["flow"].astype(float)).max() > 0.5
        pair = to_pair(record)
        error = temporal_error(pair.frames[1:], pair.frames[:1], pair.flow, pair.mask)
        assert error < (0.5 / 255) ** 2  # rounding to 8 bit
        assert 0.5 < pair.mask.mean() < 1


def test_camera_motion_and_warps_alternate(still):
    bends = [
        np.abs(np.diff(record["flow"][:, ::40].astype(np.float32), 2, axis=1)).mean()
        for record in extract_image(still).pairs
    ]
    camera, warped = bends[0::2], bends[1::2]
    assert max(camera) < min(warped)


def test_what_comes_from_outside_is_masked(still):
    rows, columns = np.mgrid[:90, :160]
    for record in extract_image(still).pairs:
        x, y = columns + record["flow"][..., 0], rows + record["flow"][..., 1]
        inside = (x >= 0) & (x <= 159) & (y >= 0) & (y <= 89)
        np.testing.assert_array_equal(record["visible"], inside)


def test_the_same_image_gives_the_same_pairs(still, tmp_path, texture):
    first = extract_image(still).pairs
    assert extract_image(still.rename(tmp_path / "moved.png")).pairs.tobytes() == first.tobytes()
    Image.fromarray(texture(90, 160, 2)).save(tmp_path / "other.png")
    other = extract_image(tmp_path / "other.png").pairs
    assert np.abs(other["flow"] - first["flow"]).max() > 1


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "png", "PNG", "webp", "tif", "tiff", "bmp"])
def test_kinds(tmp_path, texture, suffix):
    (tmp_path / "deep").mkdir()
    Image.fromarray(texture(45, 80)).save(tmp_path / "deep" / f"p.{suffix}")
    (clip,) = load_footage(tmp_path)
    assert (clip.height, clip.width) == (90, 160)
    assert clip.notes == ("still image, moved",)


def test_next_to_clips_and_without_hidden_ones(tmp_path, texture, pan, write_footage):
    write_footage(tmp_path / "b.mkv", pan(4, 90, 160))
    for name in ("a.png", "c.jpg", ".hidden.png"):
        Image.fromarray(texture(90, 160)).save(tmp_path / name)
    assert [clip.path.name for clip in load_footage(tmp_path)] == ["a.png", "b.mkv", "c.jpg"]


def test_is_rotated_as_exif_says(tmp_path, texture):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown a quarter turn clockwise
    Image.fromarray(texture(90, 160)).save(tmp_path / "p.png", exif=exif)
    frames = extract_image(tmp_path / "p.png").pairs["frames"]
    np.testing.assert_array_equal(frames[0, 0], np.rot90(texture(90, 160), -1))


def test_sixteen_bits(tmp_path):
    codes = np.linspace(0, 65535, 90 * 160).astype(np.uint16).reshape(90, 160)
    Image.fromarray(codes).save(tmp_path / "p.png")
    frames = extract_image(tmp_path / "p.png").pairs["frames"]
    assert np.abs(frames[0, 0, ..., 1] - codes / 257).max() <= 1


@pytest.mark.parametrize("content", [b"", b"an image in words\n" * 9, b"\x89PNG\r\n\x1a\n"])
def test_unreadable(tmp_path, content):
    (tmp_path / "p.png").write_bytes(content)
    assert extract_image(tmp_path / "p.png").left_out == {"unreadable": 1}


def test_truncated(still):
    still.write_bytes(still.read_bytes()[:-3000])
    assert extract_image(still).left_out == {"unreadable": 1}


@pytest.mark.parametrize("tag", [0x0100, 0x010E])
def test_exif_that_makes_no_sense(tmp_path, texture, tag):
    """A fraction stands in place of a number or text."""
    rotated, damaged = (
        struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0),
        struct.pack("<HHIf", tag, 11, 1, 2),
    )
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + damaged + rotated + bytes(4)
    Image.fromarray(texture(90, 160)).save(tmp_path / "p.jpg", exif=exif)
    assert extract_image(tmp_path / "p.jpg").left_out == {"unreadable": 1}


def test_flat_and_narrow(tmp_path):
    Image.new("RGB", (160, 90), (9, 9, 9)).save(tmp_path / "p.png")
    assert extract_image(tmp_path / "p.png").left_out == {"flat": 1}
    Image.new("RGB", (160, 4)).save(tmp_path / "p.png")
    assert extract_image(tmp_path / "p.png").left_out == {"too narrow": 1}
