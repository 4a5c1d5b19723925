from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from brushreel.training.reporting.report_images import (
    GAP,
    GREY,
    TEXT,
    WIDEST,
    _draw_loss,
    draw_losses,
    draw_sheet,
    moving_mean,
)

NAMES = ("content", "style", "temporal", "overlay")


def flat(height: int, width: int, level: float) -> torch.Tensor:
    return torch.full((3, height, width), round(255 * level)).byte()


def opened(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)))


def label(sheet: np.ndarray, row: int = 0) -> np.ndarray:
    """Return a mask of the letters in the name above the first row."""
    top = row + 2 * TEXT
    return (sheet[row:top] != GREY).any(-1)


class TestSheet:
    def test_before_on_the_left_after_on_the_right_a_row_for_each_clip(self):
        rows = [
            ("one", flat(60, 80, 0.0), flat(60, 80, 0.2)),
            ("two", flat(40, 50, 0.4), flat(40, 50, 1.0)),
        ]
        sheet = opened(draw_sheet(rows))
        first, second = 2 * TEXT, 4 * TEXT + 60
        left, right = GAP, 2 * GAP + 80
        assert sheet.shape == (second + 40 + GAP, right + 80 + GAP, 3)
        assert (sheet[first : first + 60, left : left + 80] == 0).all()
        assert (sheet[first : first + 60, right : right + 80] == 51).all()
        assert (sheet[second : second + 40, left : left + 50] == 102).all()
        assert (sheet[second : second + 40, right : right + 50] == 255).all()
        assert (sheet[:, :GAP] == GREY).all()
        assert (sheet[second : second + 40, left + 50 : right] == GREY).all()

    def test_channels_in_order(self):
        orange = torch.tensor([255, 102, 0]).byte().view(3, 1, 1).expand(3, 60, 80)
        assert tuple(opened(draw_sheet([("a", orange, orange)]))[60, 40]) == (255, 102, 0)

    @pytest.mark.parametrize(
        ("size", "shown"), [((1080, 1920), (437, 776)), ((1600, 900), (776, 436))]
    )
    def test_large_frames_are_scaled_down(self, size, shown):
        black, white = (flat(size[0], size[1], level) for level in (0.0, 1.0))
        sheet = opened(draw_sheet([("a", black, white)]))
        height, width = shown
        assert sheet.shape == (2 * TEXT + height + GAP, 2 * width + 3 * GAP, 3)
        assert sheet.shape[1] <= WIDEST

    def test_names_stand_above_their_rows(self):
        frames = flat(60, 80, 0.0), flat(60, 80, 0.0)
        sheet = opened(draw_sheet([("i", *frames), ("wide name", *frames)]))
        second = label(sheet, 2 * TEXT + 60)
        assert label(sheet).any()
        assert label(sheet).sum() < second.sum()

    def test_long_names_are_shortened(self):
        frames = flat(60, 80, 0.0), flat(60, 80, 0.0)
        text = label(opened(draw_sheet([("name " * 40, *frames)])))
        assert not text[:, -GAP:].any()
        assert text[:, -GAP - 40 : -GAP].any()

    @pytest.mark.parametrize("name", ["two\nlines", "caf\udce9", "\0", "", "e\u0301日本"])
    def test_odd_names(self, name):
        frames = flat(60, 80, 0.0), flat(60, 80, 0.0)
        assert opened(draw_sheet([(name, *frames)])).shape == (2 * TEXT + 60 + GAP, 208, 3)


class TestLosses:
    @pytest.mark.parametrize(("steps", "level"), [(1, 2.0), (2, 0.0), (50, 1e-6), (1000, 1e4)])
    def test_any_length_and_level(self, steps, level):
        window = max(1, steps // 20)
        image = opened(draw_losses(dict.fromkeys(NAMES, np.full(steps, level)), window))
        assert image.shape[2] == 4
        assert (image[..., 3] == 255).all()

    def test_each_has_a_panel_of_its_own(self):
        losses: dict[str, NDArray[np.float64]] = dict.fromkeys(NAMES, np.linspace(1, 2, 40))
        before = opened(draw_losses(losses, 2)).astype(int)
        for index, name in enumerate(NAMES):
            changed = {**losses, name: np.linspace(2, 1, 40)}
            different = (opened(draw_losses(changed, 2)) != before).any(-1)
            down, across = (size // 2 for size in different.shape)
            row, column = divmod(index, 2)
            panel = different[row * down :, column * across :][:down, :across]
            assert panel.sum() > 0.8 * different.sum() > 0

    def test_axis_shows_the_line_and_most_of_the_dots(self):
        values = np.ones(500)
        values[250] = 100
        panel = drawn(values)
        assert panel.get_yscale() == "linear"
        low, high = panel.get_ylim()
        assert low == 0
        assert moving_mean(values, 25).max() < high < 20

    def test_axis_of_many_decades_is_logarithmic(self):
        panel = drawn(np.geomspace(1e-5, 1, 500))
        assert panel.get_yscale() == "log"
        low, high = panel.get_ylim()
        assert low < 2e-5
        assert 0.5 < high < 2

    def test_title_tells_the_mean_at_the_end(self):
        values = np.zeros(100)
        values[-5:] = 12345
        assert drawn(values, 5).get_title("right") == "12300 at the end"


def drawn(values: np.ndarray, window: int = 25):
    panel = Figure().subplots()
    _draw_loss(panel, "content", values, window)
    return panel


class TestMovingMean:
    def test_of_one_step_is_the_values(self):
        values = np.array([3.0, 1, 4, 1, 5])
        np.testing.assert_allclose(moving_mean(values, 1), values)

    @pytest.mark.parametrize(("count", "window"), [(1, 1), (30, 2), (100, 5), (101, 50)])
    def test_keeps_a_constant_and_the_length(self, count, window):
        np.testing.assert_allclose(moving_mean(np.full(count, 7.0), window), np.full(count, 7.0))

    def test_spreads_one_value_over_its_neighbours(self):
        values = np.zeros(41)
        values[20] = 1
        mean = moving_mean(values, 5)
        np.testing.assert_allclose(mean, mean[::-1], atol=1e-15)
        assert np.flatnonzero(mean > 1e-12).tolist() == list(range(16, 25))
        assert mean.sum() == pytest.approx(1)
        assert mean.argmax() == 20
