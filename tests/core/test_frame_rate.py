"""Frame rates from text."""

from __future__ import annotations

from fractions import Fraction

import pytest

from brushreel.core.errors import UsageError
from brushreel.core.frame_rate import parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("24", Fraction(24)),
        ("24000/1001", Fraction(24000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("119.88", Fraction(120000, 1001)),
        ("12.5", Fraction(25, 2)),
        ("25.0", Fraction(25)),
        ("12.99", Fraction(1299, 100)),
        ("0.005", Fraction(1, 200)),
        ("0.999", Fraction(999, 1000)),
    ],
)
def test_rates(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["0", "-24", "fast", "24/0", "1e9", ""])
def test_no_rates(text):
    with pytest.raises(UsageError, match="is not a valid frame rate"):
        parse_rate(text)
