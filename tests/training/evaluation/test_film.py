from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image

from brushreel.training.evaluation.evaluate import FrameSequence
from brushreel.training.evaluation.film import (
    COLUMN,
    STRIP_HEIGHT,
    draw_frames,
    draw_strips,
    stylize_film,
)


def moving(count: int) -> Iterator[np.ndarray]:
    """Yield frames whose middle column has the index of the frame."""
    for index in range(min(count, 130)):
        frame = np.zeros((20, 30, 3), np.uint8)
        frame[:, 15] = index
        yield frame


def darker(frames: torch.Tensor) -> torch.Tensor:
    return frames / 2


CLIPS = [FrameSequence("pairs only", ()), FrameSequence("clip", (), moving)]


class TestStylizeFilm:
    def test_middle_columns_of_consecutive_frames(self):
        film = stylize_film({"darker": darker}, CLIPS)
        assert film is not None
        assert film.clip == "clip"
        assert list(film.strips) == ["(source)", "darker"]
        assert film.strips["darker"].shape == (3, 20, 100)
        indices = torch.arange(100).expand(3, 20, 100) / 255
        torch.testing.assert_close(film.strips["(source)"], indices)
        torch.testing.assert_close(film.strips["darker"], indices / 2)

    def test_one_frame_of_the_middle(self):
        film = stylize_film({"darker": darker}, CLIPS)
        assert film is not None
        assert film.frames["darker"].shape == (3, 20, 30)
        assert film.frames["darker"][0, 0, 15].item() == pytest.approx(25 / 255)

    def test_every_frame_is_stylized_once(self):
        seen = []
        stylize_film({"a": lambda frames: seen.append(frames) or frames}, CLIPS)
        assert len(seen) == 100

    def test_without_consecutive_frames(self):
        assert stylize_film({"darker": darker}, CLIPS[:1]) is None


class TestDrawing:
    def test_strips_side_by_side(self):
        film = stylize_film(dict.fromkeys("abcd", darker), CLIPS)
        assert film is not None
        with Image.open(io.BytesIO(draw_strips(film))) as image:
            assert image.width > 4 * 100 * COLUMN
            pixels = np.asarray(image.convert("RGB"))
        # The last column of the source, and of each model; 29 is one of the source's, too.
        counts = [(pixels == level).all(-1).sum() for level in (89, 29)]
        assert counts == [20 * COLUMN, 20 * COLUMN * (1 + 4)]

    def test_tall_ones_are_scaled_down(self):
        def tall(count: int) -> Iterator[np.ndarray]:
            yield from (np.zeros((3 * STRIP_HEIGHT, 9, 3), np.uint8) for _ in range(count))

        film = stylize_film({}, [FrameSequence("tall", (), tall)])
        assert film is not None
        with Image.open(io.BytesIO(draw_strips(film))) as image:
            assert STRIP_HEIGHT < image.height < STRIP_HEIGHT + 100
        with Image.open(io.BytesIO(draw_frames(film))) as image:
            assert image.height > 3 * STRIP_HEIGHT
