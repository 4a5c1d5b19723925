"""A generated clip to try a style on: the demo scene with sound, as an ordinary file.

The sound is a soft chord, and surf that swells with the drawn waves.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from ...core.errors import OutputError, UsageError
from ..clips.destination import FileDestination
from .canvas import Array
from .scene import Scene
from .sea import COVE, Waves

_SAMPLE_RATE = 48_000


def make_demo_clip(
    path: Path,
    *,
    seconds: float = 5.0,
    width: int = 640,
    height: int = 360,
    frame_rate: Fraction = Fraction(24),
) -> Path:
    """Draw the clip and write it as H.264 with stereo AAC in MP4, tagged BT.709 limited.

    On one machine the same arguments give the same pictures and the same sound.

    Args:
        path: The file to write; one that exists is replaced.
        seconds: Length, rounded to whole frames (one at least).
        width: Picture width in pixels, even.
        height: Picture height in pixels, even.
        frame_rate: Frames per second.

    Returns:
        The path.

    Raises:
        UsageError: The length, size or rate is not positive, or the size is odd.
        OutputError: The file can't be written.
    """
    if min(seconds, width, height, frame_rate) <= 0 or width % 2 or height % 2:
        raise UsageError(
            f"no clip of {seconds} s, {width}x{height}, {frame_rate} frames per second",
            hint="take positive values, and even numbers of pixels",
        )
    scene = Scene.build(width, height)
    frame_count = max(1, round(seconds * frame_rate))
    try:
        with (
            FileDestination(path, overwrite=True).partial() as partial,
            av.open(partial, "w", format="mp4") as container,
        ):
            _write(container, scene, frame_count, frame_rate)
    except (OSError, av.error.FFmpegError) as error:
        raise OutputError.because(error, "can't be written", path=path) from error
    return path


def _write(container: OutputContainer, scene: Scene, frame_count: int, rate: Fraction) -> None:
    video = _video_stream(container, scene, rate)
    audio = container.add_stream("aac", rate=_SAMPLE_RATE, layout="stereo", bit_rate=160_000)
    for index in range(frame_count):
        picture = scene.draw(index, float(index / rate))
        container.mux(video.encode(_video_frame(picture, index, 1 / rate)))
    container.mux(video.encode(None))
    for frame in _audio_frames(_sound(scene.waves, frame_count / rate)):
        container.mux(audio.encode(frame))
    container.mux(audio.encode(None))


def _video_stream(container: OutputContainer, scene: Scene, rate: Fraction) -> av.VideoStream:
    # One thread and no macroblock tree: the bit stream depends on how many threads there are, and
    # libx264's AVX-512 tree gives another one on every run at some widths.
    options = {"crf": "16", "x264-params": "mbtree=0"}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = scene.x.size, scene.y.size, "yuv420p"
    context = stream.codec_context
    context.time_base, context.thread_count = 1 / rate, 1
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return stream


def _video_frame(picture: Array, index: int, time_base: Fraction) -> av.VideoFrame:
    rgb = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    frame.pts, frame.time_base = index, time_base
    return frame


def _audio_frames(sound: Array) -> Iterator[av.AudioFrame]:
    for start in range(0, sound.shape[1], 1024):
        block = np.ascontiguousarray(sound[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = _SAMPLE_RATE, start
        frame.time_base = Fraction(1, _SAMPLE_RATE)
        yield frame


def _sound(waves: Waves, seconds: Fraction) -> Array:
    """Return stereo samples (2, n) within ±1: a chord, and surf that swells with the waves."""
    time = np.arange(round(seconds * _SAMPLE_RATE)) / _SAMPLE_RATE
    mix = 0.16 * _chord(time) + 0.30 * _surf(waves, time)
    fade = np.clip(np.minimum(time + 1 / _SAMPLE_RATE, time[-1] - time) / 0.25, 0, 1)
    return (np.tanh(mix) * np.square(np.sin(np.pi / 2 * fade))).astype(np.float32)


def _chord(time: Array) -> Array:
    """Return D major with added ninth, each note two voices a little apart in pitch and pan."""
    pad = np.zeros((2, time.size))
    for note, hertz in enumerate((73.42, 146.83, 220.0, 293.66, 329.63, 369.99)):
        for side, detune in enumerate((-0.21, 0.21)):
            phase = 2 * np.pi * (hertz + detune) * time + note + 2 * side
            voice = np.sin(phase) + 0.30 * np.sin(2 * phase) + 0.10 * np.sin(3 * phase)
            breath = 0.7 + 0.3 * np.sin(2 * np.pi * 0.13 * time + 1.3 * note + side)
            pad[side] += voice * breath / (1 + 0.3 * note)
    pad = pad + 0.35 * pad[::-1]
    return pad / 3.2


def _surf(waves: Waves, time: Array) -> Array:
    """Return noise from a rumble to a hiss; it opens up when the swell runs up the headland."""
    rng = np.random.default_rng(1760)
    hertz = np.fft.rfftfreq(time.size, 1 / _SAMPLE_RATE)
    white = np.fft.rfft(rng.normal(size=(2, time.size)))
    rumble = np.fft.irfft(white * hertz / (90 + hertz) / (1 + (hertz / 420) ** 2), time.size)
    hiss = np.fft.irfft(white * hertz / (900 + hertz) / (1 + (hertz / 3800) ** 2), time.size)
    beats = np.arange(0, time[-1] + 0.1, 0.05)
    lifts = [waves.swell(float(beat), *COVE)[0] for beat in beats]
    swell = np.interp(time, beats, 1 / (1 + np.exp(-2.2 * np.array(lifts))))
    shape = (0.35 + swell) * rumble / rumble.std() + (0.10 + 0.9 * swell**2) * hiss / hiss.std()
    return 0.5 * shape
