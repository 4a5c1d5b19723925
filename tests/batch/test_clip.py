"""A clip from end to end: picture, times, sound, colour, everything else, and the file's name."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from housestyle.batch.clip import Observer, convert, stylize_clip
from housestyle.batch.encode import CODECS, EncodeSettings
from housestyle.core.colour import from_rgb, to_rgb
from housestyle.core.errors import MediaError, OutputError, UsageError
from housestyle.core.media import read
from housestyle.core.stylizer import Stylizer

ONE = 1 << 16
# FFmpeg's display matrices (16.16 fixed point, last column 2.30).
TURNS = {
    "quarter turn": (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30),
    "half turn": (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    "three quarters": (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
    "mirrored": (-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30),
    "mirrored quarter turn": (0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
}


@pytest.fixture
def converted(tmp_path, read_clip) -> Callable:
    """Converts a clip and reads the output back."""

    def run(source: Path, stylizer: Stylizer, name: str | None = None, **settings):
        output = tmp_path / "out" / (name or source.name)
        convert(source, output, stylizer, EncodeSettings(**settings))
        return read_clip(output)

    return run


def assert_same_times(before, after, tolerance: Fraction = Fraction(0)) -> None:
    assert len(after.times) == len(before.times)
    differences = [abs(a - b) for a, b in zip(after.times, before.times, strict=True)]
    assert max(differences) <= tolerance


def assert_same_sound(before, after, tolerance: Fraction = Fraction(0)) -> None:
    assert len(after.audio) == len(before.audio) > 0
    for ours, theirs in zip(after.audio, before.audio, strict=True):
        assert ours.codec == theirs.codec
        assert ours.contents == theirs.contents
        assert len(ours.starts) == len(theirs.starts)
        for start, wanted in zip(ours.starts, theirs.starts, strict=True):
            assert abs(start - wanted) <= tolerance


def planes_equal(one, other) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Mean SSIM of two 8-bit planes (Wang et al. 2004) with a flat 8 x 8 window."""

    def mean(plane: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(plane, (8, 8))
        return windows.mean(axis=(2, 3))

    x, y = one.astype(np.float64), other.astype(np.float64)
    mx, my = mean(x), mean(y)
    vx, vy = mean(x * x) - mx**2, mean(y * y) - my**2
    covariance = mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similar = (2 * mx * my + c1) * (2 * covariance + c2)
    return float((similar / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


# Picture


def test_report_says_what_was_done(make_clip, sound, tiny_style, tmp_path):
    source = make_clip(sounds=(sound(), sound("libmp3lame")))
    output = tmp_path / "new folder" / "o.mp4"
    report = stylize_clip(source, str(output), tiny_style, device="cpu", precision="fp32")
    assert (report.input, report.output) == (source, output)
    assert (report.frames, report.audio_tracks, report.warnings) == (10, 2, ())
    assert report.seconds > 0
    assert report.fps == pytest.approx(10 / report.seconds)


def test_style_by_file(make_clip, style_file, read_clip, tmp_path):
    source = make_clip(frames=3)
    stylize_clip(source, tmp_path / "o.mp4", style_file, device="cpu", precision="fp32")
    assert len(read_clip(tmp_path / "o.mp4").times) == 3


def test_every_frame_is_the_network_s_picture_of_its_source(make_clip, painter, converted):
    source = make_clip(name="a.mkv", codec="ffv1")
    after = converted(source, painter, codec="ffv1")
    for frame, written in zip(read(source), after.frames, strict=True):
        expected = from_rgb(painter(to_rgb(frame)), frame)
        assert planes_equal(expected.planes, written)


def test_every_frame_differs_from_its_source(make_clip, read_clip, painter, converted):
    source = make_clip()
    before, after = read_clip(source), converted(source, painter)
    for old, new in zip(before.frames, after.frames, strict=True):
        assert np.abs(old[0].astype(int) - new[0].astype(int)).mean() > 8


def test_half_the_strength_is_half_way(make_clip, tiny_style, painter, converted):
    source = make_clip(name="a.mkv", codec="ffv1", frames=2)
    half = Stylizer(tiny_style, device="cpu", precision="fp32", strength=0.5)
    written = converted(source, half, codec="ffv1").frames
    for frame, planes in zip(read(source), written, strict=True):
        rgb = to_rgb(frame)
        expected = from_rgb((rgb + painter(rgb)) / 2, frame)
        for one, other in zip(expected.planes, planes, strict=True):
            assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


def test_a_frame_depends_on_itself_alone(make_clip, painter, converted):
    early = make_clip("a.mkv", codec="ffv1", frames=8)
    late = make_clip("b.mkv", codec="ffv1", frames=8, first=5)
    one = converted(early, painter, codec="ffv1").frames
    two = converted(late, painter, codec="ffv1").frames
    for index in range(3):
        assert planes_equal(one[5 + index], two[index])
    assert not planes_equal(one[0], two[0])


LOSSLESS = [
    {"pixel_format": "yuv420p", "codec": "ffv1"},
    {"pixel_format": "yuv420p", "codec": "ffv1", "size": (97, 63)},
    {"pixel_format": "yuv422p", "codec": "ffv1", "size": (64, 63)},
    {"pixel_format": "yuv444p", "codec": "ffv1"},
    {"pixel_format": "yuv420p10le", "codec": "ffv1"},
    {"pixel_format": "yuv422p10le", "codec": "ffv1"},
    {"pixel_format": "yuv444p12le", "codec": "ffv1"},
    {"pixel_format": "gray", "codec": "ffv1"},
    {"pixel_format": "gray10le", "codec": "ffv1"},
    {"pixel_format": "gbrp10le", "codec": "ffv1"},
    {"pixel_format": "yuv420p", "codec": "libx264", "options": {"preset": "medium"}},
]


@pytest.mark.parametrize("kind", LOSSLESS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_strength_0_lossless_is_the_source_bit_for_bit(
    make_clip, read_clip, untouched, converted, kind
):
    source = make_clip("a.mkv", frames=5, **kind)
    before, after = read_clip(source), converted(source, untouched, codec="ffv1")
    assert after.pixel_format == before.pixel_format
    assert after.size == before.size
    for old, new in zip(before.frames, after.frames, strict=True):
        assert planes_equal(old, new)


def test_strength_0_full_range_is_the_source_bit_for_bit(
    make_clip, read_clip, untouched, converted
):
    source = make_clip(colour=(1, 2, 1, 1))
    before, after = read_clip(source), converted(source, untouched, "o.mkv", codec="ffv1")
    assert before.frames[0][0].max() > 235
    assert after.colour == before.colour
    for old, new in zip(before.frames, after.frames, strict=True):
        assert planes_equal(old, new)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_strength_0_looks_like_the_source(make_clip, read_clip, untouched, converted, codec):
    source = make_clip("a.mkv", codec="ffv1", frames=6, size=(192, 128))
    before, after = read_clip(source), converted(source, untouched, "o.mp4", codec=codec)
    values = [ssim(a[0], b[0]) for a, b in zip(before.frames, after.frames, strict=True)]
    assert min(values) > 0.98
    assert np.mean(values) >= 0.99


def test_a_lower_crf_is_closer_to_the_source(make_clip, read_clip, untouched, converted):
    source = make_clip("a.mkv", codec="ffv1", frames=4)
    before = read_clip(source)

    def error(crf: int) -> float:
        after = converted(source, untouched, f"{crf}.mp4", crf=crf)
        pairs = zip(before.frames, after.frames, strict=True)
        return float(np.mean([np.square(a[0].astype(float) - b[0]).mean() for a, b in pairs]))

    assert error(5) < error(17) < error(35)


@pytest.mark.parametrize("size", [(97, 63), (64, 63), (97, 64)])
@pytest.mark.parametrize("codec", ["auto", "hevc", "prores", "ffv1"])
def test_odd_sizes_are_kept(make_clip, read_clip, painter, converted, size, codec):
    source = make_clip("a.mkv", codec="ffv1", size=size, frames=3)
    after = converted(source, painter, codec=codec)
    assert after.size == size
    assert len(after.frames) == 3


@pytest.mark.parametrize(
    ("kind", "codec", "pixel_format"),
    [
        ({"pixel_format": "yuv420p10le", "codec": "libx265"}, "hevc", "yuv420p10le"),
        ({"pixel_format": "yuv422p"}, "h264", "yuv422p"),
        ({"pixel_format": "yuv444p"}, "h264", "yuv444p"),
        ({"pixel_format": "rgb24", "codec": "libx264rgb"}, "h264", "yuv444p"),
        ({"pixel_format": "yuv422p10le", "codec": "prores_ks", "name": "a.mov"}, "hevc", None),
    ],
    ids=["10 bit", "4:2:2", "4:4:4", "RGB", "ProRes"],
)
def test_depth_and_chroma_are_kept(make_clip, painter, converted, kind, codec, pixel_format):
    source = make_clip(frames=4, **kind)
    after = converted(source, painter)
    assert after.codec == codec
    assert after.pixel_format == (pixel_format or kind["pixel_format"])
    assert len(after.frames) == 4


def test_ten_bits_use_all_their_codes(make_clip, painter, converted):
    source = make_clip(pixel_format="yuv420p10le", codec="libx265", frames=2)
    luma = converted(source, painter, "o.mkv", codec="ffv1").frames[0][0]
    assert luma.max() > 255
    assert len(np.unique(luma % 4)) == 4


def test_grey_stays_grey(make_clip, painter, converted):
    source = make_clip("a.mkv", codec="ffv1", pixel_format="gray", frames=3)
    assert converted(source, painter, codec="ffv1").pixel_format == "gray"
    # H.264 decoders hand out monochrome as 4:2:0 with neutral chroma.
    planes = converted(source, painter, "o.mp4").frames[0]
    assert all((chroma == 128).all() for chroma in planes[1:])


def test_rgb_keeps_its_colours(make_clip, untouched, converted, tmp_path):
    source = make_clip(pixel_format="rgb24", codec="libx264rgb", frames=3)
    after = converted(source, untouched, "o.mp4", crf=0)
    assert after.colour == (1, 1, *after.colour[2:])
    with av.open(str(source)) as one, av.open(str(tmp_path / "out" / "o.mp4")) as two:
        pairs = zip(one.decode(video=0), two.decode(video=0), strict=True)
        for old, new in pairs:
            rgb = new.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
            error = np.abs(old.to_ndarray(format="rgb24").astype(int) - rgb)
            assert error.mean() < 1.5


@pytest.mark.parametrize("codec", CODECS)
def test_every_container_of_a_codec_holds_it(make_clip, painter, converted, codec):
    source = make_clip(frames=3)
    for container in CODECS[codec].containers:
        assert converted(source, painter, f"o.{container}", codec=codec).codec == codec


def test_hevc_carries_the_tag_that_players_know(make_clip, painter, converted):
    source = make_clip(frames=3)
    assert converted(source, painter, "o.mp4", codec="hevc").tag == "hvc1"
    assert converted(source, painter, "o.mov", codec="hevc").tag == "hvc1"
    assert converted(source, painter, "o.mkv", codec="hevc").codec == "hevc"


# Colour tags, pixel shape, rotation


@pytest.mark.parametrize(
    "colour",
    [(6, 1, 6, 6), (5, 1, 5, 6), (1, 1, 1, 1), (1, 2, 1, 13), (9, 1, 9, 14), (9, 2, 9, 16)],
    ids=["601-525", "601-625", "709", "709 full sRGB", "2020", "2020 full PQ"],
)
@pytest.mark.parametrize("codec", ["auto", "hevc", "ffv1"])
def test_colour_tags_are_the_source_s(make_clip, read_clip, painter, converted, colour, codec):
    source = make_clip("a.mkv", colour=colour, frames=2)
    assert read_clip(source).colour == colour
    assert converted(source, painter, codec=codec).colour == colour


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_colour_tags_in_the_container_too(make_clip, painter, converted, tmp_path, suffix):
    source = make_clip(colour=(9, 1, 9, 14), frames=2)
    converted(source, painter, f"o.{suffix}")
    content = (tmp_path / "out" / f"o.{suffix}").read_bytes()
    box = content.index(b"colrnclx" if suffix == "mp4" else b"colr")
    numbers = np.frombuffer(content[box + 8 : box + 14], ">u2").tolist()
    assert numbers == [9, 14, 9]


@pytest.mark.parametrize(("height", "matrix"), [(64, 6), (288, 5), (592, 1)])
def test_untagged_colours_are_read_and_written_as_players_take_them(
    make_clip, read_clip, painter, converted, height, matrix
):
    source = make_clip(size=(64, height), frames=2)
    assert read_clip(source).colour[0] == 2
    assert converted(source, painter).colour[:2] == (matrix, 1)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_pixel_shape_is_kept(make_clip, read_clip, painter, converted, name):
    source = make_clip(name, sample_aspect_ratio=Fraction(16, 11), frames=2)
    assert read_clip(source).sample_aspect_ratio == Fraction(16, 11)
    assert converted(source, painter).sample_aspect_ratio == Fraction(16, 11)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("matrix", TURNS.values(), ids=TURNS)
def test_rotation_and_mirroring_are_kept(make_clip, read_clip, painter, converted, matrix, suffix):
    source = make_clip(f"a.{suffix}", display_matrix=matrix, frames=2)
    assert read_clip(source).display_matrix == matrix
    assert converted(source, painter).display_matrix == matrix


def test_rotation_is_kept_in_mkv(make_clip, painter, converted):
    matrix = TURNS["quarter turn"]
    source = make_clip(display_matrix=matrix, frames=2)
    assert converted(source, painter, "o.mkv").display_matrix == matrix


# Time


RATES = [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25), Fraction(60), Fraction(12, 5)]


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_constant_rates_are_exact(make_clip, read_clip, painter, converted, rate, suffix):
    source = make_clip(f"a.{suffix}", rate=rate)
    before, after = read_clip(source), converted(source, painter)
    assert_same_times(before, after)
    assert after.times[-1] == 9 / rate
    assert after.duration == before.duration == 10 / rate
    assert after.frame_rate == rate


VARIABLE = [0, 3003, 4000, 9009, 9010, 20001, 21000, 50000]


@pytest.mark.parametrize("options", [{}, {"preset": "medium", "x264-params": "bframes=3"}])
@pytest.mark.parametrize("codec", ["auto", "hevc", "prores"])
def test_variable_rate_is_exact(make_clip, read_clip, painter, converted, options, codec):
    source = make_clip("a.mov", time_base=Fraction(1, 90000), times=VARIABLE, options=options)
    before, after = read_clip(source), converted(source, painter, codec=codec)
    assert before.times == tuple(Fraction(pts, 90000) for pts in VARIABLE)
    assert_same_times(before, after)
    assert after.duration == before.duration


def jittered(frames: int) -> list[int]:
    """Times of a phone: about 30 frames a second, never quite, in 1/90000 s."""
    steps = 3000 + np.random.default_rng(3).integers(-200, 200, frames)
    return [0, *np.cumsum(steps[1:]).tolist()]


@pytest.mark.parametrize(
    "times",
    [
        jittered(20),
        [0, 180_000, *range(183_000, 200_000, 3000)],
        [*range(0, 30_000, 3000), 100_000],
        [*range(0, 30_000, 3000), *range(30_000, 36_000, 750)],
        [0, 5000],
        [0],
    ],
    ids=["jitter", "long first", "long last", "speeds up", "two frames", "one frame"],
)
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_variable_rates_last_as_long_as_the_source(
    make_clip, read_clip, painter, converted, times, codec
):
    source = make_clip(time_base=Fraction(1, 90000), times=times)
    before, after = read_clip(source), converted(source, painter, codec=codec)
    assert_same_times(before, after)
    assert after.duration == before.duration
    assert after.frame_rate == before.frame_rate


@pytest.mark.parametrize("name", ["a.mkv", "b.ts"])
def test_rounded_and_clocked_times_go_into_mp4(make_clip, read_clip, painter, converted, name):
    source = make_clip(name, rate=Fraction(30000, 1001), frames=20)
    before, after = read_clip(source), converted(source, painter, "o.mp4")
    origin = before.times[0]
    assert after.times == tuple(time - origin for time in before.times)


def test_reordered_frames_come_out_in_order(make_clip, read_clip, painter, converted):
    options = {"preset": "medium", "x264-params": "bframes=3:b-adapt=0:scenecut=0"}
    source = make_clip(frames=12, options=options)
    with av.open(str(source)) as container:
        dts = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert dts != sorted(dts)
    assert_same_times(read_clip(source), converted(source, painter))
    pictures = converted(source, painter, "o.mkv", codec="ffv1").frames
    for frame, written in zip(read(source), pictures, strict=True):
        assert planes_equal(from_rgb(painter(to_rgb(frame)), frame).planes, written)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(24000, 1001)], ids=str)
def test_matroska_is_exact_to_half_a_millisecond(make_clip, read_clip, painter, converted, rate):
    source = make_clip(rate=rate)
    after = converted(source, painter, "o.mkv")
    assert_same_times(read_clip(source), after, Fraction(1, 2000))


def test_rounding_by_matroska_is_said_before_the_first_frame(make_clip, painter, tmp_path):
    heard: list[str] = []
    observer = Observer(
        on_start=lambda _info, warnings: heard.extend(warnings),
        on_frame=lambda _count: heard.append("frame"),
    )
    source = make_clip(rate=Fraction(24000, 1001), frames=2)
    report = convert(source, tmp_path / "o.mkv", painter, EncodeSettings(), observer=observer)
    assert "millisecond" in heard[0]
    assert heard[1:] == ["frame", "frame"]
    assert report.warnings == (heard[0],)


def test_webm_and_mkv_keep_their_milliseconds(make_clip, read_clip, sound, painter, converted):
    times = [0, 33, 67, 100, 180, 181, 300]
    for name, codec, audio in (("a.webm", "libvpx-vp9", "libopus"), ("b.mkv", "libx264", "aac")):
        source = make_clip(
            name, codec=codec, times=times, time_base=Fraction(1, 1000), sounds=(sound(audio),)
        )
        before, after = read_clip(source), converted(source, painter, f"{name}.mkv")
        assert_same_times(before, after)
        assert_same_sound(before, after)
        assert after.times == tuple(Fraction(time, 1000) for time in times)


def test_webm_to_mp4(make_clip, read_clip, sound, painter, converted):
    source = make_clip("a.webm", codec="libvpx-vp9", sounds=(sound("libopus"),))
    before, after = read_clip(source), converted(source, painter, "o.mp4")
    assert_same_times(before, after)
    assert_same_sound(before, after)


# Sound


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("a.mp4", ("aac", "libmp3lame")),
        ("a.mov", ("aac", "pcm_s16le")),
        ("a.mkv", ("aac", "flac", "libmp3lame")),
    ],
)
def test_every_sound_track_is_copied(make_clip, read_clip, sound, painter, converted, name, codecs):
    tracks = [sound(codec, hertz=300 + 100 * index) for index, codec in enumerate(codecs)]
    source = make_clip(name, sounds=tracks)
    before, after = read_clip(source), converted(source, painter)
    assert len(after.audio) == len(codecs)
    assert_same_sound(before, after)
    assert_same_times(before, after)


def test_mkv_with_flac_to_mp4(make_clip, read_clip, sound, painter, converted):
    source = make_clip("a.mkv", sounds=(sound("flac"), sound()))
    before, after = read_clip(source), converted(source, painter, "o.mp4")
    # Matroska gives times in milliseconds, MP4 counts samples.
    assert_same_sound(before, after, Fraction(1, 1000))


@pytest.mark.parametrize("start", [Fraction(1, 2), Fraction(24001, 48000), Fraction(1, 3)], ids=str)
@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_sound_that_starts_later(make_clip, read_clip, sound, painter, converted, start, name):
    source = make_clip(
        name,
        sounds=(sound("libmp3lame", start=start),),
        muxer_options={"movie_timescale": "48000"},
        rate=Fraction(24000, 1001),
    )
    before, after = read_clip(source), converted(source, painter)
    assert abs(before.audio[0].starts[0] - start) < Fraction(3, 100)
    assert before.times[0] == 0
    assert_same_sound(before, after)
    assert_same_times(before, after)


def test_sound_that_starts_half_a_second_later_in_mkv(
    make_clip, read_clip, sound, painter, converted
):
    source = make_clip("a.mkv", sounds=(sound("flac", start=Fraction(1, 2)),))
    before, after = read_clip(source), converted(source, painter)
    assert after.audio[0].starts[0] == Fraction(1, 2)
    assert_same_sound(before, after)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_picture_that_starts_later(make_clip, read_clip, sound, painter, converted, name):
    source = make_clip(name, times=list(range(10, 20)), sounds=(sound(),))
    before, after = read_clip(source), converted(source, painter)
    assert before.times[0] == Fraction(10, 25)
    assert_same_times(before, after)
    assert_same_sound(before, after)


def test_picture_longer_than_sound_and_shorter(make_clip, read_clip, sound, painter, converted):
    for name, seconds in (("short.mp4", Fraction(1, 10)), ("long.mp4", Fraction(2))):
        source = make_clip(name, sounds=(sound(seconds=seconds),))
        before, after = read_clip(source), converted(source, painter)
        assert_same_times(before, after)
        assert_same_sound(before, after)


LENT = pytest.mark.xfail(strict=True, reason="the track gets the duration of the whole file")


@pytest.mark.parametrize("frames", [1, pytest.param(2, marks=LENT), pytest.param(3, marks=LENT), 4])
def test_a_short_picture_with_longer_sound_in_mkv(
    make_clip, read_clip, sound, painter, converted, frames
):
    source = make_clip(frames=frames, sounds=(sound(),))
    before, after = read_clip(source), converted(source, painter, "o.mkv")
    assert_same_times(before, after)
    assert_same_sound(before, after, Fraction(1, 1000))


def test_clip_without_sound(make_clip, painter, converted):
    assert converted(make_clip(), painter).others == ()


@pytest.mark.parametrize("target", ["o.mp4", "o.mkv"])
@pytest.mark.parametrize("clock", ["0", "1000", "90000.5"])
def test_transport_stream(make_clip, read_clip, sound, painter, converted, clock, target):
    source = make_clip("a.ts", sounds=(sound(),), muxer_options={"output_ts_offset": clock})
    before, after = read_clip(source), converted(source, painter, target)
    tolerance = Fraction(1, 1000) if target == "o.mkv" else Fraction(0)
    origin = min(before.times[0], before.audio[0].starts[0])
    assert clock == "0" or origin > 999
    assert len(after.times) == 10
    for old, new in zip(before.times, after.times, strict=True):
        assert abs(old - origin - new) <= tolerance
    theirs, ours = before.audio[0], after.audio[0]
    # ADTS repeats a header of 7 bytes before every packet, which the written kinds leave out.
    assert [packet[7:] for packet in theirs.contents] == list(ours.contents)
    for old, new in zip(theirs.starts, ours.starts, strict=True):
        assert abs(old - origin - new) <= max(tolerance, Fraction(1, 48000))


# Everything else


CHAPTERS = [
    {
        "id": number,
        "start": 200 * number,
        "end": 200 * number + 200,
        "time_base": Fraction(1, 1000),
        "metadata": {"title": title},
    }
    for number, title in enumerate(("Überfahrt", "Ankunft"))
]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_title_languages_and_chapters_are_kept(
    make_clip, read_clip, sound, painter, converted, name
):
    source = make_clip(
        name,
        metadata={"title": "Die große Welle", "comment": "a = b; c"},
        sounds=(
            sound(metadata={"language": "ger"}),
            sound("libmp3lame", metadata={"language": "eng"}),
        ),
        chapters=CHAPTERS,
    )
    before, after = read_clip(source), converted(source, painter)
    assert before.metadata["title"] == "Die große Welle"
    assert after.metadata["title"] == before.metadata["title"]
    assert {k.lower(): v for k, v in after.metadata.items()}["comment"] == "a = b; c"
    assert [track.metadata["language"] for track in after.audio] == ["ger", "eng"]
    assert [title for _, _, title in before.chapters] == ["Überfahrt", "Ankunft"]
    assert after.chapters == before.chapters
    assert [t.disposition for t in after.others] == [t.disposition for t in before.others]


def test_subtitles_are_kept_in_mkv(make_clip, read_clip, sound, painter, converted):
    source = make_clip("a.mkv", sounds=(sound(),), subtitles=["Grüße", "Wörld"])
    before, after = read_clip(source), converted(source, painter)
    ours, theirs = after.others[-1], before.others[-1]
    assert (ours.type, ours.codec) == ("subtitle", theirs.codec)
    assert ours.contents == theirs.contents
    assert ours.contents[0].decode() == "Grüße"
    assert (ours.starts, ours.durations) == (theirs.starts, theirs.durations)
    assert ours.metadata["language"] == "ger"


def test_what_cannot_be_kept_is_said_before_the_first_frame(
    make_clip, sound, painter, converted, tmp_path
):
    source = make_clip("a.mkv", sounds=(sound(),), subtitles=["hello"], frames=3)
    heard: list[str] = []
    observer = Observer(
        on_start=lambda _info, warnings: heard.extend(warnings),
        on_frame=lambda count: heard.append(str(count)),
    )
    report = convert(source, tmp_path / "o.mp4", painter, EncodeSettings(), observer=observer)
    assert "subtitle" in heard[0]
    assert heard[1:] == ["1", "2", "3"]
    assert report.audio_tracks == 1
    assert report.warnings == (heard[0],)


def test_sound_that_the_container_cannot_hold_is_refused_at_once(
    make_clip, sound, painter, tmp_path, listing
):
    source = make_clip("a.avi", sounds=(sound("adpcm_ms"),))
    frames: list[int] = []
    observer = Observer(on_frame=frames.append)
    with pytest.raises(OutputError, match="adpcm_ms") as caught:
        convert(source, tmp_path / "out" / "o.mp4", painter, EncodeSettings(), observer=observer)
    assert "mkv" in str(caught.value)
    assert frames == []
    assert listing(tmp_path / "out") == []


@pytest.mark.parametrize(
    "name",
    ["it's here.mp4", "two  spaces .mp4", "100%d %s.mp4", "a:b.mp4", "中文 片段.mp4", "-dash.mp4"],
)
def test_names_with_anything_in_them(make_clip, sound, painter, converted, name, tmp_path, listing):
    folder = tmp_path / "out"
    source = make_clip(f"in put's/{name}", sounds=(sound(),), frames=3)
    after = converted(source, painter)
    assert len(after.times) == 3
    assert listing(folder) == [name]


def test_a_relative_name_with_a_colon(make_clip, painter, tmp_path, monkeypatch):
    make_clip("http:x.mp4", frames=2)
    monkeypatch.chdir(tmp_path)
    convert(Path("http:x.mp4"), Path("file:y.mp4"), painter, EncodeSettings())
    assert (tmp_path / "file:y.mp4").is_file()


# The file's name


@pytest.fixture
def broken(make_clip) -> Path:
    """Reads well for five frames, and then changes its size."""
    parts = [make_clip("a.ts", frames=5), make_clip("b.ts", frames=5, size=(64, 48))]
    path = parts[0].with_name("broken.ts")
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def test_nothing_but_the_output_is_left(make_clip, sound, painter, tmp_path, listing):
    source = make_clip(sounds=(sound(),))
    convert(source, tmp_path / "out" / "o.mp4", painter, EncodeSettings())
    assert listing(tmp_path / "out") == ["o.mp4"]
    assert (tmp_path / "out" / "o.mp4").stat().st_mode & 0o444


def test_nothing_is_left_after_a_failure(broken, painter, tmp_path, listing):
    frames: list[int] = []
    with pytest.raises(MediaError, match="changes its size"):
        convert(
            broken,
            tmp_path / "out" / "o.mkv",
            painter,
            EncodeSettings(),
            observer=Observer(on_frame=frames.append),
        )
    assert frames
    assert listing(tmp_path / "out") == []


def test_the_old_output_survives_a_failure(broken, painter, tmp_path, listing):
    output = tmp_path / "out" / "o.mkv"
    output.parent.mkdir()
    output.write_bytes(b"precious")
    with pytest.raises(MediaError):
        convert(broken, output, painter, EncodeSettings(), overwrite=True)
    assert output.read_bytes() == b"precious"
    assert listing(output.parent) == ["o.mkv"]


def test_an_output_that_exists_is_not_replaced_unasked(make_clip, painter, tmp_path):
    output = tmp_path / "o.mp4"
    output.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists") as caught:
        convert(make_clip(), output, painter, EncodeSettings())
    assert "--overwrite" in str(caught.value)
    assert output.read_bytes() == b"precious"


def test_overwriting_replaces_the_file_only_at_the_end(make_clip, painter, tmp_path, read_clip):
    output = tmp_path / "o.mp4"
    output.write_bytes(b"precious")
    seen: list[bytes] = []
    observer = Observer(on_frame=lambda _count: seen.append(output.read_bytes()))
    convert(make_clip(), output, painter, EncodeSettings(), overwrite=True, observer=observer)
    assert seen == [b"precious"] * 10
    assert len(read_clip(output).times) == 10


@pytest.mark.parametrize("old", [[], ["o.mov"]], ids=["new", "overwriting"])
def test_a_file_that_does_not_verify_gets_no_name(make_clip, painter, tmp_path, listing, old):
    output = tmp_path / "out" / "o.mov"
    output.parent.mkdir()
    for name in old:
        output.with_name(name).write_bytes(b"precious")

    def damage_what_is_written(count: int) -> None:
        if count == 36:
            (partial,) = output.parent.glob(".*")
            assert partial.stat().st_size > 20_000
            with partial.open("r+b") as file:
                file.seek(40)
                file.write(bytes(10_000))

    with pytest.raises(OutputError, match="did not read back") as caught:
        convert(
            make_clip(frames=40),
            output,
            painter,
            EncodeSettings(codec="prores"),
            overwrite=True,
            observer=Observer(on_frame=damage_what_is_written),
        )
    assert caught.value.path == output
    assert listing(output.parent) == old
    assert all(output.with_name(name).read_bytes() == b"precious" for name in old)


@pytest.mark.parametrize("kind", ["same", "relative", "symlink", "hardlink", "linked folder"])
def test_the_input_is_never_the_output(
    make_clip, painter, tmp_path, monkeypatch, kind, fingerprint
):
    source = make_clip("in/a.mp4")
    before = fingerprint(source)
    output = source
    if kind == "relative":
        monkeypatch.chdir(source.parent)
        output = Path("../in/a.mp4")
    elif kind == "symlink":
        output = tmp_path / "link.mp4"
        output.symlink_to(source)
    elif kind == "hardlink":
        output = tmp_path / "link.mp4"
        os.link(source, output)
    elif kind == "linked folder":
        (tmp_path / "folder").symlink_to(source.parent)
        output = tmp_path / "folder" / "a.mp4"
    with pytest.raises(UsageError, match="same file"):
        convert(source, output, painter, EncodeSettings(), overwrite=True)
    assert fingerprint(source) == before


def test_the_input_is_not_touched(make_clip, sound, painter, tmp_path, fingerprint):
    source = make_clip(sounds=(sound(),))
    before = fingerprint(source), source.stat().st_mtime_ns
    convert(source, tmp_path / "o.mp4", painter, EncodeSettings())
    assert (fingerprint(source), source.stat().st_mtime_ns) == before


def test_ctrl_c_leaves_nothing(make_clip, painter, tmp_path, listing):
    def interrupt(count: int) -> None:
        if count == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(
            make_clip(),
            tmp_path / "out" / "o.mp4",
            painter,
            EncodeSettings(),
            observer=Observer(on_frame=interrupt),
        )
    assert listing(tmp_path / "out") == []
