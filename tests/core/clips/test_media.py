"""Clips made with PyAV, read back: times and facts must be those that went in."""

from __future__ import annotations

import gc
import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from brushreel.core.clips import clip_info
from brushreel.core.clips.clip_info import (
    VideoInfo,
    _rotation_matrix,
    beside_pixels,
    mastering_display,
)
from brushreel.core.clips.media import ClipReader, probe, read
from brushreel.core.errors import ColourError
from brushreel.core.frames.frame import ChromaLocation, Frame, Matrix, Range

RATE = Fraction(25)


def times(path: Path) -> list[Fraction]:
    return [frame.time for frame in read(path)]


def reorder(stream: av.VideoStream) -> None:
    """Set B-frames, so that frames are not stored in the order that they are shown in."""
    stream.options = {"x264-params": "bframes=3:b-adapt=0:scenecut=0"}


class TestTimes:
    @pytest.mark.parametrize("rate", [(24000, 1001), (30000, 1001), (25, 1), (60, 1)])
    def test_rational_rates_are_exact(self, tmp_path, rate, write_clip):
        rate = Fraction(*rate)
        clip = write_clip(tmp_path / "c.mp4", rate=rate, count=9, prepare=reorder)
        assert times(clip) == [index / rate for index in range(9)]
        video = probe(clip).video
        assert video.frame_rate == rate
        assert video.frames == 9
        assert video.duration == 9 / rate

    @pytest.mark.parametrize("prepare", [None, reorder])
    def test_variable_rate(self, tmp_path, prepare, write_clip):
        pts = [0, 40, 41, 100, 500, 501, 777]
        tick = Fraction(1, 1000)
        clip = write_clip(tmp_path / "c.mp4", time_base=tick, pts=pts, count=7, prepare=prepare)
        assert times(clip) == [ms * tick for ms in pts]

    @pytest.mark.parametrize("prepare", [None, reorder])
    @pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
    def test_a_frame_lasts_until_the_next(self, tmp_path, suffix, prepare, write_clip):
        pts = [0, 40, 41, 100, 500]
        tick = Fraction(1, 1000)
        clip = tmp_path / f"c.{suffix}"
        write_clip(clip, time_base=tick, pts=pts, count=5, prepare=prepare)
        durations = [frame.duration * frame.time_base for frame in read(clip)]
        assert durations[:-1] == [(later - ms) * tick for ms, later in pairwise(pts)]
        assert durations[-1] > 0

    def test_the_last_frame_of_an_mp4_lasts_until_the_track_ends(self, tmp_path, write_clip):
        clip = write_clip(tmp_path / "c.mp4", count=6, prepare=reorder)
        assert {frame.duration * frame.time_base for frame in read(clip)} == {1 / RATE}

    def test_constant_rate_is_known_where_every_sample_is_listed(self, tmp_path, write_clip):
        assert probe(write_clip(tmp_path / "c.mp4", prepare=reorder)).video.constant_rate
        assert not probe(write_clip(tmp_path / "c.mkv")).video.constant_rate

    @pytest.mark.parametrize("suffix", ["mp4", "mkv"])
    def test_variable_rate_is_not_constant(self, tmp_path, suffix, write_clip):
        tick, uneven = Fraction(1, 1000), [0, 40, 41, 100]
        clip = write_clip(tmp_path / f"c.{suffix}", time_base=tick, pts=uneven)
        assert not probe(clip).video.constant_rate

    @pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
    def test_start_offset_stays(self, tmp_path, suffix, write_clip):
        clip = write_clip(tmp_path / f"c.{suffix}", pts=[50, 51, 52, 53])
        assert probe(clip).origin == 0
        assert times(clip) == [Fraction(n, 25) for n in (50, 51, 52, 53)]

    @pytest.mark.parametrize("suffix", ["ts", "mpg"])
    def test_arbitrary_clock_starts_at_zero(self, tmp_path, suffix, write_clip):
        clip = write_clip(tmp_path / f"c.{suffix}", "mpeg2video", pts=[50, 51, 52, 53])
        assert probe(clip).origin > 1
        assert times(clip)[0] == 0
        assert times(clip) == [Fraction(n, 25) for n in range(len(times(clip)))]

    @pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
    @pytest.mark.parametrize("b_frames", [0, 2])
    def test_avi_starts_at_zero_and_goes_forward(self, tmp_path, codec, b_frames, write_clip):
        def prepare(stream):
            stream.codec_context.max_b_frames = b_frames

        clip = write_clip(tmp_path / "c.avi", codec, count=12, prepare=prepare)
        assert times(clip) == [Fraction(n, 25) for n in range(12)]

    def test_order_of_presentation(self, tmp_path, write_clip):
        clip = write_clip(tmp_path / "c.mp4", count=12, prepare=reorder)
        with av.open(str(clip)) as container:
            stored = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
        assert stored != sorted(stored)
        shown = [frame.pts for frame in read(clip)]
        assert shown == sorted(stored)

    def test_stream_without_timestamps_counts_by_its_rate(self, tmp_path, picture):
        # An elementary stream, by whatever name.
        source = tmp_path / "c.h264"
        with av.open(str(source), "w", format="h264") as container:
            stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency"})
            stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
            for index in range(4):
                container.mux(stream.encode(picture("yuv420p", 48, 32, index)))
            container.mux(stream.encode(None))
        assert times(source) == [Fraction(n, 25) for n in range(4)]


def test_frames_are_freed_as_soon_as_nobody_has_them(tmp_path, write_clip):
    """They take megabytes each, and the garbage collector counts objects, not their size."""
    clip, alive = write_clip(tmp_path / "c.mp4", count=100), []
    gc.collect()
    gc.disable()
    try:
        for frame in read(clip):
            del frame
            alive.append(sum(type(one) is av.VideoFrame for one in gc.get_objects()))
    finally:
        gc.enable()
    assert len(alive) == 100
    # A decoder has a thread for each processor, and gives as many frames at once at the end.
    assert max(alive) < 50


class TestFacts:
    def test_plain_clip(self, tmp_path, write_clip):
        info = probe(write_clip(tmp_path / "c.mp4"))
        video = info.video
        assert info.path == tmp_path / "c.mp4"
        assert "mp4" in info.container
        assert info.others == info.audio == ()
        assert (video.index, video.codec, video.width, video.height) == (0, "h264", 48, 32)
        assert video.native_format == video.pixel_format.name == "yuv420p"
        assert video.sample_aspect_ratio in (None, 1)
        assert video.display_matrix is None
        assert (video.rotation, video.interlaced, video.has_alpha) == (0, False, False)
        assert video.hdr is None

    def test_sample_aspect_ratio(self, tmp_path, write_clip):
        def wide(stream):
            stream.codec_context.sample_aspect_ratio = Fraction(16, 15)

        clip = write_clip(tmp_path / "c.mp4", prepare=wide)
        assert probe(clip).video.sample_aspect_ratio == Fraction(16, 15)

    @pytest.mark.parametrize(
        ("tags", "hdr"),
        [((Matrix.BT2020_NCL, 2, 9, 16), "PQ"), ((9, 1, 9, 18), "HLG"), ((5, 1, 5, 6), None)],
    )
    def test_colour_tags(self, tmp_path, tags, hdr, write_clip):
        def tag(stream):
            context = stream.codec_context
            context.colorspace, context.color_range = tags[0], tags[1]
            context.color_primaries, context.color_trc = tags[2], tags[3]

        clip = write_clip(tmp_path / "c.mp4", prepare=tag)
        video, colour = probe(clip).video, probe(clip).video.colour
        assert (colour.matrix, colour.range, colour.primaries, colour.transfer) == tags
        assert video.hdr == hdr
        assert {frame.colour for frame in read(clip)} == {colour}

    @pytest.mark.parametrize(
        ("params", "display", "light"),
        [
            ("", None, None),
            ("max-cll=600,0", None, (600, 0)),
            (
                "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)"
                "L(10000000,50):max-cll=1000,400",
                [34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450, 250, 50_000_000],
                (1000, 400),
            ),
        ],
    )
    def test_mastering_display_and_light_levels(self, tmp_path, params, display, light, write_clip):
        def tag(stream):
            stream.options = {"x265-params": f"log-level=error:{params}".rstrip(":")}

        clip = tmp_path / "c.mp4"
        write_clip(clip, "libx265", "yuv420p10le", size=(128, 96), prepare=tag)
        video = probe(clip).video
        exact = display and tuple(Fraction(steps, 50_000) for steps in display)
        assert video.mastering_display == exact
        assert video.content_light == light

    @pytest.mark.parametrize("denominator", [0, 50_000])
    def test_mastering_display_that_makes_no_sense_says_nothing(self, denominator, monkeypatch):
        terms = struct.pack("=22i", *10 * [1, denominator], 1, 1)
        monkeypatch.setattr(clip_info, "side_data", lambda *_: terms)
        expected = None if denominator == 0 else 10 * (Fraction(1, 50_000),)
        assert mastering_display(av.VideoFrame()) == expected

    def test_untagged_colour_is_filled_by_size(self, tmp_path, write_clip):
        small = probe(write_clip(tmp_path / "c.mp4")).video.colour
        large = probe(write_clip(tmp_path / "l.mp4", size=(1280, 16))).video.colour
        assert (small.matrix, small.range) == (Matrix.SMPTE170M, Range.LIMITED)
        assert (large.matrix, large.range) == (Matrix.BT709, Range.LIMITED)

    @pytest.mark.parametrize("matrix", [8, 10, 14])
    def test_matrix_without_a_conversion(self, tmp_path, matrix, write_clip):
        def tag(stream):
            stream.codec_context.colorspace = matrix

        clip = write_clip(tmp_path / "c.mp4", prepare=tag)
        with pytest.raises(ColourError, match=f"colour matrix {matrix} ") as caught:
            probe(clip)
        assert caught.value.path == clip

    @pytest.mark.parametrize("degrees", [90, -90, 180])
    def test_rotation(self, tmp_path, degrees, write_clip):
        def turn(stream):
            stream.set_display_rotation(degrees)

        clip = write_clip(tmp_path / "c.mp4", prepare=turn)
        video = probe(clip).video
        assert (video.rotation - degrees) % 360 == 0
        assert video.display_matrix == _rotation_matrix(video.rotation)
        assert (video.width, video.height) == (48, 32)  # the coded size
        assert next(read(clip)).width == 48

    def test_interlaced(self, tmp_path, write_clip):
        def fields(stream):
            stream.options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}

        assert probe(write_clip(tmp_path / "c.mp4", prepare=fields)).video.interlaced

    def test_chroma_of_mjpeg_is_centred_and_its_range_full(self, tmp_path, write_clip):
        colour = probe(write_clip(tmp_path / "c.avi", "mjpeg", "yuvj420p")).video.colour
        assert colour.chroma_location == ChromaLocation.CENTER
        assert colour.range == Range.FULL
        assert probe(write_clip(tmp_path / "c.mp4")).video.colour.chroma_location == 1

    def test_other_tracks(self, tmp_path, write_tracks):
        info = probe(write_tracks(tmp_path / "c.mp4", "audio", "video"))
        assert info.video.index == 1
        assert [(s.index, s.type, s.codec, s.language) for s in info.audio] == [
            (0, "audio", "aac", "deu")
        ]

    @pytest.mark.parametrize("tracks", [("cover", "video", "audio"), ("video", "cover")])
    def test_cover_is_not_taken_for_the_picture(self, tmp_path, tracks, write_tracks):
        clip = write_tracks(tmp_path / "c.mp4", *tracks)
        info = probe(clip)
        assert (info.video.codec, info.video.width) == ("h264", 48)
        assert [(s.type, s.codec) for s in info.others if s.type == "video"] == [("video", "mjpeg")]
        assert len(times(clip)) == 7

    @pytest.mark.parametrize("name", ["50% a:b #1 été.mp4", "-c.mp4", "pipe:1.mp4", "%03d.mp4"])
    def test_odd_names(self, tmp_path, monkeypatch, name, write_clip):
        write_clip(tmp_path / "plain.mp4").rename(tmp_path / name)
        assert len(times(tmp_path / name)) == 4
        monkeypatch.chdir(tmp_path)
        assert len(times(Path(name))) == 4


class TestReader:
    def test_packets_of_other_tracks_come_between_the_frames(self, tmp_path, write_tracks):
        clip = write_tracks(tmp_path / "c.mp4", "video", "audio")
        with av.open(str(clip)) as container:
            stored = [(p.pts, bytes(p)) for p in container.demux(audio=0) if p.dts is not None]
        with ClipReader(clip) as reader:
            items = list(reader.frames_and_packets())
        packets = [item for item in items if isinstance(item, av.Packet)]
        assert [(packet.pts, bytes(packet)) for packet in packets] == stored
        assert len(items) == len(packets) + 7
        kinds = [isinstance(item, Frame) for item in items]
        assert kinds != sorted(kinds)
        assert kinds != sorted(kinds, reverse=True)

    def test_arbitrary_clock_is_taken_off_every_track_alike(self, tmp_path, write_tracks):
        source, clip = tmp_path / "c.mp4", tmp_path / "c.ts"
        write_tracks(source, "video", "audio")

        def starts(path):
            with ClipReader(path) as reader:
                items = list(reader.frames_and_packets())
            sound = [(p.pts or 0) * p.time_base for p in items if isinstance(p, av.Packet)]
            return min(f.time for f in items if isinstance(f, Frame)), min(sound)

        with av.open(str(source)) as old, av.open(str(clip), "w") as new:
            copies = {s.index: new.add_stream_from_template(s) for s in old.streams}
            for packet in old.demux():
                if packet.dts is not None and packet.pts is not None:
                    packet.pts += round(5 / packet.time_base)
                    packet.dts += round(5 / packet.time_base)
                    packet.stream = copies[packet.stream.index]
                    new.mux(packet)
        (video, audio), (video_ts, audio_ts) = starts(source), starts(clip)
        assert probe(clip).origin > 4
        assert min(video_ts, audio_ts) == 0
        assert abs((video_ts - audio_ts) - (video - audio)) < Fraction(1, 1000)

    def test_reading_twice_gives_the_same(self, tmp_path, write_clip):
        clip = write_clip(tmp_path / "c.mp4")
        assert times(clip) == times(clip)

    def test_closes_its_file(self, tmp_path, write_clip):
        with ClipReader(write_clip(tmp_path / "c.mp4")) as reader:
            next(iter(reader))
        with pytest.raises(AssertionError, match="not open"):
            next(reader.container.demux())


def test_video_info_is_documented():
    """All fields of a video stream's facts are explained."""
    for field in VideoInfo.__dataclass_fields__:
        assert field in (VideoInfo.__doc__ or "")


def test_side_data_of_a_kind_that_the_library_does_not_know(monkeypatch):
    def refuse(_frame: av.VideoFrame) -> None:
        raise ValueError("29 is not a valid Type")

    monkeypatch.setattr(clip_info, "SideDataContainer", refuse)
    assert beside_pixels(av.VideoFrame()) == {"side data of an unknown kind"}
