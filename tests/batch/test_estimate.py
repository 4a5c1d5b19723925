"""Frames, disk space and time, estimated."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from brushreel.batch.encoding.codecs import CODECS
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.batch.estimate import (
    disk_expected,
    frames_expected,
    free_disk_space,
    network_speed,
)
from brushreel.core.clips.clip_info import ClipInfo
from brushreel.core.clips.media import probe
from brushreel.core.stylizer import Stylizer


@pytest.fixture
def info(make_clip, sound) -> ClipInfo:
    """10 frames, 25 a second, of 96x64, with a sound track."""
    return probe(make_clip(sounds=(sound(),)))


def with_video(info: ClipInfo, **facts: object) -> ClipInfo:
    return replace(info, video=replace(info.video, **facts))


def test_frames_as_stated_or_from_the_duration_or_unknown(info):
    assert frames_expected(info) == 10
    unstated = with_video(info, frames=None, duration=Fraction(3), frame_rate=Fraction(24000, 1001))
    assert frames_expected(unstated) == 72
    assert frames_expected(with_video(info, frames=None, duration=None)) is None


def test_disk_follows_length_size_codec_and_profile(info):
    def needed(clip: ClipInfo = info, **settings: Any) -> int:
        disk = disk_expected(clip, Path("o.mov"), EncodeSettings(**settings))
        assert disk is not None
        return disk.meanwhile

    large = with_video(info, width=960, height=640)
    assert needed(large) == 100 * needed()
    assert needed(with_video(info, frames=30)) == 3 * needed()
    assert needed(codec="prores") > needed(codec="prores", profile="proxy") > 0
    assert needed(bitrate=8_000_000) == 8_000_000 // 8 * 10 // 25
    assert needed(with_video(large, width=961), codec="dnxhr", profile="lb") < needed(large)


def test_sound_is_counted_once_and_the_picture_twice(info):
    disk = disk_expected(info, Path("o.mp4"), EncodeSettings())
    assert disk is not None
    assert disk.finished - disk.meanwhile == 300_000 * 10 // 25
    assert disk.needed == disk.finished + disk.meanwhile


def test_disk_of_a_clip_of_unknown_length_is_unknown(info):
    unknown = with_video(info, frames=None, duration=None)
    assert disk_expected(unknown, Path("o.mp4"), EncodeSettings()) is None


def test_the_disk_of_a_folder_that_is_not_there_yet(tmp_path):
    assert free_disk_space(tmp_path / "not" / "yet" / "a.mp4") > 0


def test_the_network_is_measured_or_does_not_run(tiny_style):
    assert (network_speed(Stylizer(tiny_style, device="cpu")) or 0) > 0
    assert network_speed(Stylizer(tiny_style, device="cpu", strength=0)) is None


def test_every_codec_has_an_estimate(info):
    info = with_video(info, width=640, height=360)
    for codec, row in CODECS.items():
        output = Path(f"o.{row.containers[0]}")
        disk = disk_expected(info, output, EncodeSettings(codec=codec))
        assert disk is not None
        assert disk.finished > 0
    assert disk_expected(info, Path("o.gif"), EncodeSettings()) is not None
