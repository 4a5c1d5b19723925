"""Clips whose stated times do not rise, or whose stated rate can't be."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from brushreel.batch.clips.clip import convert, inspect_clip
from brushreel.batch.clips.settings import ReadSettings
from brushreel.core.clips.media import ClipReader, probe
from brushreel.core.clips.range import TimeRange
from brushreel.core.errors import MediaError

REFUSE = ReadSettings(timestamps="refuse")


def clip(path: Path, times: list[int]) -> Path:
    """Write frames in this order, at times in milliseconds that no muxer changes."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            pixels = np.full((72, 64), 4 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, "yuvj420p")
            frame.pts, frame.time_base = number, Fraction(1, 1000)
            for packet in stream.encode(frame):
                # Muxers compare decoding times alone.
                packet.dts, packet.pts, packet.time_base = number, time, Fraction(1, 1000)
                container.mux(packet)
    return path


SWAPPED = [0, 40, 120, 80, 160, 200, 240, 280]
EQUAL = [*range(0, 1600, 40), 1560]


def found(path: Path) -> list[int]:
    with ClipReader(path) as reader:
        return [round(frame.time * 1000) for frame in reader]


@pytest.mark.parametrize(
    ("times", "repaired"),
    [(SWAPPED, [0, 40, 120, 121, 160, 200, 240, 280]), (EQUAL, [*EQUAL[:-1], 1561])],
    ids=["swapped", "equal at the end"],
)
class TestDisorder:
    def test_every_frame_is_kept_a_tick_apart(self, tmp_path, untouched, times, repaired):
        source = clip(tmp_path / "a.mkv", times)
        report = convert(source, tmp_path / "out.mkv", untouched)
        assert found(tmp_path / "out.mkv") == repaired
        assert any(line.startswith("1 frame would not come after") for line in report.warnings)

    def test_a_dry_run_knows_it(self, tmp_path, times, repaired):
        del repaired
        source = clip(tmp_path / "a.mkv", times)
        _, warnings = inspect_clip(source, tmp_path / "out.mkv")
        assert any(line.startswith("1 frame would not come after") for line in warnings)

    def test_it_can_be_refused_before_the_first_frame(self, tmp_path, times, repaired):
        del repaired
        source = clip(tmp_path / "a.mkv", times)
        with pytest.raises(MediaError, match="--timestamps repair"):
            inspect_clip(source, tmp_path / "out.mkv", read=REFUSE)

    def test_a_range_counts_the_same_frames(self, tmp_path, untouched, times, repaired):
        source = clip(tmp_path / "a.mkv", times)
        read = ReadSettings(range=TimeRange(Fraction(1, 25), None))
        convert(source, tmp_path / "out.mkv", untouched, read=read)
        assert found(tmp_path / "out.mkv") == [time - 40 for time in repaired[1:]]


def test_a_clock_that_starts_again_is_no_disorder(tmp_path, make_clip, untouched):
    source = make_clip("a.ts", codec="mpeg2video")
    source.write_bytes(2 * source.read_bytes())
    with pytest.raises(MediaError, match="split it there"):
        convert(source, tmp_path / "out.mkv", untouched)


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_a_rate_that_is_a_clock(tmp_path, untouched, name):
    """DV's demuxer states 60000 frames a second on average."""
    source = tmp_path / "a.dv"
    with av.open(str(source), "w", format="dv") as container:
        stream = container.add_stream("dvvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        for number in range(2):
            frame = av.VideoFrame(720, 576, "yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert probe(source).video.frame_rate == 25
    convert(source, tmp_path / name, untouched)
    assert probe(tmp_path / name).video.frame_rate == 25


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_a_stream_that_begins_between_keyframes(tmp_path, make_clip, untouched, codec):
    options = {"g": "12", "bf": "2", "sc_threshold": "0"}
    whole = make_clip("whole.ts", frames=40, codec=codec, options=options)
    with av.open(str(whole)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        with av.open(str(tmp_path / "cut.ts"), "w") as cut:
            copy = cut.add_stream_from_template(stream)
            for packet in packets[5:]:
                packet.stream = copy
                cut.mux(packet)
    _, warnings = inspect_clip(tmp_path / "cut.ts", tmp_path / "out.mkv")
    (line,) = [line for line in warnings if line.startswith("begins between keyframes: ")]
    report = convert(tmp_path / "cut.ts", tmp_path / "out.mkv", untouched)
    missing = int(line.split()[3])
    assert report.frames + missing == 35
    assert missing > 0
    _, warnings = inspect_clip(whole, tmp_path / "o.mkv")
    assert not any("between keyframes" in line for line in warnings)
