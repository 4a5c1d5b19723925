"""Clips made with PyAV alone."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av import AudioLayout

from brushreel.batch.encoding.encode import start_encoding

DEFAULT_OPTIONS = {
    "libx264": {"preset": "ultrafast", "crf": "12"},
    "libx264rgb": {"preset": "ultrafast", "crf": "12"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=error"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}
# Else libsvtav1 fills the terminal.
os.environ.setdefault("SVT_LOG", "1")
_STRICT = {"strict": "experimental"}
_SOUND_OPTIONS = {"vorbis": _STRICT, "truehd": _STRICT}


@dataclass(frozen=True)
class Sound:
    """A track of a tone that rises."""

    codec: str = "aac"
    seconds: Fraction = Fraction(1, 2)
    start: Fraction = Fraction(0)
    rate: int = 48_000
    hertz: float = 440
    layout: str = "stereo"
    metadata: dict[str, str] = field(default_factory=dict)


Draw = Callable[[int, tuple[int, int], int], np.ndarray]


@functools.cache
def _pattern(planes: int) -> np.ndarray:
    """Draw noise with about the spectrum of natural images: (planes, 256, 256) around 0."""
    side = 256
    rng = np.random.default_rng(5)
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(side)] * 2))
    spectrum = np.fft.fft2(rng.normal(size=(planes, side, side)))
    pattern = np.fft.ifft2(spectrum / np.maximum(frequency, 1 / side) ** 1.3).real
    return 0.2 * pattern / pattern.std(axis=(1, 2), keepdims=True)


def texture(index: int, size: tuple[int, int], planes: int = 3) -> np.ndarray:
    """Draw a texture that pans: (planes, H, W) in [0, 1]."""
    width, height = size
    pattern = _pattern(planes)
    side = pattern.shape[-1]
    moved = np.roll(pattern, (index, -2 * index), axis=(1, 2))
    tiles = (1, -(-height // side), -(-width // side))
    return np.clip(0.5 + np.tile(moved, tiles)[:, :height, :width], 0, 1)


def _picture(
    index: int, size: tuple[int, int], pixel_format: str, full: bool, draw: Draw
) -> av.VideoFrame:
    if pixel_format == "rgb24":
        rgb = (draw(index, size, 3) * 255).astype(np.uint8).transpose(1, 2, 0)
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    frame = av.VideoFrame(*size, pixel_format)
    for number, values in enumerate(draw(index, size, len(frame.planes))):
        plane = frame.planes[number]
        bits = frame.format.components[number].bits
        dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
        # Chroma is kept paler than luma, as in pictures of the world.
        small = values[: plane.height * 2, : plane.width * 2][
            :: -(-size[1] // plane.height), :: -(-size[0] // plane.width)
        ]
        pale = 0.5 + (small - 0.5) * (0.5 if number else 1)
        low, high = (0, 2**bits - 1) if full else (16 << (bits - 8), 235 << (bits - 8))
        buffer: Any = plane  # it is one, though PyAV's types do not say so
        rows = np.frombuffer(buffer, dtype).reshape(plane.height, -1)
        rows[...] = low
        rows[: pale.shape[0], : pale.shape[1]] = low + pale * (high - low)
    return frame


def _sound_frames(sound: Sound, form: str, size: int) -> list[av.AudioFrame]:
    count = int(sound.seconds * sound.rate)
    time = np.arange(count) / sound.rate
    wave = 0.4 * np.sin(2 * np.pi * sound.hertz * time * (1 + 0.1 * time))
    channels = np.stack(
        [wave * 0.8**number for number in range(AudioLayout(sound.layout).nb_channels)]
    )
    frames = []
    for start in range(0, count, size):
        block = channels[:, start : start + size]
        samples = {
            "flt": block.astype(np.float32),
            "s16": (block * 32_000).astype(np.int16),
            "s32": (block * 2**30).astype(np.int32),
            "u8": (block * 127 + 128).astype(np.uint8),
        }[form.rstrip("p")]
        if not form.endswith("p"):
            samples = samples.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), form, sound.layout)
        frame.sample_rate = sound.rate
        frame.pts = start + int(sound.start * sound.rate)
        frame.time_base = Fraction(1, sound.rate)
        frames.append(frame)
    return frames


def _add_sound(container: Any, sound: Sound) -> Callable[[], list[av.Packet]]:
    forms = [form.name for form in av.Codec(sound.codec, "w").audio_formats or ()]
    form = "s16" if "s16" in forms else forms[0]
    stream = container.add_stream(
        sound.codec,
        rate=sound.rate,
        format=form,
        layout=sound.layout,
        options=_SOUND_OPTIONS.get(sound.codec),
    )
    stream.metadata.update(sound.metadata)

    def packets() -> list[av.Packet]:
        made = []
        for frame in _sound_frames(sound, form, stream.codec_context.frame_size or 1024):
            made += stream.encode(frame)
        return made + stream.encode(None)

    return packets


def _subtitle_packets(container: Any, lines: list[str], folder: Path) -> Callable[[], list]:
    source = folder / "subtitles.srt"
    blocks = [
        f"{n + 1}\n00:00:00,{n}00 --> 00:00:00,{n}90\n{line}\n" for n, line in enumerate(lines)
    ]
    source.write_text("\n".join(blocks), encoding="utf-8")
    container_in = av.open(str(source))
    stream = container.add_stream_from_template(container_in.streams[0])
    stream.metadata["language"] = "ger"

    def packets() -> list[av.Packet]:
        with container_in:
            made = [p for p in container_in.demux() if p.dts is not None]
        for packet in made:
            packet.stream = stream
        return made

    return packets


def make_clip(
    folder: Path,
    name: str | Path = "clip.mp4",
    *,
    frames: int = 10,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    rate: Fraction = Fraction(25),
    time_base: Fraction | None = None,
    times: list[int] | None = None,
    first: int = 0,
    sounds: tuple[Sound, ...] = (),
    colour: tuple[int, int, int, int] | None = None,
    sample_aspect_ratio: Fraction | None = None,
    display_matrix: tuple[int, ...] | None = None,
    metadata: dict[str, str] | None = None,
    chapters: list[Any] | None = None,
    subtitles: list[str] | None = None,
    options: dict[str, str] | None = None,
    muxer_options: dict[str, str] | None = None,
    draw: Draw = texture,
    picture_metadata: dict[str, str] | None = None,
) -> Path:
    """Write a clip.

    Args:
        times: Of each frame, in units of `time_base`; every frame lasts to the next one.
        first: Number of the texture's first picture.
        colour: Matrix, range, primaries, transfer.
        draw: From a frame's number, the size and the number of planes: (planes, H, W) in [0, 1].
    """
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    tick = time_base or 1 / rate
    ticks = times or [round(number / rate / tick) for number in range(frames)]
    with av.open(f"file:{path}", "w", container_options=muxer_options or {}) as container:
        container.metadata.update(metadata or {})
        video = container.add_stream(
            codec, rate=rate, options=DEFAULT_OPTIONS.get(codec, {}) | (options or {})
        )
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = *size, pixel_format
        video.codec_context.time_base = tick
        video.codec_context.thread_count = 1
        video.metadata.update(picture_metadata or {})
        if colour:
            context = video.codec_context
            context.colorspace, context.color_range = colour[:2]
            context.color_primaries, context.color_trc = colour[2:]
        if sample_aspect_ratio:
            video.codec_context.sample_aspect_ratio = sample_aspect_ratio
        if display_matrix:
            video.set_display_matrix(display_matrix)
        tracks = [_add_sound(container, sound) for sound in sounds]
        if subtitles:
            tracks.append(_subtitle_packets(container, subtitles, folder))
        if chapters:
            container.set_chapters(chapters)
        start_encoding(container)
        packets = []
        ends = [*ticks[1:], 2 * ticks[-1] - ticks[-2] if len(ticks) > 1 else ticks[-1] + 3000]
        lasts = {pts: end - pts for pts, end in zip(ticks, ends, strict=True)}
        for number, pts in enumerate(ticks):
            full = colour is not None and colour[1] == 2
            picture = _picture(first + number, size, pixel_format, full, draw)
            picture.pts, picture.time_base = pts, tick
            if colour:
                picture.colorspace, picture.color_range = colour[:2]
                picture.color_primaries, picture.color_trc = colour[2:]
            packets += video.encode(picture)
        packets += video.encode(None)
        for packet in packets:
            packet.duration = lasts[packet.pts]
        packets += [packet for track in tracks for packet in track()]
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path
