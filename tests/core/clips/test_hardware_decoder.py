from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from brushreel.core.clips import hardware_decoder as module
from brushreel.core.clips import media
from brushreel.core.clips.hardware_decoder import working_device
from brushreel.core.clips.media import ClipReader
from brushreel.core.frames.frame import Frame


@pytest.fixture
def devices(monkeypatch):
    """A machine with two kinds of device, of which the second opens; both decode in software."""
    real, opened = media.open_clip, []

    def open_clip(path, device=None):
        opened.append(device)
        if device == "broken":
            raise RuntimeError("no stream is compatible")
        return real(path)

    monkeypatch.setattr(module, "hwdevices_available", lambda: ["broken", "working"])
    monkeypatch.setattr(media, "open_clip", open_clip)
    return opened


def test_whatever_is_here_gives_the_frames_that_software_gives(write_clip, tmp_path):
    clip = write_clip(tmp_path / "a.mp4", count=8)
    device = working_device(clip)
    with ClipReader(clip) as software, ClipReader(clip, device=device) as other:
        for one, two in zip(software, other, strict=True):
            if isinstance(one, Frame):
                assert all(map(np.array_equal, one.planes, two.planes))


def test_the_first_that_opens_is_taken(devices, write_clip, tmp_path):
    clip = write_clip(tmp_path / "a.mp4", count=3)
    assert working_device(clip) == "working"
    with ClipReader(clip, device="working"):
        assert devices[-2:] == [None, "working"]


@pytest.mark.parametrize("change", ["plane", "pts", "fewer"])
def test_one_that_gives_other_frames_is_not(devices, write_clip, tmp_path, monkeypatch, change):
    real = module._first_frames

    def wrong(path, interlaced, device):
        frames = real(path, interlaced, device)
        if device is None:
            return frames
        first = frames[0]
        changed = {
            "plane": [replace(first, planes=(first.planes[0] ^ 1, *first.planes[1:])), *frames[1:]],
            "pts": [replace(first, pts=first.pts + 1), *frames[1:]],
            "fewer": frames[1:],
        }
        return changed[change]

    monkeypatch.setattr(module, "_first_frames", wrong)
    assert working_device(write_clip(tmp_path / "a.mp4", count=6)) is None
