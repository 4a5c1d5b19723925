"""Clips made for tests, and a reader of clips that shares nothing with the package."""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from housestyle.batch.clip import convert
from housestyle.batch.encode import EncodeSettings
from housestyle.core.stylizer import Stylizer

DEFAULT_OPTIONS = {
    "libx264": {"preset": "ultrafast", "crf": "12"},
    "libx264rgb": {"preset": "ultrafast", "crf": "12"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=error"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
}
_SAMPLE_FORMATS = {"aac": "fltp", "libmp3lame": "fltp", "libopus": "flt", "pcm_u8": "u8"}


@dataclass(frozen=True)
class Sound:
    """A track of a tone that rises."""

    codec: str = "aac"
    seconds: Fraction = Fraction(1, 2)
    start: Fraction = Fraction(0)
    rate: int = 48_000
    hertz: float = 440
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Track:
    """A stream as it was read back: what it says, and every packet."""

    type: str
    codec: str
    metadata: dict[str, str]
    disposition: int
    starts: tuple[Fraction, ...]
    durations: tuple[Fraction, ...]
    contents: tuple[bytes, ...]


@dataclass(frozen=True)
class Clip:
    """A whole clip as it was read back."""

    size: tuple[int, int]
    codec: str
    tag: str
    pixel_format: str
    colour: tuple[int, int, int, int]
    sample_aspect_ratio: Fraction | None
    display_matrix: tuple[int, ...] | None
    duration: Fraction | None
    frame_rate: Fraction | None
    times: tuple[Fraction, ...]
    frames: tuple[tuple[np.ndarray, ...], ...]
    others: tuple[Track, ...]
    chapters: tuple[tuple[Fraction, Fraction, str], ...]
    metadata: dict[str, str]

    @property
    def audio(self) -> tuple[Track, ...]:
        return tuple(track for track in self.others if track.type == "audio")


@functools.cache
def _pattern(planes: int) -> np.ndarray:
    """Noise with about the spectrum of natural pictures: (planes, 256, 256) around 0."""
    side = 256
    rng = np.random.default_rng(5)
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(side)] * 2))
    spectrum = np.fft.fft2(rng.normal(size=(planes, side, side)))
    pattern = np.fft.ifft2(spectrum / np.maximum(frequency, 1 / side) ** 1.3).real
    return 0.2 * pattern / pattern.std(axis=(1, 2), keepdims=True)


def texture(index: int, size: tuple[int, int], planes: int = 3) -> np.ndarray:
    """A texture that pans: (planes, H, W) in [0, 1]."""
    width, height = size
    pattern = _pattern(planes)
    side = pattern.shape[-1]
    moved = np.roll(pattern, (index, -2 * index), axis=(1, 2))
    tiles = (1, -(-height // side), -(-width // side))
    return np.clip(0.5 + np.tile(moved, tiles)[:, :height, :width], 0, 1)


def _picture(index: int, size: tuple[int, int], pixel_format: str, full: bool) -> av.VideoFrame:
    if pixel_format == "rgb24":
        rgb = (texture(index, size) * 255).astype(np.uint8).transpose(1, 2, 0)
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    frame = av.VideoFrame(*size, pixel_format)
    for number, values in enumerate(texture(index, size, len(frame.planes))):
        plane = frame.planes[number]
        bits = frame.format.components[number].bits
        dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
        # Chroma is kept paler than luma, as in pictures of the world.
        small = values[: plane.height * 2, : plane.width * 2][
            :: -(-size[1] // plane.height), :: -(-size[0] // plane.width)
        ]
        pale = 0.5 + (small - 0.5) * (0.5 if number else 1)
        low, high = (0, 2**bits - 1) if full else (16 << (bits - 8), 235 << (bits - 8))
        rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
        rows[...] = low
        rows[: pale.shape[0], : pale.shape[1]] = low + pale * (high - low)
    return frame


def _sound_frames(sound: Sound, form: str, size: int) -> list[av.AudioFrame]:
    count = int(sound.seconds * sound.rate)
    time = np.arange(count) / sound.rate
    wave = 0.4 * np.sin(2 * np.pi * sound.hertz * time * (1 + 0.1 * time))
    stereo = np.stack([wave, 0.5 * wave])
    frames = []
    for start in range(0, count, size):
        block = stereo[:, start : start + size]
        samples = {
            "flt": block.astype(np.float32),
            "s16": (block * 32_000).astype(np.int16),
            "u8": (block * 127 + 128).astype(np.uint8),
        }[form.rstrip("p")]
        if not form.endswith("p"):
            samples = samples.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), form, "stereo")
        frame.sample_rate = sound.rate
        frame.pts = start + int(sound.start * sound.rate)
        frame.time_base = Fraction(1, sound.rate)
        frames.append(frame)
    return frames


def _add_sound(container: Any, sound: Sound) -> Callable[[], list[av.Packet]]:
    form = _SAMPLE_FORMATS.get(sound.codec, "s16")
    stream = container.add_stream(sound.codec, rate=sound.rate, format=form, layout="stereo")
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


@pytest.fixture
def make_clip(tmp_path) -> Callable[..., Path]:
    """A factory of clips; see the keywords."""

    def make(
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
        chapters: list[dict[str, Any]] | None = None,
        subtitles: list[str] | None = None,
        options: dict[str, str] | None = None,
        muxer_options: dict[str, str] | None = None,
    ) -> Path:
        """Write a clip.

        Args:
            times: Of each frame, in units of `time_base`; every frame lasts to the next one.
            first: Number of the texture's first picture.
            colour: Matrix, range, primaries, transfer.
        """
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tick = time_base or 1 / rate
        ticks = times or [round(number / rate / tick) for number in range(frames)]
        with av.open(f"file:{path}", "w", container_options=muxer_options or {}) as container:
            container.metadata.update(metadata or {})
            video = container.add_stream(
                codec, rate=rate, options=DEFAULT_OPTIONS.get(codec, {}) | (options or {})
            )
            video.width, video.height, video.pix_fmt = *size, pixel_format
            video.codec_context.time_base = tick
            video.codec_context.thread_count = 1
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
                tracks.append(_subtitle_packets(container, subtitles, tmp_path))
            if chapters:
                container.set_chapters(chapters)
            container.start_encoding()
            packets = []
            ends = [*ticks[1:], 2 * ticks[-1] - ticks[-2] if len(ticks) > 1 else ticks[-1] + 3000]
            lasts = {pts: end - pts for pts, end in zip(ticks, ends, strict=True)}
            for number, pts in enumerate(ticks):
                full = colour is not None and colour[1] == 2
                picture = _picture(first + number, size, pixel_format, full)
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

    return make


def _planes(frame: av.VideoFrame) -> tuple[np.ndarray, ...]:
    planes = []
    for number, plane in enumerate(frame.planes):
        deep = frame.format.components[min(number, len(frame.format.components) - 1)].bits > 8
        samples = np.frombuffer(plane, np.uint16 if deep else np.uint8)
        rows = samples.reshape(plane.height, -1)
        row_samples = plane.width * (3 if frame.format.name in ("rgb24", "bgr24") else 1)
        planes.append(rows[:, :row_samples].copy())
    return tuple(planes)


def _matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    data = frame.side_data.get("DISPLAYMATRIX")
    return None if data is None else struct.unpack("=9i", bytes(data))


def _track(stream: Any, packets: list[av.Packet]) -> Track:
    return Track(
        type=stream.type,
        codec=stream.codec_context.name if stream.codec_context else "",
        metadata=dict(stream.metadata),
        disposition=int(stream.disposition),
        starts=tuple(p.pts * p.time_base for p in packets if p.pts is not None),
        durations=tuple(packet.duration * packet.time_base for packet in packets),
        contents=tuple(bytes(packet) for packet in packets),
    )


def _read(path: Path) -> Clip:
    pictures: list[av.VideoFrame] = []
    with av.open(f"file:{path}") as container:
        video = container.streams.video[0]
        packets: dict[int, list[av.Packet]] = {stream.index: [] for stream in container.streams}
        for packet in container.demux():
            if packet.stream is video:
                pictures += packet.decode()
            elif packet.size:
                packets[packet.stream.index].append(packet)
        first = pictures[0]
        return Clip(
            size=(first.width, first.height),
            codec=video.codec_context.name,
            tag=video.codec_context.codec_tag,
            pixel_format=first.format.name,
            colour=(first.colorspace, first.color_range, first.color_primaries, first.color_trc),
            sample_aspect_ratio=video.sample_aspect_ratio or None,
            display_matrix=_matrix(first),
            duration=None if video.duration is None else video.duration * video.time_base,
            frame_rate=video.average_rate,
            times=tuple(picture.pts * picture.time_base for picture in pictures),
            frames=tuple(_planes(picture) for picture in pictures),
            others=tuple(
                _track(stream, packets[stream.index])
                for stream in container.streams
                if stream is not video
            ),
            chapters=tuple(
                (
                    chapter["start"] * chapter["time_base"],
                    chapter["end"] * chapter["time_base"],
                    chapter["metadata"].get("title", ""),
                )
                for chapter in container.chapters()
            ),
            metadata=dict(container.metadata),
        )


@pytest.fixture
def read_clip() -> Callable[[Path], Clip]:
    """Reads a whole clip with PyAV alone."""
    return _read


@pytest.fixture
def sound() -> type[Sound]:
    """A sound track for `make_clip`."""
    return Sound


@pytest.fixture(scope="session")
def painter(tiny_style) -> Stylizer:
    """The tiny style at full strength on the CPU, the same on every machine."""
    return Stylizer(tiny_style, device="cpu", precision="fp32")


@pytest.fixture(scope="session")
def untouched(tiny_style) -> Stylizer:
    """The tiny style at strength 0."""
    return Stylizer(tiny_style, device="cpu", precision="fp32", strength=0)


@pytest.fixture
def listing() -> Callable[[Path], list[str]]:
    """Everything below a folder, hidden files included."""
    return lambda folder: sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def fingerprint() -> Callable[[Path], str]:
    """SHA-256 of a file."""
    return lambda path: hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def converted(tmp_path, read_clip) -> Callable:
    """Converts a clip and reads the output back."""

    def run(source: Path, stylizer: Stylizer, name: str | None = None, **settings):
        output = tmp_path / "out" / (name or source.name)
        convert(source, output, stylizer, EncodeSettings(**settings))
        return read_clip(output)

    return run
