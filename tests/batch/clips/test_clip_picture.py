"""A converted clip's picture: pixels, formats, colour tags, shape and rotation."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from brushreel.batch.clips.clip import stylize_clip
from brushreel.core.clips.media import read
from brushreel.core.frames.colour import from_rgb, to_rgb
from brushreel.core.stylizer import Stylizer

ONE = 1 << 16
# FFmpeg's display matrices (16.16 fixed point, last column 2.30).
TURNS = {
    "quarter turn": (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30),
    "half turn": (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    "three quarters": (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
    "mirrored": (-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30),
    "mirrored quarter turn": (0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
}


def planes_equal(one, other) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean SSIM of two 8-bit planes (Wang et al. 2004) with a flat 8 x 8 window."""

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
    half = Stylizer(tiny_style, device="cpu", precision="fp32", strength=0.5, stroke_size="native")
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
        ({"pixel_format": "rgb24", "codec": "libx264rgb"}, "hevc", "gbrp"),
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
    source = make_clip(pixel_format="yuv420p10le", codec="libx265", frames=4)
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
    after = converted(source, untouched, "o.mp4", codec="h264", crf=0)
    assert after.colour == (1, 1, *after.colour[2:])
    with av.open(str(source)) as one, av.open(str(tmp_path / "out" / "o.mp4")) as two:
        pairs = zip(one.decode(video=0), two.decode(video=0), strict=True)
        for old, new in pairs:
            rgb = new.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
            error = np.abs(old.to_ndarray(format="rgb24").astype(int) - rgb)
            assert error.mean() < 1.5


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
