"""Choice of encoder, pixel format and quality."""

from __future__ import annotations

from dataclasses import replace

import av
import pytest
from av.codec.codec import UnknownCodecError

from brushreel.batch.clips.clip import convert, inspect_clip
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.encoding.codecs import CODECS, PRESETS, Encoder
from brushreel.batch.encoding.encode import (
    EncodeSettings,
    Picture,
    choose,
    encoded_picture,
    parse_bitrate,
)
from brushreel.batch.encoding.hardware import HARDWARE
from brushreel.core.clips.clip_info import VideoInfo
from brushreel.core.clips.media import probe
from brushreel.core.errors import OutputError, UsageError
from brushreel.core.frames.frame import ChromaLocation, Colour, Matrix, Range, pixel_format
from brushreel.core.options import CONTAINERS, ENCODERS


@pytest.fixture
def video(make_clip):
    """The facts of a picture track, with any of them changed."""
    real = probe(make_clip(frames=1, colour=(1, 1, 1, 1))).video

    def of(name: str, width: int = 320, height: int = 160) -> VideoInfo:
        form = pixel_format(name)
        colour = Colour(Matrix.RGB, Range.FULL) if form.family == "rgb" else real.colour
        return replace(real, pixel_format=form, colour=colour, width=width, height=height)

    return of


def picture(video: VideoInfo, codec: str, profile: str | None = None) -> Picture:
    return encoded_picture(video, CODECS[codec], CODECS[codec].software, profile)


# Which codec


@pytest.mark.parametrize(
    ("source", "muxer", "codec"),
    [
        ("yuv420p", "mp4", "h264"),
        ("yuv444p", "matroska", "h264"),
        ("gray", "mov", "h264"),
        ("yuv420p10le", "mp4", "hevc"),
        ("yuv422p12le", "mov", "hevc"),
        ("gbrp", "mp4", "hevc"),
        ("gbrp10le", "matroska", "hevc"),
        ("yuva444p10le", "mov", "prores"),
        ("gbrap", "mov", "prores"),
        ("yuva420p", "matroska", "ffv1"),
        ("gbrap12le", "matroska", "ffv1"),
        ("yuva420p", "mp4", "h264"),
        ("yuva444p12le", "mp4", "hevc"),
    ],
)
def test_auto_keeps_depth_rgb_and_where_it_can_transparency(video, source, muxer, codec):
    assert choose(video(source), EncodeSettings(), muxer).codec == codec


@pytest.mark.parametrize("codec", CODECS)
def test_a_chosen_codec_is_taken_whatever_the_source(video, codec):
    muxer = {"mkv": "matroska"}.get(CODECS[codec].containers[0], CODECS[codec].containers[0])
    for source in ("yuv420p10le", "gbrap12le", "gray"):
        chosen = choose(video(source), EncodeSettings(codec=codec), muxer)
        assert (chosen.codec, chosen.encoder) == (codec, CODECS[codec].software)


@pytest.mark.parametrize(
    ("codec", "muxer", "ways"),
    [
        ("dnxhr", "matroska", "write a .mov: -o NAME.mov, or --container mov"),
        ("av1", "mov", "write a .mp4 or .mkv or .webm: -o NAME.mp4, or --container mp4"),
        ("prores", "mp4", "write a .mov or .mkv: -o NAME.mov, or --container mov"),
    ],
)
def test_a_container_that_cannot_hold_the_codec_is_refused(video, codec, muxer, ways):
    with pytest.raises(OutputError, match=r"does not support .* video") as caught:
        choose(video("yuv420p"), EncodeSettings(codec=codec), muxer)
    assert caught.value.hint == ways


def test_a_picture_too_small_for_the_codec_is_refused(video):
    with pytest.raises(
        OutputError, match=r"dnxhr does not support frames below 256x120, .* 254x160"
    ):
        choose(video("yuv420p", width=254), EncodeSettings(codec="dnxhr"), "mov")
    assert choose(video("yuv420p", width=256), EncodeSettings(codec="dnxhr"), "mov")


@pytest.mark.parametrize(("codec", "side"), [("hevc", 16), ("av1", 4)])
def test_the_least_size_is_the_encoders_own(make_clip, tmp_path, untouched, codec, side):
    source, settings = make_clip("a.mp4", size=(side, side), frames=3), EncodeSettings(codec=codec)
    write = WriteSettings(encode=settings)
    assert convert(source, tmp_path / "o.mp4", untouched, write=write).frames == 3
    smaller = make_clip("b.mp4", size=(side - 2, side), frames=3)
    with pytest.raises(OutputError, match=f"{codec} does not support frames below"):
        inspect_clip(smaller, tmp_path / "p.mp4", write=write)


def test_what_the_encoder_refuses_is_said_before_the_first_frame(make_clip, tmp_path, monkeypatch):
    monkeypatch.setitem(CODECS, "hevc", replace(CODECS["hevc"], least_size=(1, 1)))
    source = make_clip("a.mp4", size=(8, 8))
    with pytest.raises(OutputError, match="refuses 8x8") as caught:
        inspect_clip(
            source, tmp_path / "o.mp4", write=WriteSettings(encode=EncodeSettings(codec="hevc"))
        )
    assert caught.value.path == tmp_path / "o.mp4"


# What is refused at once


@pytest.mark.parametrize("codec", ["av2", "H264", ""])
def test_an_unknown_codec_is_refused(codec):
    with pytest.raises(UsageError, match="codec must be one of auto, h264") as caught:
        EncodeSettings(codec=codec)
    assert codec in str(caught.value)


@pytest.mark.parametrize(
    ("codec", "crf", "most"),
    [("auto", -1, 51), ("h264", 52, 51), ("hevc", 99, 51), ("av1", 64, 63)],
)
def test_a_crf_out_of_range_is_refused(codec, crf, most):
    with pytest.raises(UsageError, match=f"between 0 and {most}, not {crf}"):
        EncodeSettings(codec=codec, crf=crf)


@pytest.mark.parametrize(("codec", "crf"), [("h264", 0), ("h264", 51), ("av1", 63)])
def test_the_ends_of_the_crf_are_allowed(codec, crf):
    assert EncodeSettings(codec=codec, crf=crf).crf == crf


@pytest.mark.parametrize("codec", ["prores", "dnxhr", "ffv1"])
@pytest.mark.parametrize(
    ("setting", "what"),
    [({"crf": 17}, "CRF"), ({"bitrate": 10**6}, "bitrate"), ({"preset": "fast"}, "presets")],
)
def test_what_a_codec_does_not_have_is_refused(codec, setting, what):
    with pytest.raises(UsageError, match=f"{codec} does not support .*{what}"):
        EncodeSettings(codec=codec, **setting)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"crf": 20, "bitrate": 10**6}, "not both"),
        ({"bitrate": 0}, "not positive"),
        ({"profile": "hq"}, "needs a codec"),
        ({"codec": "prores", "profile": "hqx"}, "proxy, lt, standard, hq, 4444, 4444xq, not hqx"),
        ({"codec": "av1", "profile": "main"}, "av1 does not support profiles"),
        ({"preset": "8"}, "preset must be one of auto, ultrafast"),
        ({"codec": "av1", "preset": "14"}, "12, 13, not 14"),
        ({"encoder": "cuda"}, "software, auto, nvenc, qsv, videotoolbox, amf, vaapi, not cuda"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, why):
    with pytest.raises(UsageError, match=why):
        EncodeSettings(**settings)


@pytest.mark.parametrize(
    ("text", "bits"), [("8M", 8_000_000), ("800k", 800_000), ("1.5M", 1_500_000), ("9000", 9000)]
)
def test_a_bitrate_is_read_as_people_write_it(text, bits):
    assert parse_bitrate(text) == bits


@pytest.mark.parametrize("text", ["", "M", "8 MB", "-8M", "8G", "1e6"])
def test_what_is_no_bitrate_is_refused(text):
    with pytest.raises(UsageError, match="is not a valid bitrate"):
        parse_bitrate(text)


# Which options


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({"codec": "h264"}, {"crf": "9", "preset": "superfast"}),
        ({"codec": "hevc"}, {"crf": "9", "preset": "veryfast"}),
        ({"codec": "hevc", "crf": 0, "preset": "slow"}, {"crf": "0", "preset": "slow"}),
        ({"codec": "av1"}, {"crf": "4", "preset": "9"}),
        ({"codec": "av1", "preset": "veryslow"}, {"preset": "2"}),
        ({"codec": "av1", "preset": "13"}, {"preset": "13"}),
        ({"codec": "h264", "bitrate": 8_000_000}, {"b": "8000000"}),
        ({"codec": "h264", "profile": "main"}, {"profile": "main"}),
    ],
)
def test_settings_become_the_encoder_s_options(video, settings, options):
    chosen = choose(video("yuv420p"), EncodeSettings(**settings), "mp4").options
    assert {name: chosen[name] for name in options} == options
    assert ("b" in chosen) != ("crf" in chosen)


@pytest.mark.parametrize("codec", CODECS)
def test_auto_is_the_default_preset_of_every_codec(codec):
    assert EncodeSettings(codec, preset="auto") == EncodeSettings(codec)


def test_a_named_preset_is_the_encoder_s_own(video):
    params = [
        choose(video("yuv420p"), EncodeSettings("h264", preset=preset), "mp4").options[
            "x264-params"
        ]
        for preset in (None, "superfast")
    ]
    assert "mbtree=1:rc-lookahead=5:cabac=0:b-adapt=0" in params[0]
    assert "mbtree" not in params[1]


@pytest.mark.parametrize(
    ("preset", "height", "fewer"), [(None, 2160, True), (None, 1080, False), ("slow", 2160, False)]
)
def test_large_frames_are_held_in_smaller_numbers(video, preset, height, fewer):
    settings = EncodeSettings("h264", preset=preset)
    chosen = choose(video("yuv420p", height * 16 // 9, height), settings, "mp4")
    assert ("b-pyramid=none" in chosen.options["x264-params"]) == fewer


@pytest.mark.parametrize("preset", [None, "slow"])
@pytest.mark.parametrize(("width", "without"), [(16, True), (62, True), (64, False), (1920, False)])
def test_narrow_frames_do_without_the_tree_that_writes_beyond_its_memory(
    video, width, preset, without
):
    chosen = choose(video("yuv420p", width, 480), EncodeSettings("hevc", preset=preset), "mp4")
    assert ("cutree=0" in chosen.options["x265-params"]) == without


@pytest.mark.parametrize(
    ("codec", "source", "profile"),
    [
        ("prores", "yuv420p", "hq"),
        ("prores", "yuv444p", "4444"),
        ("prores", "gbrap", "4444"),
        ("dnxhr", "yuv420p", "dnxhr_hq"),
        ("dnxhr", "yuv420p10le", "dnxhr_hqx"),
        ("dnxhr", "gbrp", "dnxhr_444"),
    ],
)
def test_the_usual_profile_follows_the_picture(video, codec, source, profile):
    chosen = choose(video(source), EncodeSettings(codec=codec), "mov")
    assert chosen.options["profile"] == profile


def test_auto_drops_what_its_codec_does_not_have(video):
    settings = EncodeSettings(crf=20, preset="slow")
    assert "crf" not in choose(video("yuva420p"), settings, "mov").options
    assert choose(video("yuv420p"), settings, "mov").options["crf"] == "20"


def test_the_identity_tells_apart_whatever_changes_the_pictures(video):
    settings = [
        EncodeSettings(),
        EncodeSettings(crf=11),
        EncodeSettings(preset="slow"),
        EncodeSettings(bitrate=10**6),
        EncodeSettings(codec="hevc"),
        EncodeSettings(codec="h264", profile="high444"),
    ]
    seen = [choose(video("yuv420p"), one, "mp4").identity for one in settings]
    assert all(seen.count(one) == 1 for one in seen)
    assert choose(video("yuv420p"), EncodeSettings(crf=9), "mp4").identity == seen[0]


# Which pixel format


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
        ("h264", "yuva420p", "yuv420p"),
        ("hevc", "yuv422p12le", "yuv422p12le"),
        ("hevc", "gbrp10le", "gbrp10le"),
        ("hevc", "gbrap12le", "gbrp12le"),
        ("hevc", "gray12le", "gray12le"),
        ("av1", "yuv420p10le", "yuv420p10le"),
        ("av1", "yuv444p12le", "yuv420p10le"),
        ("av1", "gray", "yuv420p"),
        ("prores", "yuv420p", "yuv422p10le"),
        ("prores", "yuv422p", "yuv422p10le"),
        ("prores", "yuv444p", "yuv444p10le"),
        ("prores", "gbrp", "yuv444p10le"),
        ("prores", "gray", "yuv422p10le"),
        ("prores", "yuva420p", "yuva444p10le"),
        ("prores", "gbrap12le", "yuva444p10le"),
        ("dnxhr", "yuv420p", "yuv422p"),
        ("dnxhr", "yuv420p10le", "yuv422p10le"),
        ("dnxhr", "yuv444p", "yuv444p10le"),
        ("dnxhr", "gbrp12le", "gbrp10le"),
        ("dnxhr", "gray", "yuv422p"),
        ("ffv1", "yuv420p12le", "yuv420p12le"),
        ("ffv1", "gray", "gray"),
        ("ffv1", "gbrp", "gbrp"),
        ("ffv1", "gbrp12le", "gbrp12le"),
        ("ffv1", "yuva422p10le", "yuva422p10le"),
        ("ffv1", "gbrap", "gbrap"),
    ],
)
def test_the_pixel_format_is_the_source_s_or_the_nearest(video, codec, source, written):
    assert picture(video(source), codec).pixel_format.name == written


@pytest.mark.parametrize(
    ("codec", "size", "source", "written"),
    [
        ("h264", (97, 64), "yuv420p", "yuv444p"),
        ("h264", (96, 63), "yuv420p", "yuv422p"),
        ("hevc", (96, 63), "yuv420p10le", "yuv422p10le"),
        ("h264", (97, 63), "yuv422p", "yuv444p"),
        ("h264", (97, 63), "gray", "gray"),
        ("av1", (97, 63), "yuv420p", "yuv420p"),
        ("ffv1", (97, 63), "yuv420p", "yuv420p"),
    ],
)
def test_odd_sizes_get_finer_chroma_where_the_codec_crops(video, codec, size, source, written):
    assert picture(video(source, *size), codec).pixel_format.name == written


@pytest.mark.parametrize(
    ("codec", "profile", "source", "written"),
    [
        ("h264", "high", "yuv422p10le", "yuv420p"),
        ("h264", "high10", "yuv420p", "yuv420p10le"),
        ("hevc", "main10", "yuv444p12le", "yuv420p10le"),
        ("prores", "hq", "yuv444p12le", "yuv422p10le"),
        ("prores", "4444xq", "yuv420p", "yuv444p10le"),
        ("dnxhr", "sq", "yuv420p10le", "yuv422p"),
    ],
)
def test_a_profile_decides_the_pixel_format(video, codec, profile, source, written):
    assert picture(video(source), codec, profile).pixel_format.name == written


@pytest.mark.parametrize("profile", ["main", "high", "high10"])
def test_a_profile_without_a_form_for_the_size_is_refused(video, profile):
    with pytest.raises(OutputError, match=f"no pixel format for 97x64 in profile {profile}"):
        picture(video("yuv420p", 97, 64), "h264", profile)


def test_rgb_becomes_limited_709(video):
    colour = picture(video("gbrp"), "h264").colour
    assert (colour.matrix, colour.range) == (Matrix.BT709, Range.LIMITED)


def test_the_colour_stays_the_source_s(video):
    odd = Colour(Matrix.BT2020_NCL, Range.FULL, 9, 16)
    colour = picture(replace(video("yuv420p"), colour=odd), "hevc").colour
    assert colour == replace(odd, chroma_location=ChromaLocation.LEFT)


# The table


def test_every_row_of_the_table_is_true():
    for codec in CODECS.values():
        offered = {form.name for form in av.Codec(codec.software.name, "w").video_formats or ()}
        assert set(codec.software.pixel_formats.values()) <= offered
        assert codec.containers
        assert set(codec.containers) <= set(CONTAINERS)
        assert set(codec.usual_profiles) <= set(codec.profiles)
        for profile in codec.profiles.values():
            assert set(profile.pixel_formats) <= set(codec.software.pixel_formats)
        assert codec.preset is None or set(PRESETS) <= set(codec.software.presets)


def known_here(row: Encoder) -> av.Codec | None:
    try:
        return av.Codec(row.name, "w")
    except UnknownCodecError:
        return None  # this build of FFmpeg lacks it; another may have it


@pytest.mark.parametrize(
    "row", [row for rows in HARDWARE.values() for row in rows], ids=lambda row: row.name
)
def test_every_hardware_row_is_true_as_far_as_ffmpeg_knows_it(row):
    codec = known_here(row)
    if codec is not None and not row.hwaccel:
        offered = {form.name for form in codec.video_formats or ()}
        assert set(row.pixel_formats.values()) <= offered
    assert row.kind in ENCODERS
    assert row.presets == {} or set(row.presets) == set(PRESETS)
