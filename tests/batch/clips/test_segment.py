"""Segment files hold an encoder's packets, and damage to them does not go unseen."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from brushreel.batch.clips.segment import (
    FreshEncoder,
    Segment,
    intact,
    read_segment,
    write_segment,
)
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.clips.media import probe, read
from brushreel.core.errors import OutputError
from brushreel.core.frames.frame import Frame

from ..media.make import texture

CODECS = [("h264", "mp4"), ("hevc", "matroska"), ("prores", "mov"), ("ffv1", "matroska")]


class Unchecked:
    """A check that looks at nothing."""

    def grown(self, path: Path, size: int) -> None:
        pass

    def finish(self, frames: int, digest: str) -> None:
        pass


@pytest.fixture
def source(make_clip) -> Path:
    return make_clip("a.mov", codec="prores_ks", pixel_format="yuv422p10le", frames=12)


def written(folder: Path, source: Path, codec: str, muxer: str, number: int = 3) -> Segment:
    info, settings = probe(source).video, EncodeSettings(codec=codec)
    with FreshEncoder(info, settings, muxer) as encoder:
        return write_segment(folder, number, read(source), encoder, Unchecked())


@pytest.mark.parametrize(("codec", "muxer"), CODECS, ids=lambda value: value)
def test_packets_come_back_as_the_encoder_made_them(source, tmp_path, codec, muxer):
    segment = written(tmp_path, source, codec, muxer)
    assert segment.frames == 12
    assert (segment.first, segment.last) == (0, [f.pts for f in read(source)][-1])
    stored = list(read_segment(tmp_path, segment))
    assert sorted(packet.frame for packet in stored) == list(range(12))
    assert stored[0].keyframe
    assert segment.delay == max(n - packet.frame for n, packet in enumerate(stored))
    with FreshEncoder(probe(source).video, EncodeSettings(codec=codec), muxer) as encoder:
        made = [packet for frame in [*read(source), None] for packet in encoder.encode(frame)]
    assert [bytes(packet) for packet in made] == [packet.content for packet in stored]
    assert [packet.is_keyframe for packet in made] == [packet.keyframe for packet in stored]


@pytest.mark.skipif(
    not Path("/proc/self/task").exists() or getattr(os, "geteuid", lambda: 1)() != 0,
    reason="only root's SVT-AV1 goes under Linux's real-time scheduler",
)
def test_an_encoder_leaves_the_machine_to_others(source):
    # Clips of AV1 that other tests made leave their process under that scheduler.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    before = threads()
    with FreshEncoder(probe(source).video, EncodeSettings(codec="av1"), "matroska") as encoder:
        for frame in read(source):
            encoder.encode(frame)
        own = threads() - before
        assert own
        assert {os.sched_getscheduler(thread) for thread in own} == {os.SCHED_OTHER}


def threads() -> set[int]:
    """Return the numbers of this process's threads."""
    return {int(task.name) for task in Path("/proc/self/task").iterdir()}


def test_encodes_where_the_system_tells_nothing_of_schedulers(source, monkeypatch):
    def unknown(_task: int) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(os, "sched_getscheduler", unknown, raising=False)
    with FreshEncoder(probe(source).video, EncodeSettings(), "mp4") as encoder:
        assert encoder.header


def test_reordered_packets_know_their_frames(make_clip, tmp_path):
    source = make_clip(frames=12)
    segment = written(tmp_path, source, "h264", "mp4")
    frames = [packet.frame for packet in read_segment(tmp_path, segment)]
    assert frames != sorted(frames)
    assert segment.delay > 0


def fading(index: int, size: tuple[int, int], planes: int) -> np.ndarray:
    light = np.array([1 - index / 12, *[1] * (planes - 1)])
    return texture(index, size, planes) * light[:, None, None]


# In fades encoders weigh one frame against the other, which libx265 does in a race of its threads.
@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_the_same_frames_give_the_same_segment(make_clip, tmp_path, codec):
    source = make_clip("a.mkv", codec="ffv1", frames=12, draw=fading)
    segments = {written(tmp_path, source, codec, "mp4") for _ in range(8)}
    assert len(segments) == 1


def test_a_whole_segment_is_intact(source, tmp_path):
    assert intact(tmp_path, written(tmp_path, source, "h264", "mp4"))


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])


DAMAGE = {
    "absent": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut in the magic": lambda path: cut(path, 5),
    "cut in a record": lambda path: cut(path, 25),
    "cut in a packet": lambda path: cut(path, 200),
    "last byte missing": lambda path: cut(path, path.stat().st_size - 1),
    "a length": lambda path: flip(path, 24),
    "a frame": lambda path: flip(path, 25),
    "a keyframe": lambda path: flip(path, 29),
    "a packet": lambda path: flip(path, 500),
    "last byte": lambda path: flip(path, -1),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "more": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "noise": lambda path: path.write_bytes(os.urandom(5000)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found_by_reading(source, tmp_path, damage):
    segment = written(tmp_path, source, "h264", "mp4")
    damage(tmp_path / segment.name)
    assert not intact(tmp_path, segment)
    with pytest.raises(OutputError):
        list(read_segment(tmp_path, segment))


def test_a_segment_of_another_length_is_not_intact(source, tmp_path):
    segment = written(tmp_path, source, "h264", "mp4")
    assert not intact(tmp_path, replace(segment, frames=11))
    assert not intact(tmp_path, replace(segment, digest="0" * 32))


def test_a_failure_leaves_no_file(source, tmp_path):
    def frames():
        yield from list(read(source))[:7]
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path / "segments"
    with (
        FreshEncoder(probe(source).video, EncodeSettings(), "mp4") as encoder,
        pytest.raises(OSError, match="No space"),
    ):
        write_segment(folder, 0, frames(), encoder, Unchecked())
    assert list(folder.iterdir()) == []


def test_a_segment_gets_its_name_when_it_is_checked(source, tmp_path):
    seen: list[tuple[Path, int]] = []

    class Strict(Unchecked):
        def grown(self, path: Path, size: int) -> None:
            assert path.stat().st_size == size
            seen.append((path, size))

        def finish(self, frames: int, digest: str) -> None:
            assert frames == len(seen) == 12
            raise OutputError("is wrong")

    with (
        FreshEncoder(probe(source).video, EncodeSettings(), "mp4") as encoder,
        pytest.raises(OutputError, match="is wrong"),
    ):
        write_segment(tmp_path / "segments", 0, read(source), encoder, Strict())
    assert [size for _, size in seen] == sorted({size for _, size in seen})
    assert list((tmp_path / "segments").iterdir()) == []


def test_an_encoder_that_loses_a_frame_is_found_out(source, tmp_path):
    class Forgetful(FreshEncoder):
        def encode(self, frame: Frame | None) -> list[av.Packet]:
            return super().encode(frame)[:-1]

    settings = EncodeSettings(codec="prores")
    with (
        Forgetful(probe(source).video, settings, "mov") as encoder,
        pytest.raises(OutputError, match="gave 0 packets for 12 frames"),
    ):
        write_segment(tmp_path, 0, read(source), encoder, Unchecked())


def test_an_encoder_is_told_of_its_container(make_clip, tmp_path):
    times = [3000 * number + number % 2 for number in range(12)]
    source = make_clip(time_base=Fraction(1, 90_000), times=times)
    # MP4 keeps the last duration of a variable rate only without reordering.
    assert written(tmp_path, source, "h264", "mp4").delay == 0
    assert written(tmp_path, source, "h264", "matroska").delay > 0
