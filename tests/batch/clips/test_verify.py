"""Verification: a written clip that is not what was meant is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.stream import AttachmentStream, Stream

from brushreel.batch.clips.mux import CopiedTrack
from brushreel.batch.clips.packet_units import VideoDigest
from brushreel.batch.clips.track_digest import TrackDigest
from brushreel.batch.clips.verify import Expectation, ExpectedVideo, verify
from brushreel.core.clips.clip_info import StreamInfo
from brushreel.core.errors import OutputError

NAME = Path("final.mp4")


def expectation(path: Path) -> Expectation:
    """Return what is expected had this clip been written, found with PyAV alone."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        tracks = {other.index: copied(other) for other in container.streams if other != video}
        assert video.time_base is not None
        expected = Expectation(video.time_base, tracks=list(tracks.values()))
        for packet in container.demux():
            if packet.stream.index != video.index:
                tracks[packet.stream.index].digest.add(packet)
                continue
            for frame in packet.decode():
                assert isinstance(frame, av.VideoFrame)
                assert frame.pts is not None
                expected.pts.append(frame.pts)
                expected.last_end = frame.pts + frame.duration
    expected.video = written_video(path)
    return expected


def copied(stream: Stream) -> CopiedTrack:
    digest = TrackDigest()
    if isinstance(stream, AttachmentStream):
        digest.add_content(stream.data)
    return CopiedTrack(StreamInfo(stream.index, stream.type, "any", None), stream, digest)


def written_video(path: Path) -> ExpectedVideo:
    """Return what would have been noted of the video stream, had the encoder written MP4's form."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        extradata = bytes(context.extradata or b"")
        codec = context.codec.canonical_name
        digest = VideoDigest(codec, extradata)
        # As MP4 states them: SPS and PPS behind their lengths (ISO/IEC 14496-15, 5.3.3.1).
        header = annex_b(extradata) if codec == "h264" else extradata
        video = ExpectedVideo(codec, (context.width, context.height), header, digest)
        for packet in container.demux(stream):
            if packet.size:
                video.add(packet)
    return video


def annex_b(record: bytes) -> bytes:
    units, position = b"", 5
    for mask in (31, 255):
        count, position = record[position] & mask, position + 1
        for _ in range(count):
            end = position + 2 + int.from_bytes(record[position : position + 2])
            units += b"\0\0\0\1" + record[position + 2 : end]
            position = end
    return units


@pytest.fixture
def clip(make_clip, sound) -> Path:
    return make_clip("meant.mp4", sounds=(sound(), sound("libmp3lame")))


@pytest.fixture
def meant(clip) -> Expectation:
    return expectation(clip)


def test_what_was_meant_passes(clip, meant):
    verify(clip, meant, NAME)


def assert_refused(path: Path, meant: Expectation, why: str) -> None:
    with pytest.raises(OutputError, match=why) as caught:
        verify(path, meant, NAME)
    assert caught.value.path == NAME
    assert "\n" not in str(caught.value)


def test_a_frame_too_few_or_too_many(make_clip, sound, meant):
    tracks = (sound(), sound("libmp3lame"))
    assert_refused(make_clip("a.mp4", frames=9, sounds=tracks), meant, "9 frames instead of 10")
    assert_refused(make_clip("b.mp4", frames=11, sounds=tracks), meant, "11 frames instead of 10")


def test_a_frame_at_another_time(make_clip, meant):
    moved = make_clip("a.mp4", times=[0, 1, 2, 3, 5, 6, 7, 8, 9, 10])
    assert_refused(moved, meant, "frame 4 is at 0.2.* instead of 0.16")


def test_times_off_by_less_than_a_millisecond(make_clip, meant):
    ticks = Fraction(1, 90_000)
    times = [3600 * number for number in range(10)]
    rounded = make_clip("a.mkv", time_base=ticks, times=times)
    video = replace(written_video(rounded), pts=meant.pts)
    verify(rounded, replace(meant, tracks=(), video=video), NAME)
    times[5] += 1
    assert_refused(make_clip("a.mp4", time_base=ticks, times=times), meant, "frame 5 is at")


def test_tolerance_is_for_containers_that_round(make_clip):
    exact = expectation(make_clip("a.mp4", rate=Fraction(24000, 1001)))
    rounded = make_clip("a.mkv", rate=Fraction(24000, 1001))
    assert_refused(rounded, exact, "frame 1 is at 0.042")
    exact.tolerance = Fraction(1, 2000)
    verify(rounded, exact, NAME)
    exact.tolerance = Fraction(1, 10_000)
    assert_refused(rounded, exact, "frame 1 is at 0.042")


def test_a_last_frame_that_lasts_too_long_or_too_short(clip, meant):
    meant.last_end += meant.pts[1]
    assert_refused(clip, meant, "ends at 0.4.* instead of 0.44")
    meant.last_end -= 2 * meant.pts[1]
    assert_refused(clip, meant, "ends at 0.4.* instead of 0.36")


def test_other_video(make_clip, sound, meant):
    tracks = (sound(), sound("libmp3lame"))
    assert_refused(make_clip("a.mp4", first=3, sounds=tracks), meant, "video differs")


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
def test_one_changed_byte_of_the_video(make_clip, container):
    clip = make_clip(f"a.{container}")
    meant = expectation(clip)
    verify(clip, meant, NAME)
    with av.open(str(clip)) as opened:
        last = bytes([p for p in opened.demux(video=0) if p.size][-1])
    content = bytearray(clip.read_bytes())
    content[content.rindex(last) + len(last) - 1] ^= 1
    clip.write_bytes(content)
    assert_refused(clip, meant, "video differs")


def test_swapped_times(clip, meant):
    pts = meant.video.pts
    pts[2], pts[3] = pts[3], pts[2]
    assert_refused(clip, meant, "frame . is at")


def test_a_header_of_another_encoder(make_clip, clip, meant):
    other = expectation(make_clip("other.mp4", options={"preset": "medium"}))
    assert other.video.header != meant.video.header
    meant.video.header = other.video.header
    assert_refused(clip, meant, "header differs")


def test_another_codec_or_size(clip, meant):
    width, height = meant.video.size
    meant.video.size = (width + 2, height)
    assert_refused(clip, meant, f"is h264 {width}x{height} instead of h264 {width + 2}x{height}")
    meant.video.size, meant.video.codec = (width, height), "hevc"
    assert_refused(clip, meant, "is h264 .* instead of hevc")


def test_frames_that_an_edit_list_hides(clip, meant):
    """FFmpeg starts playing at the second frame; all packets are still there."""
    content = clip.read_bytes()
    at = content.index(b"elst")
    media_time = content[at + 16 : at + 20]
    first = int.from_bytes(media_time) + meant.pts[1]
    clip.write_bytes(content[: at + 16] + first.to_bytes(4) + content[at + 20 :])
    assert_refused(clip, meant, "9 frames instead of 10|frame . is at")


def test_other_sound(make_clip, sound, meant):
    other = make_clip("a.mp4", sounds=(sound(hertz=441), sound("libmp3lame")))
    assert_refused(other, meant, "audio track 0 differs")


def test_a_lost_packet(make_clip, sound, meant):
    short = make_clip("a.mp4", sounds=(sound(), sound("libmp3lame", seconds=Fraction(2, 5))))
    assert_refused(short, meant, "audio track 1 differs")


def test_a_lost_track(make_clip, sound, meant):
    assert_refused(make_clip("a.mp4", sounds=(sound(),)), meant, "1 audio tracks instead of 2")
    assert_refused(make_clip("b.mp4"), meant, "0 audio tracks instead of 2")


def test_swapped_tracks(make_clip, sound, meant):
    swapped = make_clip("a.mp4", sounds=(sound("libmp3lame"), sound()))
    assert_refused(swapped, meant, "audio track 0 differs")


@pytest.mark.parametrize("start", [Fraction(1, 100), Fraction(1, 2)])
def test_moved_sound(make_clip, sound, meant, start):
    moved = make_clip("a.mp4", sounds=(sound(), sound("libmp3lame", start=start)))
    assert_refused(moved, meant, "audio track 1 starts at another time")


@pytest.mark.parametrize("level", ["standard", "full"])
def test_subtitles(make_clip, level):
    meant = expectation(make_clip("a.mkv", subtitles=["one", "two"]))
    verify(make_clip("b.mkv", subtitles=["one", "two"]), meant, NAME, level)
    with pytest.raises(OutputError, match="0 subtitle tracks instead of 1"):
        verify(make_clip("c.mkv"), meant, NAME, level)
    other = make_clip("d.mkv", subtitles=["one", "zwei"])
    if level == "standard":
        verify(other, meant, NAME, level)
        return
    with pytest.raises(OutputError, match="subtitle track 0 differs"):
        verify(other, meant, NAME, level)


def with_font(source: Path, content: bytes) -> Path:
    target = source.with_name(f"font {content[0]}.mkv")
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0])
        new.add_attachment("a.ttf", "font/ttf", content)
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                new.mux(packet)
    return target


def test_attachments(make_clip):
    plain = make_clip("a.mkv")
    meant = expectation(with_font(plain, b"\1" * 500))
    verify(with_font(plain, b"\1" * 500), meant, NAME, "full")
    with pytest.raises(OutputError, match="0 attachment tracks instead of 1"):
        verify(plain, meant, NAME)
    with pytest.raises(OutputError, match="attachment track 0 differs"):
        verify(with_font(plain, b"\2" * 500), meant, NAME, "full")


def test_files_that_do_not_read_back(clip, meant, tmp_path):
    assert_refused(tmp_path / "none.mp4", meant, "did not read back: no such file")
    text = tmp_path / "text.mp4"
    text.write_text("not a clip")
    assert_refused(text, meant, "did not read back")
    content = clip.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: len(content) // 2])
    assert_refused(cut, meant, "did not read back")


def test_the_expectation_stays_small():
    expected = Expectation(Fraction(1, 25))
    assert expected.pts.itemsize <= 8
