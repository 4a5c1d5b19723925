"""Clips made with PyAV."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

RATE = Fraction(25)


def make_picture(name: str, width: int, height: int, index: int = 0) -> av.VideoFrame:
    """Return a frame of noise in any format that PyAV knows; its codes are legal at their depth."""
    frame = av.VideoFrame(width, height, name)
    random = np.random.default_rng(index)
    bits = max(component.bits for component in frame.format.components)
    for plane in frame.planes:
        if bits > 8:
            codes = random.integers(0, 2**bits, plane.buffer_size // 2).astype("<u2")
        else:
            codes = random.integers(0, 256, plane.buffer_size, dtype=np.uint8)
        plane.update(codes.tobytes())
    return frame


def make_clip(
    path: Path,
    codec: str = "libx264",
    name: str = "yuv420p",
    *,
    size: tuple[int, int] = (48, 32),
    count: int = 4,
    rate: Fraction = RATE,
    time_base: Fraction | None = None,
    pts: list[int] | None = None,
    prepare: Callable[[av.VideoStream], object] | None = None,
    muxing: dict[str, str] | None = None,
) -> Path:
    """Write a clip of noise."""
    with av.open(str(path), "w", options=muxing or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = name
        stream.codec_context.time_base = stream.time_base = time_base or 1 / rate
        if prepare:
            prepare(stream)
        for index in range(count):
            frame = make_picture(name, *size, index)
            frame.pts = index if pts is None else pts[index]
            frame.time_base = time_base or 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_tracks(path: Path, *tracks: str) -> Path:
    """Write a clip with any of "video", "audio" and "cover"; 7 frames, 18 audio packets."""
    with av.open(str(path), "w") as container:
        encode = {"video": _video, "audio": _audio, "cover": _cover}
        streams = [encode[track](container) for track in tracks]
        for together in zip_longest(*streams, fillvalue=[]):
            container.mux([packet for packets in together for packet in packets])
    return path


def _video(container):
    stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency"})
    stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
    stream.metadata["language"] = "und"

    def packets():
        for index in range(7):
            frame = make_picture("yuv420p", 48, 32, index)
            frame.pts, frame.time_base = index, 1 / RATE
            yield stream.encode(frame)
        yield stream.encode(None)

    return packets()


def _audio(container):
    stream = container.add_stream("aac", rate=48000, layout="mono")
    stream.metadata["language"] = "deu"

    def packets():
        for index in range(14):
            sound = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(sound, "fltp", "mono")
            frame.sample_rate, frame.pts = 48000, index * 1024
            yield stream.encode(frame)
        yield stream.encode(None)

    return packets()


def _cover(container):
    stream = container.add_stream("mjpeg", rate=1)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
    stream.disposition = Disposition.attached_pic

    def packets():
        frame = make_picture("yuvj420p", 64, 64)
        frame.pts = 0
        yield stream.encode(frame)
        yield stream.encode(None)

    return packets()


@pytest.fixture(scope="session")
def picture() -> Callable[..., av.VideoFrame]:
    return make_picture


@pytest.fixture(scope="session")
def write_clip() -> Callable[..., Path]:
    return make_clip


@pytest.fixture(scope="session")
def write_tracks() -> Callable[..., Path]:
    return make_tracks
