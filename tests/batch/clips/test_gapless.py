"""Audio that is copied to Matroska ends and begins where it does in MP4, to the sample."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.settings import ReadSettings
from brushreel.core.clips.range import FrameRange

SAMPLES, RATE = 43527, 44100


@pytest.fixture
def source(tmp_path) -> Path:
    """A second of AAC in MP4, whose last packet is not full."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        for number in range(25):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = number
            container.mux(video.encode(frame))
        wave = np.sin(np.arange(SAMPLES) / 20).astype(np.float32)[None]
        for start in range(0, SAMPLES, 1024):
            sound = av.AudioFrame.from_ndarray(wave[:, start : start + 1024], "fltp", "mono")
            sound.sample_rate, sound.pts, sound.time_base = RATE, start, Fraction(1, RATE)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def heard(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)[0]


def test_padding_at_both_ends_is_not_heard(source, tmp_path, untouched):
    convert(source, tmp_path / "out.mkv", untouched)
    found, whole = heard(tmp_path / "out.mkv"), heard(source)
    assert len(found) == SAMPLES
    np.testing.assert_array_equal(found, whole[:SAMPLES])


def test_it_is_stated_again_in_the_next_copy(source, tmp_path, untouched):
    convert(source, tmp_path / "one.mkv", untouched)
    convert(tmp_path / "one.mkv", tmp_path / "two.mkv", untouched)
    assert len(heard(tmp_path / "two.mkv")) == SAMPLES


def test_a_range_from_the_middle_has_no_padding_at_its_start(source, tmp_path, untouched):
    read = ReadSettings(range=FrameRange(10, 20))
    convert(source, tmp_path / "out.mkv", untouched, read=read)
    with av.open(str(tmp_path / "out.mkv")) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
    assert len(heard(tmp_path / "out.mkv")) == 1024 * len(packets)
