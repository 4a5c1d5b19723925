"""Segments are decoded while they are written, and count only afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

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
from brushreel.batch.clips.segment_check import GrowingFile, SegmentCheck, decoded_frames
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.clips.verify import verify
from brushreel.batch.clips.work_folder import work_folder
from brushreel.batch.encoding.codecs import CODECS
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.clips.media import probe, read
from brushreel.core.errors import OutputError

from ..listening import on_frame

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
    """Write a checked segment; return it, and another decoder of it."""
    video, settings = probe(source).video, EncodeSettings(codec=codec, preset=preset)
    with (
        FreshEncoder(video, settings, MUXERS[suffix]) as encoder,
        SegmentCheck(0, encoder.decoder()) as check,
    ):
        return write_segment(folder, 0, read(source), encoder, check), encoder.decoder()


@pytest.mark.parametrize(("codec", "suffix"), HELD)
def test_what_every_encoder_writes_passes(source, tmp_path, codec, suffix):
    segment, _ = written(tmp_path, source, codec, suffix)
    assert segment.frames == 12


@pytest.mark.parametrize(("codec", "suffix"), HELD)
def test_every_container_gives_the_packets_back(source, untouched, tmp_path, codec, suffix):
    output = tmp_path / f"o.{suffix}"
    encode = EncodeSettings(codec=codec, preset="superfast" if CODECS[codec].preset else None)
    report = convert(source, output, untouched, write=replace(SHORT, encode=encode))
    assert (report.frames, report.segments) == (12, 3)


@pytest.mark.parametrize("codec", ["h264", "av1", "prores"])
def test_bytes_that_do_not_decode_are_found(source, tmp_path, codec):
    segment, decoder = written(tmp_path, source, codec, CODECS[codec].containers[-1])
    stored = list(read_segment(tmp_path, segment))
    content = stored[3].content
    stored[3] = replace(stored[3], content=content[: len(content) // 2])
    with pytest.raises(OutputError, match="did not read back: segment 0"):
        decoded_frames(stored, decoder, "segment 0")


def test_a_lost_frame_is_found(source, tmp_path):
    segment, decoder = written(tmp_path, source, preset="ultrafast")
    stored = list(read_segment(tmp_path, segment))
    # An access unit delimiter alone (ITU-T H.264, 7.3.2.4) shows no frame.
    stored[-1] = replace(stored[-1], content=b"\0\0\0\1\x09\xf0")
    # A decoder with one thread finds no frame in it; with several it goes on without a word.
    try:
        assert decoded_frames(stored, decoder, "segment 0") == 11
    except OutputError as error:
        assert "did not read back" in str(error)


def test_swapped_frames_are_found(source, tmp_path):
    segment, decoder = written(tmp_path, source, "prores", "mov")
    stored = list(read_segment(tmp_path, segment))
    stored[3], stored[4] = replace(stored[3], frame=4), replace(stored[4], frame=3)
    with pytest.raises(OutputError, match="shows frame 4 instead of frame 3"):
        decoded_frames(stored, decoder, "segment 0")


def test_a_check_misses_frames_and_other_bytes(source, tmp_path):
    segment, decoder = written(tmp_path, source, "prores", "mov")
    path = tmp_path / segment.name
    for frames, digest, why in (
        (13, segment.digest, "has 12 frames instead of 13"),
        (12, "0" * 32, "is not what was written"),
    ):
        with SegmentCheck(0, decoder) as check:
            check.grown(path, path.stat().st_size)
            with pytest.raises(OutputError, match=why):
                check.finish(frames, digest)


def test_reading_waits_for_what_is_to_come(tmp_path):
    path, file = tmp_path / "file", GrowingFile()
    path.write_bytes(b"abcdef")
    file.grown(path, 4)
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(file.read, 4).result(10) == b"abcd"
        more = thread.submit(file.read, 4)
        assert not wait([more], 0.1).done
        file.grown(path, 5)
        assert not wait([more], 0.1).done
        file.grown(path, 6)
        file.end()
        assert more.result(10) == b"ef"
    assert file.waited > 0
    file.close()


@pytest.fixture
def clip(make_clip, sound) -> Path:
    return make_clip("in/a.mp4", frames=23, sounds=(sound(),))


class Damaging(SegmentCheck):
    """A check whose second segment is damaged on the disk before it is read."""

    def grown(self, path: Path, size: int) -> None:
        if self._where == "segment 1":
            with path.open("r+b") as file:
                file.seek(-10, os.SEEK_END)
                last = file.read(1)
                file.seek(-10, os.SEEK_END)
                file.write(bytes([last[0] ^ 1]))
        super().grown(path, size)


def test_a_damaged_segment_ends_the_run(clip, painter, tmp_path, monkeypatch):
    """The first segment is kept, and nothing gets the name."""
    monkeypatch.setattr(segment_check, "SegmentCheck", Damaging)
    output = tmp_path / "out" / "o.mp4"
    with pytest.raises(OutputError, match="did not read back: segment 1") as caught:
        convert(clip, output, painter, write=SHORT)
    assert caught.value.path == output
    assert not output.exists()
    monkeypatch.undo()
    assert convert(clip, output, painter, write=SHORT).segments_reused == 1


def test_a_segment_is_checked_while_it_is_written_and_noted_after(
    make_clip, painter, tmp_path, monkeypatch
):
    """Frame 12 of the only segment waits until a packet is read."""
    clip = make_clip("a.mov", frames=20)
    output, original = tmp_path / "o.mov", segment_check.decoded_frames
    begun, noted, waited = threading.Event(), [], []

    def note(packets: Iterable[StoredPacket], decoder, where: str) -> int:
        def passed_on() -> Iterator[StoredPacket]:
            for packet in packets:
                begun.set()
                yield packet

        count = original(passed_on(), decoder, where)
        noted.append((work_folder(output) / "manifest.json").exists())
        return count

    monkeypatch.setattr(segment_check, "decoded_frames", note)
    convert(
        clip,
        output,
        painter,
        write=WriteSettings(encode=EncodeSettings(codec="prores")),
        handle=on_frame(lambda count: waited.append(begun.wait(10)) if count == 12 else None),
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
