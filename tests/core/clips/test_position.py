"""Moments of a clip as people write them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from brushreel.core.clips.range import FrameRange, TimeRange, parse_position
from brushreel.core.clips.range_reader import RangeReader
from brushreel.core.clips.timecode import Timecode
from brushreel.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("12", Fraction(12)),
        ("12.5", Fraction(25, 2)),
        ("12,5", Fraction(25, 2)),
        ("1:00", Fraction(60)),
        ("01:30.5", Fraction(181, 2)),
        ("90:00", Fraction(5400)),
        ("1:02:03", Fraction(3723)),
        ("00:00:12.500", Fraction(25, 2)),
        ("00:00:12,500", Fraction(25, 2)),
        ("01:00:12,12", 3612 + Fraction(12, 100)),
        ("00:00:12:12", Timecode(0, 0, 12, 12)),
        ("00:00:12;12", Timecode(0, 0, 12, 12, drop=True)),
    ],
)
def test_seconds_a_clock_or_timecode(text, position):
    assert parse_position(text) == position


@pytest.mark.parametrize("text", ["noon", "1,2,3", "1:60", "1:60:00", "1:-2", ":12", "12;5", ""])
def test_no_time(text):
    with pytest.raises(UsageError, match="is not a valid time"):
        parse_position(text)


@pytest.mark.parametrize("code", ["00:00:00:25", "00:00:00:99"])
def test_more_frames_than_a_second_has(tmp_path, write_clip, code):
    clip = write_clip(tmp_path / "a.mp4", count=4)
    with pytest.raises(UsageError, match=f"{code} is not a valid timecode: a second has 25 frames"):
        RangeReader(clip, TimeRange(end=parse_position(code)))
    with RangeReader(clip, TimeRange(end=parse_position("00:00:00:24"))) as reader:
        assert reader.range == FrameRange(0, 4)
