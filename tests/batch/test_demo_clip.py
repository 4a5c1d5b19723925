"""The demo clip: its format, its timing, that it is repeatable, moves, and has something to see."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from brushreel.batch.demo.clip import make_demo_clip
from brushreel.batch.demo.scene import Scene
from brushreel.core.errors import OutputError, UsageError

WIDTH, HEIGHT = 320, 180
RATE = Fraction(24000, 1001)


def tiny_clip(path: Path) -> Path:
    return make_demo_clip(path, seconds=0.5, width=WIDTH, height=HEIGHT, frame_rate=RATE)


def pictures(path: Path) -> np.ndarray:
    with av.open(path) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def samples(path: Path) -> np.ndarray:
    with av.open(path) as container:
        return np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return tiny_clip(tmp_path_factory.mktemp("demo") / "demo.mp4")


@pytest.fixture(scope="module")
def frames(clip) -> np.ndarray:
    return pictures(clip).astype(np.float32) / 255


def test_returns_the_path_it_wrote(tmp_path):
    path = tmp_path / "one.mp4"
    assert make_demo_clip(path, seconds=0.01, width=64, height=36) == path
    assert len(pictures(path)) == 1


def test_size_rate_and_exact_timestamps(clip):
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        decoded = list(container.decode(stream))
        times = [frame.pts * frame.time_base for frame in decoded]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == RATE
        assert {(f.width, f.height, f.format.name) for f in decoded} == {(320, 180, "yuv420p")}
    assert times == [index / RATE for index in range(12)]


def test_is_tagged_bt709_limited(clip):
    with av.open(str(clip)) as container:
        context = container.streams.video[0].codec_context
        assert context.colorspace == Colorspace.ITU709
        assert context.color_range == ColorRange.MPEG
        assert context.color_primaries == ColorPrimaries.BT709
        assert context.color_trc == ColorTrc.BT709


def test_pictures_are_converted_as_the_tags_say(clip):
    """Decoded by the equations of BT.709, the sky has the colours it was drawn in."""
    with av.open(str(clip)) as container:
        planes = next(container.decode(video=0)).to_ndarray().astype(float)
    luma = (planes[:HEIGHT].reshape(90, 2, 160, 2).mean(axis=(1, 3)) - 16) / 219
    cb, cr = (planes[HEIGHT:].reshape(2, 90, 160) - 128) / 224
    decoded = np.stack([luma + 1.5748 * cr, luma - 0.1873 * cb - 0.4681 * cr, luma + 1.8556 * cb])
    drawn = Scene.build(WIDTH, HEIGHT).draw(0, 0.0).reshape(90, 2, 160, 2, 3).mean(axis=(1, 3))
    for rows, columns in ((slice(0, 12), slice(0, 40)), (slice(44, 50), slice(130, 160))):
        expected = drawn[rows, columns].mean(axis=(0, 1))
        assert decoded[:, rows, columns].mean(axis=(1, 2)) == pytest.approx(expected, abs=0.006)


def test_one_stereo_stream_of_the_same_duration(clip):
    with av.open(str(clip)) as container:
        assert len(container.streams.video) == len(container.streams.audio) == 1
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.layout.name) == (
            "aac",
            48000,
            "stereo",
        )
        assert float(stream.start_time * stream.time_base) == pytest.approx(0, abs=0.001)
        duration = float(stream.duration * stream.time_base)
    assert duration == pytest.approx(float(12 / RATE), abs=0.05)


def test_sound_is_audible_fades_and_does_not_clip(clip):
    sound = samples(clip)
    middle, ends = sound[:, 9600:-9600], np.concatenate([sound[:, :240], sound[:, -240:]], axis=1)
    assert np.abs(sound).max() < 0.9
    assert middle.std() > 0.03
    assert ends.std() < 0.1 * middle.std()
    assert np.abs(middle[0] - middle[1]).mean() > 0.01


def test_is_deterministic(clip, frames, tmp_path):
    again = tiny_clip(tmp_path / "again.mp4")
    assert np.array_equal(pictures(again), pictures(clip))
    assert np.array_equal(samples(again), samples(clip))


def test_moves_smoothly(frames):
    step = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    assert step.min() > 0.003
    assert step.max() < 0.04
    assert step.max() < 1.5 * step.min()


def test_everything_moves(frames):
    """Sky, headland and sea each change over the clip by more than grain does."""
    change = np.abs(frames[-1] - frames[0]).mean(axis=-1)
    for rows, columns in ((slice(0, 60), slice(None)), (slice(75, 105), slice(0, 50))):
        assert change[rows, columns].mean() > 0.012
    assert change[110:].mean() > 0.03


def test_has_contrast_colour_and_detail(frames):
    picture = frames[0]
    luma = picture @ np.array((0.2126, 0.7152, 0.0722), np.float32)
    chroma = picture.max(axis=-1) - picture.min(axis=-1)
    assert luma.std() > 0.15
    assert np.quantile(luma, 0.01) < 0.15
    assert np.quantile(luma, 0.99) > 0.75
    assert chroma.mean() > 0.1
    for rows in (slice(0, 90), slice(110, 180)):
        assert np.abs(np.diff(luma[rows], axis=1)).mean() > 0.004


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0.0}, {"width": 321}, {"height": -2}, {"frame_rate": Fraction(0)}]
)
def test_refuses_a_clip_that_makes_no_sense(tmp_path, wrong):
    with pytest.raises(UsageError):
        make_demo_clip(tmp_path / "demo.mp4", **wrong)
    assert not any(tmp_path.iterdir())


def test_names_the_file_it_cannot_write(tmp_path):
    path = tmp_path / "missing" / "demo.mp4"
    with pytest.raises(OutputError) as caught:
        make_demo_clip(path, seconds=0.1, width=64, height=36)
    assert str(path) in str(caught.value)
