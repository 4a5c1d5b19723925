"""Odder clips made of others: by FFmpeg's command line, or byte by byte."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np


def ffmpeg(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Run FFmpeg's command line and give what it printed."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout


def copied(source: Path, name: str, *arguments: str) -> Path:
    """Copy every track of a clip to another file, packet for packet unless options differ."""
    target = source.with_name(name)
    more = arguments[:2] if arguments[:1] == ("-i",) else ()
    rest = arguments[len(more) :]
    how = ("-map", "0", "-c", "copy", *rest)
    ffmpeg("-i", source.name, *more, *how, name, cwd=source.parent)
    source.unlink()
    return target


def with_telemetry(source: Path, name: str) -> Path:
    """Add a track of values that were measured on the way, as action cameras write it."""
    target = source.with_name(name)
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        copies = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        track = new.add_data_stream("bin_data")
        track.time_base = Fraction(1, 1000)
        new.start_encoding()
        for number in range(4):
            packet = av.Packet(b"value %d" % number)
            packet.pts = packet.dts = 100 * number
            packet.duration, packet.time_base, packet.stream = 100, Fraction(1, 1000), track
            new.mux(packet)
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
    source.unlink()
    return target


def joined(*sources: Path, name: str) -> Path:
    """Join files one after the other; transport streams are still one then."""
    target = sources[0].with_name(name)
    target.write_bytes(b"".join(path.read_bytes() for path in sources))
    for path in sources:
        path.unlink()
    return target


def cut(path: Path, share: float) -> Path:
    """Truncate a file to its first part."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def scratched(path: Path, *, start: float, end: float, times: int) -> Path:
    """Flip single bits at random positions between two shares of the file."""
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    rng = np.random.default_rng(3)
    places = rng.integers(int(start * content.size), int(end * content.size), times)
    content[places] ^= 1 << rng.integers(0, 8, times).astype(np.uint8)
    path.write_bytes(content.tobytes())
    return path


def shortened_by_edit_list(path: Path, *, ticks: int, milliseconds: int) -> Path:
    """Write an MP4 whose edit list leaves out the video's first ticks (ISO/IEC 14496-12, 8.6.6).

    It says that it lasts so many milliseconds less.
    """
    content = bytearray(path.read_bytes())
    # Version and flags, number of entries; then duration, media time and rate of the first.
    entry = content.index(b"elst") + 4 + 8
    duration = int.from_bytes(content[entry : entry + 4])
    content[entry : entry + 4] = (duration - milliseconds).to_bytes(4)
    media_time = int.from_bytes(content[entry + 4 : entry + 8])
    content[entry + 4 : entry + 8] = (media_time + ticks).to_bytes(4)
    path.write_bytes(content)
    return path
