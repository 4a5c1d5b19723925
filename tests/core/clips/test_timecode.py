"""Frames and timecode, both ways."""

from __future__ import annotations

from fractions import Fraction

import pytest

from brushreel.core.clips.timecode import Timecode, has_timecode

FILM, PAL, NTSC, NTSC_60 = (
    Fraction(24000, 1001),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(60000, 1001),
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1799, "00:00:59;29"),
        (1800, "00:01:00;02"),
        (17981, "00:09:59;29"),
        (17982, "00:10:00;00"),
        (107892, "01:00:00;00"),
        (24 * 107892, "00:00:00;00"),
    ],
)
def test_drop_frame_leaves_two_numbers_out_each_minute_but_the_tenth(number, text):
    assert str(Timecode.of_number(number, NTSC, drop=True)) == text


@pytest.mark.parametrize("rate", [NTSC, NTSC_60])
def test_drop_frame_goes_both_ways(rate):
    for number in range(0, 400_000, 7):
        assert Timecode.of_number(number, rate, drop=True).number(rate) == number


@pytest.mark.parametrize("rate", [FILM, PAL, NTSC])
def test_without_dropping_numbers_follow_each_other(rate):
    code = Timecode.of_number(90_000, rate)
    assert not code.drop
    assert code.later(1, rate).number(rate) == 90_001


def test_a_rate_that_drops_nothing_never_does():
    assert str(Timecode.of_number(1500, PAL, drop=True)) == "00:01:00:00"


@pytest.mark.parametrize("text", ["1:2:3", "00:60:00:00", "noon", "00:00:00:0", ""])
def test_what_is_no_timecode_is_none(text):
    assert Timecode.parse(text) is None


def test_rates_that_editors_count_in_timecode():
    assert all(map(has_timecode, [FILM, PAL, NTSC, NTSC_60, Fraction(50)]))
    assert not any(map(has_timecode, [None, Fraction(12), Fraction(29), Fraction(59, 2)]))
