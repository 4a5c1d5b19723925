"""Interlaced clips made with PyAV: combs must go, frames and times must stay."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.error import EOFError as EndOfFrames
from av.filter import Graph

from brushreel.core.clips.media import ClipReader, probe
from brushreel.core.errors import MediaError
from brushreel.core.frames.fields import Deinterlacer
from brushreel.core.frames.frame import Frame, Range
from brushreel.core.options import Interlaced

WIDTH, HEIGHT = 96, 64
RATE = Fraction(25)


def moment(field: int) -> np.ndarray:
    """Return the whole scene at the time of a field: a soft bar that runs 3 pixels a field."""
    y, x = np.indices((HEIGHT, WIDTH))
    return (60 + 150 / (1 + np.exp((20 + 3 * field - x) / 1.5)) + 10 * np.sin(y / 9)).round()


def woven(index: int, order: str) -> np.ndarray:
    """Return frame ``index``: one field at its moment, the other half a frame later."""
    picture, later = moment(2 * index), 1 if order == "tff" else 0
    picture[later::2] = moment(2 * index + 1)[later::2]
    return moment(2 * index) if order == "prog" else picture


def picture(luma: np.ndarray, name: str, order: str) -> av.VideoFrame:
    """Return a frame with this in its first plane, noise in others, and a field order."""
    frame = av.VideoFrame(WIDTH, HEIGHT, name)
    deep = frame.format.components[0].bits - 8
    random = np.random.default_rng(int(luma.sum()))
    for index, plane in enumerate(frame.planes):
        codes = random.integers(0, 256 << deep, (plane.height, plane.line_size >> (deep > 0)))
        if index == 0 and name != "uyvy422":
            codes[:, :WIDTH] = luma * 2**deep
        plane.update(codes.astype("<u2" if deep else np.uint8).tobytes())
    frame.time_base = 1 / RATE
    return through(frame, ("setfield", order))[0]


def through(*frames_and_filters) -> list[av.VideoFrame]:
    """Pass frames through a chain of FFmpeg's filters."""
    frames = [item for item in frames_and_filters if isinstance(item, av.VideoFrame)]
    filters = [item for item in frames_and_filters if isinstance(item, tuple)]
    graph = Graph()
    source = graph.add_buffer(
        width=WIDTH, height=HEIGHT, format=frames[0].format, time_base=1 / RATE
    )
    sink = graph.add("buffersink")
    graph.link_nodes(source, *(graph.add(*item) for item in filters), sink).configure()
    for frame in [*frames, None]:
        graph.push(frame)
    found = []
    while True:
        try:
            found.append(graph.pull())
        except EndOfFrames:
            return found


def write(
    path: Path,
    orders: list[str],
    *,
    codec: str = "ffv1",
    name: str = "yuv420p",
    pts: list[int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip of frames, each of its own field order: "tff", "bff" or "prog"."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, name
        for index, order in enumerate(orders):
            frame = picture(woven(index, order), name, order)
            frame.pts, frame.time_base = (pts or range(99))[index], 1 / RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def frames_of(path: Path, interlaced: Interlaced = "deinterlace") -> list[Frame]:
    with ClipReader(path, interlaced=interlaced) as reader:
        return [item for item in reader if isinstance(item, Frame)]


def psnr(plane: np.ndarray, scene: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.square(plane - scene).mean())


class TestDeinterlace:
    @pytest.mark.parametrize(
        ("codec", "suffix", "options"),
        [
            ("ffv1", "mkv", {}),
            ("mpeg2video", "ts", {"flags": "+ildct+ilme", "b": "9M", "bf": "2"}),
        ],
    )
    @pytest.mark.parametrize("order", ["tff", "bff"])
    def test_every_frame_becomes_the_scene_at_its_first_field(
        self, tmp_path, order, codec, suffix, options
    ):
        clip = write(tmp_path / f"c.{suffix}", 8 * [order], codec=codec, options=options)
        assert probe(clip).video.interlaced
        combed, whole = frames_of(clip, "keep"), frames_of(clip)
        assert len(combed) == len(whole) == 8
        for index in range(8):
            assert psnr(combed[index].planes[0], moment(2 * index)) < 30
            assert psnr(whole[index].planes[0], moment(2 * index)) > 36

    @pytest.mark.parametrize(
        ("codec", "suffix", "name"),
        [
            ("ffv1", "mkv", "yuv422p10le"),
            ("ffv1", "mkv", "yuva444p12le"),
            ("rawvideo", "mov", "uyvy422"),
            ("ffv1", "mkv", "gray"),
        ],
    )
    @pytest.mark.parametrize(("order", "first"), [("tff", 0), ("bff", 1)])
    def test_lines_of_the_first_field_keep_their_codes(
        self, tmp_path, codec, suffix, name, order, first
    ):
        options = {"field_order": 2 * order[0]}
        clip = write(tmp_path / f"c.{suffix}", 4 * [order], codec=codec, name=name, options=options)
        pairs = list(zip(frames_of(clip), frames_of(clip, "keep"), strict=True))
        for whole, combed in pairs:
            assert whole.pixel_format == combed.pixel_format
            for plane, source in zip(whole.planes, combed.planes, strict=True):
                np.testing.assert_array_equal(plane[first::2], source[first::2])
                assert not np.array_equal(plane[1 - first :: 2], source[1 - first :: 2])

    @pytest.mark.parametrize(("codec", "name"), [("rawvideo", "uyvy422"), ("ffv1", "yuva444p12le")])
    def test_full_range_stays_full(self, tmp_path, codec, name):
        options = {"field_order": "tt", "color_range": "pc"}
        clip = write(tmp_path / "c.mkv", 3 * ["tff"], codec=codec, name=name, options=options)
        assert probe(clip).video.colour.range == Range.FULL
        for whole, combed in zip(frames_of(clip), frames_of(clip, "keep"), strict=True):
            for plane, source in zip(whole.planes, combed.planes, strict=True):
                np.testing.assert_array_equal(plane[0::2], source[0::2])
                assert not np.array_equal(plane[1::2], source[1::2])

    @pytest.mark.parametrize("count", [1, 2, 7])
    def test_no_frame_and_no_time_changes(self, tmp_path, count):
        pts = [3, 4, 6, 7, 20, 21, 30][:count]
        clip = write(tmp_path / "c.mkv", count * ["tff"], pts=pts)
        whole, combed = frames_of(clip), frames_of(clip, "keep")
        assert [frame.time for frame in whole] == [tick / RATE for tick in pts]
        assert [(f.pts, f.duration) for f in whole] == [(f.pts, f.duration) for f in combed]

    def test_frames_without_timestamps_count_by_their_rate(self, tmp_path):
        options = {"flags": "+ildct+ilme", "x264-params": "tff=1", "tune": "zerolatency"}
        clip = write(tmp_path / "c.h264", 5 * ["tff"], codec="libx264", options=options)
        clip = clip.rename(tmp_path / "c.mp4")
        assert [frame.time for frame in frames_of(clip)] == [n / RATE for n in range(5)]

    def test_only_interlaced_frames_are_touched(self, tmp_path):
        orders = ["prog", "prog", "tff", "tff", "prog", "bff", "prog"]
        clip = write(tmp_path / "c.mkv", orders)
        assert not probe(clip).video.interlaced
        with ClipReader(clip) as reader:
            frames = [item for item in reader if isinstance(item, Frame)]
            assert reader.interlaced_frames == 3
        assert len(frames) == len(orders)
        for index, (frame, order) in enumerate(zip(frames, orders, strict=True)):
            untouched = np.array_equal(frame.planes[0], woven(index, order))
            assert untouched == (order == "prog")

    def test_the_first_interlaced_frame_is_seen_with_the_one_before(self, tmp_path):
        orders = ["prog", "prog", "tff", "tff"]
        pictures = [picture(woven(i, order), "gray", order) for i, order in enumerate(orders)]
        expected = through(*pictures, ("bwdif", "mode=send_frame:deint=interlaced"))
        found = frames_of(write(tmp_path / "c.mkv", orders, name="gray"))
        for frame, wanted in zip(found, expected, strict=True):
            np.testing.assert_array_equal(frame.planes[0], wanted.to_ndarray())

    def test_progressive_pictures_pass_at_once_as_they_are(self):
        deinterlacer = Deinterlacer()
        for index in range(3):
            given = picture(woven(index, "prog"), "yuv420p", "prog")
            assert list(deinterlacer(given)) == [given]
        assert list(deinterlacer.flush()) == []

    def test_a_format_that_bwdif_does_not_take_is_an_error(self, tmp_path):
        clip = write(tmp_path / "c.mkv", 3 * ["tff"], name="gray10le")
        with pytest.raises(MediaError, match="gray10le can't be deinterlaced") as caught:
            frames_of(clip)
        assert caught.value.path == clip
        assert "keep" in (caught.value.hint or "")
        assert len(frames_of(clip, "keep")) == 3


class TestAlternatives:
    def test_keep_hands_out_what_was_decoded(self, tmp_path):
        clip = write(tmp_path / "c.mkv", 3 * ["bff"])
        for index, frame in enumerate(frames_of(clip, "keep")):
            np.testing.assert_array_equal(frame.planes[0], woven(index, "bff"))

    def test_refuse_is_said_before_the_first_frame(self, tmp_path):
        clip = write(tmp_path / "c.mkv", 3 * ["tff"])
        with pytest.raises(MediaError, match="is interlaced") as caught:
            ClipReader(clip, interlaced="refuse")
        assert caught.value.path == clip
        assert "--interlaced deinterlace" in (caught.value.hint or "")

    def test_refuse_holds_in_the_middle_too(self, tmp_path):
        clip = write(tmp_path / "c.mkv", ["prog", "prog", "tff"])
        with pytest.raises(MediaError, match=r"is interlaced at 0\.080 s"):
            frames_of(clip, "refuse")

    @pytest.mark.parametrize("interlaced", ["keep", "refuse", "deinterlace"])
    def test_progressive_clips_are_the_same_either_way(self, tmp_path, interlaced):
        clip = write(tmp_path / "c.mkv", 3 * ["prog"])
        for index, frame in enumerate(frames_of(clip, interlaced)):
            np.testing.assert_array_equal(frame.planes[0], woven(index, "prog"))
