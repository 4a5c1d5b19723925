from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from brushreel.core.errors import TrainingError
from brushreel.training.data.painting import load_painting


class TestPainting:
    def test_is_scaled_by_its_shorter_side(self, painting):
        image = load_painting(painting, 64)
        assert image.shape == (1, 3, 64, 82)
        assert image.dtype == torch.float32
        assert 0 <= image.min() < image.max() <= 1

    def test_pixels_in_order_of_rgb(self, tmp_path):
        painted = Image.new("RGB", (64, 80), (255, 102, 0))
        painted.paste((0, 0, 255), (0, 0, 64, 8))
        painted.save(tmp_path / "p.png")
        image = load_painting(tmp_path / "p.png", 64)[..., 8:, :]
        expected = torch.tensor([1, 0.4, 0]).view(1, 3, 1, 1).expand_as(image)
        torch.testing.assert_close(image, expected)

    @pytest.mark.parametrize("noise", [0, 2])
    def test_flat_one_is_refused(self, tmp_path, noise):
        """Also as a camera or JPEG makes it, with a little noise."""
        random = np.random.default_rng(1)
        codes = 128 + random.integers(-noise, noise, (64, 80, 3), endpoint=True)
        Image.fromarray(codes.astype(np.uint8)).save(tmp_path / "p.png")
        with pytest.raises(TrainingError, match="one flat colour"):
            load_painting(tmp_path / "p.png", 64)

    def test_lines_on_paper_are_no_flat_colour(self, tmp_path):
        codes = np.full((200, 200), 250, np.uint8)
        codes[100, 20:180] = 60
        Image.fromarray(codes).save(tmp_path / "p.png")
        assert load_painting(tmp_path / "p.png", 64).min() < 0.9

    def test_grey_one(self, tmp_path):
        painted = Image.new("L", (64, 64), 51)
        painted.paste(255, (0, 0, 64, 8))
        painted.save(tmp_path / "p.png")
        image = load_painting(tmp_path / "p.png", 64)
        torch.testing.assert_close(image[..., 8:, :], torch.full((1, 3, 56, 64), 0.2))

    def test_grey_one_of_sixteen_bits(self, tmp_path):
        codes = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
        Image.fromarray(codes).save(tmp_path / "p.png")
        image = load_painting(tmp_path / "p.png", 64)
        expected = torch.from_numpy(codes / 65535).float().expand(1, 3, 64, 64)
        torch.testing.assert_close(image, expected, atol=0.01, rtol=0)

    def test_is_rotated_as_exif_says(self, tmp_path):
        upright = np.zeros((64, 96, 3), np.uint8)
        upright[:, :48] = 255  # bright on the left
        image = Image.fromarray(np.rot90(upright))
        exif = Image.Exif()
        exif[0x0112] = 6  # to be shown a quarter turn clockwise
        image.save(tmp_path / "p.png", exif=exif)
        rotated = load_painting(tmp_path / "p.png", 64)
        assert rotated.shape == (1, 3, 64, 96)
        assert rotated[..., :40].min() > 0.9
        assert rotated[..., 56:].max() < 0.1

    @pytest.mark.parametrize("content", [b"", b"an image in words\n" * 9])
    def test_unreadable(self, tmp_path, content):
        (tmp_path / "p.png").write_bytes(content)
        with pytest.raises(TrainingError, match="can't be read as an image") as caught:
            load_painting(tmp_path / "p.png", 64)
        assert caught.value.path == tmp_path / "p.png"

    @pytest.mark.parametrize("suffix", ["png", "jpg"])
    def test_truncated(self, tmp_path, texture, suffix):
        path = tmp_path / f"p.{suffix}"
        Image.fromarray(texture(80, 80)).save(path)
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(TrainingError, match="can't be read as an image"):
            load_painting(path, 64)

    def test_missing(self, tmp_path):
        with pytest.raises(TrainingError, match="can't be read as an image"):
            load_painting(tmp_path / "none.png", 64)

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_transparent(self, tmp_path, mode):
        Image.new(mode, (80, 80)).save(tmp_path / "p.png")
        with pytest.raises(TrainingError, match="transparent pixels") as caught:
            load_painting(tmp_path / "p.png", 64)
        assert "without an alpha channel" in str(caught.value)

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_an_alpha_channel_without_a_transparent_pixel(self, tmp_path, mode):
        pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
        image = Image.fromarray(pixels)
        image.convert(mode).save(tmp_path / "p.png")
        image.convert(mode[:-1] if mode == "RGBA" else "L").save(tmp_path / "q.png")
        found, plain = (load_painting(tmp_path / f"{name}.png", 64) for name in "pq")
        assert torch.equal(found, plain)

    def test_palette_with_transparency(self, tmp_path):
        Image.new("P", (80, 80)).save(tmp_path / "p.png", transparency=0)
        with pytest.raises(TrainingError, match="transparent pixels"):
            load_painting(tmp_path / "p.png", 64)

    @pytest.mark.parametrize(("size", "fits"), [((31, 200), False), ((32, 200), True)])
    def test_too_small(self, tmp_path, size, fits):
        painted = Image.new("RGB", size)
        painted.paste((255, 255, 255), (0, 0, size[0], 100))
        painted.save(tmp_path / "p.png")
        if fits:
            assert load_painting(tmp_path / "p.png", 64).shape == (1, 3, 400, 64)
            return
        with pytest.raises(TrainingError, match="too small: 31x200") as caught:
            load_painting(tmp_path / "p.png", 64)
        assert "64 pixels" in str(caught.value)
