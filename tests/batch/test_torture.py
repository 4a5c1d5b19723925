"""Odd clips of every kind, each converted by the command and compared track by track."""

from __future__ import annotations

import pytest

from .media.check import check
from .media.torture import TORTURE


@pytest.mark.parametrize("odd", TORTURE, ids=lambda odd: f"{odd.name}: {odd.what}")
def test_every_track_frame_and_time_is_kept(odd, tmp_path, style_file):
    flags = ["-s", str(style_file), "--strength", "0", "--device", "cpu"]
    assert check(odd, tmp_path, flags, untouched=True).differences == []
