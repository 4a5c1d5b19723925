"""Written segments are decoded while the next are made, and count only afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest

from brushreel.batch.clips import segment_check
from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.finish import FinishedFile
from brushreel.batch.clips.segment import (
    FreshEncoder,
    Segment,
    StoredPacket,
    read_segment,
    write_segment,
)
from brushreel.batch.clips.segment_check import check_segment
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.clips.verify import verify
from brushreel.batch.clips.work_folder import work_folder
from brushreel.batch.encoding.codecs import CODECS
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.clips.media import probe, read
from brushreel.core.errors import OutputError

from ..listening import on_frame

Change = Callable[[list[StoredPacket]], list[StoredPacket]]

SHORT = WriteSettings(segment=0.2)
SIZE = (256, 120)  # the least that every codec takes
MUXERS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm"}
HELD = [(codec, suffix) for codec, row in CODECS.items() for suffix in row.containers]


@pytest.fixture
def source(make_clip) -> Path:
    return make_clip("a.mp4", frames=12, size=SIZE)


def written(
    folder: Path, source: Path, codec: str = "h264", suffix: str = "mp4", preset: str = "auto"
) -> tuple[Segment, av.VideoCodecContext]:
    video, settings = probe(source).video, EncodeSettings(codec=codec, preset=preset)
    with FreshEncoder(video, settings, MUXERS[suffix]) as encoder:
        segment = write_segment(folder, 0, read(source), encoder)
        return segment, encoder.decoder()


@pytest.mark.parametrize(("codec", "suffix"), HELD)
def test_what_every_encoder_writes_passes(source, tmp_path, codec, suffix):
    segment, decoder = written(tmp_path, source, codec, suffix)
    check_segment(tmp_path, segment, decoder)


@pytest.mark.parametrize(("codec", "suffix"), HELD)
def test_every_container_gives_the_packets_back(source, untouched, tmp_path, codec, suffix):
    output = tmp_path / f"o.{suffix}"
    encode = EncodeSettings(codec=codec, preset="superfast" if CODECS[codec].preset else None)
    report = convert(source, output, untouched, write=replace(SHORT, encode=encode))
    assert (report.frames, report.segments) == (12, 3)


class GivesPackets:
    """An encoder whose packets are there already."""

    def __init__(self, header: str, packets: list[StoredPacket]):
        self.header, self._packets = header, packets

    def encode(self, frame: object) -> list[av.Packet]:
        made = []
        for stored in self._packets if frame is None else ():
            packet = av.Packet(stored.content)
            packet.pts, packet.is_keyframe = stored.frame, stored.keyframe
            made.append(packet)
        return made


def changed(folder: Path, segment: Segment, change: Change) -> Segment:
    """Return a segment whose file is what was written, and is wrong."""
    packets = change(list(read_segment(folder, segment)))
    (folder / segment.name).unlink()
    frames: Any = [SimpleNamespace(pts=pts) for pts in range(segment.frames)]
    encoder: Any = GivesPackets(segment.header, packets)
    return write_segment(folder, segment.number, frames, encoder)


@pytest.mark.parametrize("codec", ["h264", "av1", "prores"])
def test_bytes_that_do_not_decode_are_found(source, tmp_path, codec):
    segment, decoder = written(tmp_path, source, codec, CODECS[codec].containers[-1])

    def cut(stored):
        content = stored[3].content
        stored[3] = replace(stored[3], content=content[: len(content) // 2])
        return stored

    with pytest.raises(OutputError, match="did not read back"):
        check_segment(tmp_path, changed(tmp_path, segment, cut), decoder)


def test_a_lost_frame_is_found(source, tmp_path):
    segment, decoder = written(tmp_path, source, preset="ultrafast")

    def say_nothing(stored):
        # An access unit delimiter alone (ITU-T H.264, 7.3.2.4) shows no frame.
        return [*stored[:-1], replace(stored[-1], content=b"\0\0\0\1\x09\xf0")]

    # A decoder with one thread finds no frame in it; with several it goes on without a word.
    with pytest.raises(OutputError, match=r"has 11 frames|did not read back"):
        check_segment(tmp_path, changed(tmp_path, segment, say_nothing), decoder)


def test_swapped_frames_are_found(source, tmp_path):
    segment, decoder = written(tmp_path, source, "prores", "mov")

    def swap(stored):
        stored[3], stored[4] = replace(stored[3], frame=4), replace(stored[4], frame=3)
        return stored

    with pytest.raises(OutputError, match="shows frame 4 instead of frame 3"):
        check_segment(tmp_path, changed(tmp_path, segment, swap), decoder)


@pytest.fixture
def clip(make_clip, sound) -> Path:
    return make_clip("in/a.mp4", frames=23, sounds=(sound(),))


def test_a_damaged_segment_ends_the_run(clip, painter, tmp_path, monkeypatch):
    """The second segment is damaged on the disk; the first is kept, and nothing gets the name."""
    original = segment_check.check_segment

    def damage_first(folder: Path, segment: Segment, decoder) -> None:
        if segment.number == 1:
            path = folder / segment.name
            content = bytearray(path.read_bytes())
            content[-10] ^= 1
            path.write_bytes(content)
        original(folder, segment, decoder)

    monkeypatch.setattr(segment_check, "check_segment", damage_first)
    output = tmp_path / "out" / "o.mp4"
    with pytest.raises(OutputError, match="is not what was written") as caught:
        convert(clip, output, painter, write=SHORT)
    assert caught.value.path == output
    assert not output.exists()
    monkeypatch.undo()
    assert convert(clip, output, painter, write=SHORT).segments_reused == 1


def test_checks_overlap_with_stylization_and_are_noted_after(
    make_clip, painter, tmp_path, monkeypatch
):
    """The first segment's check waits until the second is under way.

    The second has 20 frames, more than the stages can run ahead of each other.
    """
    clip = make_clip(frames=45)
    output, original = tmp_path / "o.mp4", segment_check.check_segment
    went_on, noted, waited = threading.Event(), [], []

    def wait_first(folder: Path, segment: Segment, decoder) -> None:
        if segment.number == 0:
            waited.append(went_on.wait(10))
            noted.append((folder / "manifest.json").exists())
        original(folder, segment, decoder)

    monkeypatch.setattr(segment_check, "check_segment", wait_first)
    convert(
        clip,
        output,
        painter,
        write=WriteSettings(segment=0.8),
        handle=on_frame(lambda count: went_on.set() if count == 36 else None),
    )
    assert waited == [True]
    assert noted == [False]
    assert output.exists()


class Tampering:
    """A container that does something else to the fifth packet of the video."""

    def __init__(self, container, stream, tamper):
        self._container, self._stream, self._tamper = container, stream, tamper
        self._count = 0

    def mux(self, packet: av.Packet) -> None:
        if packet.stream is self._stream:
            self._count += 1
            if self._count == 5 and not self._tamper(packet):
                return
        self._container.mux(packet)


def lose(_packet: av.Packet) -> bool:
    return False


def move(packet: av.Packet) -> bool:
    packet.pts += 7
    return True


@pytest.mark.parametrize(
    ("tamper", "why"), [(lose, "has 22 frames instead of 23"), (move, "frame . is at 0.*instead")]
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_muxer_that_does_something_else(
    clip, painter, tmp_path, monkeypatch, suffix, tamper, why
):
    original = FinishedFile.write

    def write(self, *arguments) -> None:
        self._container = Tampering(self._container, self._stream, tamper)
        original(self, *arguments)

    monkeypatch.setattr(FinishedFile, "write", write)
    output = tmp_path / f"o.{suffix}"
    with pytest.raises(OutputError, match=why):
        convert(clip, output, painter, write=SHORT)
    assert not output.exists()


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm"])
def test_a_finished_file_whose_video_is_damaged(clip, painter, tmp_path, monkeypatch, suffix):
    # Some of its bytes zeroed, as by a bad disk.

    def zero_first(partial: Path, *arguments) -> None:
        with av.open(str(partial)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            largest = max(packets, key=lambda packet: packet.size)
            content, whole = bytes(largest), partial.read_bytes()
        assert whole.count(content) == 1
        damaged = content[: len(content) // 2].ljust(len(content), b"\0")
        partial.write_bytes(whole.replace(content, damaged))
        verify(partial, *arguments)

    monkeypatch.setattr("brushreel.batch.clips.container_sink.verify", zero_first)
    output = tmp_path / f"o.{suffix}"
    write = replace(SHORT, audio="opus")
    with pytest.raises(OutputError, match="did not read back: its video differs"):
        convert(clip, output, painter, write=write)
    assert not output.exists()


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_a_finished_file_that_is_cut_short(clip, painter, tmp_path, monkeypatch, suffix):
    def cut_first(partial: Path, *arguments) -> None:
        partial.write_bytes(partial.read_bytes()[:-200])
        verify(partial, *arguments)

    monkeypatch.setattr("brushreel.batch.clips.container_sink.verify", cut_first)
    output = tmp_path / f"o.{suffix}"
    with pytest.raises(OutputError, match="did not read back"):
        convert(clip, output, painter, write=SHORT)
    assert not output.exists()
    assert (work_folder(output) / f"whole.{suffix}").exists()
