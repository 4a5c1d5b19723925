"""Streams that are passed through packet for packet, and warnings about the others."""

from __future__ import annotations

import io
import re
from fractions import Fraction
from pathlib import Path

import av
import av.error
import pytest
from av.stream import AttachmentStream, Disposition
from PIL import Image

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.mux import CopiedTracks, movie_timescale, supports
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.clips.track_digest import TrackDigest, payload
from brushreel.core.clips.media import ClipReader
from brushreel.core.errors import OutputError


def packets(path: Path, kind: str = "audio") -> list[av.Packet]:
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [packet for packet in container.demux(stream) if packet.dts is not None]


def digest(of: list[av.Packet]) -> TrackDigest:
    made = TrackDigest()
    for packet in of:
        made.add(packet)
    return made


def test_adts_and_plain_aac_have_one_payload(make_clip, sound):
    stream = packets(make_clip("a.ts", sounds=(sound(),)))
    plain = packets(make_clip("a.mp4", sounds=(sound(),)))
    assert bytes(stream[3]) != bytes(plain[3])
    assert [bytes(payload(packet)) for packet in stream] == [bytes(packet) for packet in plain]
    assert digest(stream).same_content(digest(plain))


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "flac"])
def test_the_payload_of_everything_else_is_the_packet(make_clip, sound, codec):
    for packet in packets(make_clip("a.mkv", sounds=(sound(codec),))):
        assert bytes(payload(packet)) == bytes(packet)


def test_a_digest_tells_number_content_and_order(make_clip, sound):
    some = packets(make_clip(sounds=(sound(),)))
    other = packets(make_clip(sounds=(sound(hertz=500),)))
    whole = digest(some)
    assert whole.same_content(digest(some))
    assert whole.packets == len(some)
    assert whole.start == some[0].pts * some[0].time_base
    assert not whole.same_content(digest(some[:-1]))
    assert not whole.same_content(digest(other))
    assert not whole.same_content(digest([some[1], some[0], *some[2:]]))


@pytest.mark.parametrize(
    ("rate", "audio_rate"), [(Fraction(24000, 1001), 44_100), (Fraction(25), 48_000)]
)
def test_the_movie_counts_in_ticks_of_every_track(make_clip, sound, rate, audio_rate):
    source = make_clip(rate=rate, sounds=(sound(rate=audio_rate),))
    with ClipReader(source) as reader:
        scale = movie_timescale(reader)
        for stream in reader.container.streams:
            assert stream.time_base is not None
            assert (scale * stream.time_base).denominator == 1
        assert scale % audio_rate == 0
        assert scale < 2**31


def test_the_movie_s_ticks_stay_in_32_bits(make_clip, sound):
    source = make_clip(
        time_base=Fraction(1, 999_983), times=[0, 40_000, 80_000], sounds=(sound(rate=44_100),)
    )
    with ClipReader(source) as reader:
        assert 1000 <= movie_timescale(reader) < 2**31


@pytest.mark.parametrize("name", ["a.mov", "a.mp4"])
def test_the_start_timecode_is_kept(make_clip, painter, tmp_path, name):
    source = make_clip(name, metadata={"timecode": "10:20:30:05"}, frames=3)
    output = tmp_path / "out" / name
    report = convert(source, output, painter)
    with av.open(str(output)) as container:
        assert container.streams.video[0].metadata["timecode"] == "10:20:30:05"
        assert [s.type for s in container.streams].count("data") == 1
    assert report.warnings == ()


def with_cover(source: Path) -> Path:
    """Copy a clip, and add a cover image."""
    target = source.with_name("covered.mp4")
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 32, 32, "rgb24"
    encoder.time_base = Fraction(1, 25)
    cover = encoder.encode(av.VideoFrame(32, 32, "rgb24"))[0]
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        copies = {s.index: new.add_stream_from_template(s) for s in old.streams}
        picture = new.add_stream("png", rate=25)
        picture.width, picture.height, picture.pix_fmt = 32, 32, "rgb24"
        picture.disposition = Disposition.attached_pic
        new.start_encoding()
        cover.stream = picture
        cover.pts = cover.dts = 0
        new.mux(cover)
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
    return target


def with_attached_image(source: Path, codec: str) -> tuple[Path, bytes]:
    """Copy a clip to Matroska, and attach an image as its cover."""
    target, pixels = source.with_name(f"{codec}.mkv"), io.BytesIO()
    kind = {"mjpeg": "JPEG", "png": "PNG"}[codec]
    Image.new("RGB", (32, 32), (200, 30, 60)).save(pixels, kind)
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        stream.disposition = Disposition.default | Disposition.original
        new.add_attachment("my cover", f"image/{kind.lower()}", pixels.getvalue())
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    return target, pixels.getvalue()


@pytest.mark.parametrize("codec", ["mjpeg", "png"])
class TestAttachedImage:
    def test_it_is_attached_again(self, make_clip, untouched, tmp_path, codec):
        source, content = with_attached_image(make_clip(), codec)
        assert not [
            w for w in convert(source, tmp_path / "o.mkv", untouched).warnings if "out" in w
        ]
        with av.open(str(tmp_path / "o.mkv")) as written:
            video, cover = written.streams.video
            assert video.disposition == Disposition.default | Disposition.original
            assert cover.disposition & Disposition.attached_pic
            assert cover.metadata["filename"] == "my cover"
            (packet,) = [p for p in written.demux(cover) if p.size]
            assert bytes(packet) == content

    def test_mp4_has_it_as_its_cover_and_mov_says_that_it_has_not(
        self, make_clip, untouched, tmp_path, codec
    ):
        source, _ = with_attached_image(make_clip(), codec)
        convert(source, tmp_path / "o.mp4", untouched)
        with av.open(str(tmp_path / "o.mp4")) as written:
            assert written.streams.video[1].disposition & Disposition.attached_pic
        report = convert(source, tmp_path / "o.mov", untouched)
        assert f"track 1 (video, {codec}) is left out: mov has no place for it" in report.warnings


def test_a_video_stream_is_the_default_one_in_matroska(make_clip, untouched, tmp_path):
    for name in ("a.mp4", "a.ts", "a.avi"):
        convert(make_clip(name, codec="mpeg4"), tmp_path / f"{name}.mkv", untouched)
        with av.open(str(tmp_path / f"{name}.mkv")) as written:
            assert written.streams.video[0].disposition & Disposition.default


def test_a_cover_picture_is_kept_and_not_stylized(make_clip, sound, painter, tmp_path, read_clip):
    source = with_cover(make_clip(sounds=(sound(),)))
    output = tmp_path / "out" / "o.mp4"
    report = convert(source, output, painter)
    before, after = read_clip(source), read_clip(output)
    assert report.frames == len(after.times) == 10
    covers = [[t for t in clip.others if t.type == "video"] for clip in (before, after)]
    assert covers[0][0].disposition & Disposition.attached_pic
    assert len(covers[0][0].contents) == 1
    assert [t.contents for t in covers[1]] == [t.contents for t in covers[0]]
    assert covers[1][0].disposition & Disposition.attached_pic


def test_which_track_plays_by_default_is_kept(make_clip, sound, painter, tmp_path, read_clip):
    source = make_clip("plain.mkv", sounds=(sound(), sound("flac")))
    marked = tmp_path / "marked.mkv"
    marks = (Disposition.default, Disposition(0), Disposition.default | Disposition.comment)
    with av.open(str(source)) as old, av.open(str(marked), "w") as new:
        copies = {s.index: new.add_stream_from_template(s) for s in old.streams}
        for copy, mark in zip(copies.values(), marks, strict=True):
            copy.disposition = mark
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
    convert(marked, tmp_path / "out" / "o.mkv", painter)
    before, after = read_clip(marked), read_clip(tmp_path / "out" / "o.mkv")
    assert len({track.disposition for track in before.audio}) == 2
    assert [t.disposition for t in after.audio] == [t.disposition for t in before.audio]


FULL = WriteSettings(verify="full")


def remade(source: Path, target: Path, add) -> Path:
    """Copy a clip with what `add` puts into the new container; it returns packets to write."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        copies = {s.index: new.add_stream_from_template(s) for s in old.streams}
        extra = add(new)
        new.start_encoding()
        for packet in extra:
            new.mux(packet)
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
    return target


def telemetry(container) -> list[av.Packet]:
    """Add a track of measured values, as action cameras write it."""
    stream = container.add_data_stream("bin_data")
    stream.time_base = Fraction(1, 1000)
    made = []
    for number in range(4):
        packet = av.Packet(b"value %d" % number)
        packet.pts = packet.dts = 100 * number
        packet.duration, packet.time_base, packet.stream = 100, Fraction(1, 1000), stream
        made.append(packet)
    return made


def fonts(container) -> list[av.Packet]:
    container.add_attachment("Grüße.ttf", "font/ttf", bytes(range(256)) * 20)
    return []


def test_a_data_track_is_kept_where_it_can_be(make_clip, sound, painter, tmp_path, read_clip):
    source = remade(make_clip(sounds=(sound(),)), tmp_path / "data.mp4", telemetry)
    report = convert(source, tmp_path / "o.mp4", painter, write=FULL)
    assert report.warnings == ()
    before, after = (
        next(track for track in read_clip(path).others if track.type == "data")
        for path in (source, tmp_path / "o.mp4")
    )
    assert before.contents == (b"value 0", b"value 1", b"value 2", b"value 3")
    assert (after.contents, after.starts) == (before.contents, before.starts)


def test_a_data_track_is_named_where_it_can_not_be_kept(make_clip, painter, tmp_path):
    source = remade(make_clip(), tmp_path / "data.mp4", telemetry)
    report = convert(source, tmp_path / "o.mkv", painter, write=FULL)
    (left_out,) = (line for line in report.warnings if "is left out" in line)
    assert "track 1 (data" in left_out


def attached(path: Path) -> list[tuple[str, str, bytes]]:
    with av.open(str(path)) as container:
        return [
            (stream.metadata["filename"], stream.metadata["mimetype"], stream.data)
            for stream in container.streams
            if isinstance(stream, AttachmentStream)
        ]


def test_attachments_are_kept_in_mkv_and_named_elsewhere(make_clip, painter, tmp_path):
    source = remade(make_clip("a.mkv"), tmp_path / "fonts.mkv", fonts)
    report = convert(source, tmp_path / "o.mkv", painter, write=FULL)
    assert report.warnings == ()
    assert attached(tmp_path / "o.mkv") == attached(source)
    assert attached(source)[0][2] == bytes(range(256)) * 20
    report = convert(source, tmp_path / "o.mp4", painter, write=FULL)
    assert "track 1 (attachment" in report.warnings[0]


def test_a_chapter_track_does_not_become_two(make_clip, painter, tmp_path, read_clip):
    chapters = [
        {
            "id": number,
            "start": 200 * number,
            "end": 200 * number + 200,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": str(number)},
        }
        for number in range(2)
    ]
    source = make_clip("a.mov", chapters=chapters)
    report = convert(source, tmp_path / "o.mov", painter, write=FULL)
    assert report.warnings == ()
    before, after = read_clip(source), read_clip(tmp_path / "o.mov")
    assert [track.type for track in before.others] == ["data"]
    assert [track.type for track in after.others] == ["data"]
    assert after.chapters == before.chapters


def test_timecode_goes_into_matroska_as_metadata(make_clip, painter, tmp_path):
    source = make_clip("a.mov", metadata={"timecode": "10:20:30:05"}, frames=3)
    report = convert(source, tmp_path / "o.mkv", painter, write=FULL)
    assert not any("is left out" in line for line in report.warnings)
    with av.open(str(tmp_path / "o.mkv")) as container:
        found = container.metadata | container.streams.video[0].metadata
    assert {key.lower(): value for key, value in found.items()}["timecode"] == "10:20:30:05"


@pytest.mark.parametrize(
    ("codec", "holders"),
    [
        ("aac", {"mp4", "mov", "matroska"}),
        ("flac", {"mp4", "matroska"}),
        ("pcm_u8", {"mov", "matroska"}),
        ("pcm_mulaw", {"mov"}),
        ("adpcm_ms", set()),
    ],
)
def test_what_a_container_holds_is_found_out_by_trying(make_clip, sound, codec, holders):
    source = make_clip("a.avi" if "pcm" in codec else "a.mkv", sounds=(sound(codec),))
    with av.open(str(source)) as container:
        track = container.streams.audio[0]
        assert {muxer for muxer in ("mp4", "mov", "matroska") if supports(muxer, track)} == holders


def test_sound_that_goes_back_in_time_costs_its_own_packets(make_clip, sound, painter, tmp_path):
    whole = make_clip("whole.ts", frames=5, sounds=(sound("mp2", seconds=3),))
    content, end = whole.read_bytes(), whole.stat().st_size // 188 * 188
    # Long after the picture has ended, some packets of the stream come twice.
    again = content[end - 100 * 188 : end - 50 * 188]
    source = tmp_path / "again.ts"
    source.write_bytes(content[: end - 50 * 188] + again + content[end - 50 * 188 :])
    report = convert(source, tmp_path / "o.mp4", painter, write=FULL)
    (warning,) = report.warnings
    assert warning.startswith("track 1: ")
    assert re.search(r": left out, \d+ damaged packets?$", warning)
    assert report.frames == 5


def test_sound_of_which_nothing_can_be_written_is_an_error(make_clip, sound, tmp_path):
    source = make_clip(sounds=(sound(),))
    with ClipReader(source) as reader, av.open(str(tmp_path / "o.mp4"), "w") as target:
        target.add_stream_from_template(reader.container.streams.video[0])
        tracks = CopiedTracks(reader, target)
        for packet in reader.container.demux(audio=0):
            if packet.size:
                packet.pts, packet.dts = 0, 1
                tracks.mux(packet)
        assert tracks.damage
        with pytest.raises(OutputError, match="no packet of track 1"):
            tracks.finish()


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_plain_samples_of_avi_go_into_mp4(make_clip, sound, painter, tmp_path, layout):
    tone = sound("pcm_s16le", layout=layout)
    source = make_clip("a.avi", codec="mpeg4", sounds=(tone,), frames=3)
    report = convert(source, tmp_path / "o.mp4", painter, write=FULL)
    assert (report.audio_tracks, report.warnings) == (1, ())


@pytest.mark.parametrize("cut_away", [True, False])
def test_packets_that_an_edit_list_cuts_away_are_not_called_damaged(
    make_clip, sound, tmp_path, cut_away
):
    class Refusing:
        def mux(self, packet: av.Packet) -> None:
            raise av.error.ArgumentError(22, "its time goes back")

    source = make_clip(sounds=(sound(),))
    content = bytearray(source.read_bytes())
    # The audio's edit list comes second: it begins two packets later.
    entry = content.rindex(b"elst") + 12
    begin = int.from_bytes(content[entry + 4 : entry + 8])
    content[entry + 4 : entry + 8] = (begin + 2048 * cut_away).to_bytes(4)
    source.write_bytes(content)
    with ClipReader(source) as reader, av.open(str(tmp_path / "o.mkv"), "w") as target:
        target.add_stream("libx264", rate=25)
        tracks = CopiedTracks(reader, target)
        tracks._target = Refusing()  # type: ignore[assignment]
        cut = []
        for packet in reader.packets():
            cut.append(packet.is_discard)
            tracks.mux(packet)
    assert sum(tracks.damaged.values()) == cut.count(False)
    assert cut.count(True) == (3 if cut_away else 1)
