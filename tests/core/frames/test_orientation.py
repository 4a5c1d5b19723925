"""Pictures shown as FFmpeg's display matrix says."""

from __future__ import annotations

import numpy as np
import pytest

from brushreel.core.frames.orientation import oriented

PICTURE = np.random.default_rng(1).integers(0, 255, (12, 20, 3), np.uint8)


# The matrices of a turn of the displayed picture, counter-clockwise.
@pytest.mark.parametrize(
    ("quarters", "matrix"),
    [(0, (1, 0, 0, 1)), (1, (0, -1, 1, 0)), (2, (-1, 0, 0, -1)), (3, (0, 1, -1, 0))],
)
def test_quarter_turns(quarters, matrix):
    a, b, c, d = matrix
    shown = oriented(PICTURE, (a, b, 0, c, d, 0, 0, 0, 1))
    np.testing.assert_array_equal(shown, np.rot90(PICTURE, quarters))


def test_mirrored():
    shown = oriented(PICTURE, (-1, 0, 0, 0, 1, 0, 0, 0, 1))
    np.testing.assert_array_equal(shown, PICTURE[:, ::-1])
    shown = oriented(PICTURE, (0, 1, 0, 1, 0, 0, 0, 0, 1))
    np.testing.assert_array_equal(shown, PICTURE.swapaxes(0, 1))


def test_as_it_is():
    assert oriented(PICTURE, None) is PICTURE
