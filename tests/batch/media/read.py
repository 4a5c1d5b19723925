"""A reader of clips that shares nothing with the package."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.stream import Disposition


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


def _planes(frame: av.VideoFrame) -> tuple[np.ndarray, ...]:
    planes = []
    for number, plane in enumerate(frame.planes):
        deep = frame.format.components[min(number, len(frame.format.components) - 1)].bits > 8
        buffer: Any = plane  # it is one, though PyAV's types do not say so
        samples = np.frombuffer(buffer, np.uint16 if deep else np.uint8)
        rows = samples.reshape(plane.height, -1)
        row_samples = plane.width * (3 if frame.format.name in ("rgb24", "bgr24") else 1)
        planes.append(rows[:, :row_samples].copy())
    return tuple(planes)


def side_data(frame: av.VideoFrame, kind: str) -> bytes | None:
    """Return the side data of a frame; PyAV gives none where it does not know one of the kinds."""
    try:
        data = frame.side_data.get(kind)
    except ValueError:
        return None
    return None if data is None else bytes(data)


def _matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    data = side_data(frame, "DISPLAYMATRIX")
    return None if data is None else struct.unpack("=9i", data)


def _seconds(ticks: int, of: av.Packet | av.VideoFrame) -> Fraction:
    assert of.time_base is not None
    return ticks * of.time_base


def _track(stream: Any, packets: list[av.Packet]) -> Track:
    return Track(
        type=stream.type,
        codec=stream.codec_context.name if stream.codec_context else "",
        metadata=dict(stream.metadata),
        disposition=int(stream.disposition),
        starts=tuple(_seconds(p.pts, p) for p in packets if p.pts is not None),
        durations=tuple(_seconds(packet.duration or 0, packet) for packet in packets),
        contents=(stream.data,) if stream.type == "attachment" else tuple(map(bytes, packets)),
    )


def moving_picture(container: Any) -> Any:
    """Return the first video stream that is not a cover."""
    pictures = container.streams.video
    return next(s for s in pictures if not s.disposition & Disposition.attached_pic)


def _time(picture: av.VideoFrame, before: list[Fraction]) -> Fraction:
    """Return the time of a frame; one without a time follows the one before it."""
    if picture.pts is not None:
        return _seconds(picture.pts, picture)
    return before[-1] + _seconds(picture.duration, picture) if before else Fraction(0)


def read_clip(path: Path, *, planes: bool = True) -> Clip:
    """Read the whole clip; every frame is in memory unless its planes are not wanted."""
    first, times, frames = None, [], []
    with av.open(f"file:{path}", metadata_errors="replace") as container:
        video = moving_picture(container)
        # Else decoders leave pixels that are to be cropped.
        video.codec_context.flags |= Flags.unaligned
        packets: dict[int, list[av.Packet]] = {stream.index: [] for stream in container.streams}
        for packet in container.demux():
            if packet.stream is video:
                for picture in packet.decode():
                    assert isinstance(picture, av.VideoFrame)
                    first = first or picture
                    times.append(_time(picture, times))
                    frames += [_planes(picture)] if planes else []
            elif packet.size:
                packets[packet.stream.index].append(packet)
        assert first is not None
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
            times=tuple(times),
            frames=tuple(frames),
            others=tuple(
                _track(stream, packets[stream.index])
                for stream in container.streams
                if stream is not video
            ),
            chapters=tuple(
                (
                    chapter["start"] * Fraction(chapter["time_base"] or 0),
                    chapter["end"] * Fraction(chapter["time_base"] or 0),
                    chapter["metadata"].get("title", ""),
                )
                for chapter in container.chapters()
            ),
            metadata=dict(container.metadata),
        )
