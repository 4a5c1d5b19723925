"""Audio that the container does not support, converted: the same samples at the same times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from brushreel.batch.clips.clip import convert, stylize_clip
from brushreel.batch.clips.settings import WriteSettings
from brushreel.core.errors import OutputError, UsageError

RATE = 48_000


def heard(path: Path, start: float, end: float) -> np.ndarray:
    """Return (channels, n) samples in ±1 of a part of the clip's own time, read by PyAV alone."""
    with av.open(str(path)) as container:
        frames = [frame for frame in container.decode(audio=0) if frame.samples]
    resampler = av.AudioResampler("fltp", rate=frames[0].sample_rate)
    blocks = [part.to_ndarray() for frame in frames for part in resampler.resample(frame)]
    assert frames[0].time is not None
    sound = np.concatenate(blocks, axis=1)
    times = frames[0].time + np.arange(sound.shape[1]) / frames[0].sample_rate
    wanted = start + np.arange(round((end - start) * RATE)) / RATE
    return np.stack([np.interp(wanted, times, channel) for channel in sound])


def difference(source: Path, output: Path, start: float, end: float, apart: float = 0.0) -> float:
    """Return the largest difference of samples, with the output's times up to `apart` s off."""
    before = heard(source, start, end)
    assert np.abs(before).max() > 0.1
    shifts = np.arange(-apart, apart + 1e-9, 1 / RATE)
    return min(np.abs(heard(output, start + shift, end + shift) - before).max() for shift in shifts)


@pytest.mark.parametrize(
    ("codec", "name", "error"),
    [
        ("aac", "o.mp4", 0.05),
        ("aac", "o.mov", 0.05),
        ("flac", "o.mp4", 1e-4),
        ("opus", "o.mp4", 0.05),
        ("opus", "o.mkv", 0.05),
    ],
)
@pytest.mark.parametrize("start", [0.0, 0.1])
def test_converted_audio_is_heard_at_its_time(
    make_clip, sound, untouched, tmp_path, codec, name, error, start
):
    made = sound("adpcm_ms", rate=RATE, start=start)
    source = make_clip("a.avi", frames=25, sounds=(made,))
    output = tmp_path / "out" / name
    report = convert(source, output, untouched, write=WriteSettings(audio=codec))
    (warning,) = report.warnings
    assert warning.startswith(f"track 1 (adpcm_ms) is converted to {codec}: ")
    assert report.audio_tracks == 1
    with av.open(str(output)) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == codec
    apart = 0.0005 if name.endswith("mkv") else 0.0  # Matroska counts in milliseconds
    assert difference(source, output, start + 0.1, start + 0.4, apart) < error


def test_what_the_container_takes_is_copied_all_the_same(
    make_clip, sound, read_clip, untouched, tmp_path
):
    source = make_clip("a.mkv", sounds=(sound("aac"), sound("pcm_u8")))
    output = tmp_path / "o.mp4"
    report = convert(source, output, untouched, write=WriteSettings(audio="aac"))
    assert len(report.warnings) == 1
    before, after = read_clip(source), read_clip(output)
    assert [track.codec for track in after.audio] == ["aac", "aac"]
    assert after.audio[0].contents == before.audio[0].contents


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100])
def test_rates_that_a_codec_lacks(make_clip, sound, untouched, tmp_path, rate):
    source = make_clip("a.avi", frames=25, sounds=(sound("adpcm_ms", rate=rate, layout="mono"),))
    output = tmp_path / "o.mp4"
    convert(source, output, untouched, write=WriteSettings(audio="opus"))
    assert difference(source, output, 0.1, 0.4) < 0.1


def test_a_codec_that_the_container_lacks_too(make_clip, sound, untouched, tmp_path):
    source = make_clip("a.avi", sounds=(sound("adpcm_ms"),))
    with pytest.raises(OutputError, match=r"--audio aac converts it"):
        convert(source, tmp_path / "o.mov", untouched, write=WriteSettings(audio="opus"))
    with pytest.raises(UsageError, match="audio must be one of copy, aac, flac, opus"):
        WriteSettings(audio="mp3")  # type: ignore[arg-type]


def test_from_python(make_clip, sound, style_file, tmp_path):
    source = make_clip("a.avi", sounds=(sound("adpcm_ms"),))
    report = stylize_clip(source, tmp_path / "o.mp4", style_file, device="cpu", audio="aac")
    assert report.audio_tracks == 1


def test_a_hole_in_the_source_stays_silent_and_the_rest_in_time(untouched, tmp_path):
    source, output = tmp_path / "a.mkv", tmp_path / "o.mp4"
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        audio = container.add_stream("pcm_u8", rate=8000, layout="mono")
        for number in range(50):
            frame = av.VideoFrame(96, 64, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
            if 10 <= number < 30:
                continue
            codes = 128 + 100 * np.sin(2 * np.pi * 200 * (number * 320 + np.arange(320)) / 8000)
            block = av.AudioFrame.from_ndarray(codes.astype(np.uint8)[None], "u8", "mono")
            block.sample_rate, block.pts, block.time_base = 8000, number * 320, Fraction(1, 8000)
            container.mux(audio.encode(block))
        container.mux(video.encode(None))
    convert(source, output, untouched, write=WriteSettings(audio="aac"))
    assert np.abs(heard(output, 0.6, 1.0)).max() < 0.01
    time = 1.4 + np.arange(round(0.4 * RATE)) / RATE
    tone = 100 / 128 * np.sin(2 * np.pi * 200 * time)
    assert np.abs(heard(output, 1.4, 1.8)[0] - tone).max() < 0.1
