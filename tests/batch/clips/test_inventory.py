"""Inventories of source and output: what is not carried is named, and nothing else gets lost."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import pytest
from av.stream import Disposition

from brushreel.batch.clips import finish
from brushreel.batch.clips.boxes import add_boxes
from brushreel.batch.clips.clip import convert, inspect_clip
from brushreel.batch.clips.container_sink import ContainerSink
from brushreel.batch.clips.inventory import take
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.errors import OutputError

PQ = (9, 1, 9, 16)
QUARTER_TURN = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
MASTERED = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
CHAPTERS = [
    {"id": n, "start": n * 200, "end": n * 200 + 200, "time_base": Fraction(1, 1000)}
    | {"metadata": {"title": title}}
    for n, title in enumerate(("one", "two"))
]


_add_video_stream = finish.add_video_stream


def unrotated(container, video, settings):
    """Begin a stream as the program does, but forget its rotation."""
    stream, picture = _add_video_stream(container, video, settings)
    stream.set_display_matrix(None)
    return stream, picture


def written_with(codec: str) -> WriteSettings:
    return WriteSettings(encode=EncodeSettings(codec=codec))


@pytest.fixture
def full(make_clip, sound) -> Path:
    """A clip with about everything that Matroska has."""
    clip = make_clip(
        "full.mkv",
        metadata={"title": "Waves", "DIRECTOR": "N. N."},
        chapters=CHAPTERS,
        sounds=(
            sound(metadata={"language": "ger", "title": "main"}),
            sound("flac", metadata={"title": "comments", "COMPOSER": "N. N."}),
        ),
        picture_metadata={"timecode": "10:20:30:05"},
    )
    target = clip.with_name("marked.mkv")
    with av.open(str(clip)) as old, av.open(str(target), "w") as new:
        new.metadata.update(old.metadata)
        new.set_chapters(old.chapters())
        copies = {own.index: new.add_stream_from_template(own) for own in old.streams}
        for own in old.streams:
            copies[own.index].metadata.update(own.metadata)
        copies[2].disposition = Disposition.comment | Disposition.original
        new.add_attachment("a.ttf", "font/ttf", b"\1" * 99)
        for packet in old.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
    return target


def test_everything_is_carried_where_there_is_a_place(full, tmp_path, untouched):
    report = convert(full, tmp_path / "out.mkv", untouched)
    assert not report.warnings
    before, after = take(full), take(tmp_path / "out.mkv")
    assert (before.streams, before.tags) == (after.streams, after.tags)
    assert (before.chapters, after.picture["timecode"]) == (after.chapters, True)
    assert before.tags == {"title": "Waves", "director": "N. N."}
    assert before.chapters == ("one", "two")
    assert before.picture["timecode"]
    assert [own.type for own in before.streams] == ["audio", "audio", "attachment"]
    assert before.streams[1].marks == {"comment", "original"}


def test_a_dry_run_names_all_that_another_container_loses(full, tmp_path, untouched):
    lost = (
        "not kept of track 2, as mp4 has no place for it: composer",
        "that track 2 is marked original is not kept: mp4 has no place for it",
        "track 3 (attachment, unknown) is left out: mp4 has no place for it",
    )
    assert inspect_clip(full, tmp_path / "out.mp4")[1] == lost
    assert convert(full, tmp_path / "out.mp4", untouched).warnings == lost
    found = take(tmp_path / "out.mp4")
    assert found.tags == {"title": "Waves", "director": "N. N."}
    assert found.chapters == ("one", "two")
    assert found.picture["timecode"]
    assert found.streams[0].tags == {"language": "ger", "title": "main"}
    # And on.
    assert not inspect_clip(tmp_path / "out.mp4", tmp_path / "again.mp4")[1]


@pytest.mark.parametrize(("name", "timecode"), [("out.%d.png", False), ("out.%d.exr", True)])
def test_images_keep_the_picture_alone(full, tmp_path, untouched, name, timecode):
    _, warnings = inspect_clip(full, tmp_path / name)
    assert ("its timecode is not kept: images have no place for it" in warnings) != timecode
    assert {
        "track 1 (audio, aac) is left out: images have no place for it",
        "track 2 (audio, flac) is left out: images have no place for it",
        "track 3 (attachment, unknown) is left out: images have no place for it",
        "not kept, as images have no place for them: 2 chapters",
        "not kept of its metadata, as images have no place for it: director, title",
    } <= set(warnings)
    assert convert(full, tmp_path / name, untouched).warnings == warnings


def test_a_gif_keeps_the_picture_alone(full, tmp_path):
    _, warnings = inspect_clip(full, tmp_path / "out.gif")
    assert "not kept, as GIF has no place for them: 2 chapters" in warnings
    assert "track 2 (audio, flac) is left out: GIF has no place for it" in warnings


class TestPicture:
    def test_mastering_metadata(self, make_clip, tmp_path, untouched):
        source = make_clip(
            "pq.mp4",
            codec="libx265",
            pixel_format="yuv420p10le",
            colour=PQ,
            options={"x265-params": f"log-level=error:master-display={MASTERED}:max-cll=1000,400"},
        )
        lost = ("mastering metadata is not kept",)
        settings = written_with("prores")
        assert inspect_clip(source, tmp_path / "out.mov", write=settings)[1] == lost
        assert convert(source, tmp_path / "out.mov", untouched, write=settings).warnings == lost
        assert not inspect_clip(source, tmp_path / "out.mp4")[1]

    def test_bits_that_are_not_read(self, make_clip, tmp_path):
        source = make_clip("deep.mkv", codec="ffv1", pixel_format="yuv444p16le")
        _, warnings = inspect_clip(source, tmp_path / "out.mkv", write=written_with("ffv1"))
        assert "written with 12 bits instead of 16" in warnings

    def test_coarser_chroma_and_fewer_bits(self, make_clip, tmp_path):
        source = make_clip("fine.mkv", codec="ffv1", pixel_format="yuv444p10le", size=(256, 128))
        settings = WriteSettings(encode=EncodeSettings(codec="dnxhr", profile="hqx"))
        _, warnings = inspect_clip(source, tmp_path / "out.mov", write=settings)
        assert "written as yuv422p10le instead of yuv444p10le" in warnings

    def test_two_views_that_the_stream_states(self, make_clip, tmp_path):
        """They are a message in the stream (H.264, D.2.26), and no box of the container."""
        source = make_clip("views.mp4", options={"x264-params": "frame-packing=3"})
        _, warnings = inspect_clip(source, tmp_path / "out.mp4")
        assert any("two views (stereo) is not kept" in line for line in warnings)

    def test_turned_and_wide_clips_are_carried(self, make_clip, tmp_path):
        facts = {"display_matrix": QUARTER_TURN, "sample_aspect_ratio": Fraction(16, 11)}
        source = make_clip("a.mp4", **facts)
        assert not inspect_clip(source, tmp_path / "out.mp4")[1]
        assert not inspect_clip(source, tmp_path / "out.mov")[1]


def message(country_on: bytes) -> bytes:
    """Return an H.264 message of registered user data, for MP4 (H.264, D.1.6)."""
    content = b"\x06\x04" + bytes((len(country_on),)) + country_on + b"\x80"
    return len(content).to_bytes(4) + content


CAPTIONS = b"\xb5\x00\x31GA94\x03\x41\xff\xfc\x94\x2c\xff"
HDR10_PLUS = b"\xb5\x00\x3c\x00\x01\x04\x01\x40\x00\x0c\x80\x00\x00\x00\x00\x00\x00"


@pytest.mark.parametrize(
    ("user_data", "line"),
    [
        (CAPTIONS, "closed captions in the frames (CEA-608, CEA-708) of later frames are not kept"),
        (HDR10_PLUS, "HDR10+ metadata of later frames are not kept"),
    ],
)
def test_what_later_frames_carry_is_known_from_packets(
    make_clip, tmp_path, untouched, user_data, line
):
    plain, source = make_clip("plain.mp4"), tmp_path / "a.mp4"
    with av.open(str(plain)) as old, av.open(str(source), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(video=0)):
            if packet.size:
                changed = av.Packet(message(user_data) * (number > 5) + bytes(packet))
                changed.pts, changed.dts, changed.time_base = (
                    packet.pts,
                    packet.dts,
                    packet.time_base,
                )
                changed.is_keyframe, changed.stream = packet.is_keyframe, copy
                changed.duration = packet.duration
                new.mux(changed)
    assert not inspect_clip(plain, tmp_path / "out.mp4")[1]
    assert inspect_clip(source, tmp_path / "out.mp4")[1] == (line,)
    assert convert(source, tmp_path / "out.mp4", untouched).warnings == (line,)


def test_boxes_that_nobody_reads_are_named(make_clip, tmp_path):
    source = make_clip("a.mp4")
    with source.open("r+b") as file:
        box = struct.pack(">I4s", 12, b"GPMF") + b"1234"
        add_boxes(file, [struct.pack(">I4s", 8, b"abcd")], [struct.pack(">I4s", 20, b"udta") + box])
    _, warnings = inspect_clip(source, tmp_path / "out.mp4")
    assert warnings == ("boxes that only other programs read are not kept: abcd, udta/GPMF",)


class TestUnannounced:
    """Losses in what is written that the trial did not show."""

    @pytest.fixture
    def only_in_the_end(self, monkeypatch):
        """Let a step go wrong once the trial is over."""

        def change(target: object, name: str, broken: Any) -> None:
            tried = ContainerSink._tried_out

            def try_out(sink: ContainerSink) -> Any:
                found = tried(sink)
                monkeypatch.setattr(target, name, broken)
                return found

            monkeypatch.setattr(ContainerSink, "_tried_out", try_out)

        return change

    def test_a_text_is_reported(self, full, tmp_path, untouched, only_in_the_end):
        whole = finish.copy_metadata

        def without_title(source, target):
            whole(source, target)
            target.metadata.pop("title")

        only_in_the_end(finish, "copy_metadata", without_title)
        report = convert(full, tmp_path / "out.mkv", untouched)
        assert report.warnings == (
            "unexpectedly, not kept of its metadata, as matroska has no place for it: title",
        )

    def test_chapters_fail_verification(self, full, tmp_path, untouched, only_in_the_end):
        only_in_the_end(
            finish, "copy_metadata", lambda source, target: target.metadata.update(source.metadata)
        )
        with pytest.raises(OutputError, match=r"is not as its source: .*2 chapters"):
            convert(full, tmp_path / "out.mkv", untouched)
        assert not (tmp_path / "out.mkv").exists()

    def test_a_rotation_fails_verification(self, make_clip, tmp_path, untouched, only_in_the_end):
        source = make_clip("a.mp4", display_matrix=QUARTER_TURN)
        only_in_the_end(finish, "add_video_stream", unrotated)
        with pytest.raises(OutputError, match="is not as its source: its rotation"):
            convert(source, tmp_path / "out.mp4", untouched)

    def test_a_rotation_that_no_trial_keeps_is_a_fault_at_once(
        self, make_clip, tmp_path, monkeypatch
    ):
        source = make_clip("a.mp4", display_matrix=QUARTER_TURN)
        monkeypatch.setattr(finish, "add_video_stream", unrotated)
        with pytest.raises(OutputError, match="would not be as its source: its rotation"):
            inspect_clip(source, tmp_path / "out.mp4")


def test_a_trial_that_can_not_be_written_stops_nothing(full, tmp_path, untouched, monkeypatch):
    def fail(file: finish.FinishedFile) -> None:
        raise av.error.InvalidDataError(1, "damaged")

    monkeypatch.setattr(finish.FinishedFile, "write_trial", fail)
    _, warnings = inspect_clip(full, tmp_path / "out.mp4")
    assert warnings == ("track 3 (attachment, unknown) is left out: mp4 has no place for it",)
    report = convert(full, tmp_path / "out.mp4", untouched)
    assert any(line.startswith("unexpectedly, not kept of track 2") for line in report.warnings)
