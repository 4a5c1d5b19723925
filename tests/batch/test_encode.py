"""Which encoder, which pixel format, which quality."""

from __future__ import annotations

from dataclasses import replace

import av
import pytest

from housestyle.batch.encode import CODECS, EncodeSettings, encoded_picture
from housestyle.batch.plan import CONTAINERS
from housestyle.core.errors import UsageError
from housestyle.core.frame import ChromaLocation, Colour, Matrix, Range, pixel_format
from housestyle.core.media import VideoInfo, probe


@pytest.fixture
def video(make_clip):
    """The facts of a picture track, with any of them changed."""
    real = probe(make_clip(frames=1, colour=(1, 1, 1, 1))).video

    def of(name: str, width: int = 96, height: int = 64) -> VideoInfo:
        form = pixel_format(name)
        colour = Colour(Matrix.RGB, Range.FULL) if form.family == "rgb" else real.colour
        return replace(real, pixel_format=form, colour=colour, width=width, height=height)

    return of


@pytest.mark.parametrize(
    ("source", "encoder"),
    [
        ("yuv420p", "libx264"),
        ("yuv444p", "libx264"),
        ("gray", "libx264"),
        ("yuv420p10le", "libx265"),
        ("yuv422p12le", "libx265"),
        ("gbrp10le", "libx265"),
    ],
)
def test_auto_is_h264_for_8_bit_and_hevc_for_more(source, encoder):
    assert EncodeSettings().codec_for(pixel_format(source)).encoder == encoder


def test_a_chosen_codec_is_taken_whatever_the_source():
    for name, codec in CODECS.items():
        assert EncodeSettings(codec=name).codec_for(pixel_format("yuv420p10le")) is codec


@pytest.mark.parametrize("codec", ["av2", "H264", ""])
def test_an_unknown_codec_is_refused(codec):
    with pytest.raises(UsageError, match="codec must be one of auto, h264") as caught:
        EncodeSettings(codec=codec)
    assert codec in str(caught.value)


@pytest.mark.parametrize("codec", ["auto", "h264", "hevc"])
@pytest.mark.parametrize("crf", [-1, 52, 1000])
def test_a_crf_out_of_range_is_refused(codec, crf):
    with pytest.raises(UsageError, match=f"between 0 and 51, not {crf}"):
        EncodeSettings(codec=codec, crf=crf)


@pytest.mark.parametrize("codec", ["prores", "ffv1"])
def test_a_crf_for_a_codec_without_one_is_refused(codec):
    with pytest.raises(UsageError, match=f"{codec} has no CRF"):
        EncodeSettings(codec=codec, crf=17)


@pytest.mark.parametrize("crf", [0, 51])
def test_the_ends_of_the_crf_are_allowed(crf):
    assert EncodeSettings(codec="h264", crf=crf).crf == crf


@pytest.mark.parametrize(
    ("codec", "source", "written"),
    [
        ("h264", "yuv420p", "yuv420p"),
        ("h264", "yuv422p10le", "yuv422p10le"),
        ("h264", "gray", "gray"),
        ("h264", "gbrp", "yuv444p"),
        ("h264", "yuv420p12le", "yuv420p10le"),
        ("h264", "gbrp12le", "yuv444p10le"),
        ("h264", "gray12le", "gray10le"),
        ("hevc", "yuv422p12le", "yuv422p12le"),
        ("hevc", "gbrp10le", "yuv444p10le"),
        ("hevc", "gray12le", "gray12le"),
        ("prores", "yuv420p", "yuv422p10le"),
        ("prores", "yuv422p", "yuv422p10le"),
        ("prores", "yuv444p", "yuv444p10le"),
        ("prores", "gbrp", "yuv444p10le"),
        ("prores", "gray", "yuv422p10le"),
        ("ffv1", "yuv420p12le", "yuv420p12le"),
        ("ffv1", "gray", "gray"),
        ("ffv1", "gbrp", "gbrp10le"),
        ("ffv1", "gbrp12le", "gbrp12le"),
    ],
)
def test_the_pixel_format_is_the_source_s_or_the_nearest(video, codec, source, written):
    assert encoded_picture(video(source), CODECS[codec]).pixel_format.name == written


@pytest.mark.parametrize(
    ("codec", "size", "source", "written"),
    [
        ("h264", (97, 64), "yuv420p", "yuv444p"),
        ("h264", (96, 63), "yuv420p", "yuv422p"),
        ("hevc", (96, 63), "yuv420p10le", "yuv422p10le"),
        ("h264", (97, 63), "yuv422p", "yuv444p"),
        ("h264", (97, 63), "gray", "gray"),
        ("ffv1", (97, 63), "yuv420p", "yuv420p"),
    ],
)
def test_odd_sizes_get_finer_chroma_where_the_codec_crops(video, codec, size, source, written):
    assert encoded_picture(video(source, *size), CODECS[codec]).pixel_format.name == written


def test_rgb_becomes_limited_709(video):
    colour = encoded_picture(video("gbrp"), CODECS["h264"]).colour
    assert (colour.matrix, colour.range) == (Matrix.BT709, Range.LIMITED)


def test_the_colour_stays_the_source_s(video):
    source = video("yuv420p")
    odd = Colour(Matrix.BT2020_NCL, Range.FULL, 9, 16)
    picture = encoded_picture(replace(source, colour=odd), CODECS["hevc"])
    assert picture.colour == replace(odd, chroma_location=ChromaLocation.LEFT)


def test_every_row_of_the_table_is_true():
    for codec in CODECS.values():
        offered = {form.name for form in av.Codec(codec.encoder, "w").video_formats or ()}
        assert set(codec.pixel_formats) <= offered
        assert codec.containers
        assert set(codec.containers) <= set(CONTAINERS)
