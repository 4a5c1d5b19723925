"""JPEG images as sources: what Pillow decodes, upright, as PNG or as a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brushreel.batch.clips.clip import convert, stylize_clip
from brushreel.batch.plan import plan
from brushreel.core.errors import MediaError, OutputError, UsageError


def drawn(number: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    codes = np.stack([3 * x + number, 4 * y, 2 * (x + y)], axis=-1) % 256
    return Image.fromarray(codes.astype(np.uint8))


def save(path: Path, image: Image.Image, orientation: int | None = None, **options) -> Path:
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    image.save(path, "JPEG", quality=95, exif=exif, **options)
    return path


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("suffix", ["jpg", "JPEG"])
def test_an_image_becomes_png_sample_for_sample(untouched, tmp_path, mode, suffix):
    source = save(tmp_path / f"a.{suffix}", drawn(0).convert(mode))
    (job,) = plan([source], None, style_name="wave")
    assert job.output == tmp_path / "a.wave.png"
    convert(job.source, job.output, untouched)
    np.testing.assert_array_equal(pixels(job.output), pixels(source))


@pytest.mark.parametrize(("orientation", "turn"), [(3, 2), (6, 3), (8, 1)])
def test_it_is_upright(untouched, tmp_path, orientation, turn):
    source = save(tmp_path / "a.jpg", drawn(0), orientation)
    convert(source, tmp_path / "o.png", untouched)
    np.testing.assert_array_equal(pixels(tmp_path / "o.png"), np.rot90(pixels(source), turn))


def test_a_sequence_becomes_png_or_a_clip(untouched, tmp_path, read_clip):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(7, 10):
        save(folder / f"s.{number:04d}.jpg", drawn(number))
    (job,) = plan([folder], tmp_path / "out", style_name="wave")
    assert job.output == tmp_path / "out" / "s.%04d.png"
    convert(job.source, job.output, untouched)
    for number in range(7, 10):
        written = pixels(tmp_path / "out" / f"s.{number:04d}.png")
        np.testing.assert_array_equal(written, pixels(folder / f"s.{number:04d}.jpg"))
    (job,) = plan([folder], tmp_path / "out", style_name="wave", container="mp4")
    convert(job.source, job.output, untouched)
    assert len(read_clip(tmp_path / "out" / "s.mp4").times) == 3


def test_what_is_lost_is_said(painter, tmp_path):
    source = save(tmp_path / "a.jpg", drawn(0), 1, icc_profile=b"profile")
    report = convert(source, tmp_path / "o.png", painter)
    assert "not kept of the images: ICC profile, EXIF" in report.warnings


def test_sequences_of_several_sizes_are_refused_before_the_first_frame(untouched, tmp_path):
    save(tmp_path / "s.1.jpg", drawn(0))
    save(tmp_path / "s.2.jpg", drawn(0), 6)
    with pytest.raises(MediaError, match=r"is 48x64 .* is 64x48"):
        convert(tmp_path / "s.%d.jpg", tmp_path / "o.%d.png", untouched)


@pytest.mark.parametrize("damage", ["cut", "other", "cmyk"])
def test_damaged_and_odd_ones_are_named(untouched, tmp_path, damage):
    source = save(tmp_path / "a.jpg", drawn(0, (640, 480)))
    if damage == "cut":
        source.write_bytes(source.read_bytes()[:5000])
    elif damage == "other":
        source.write_bytes(b"no image at all")
    else:
        drawn(0).convert("CMYK").save(source)
    with pytest.raises(MediaError) as caught:
        convert(source, tmp_path / "o.png", untouched)
    assert caught.value.path == source
    assert not (tmp_path / "o.png").exists()


def test_it_is_not_written(style_file, tmp_path):
    source = save(tmp_path / "a.jpg", drawn(0))
    with pytest.raises((UsageError, OutputError), match=r"can't write a \.jpg"):
        stylize_clip(source, tmp_path / "o.jpg", style_file, device="cpu")
