"""Hardware encoders: tried, never assumed. Software encoders stand in for those that work."""

from __future__ import annotations

from dataclasses import replace

import av
import pytest
from av.logging import get_level

from brushreel.batch.encoding import encode, hardware
from brushreel.batch.encoding.codecs import CODECS, Encoder, constant_rate_factor, same
from brushreel.batch.encoding.encode import EncodeSettings, add_video_stream, choose
from brushreel.core.clips.clip_info import VideoInfo
from brushreel.core.clips.media import probe
from brushreel.core.errors import DeviceError
from brushreel.core.frames.frame import pixel_format

MISSING = Encoder("h264_of_nobody", "qsv", same("yuv420p"))
PRESETS = {"fast": "veryfast", "medium": "faster"}
WORKING = Encoder(
    "libx264", "nvenc", {"yuv420p": "nv12"}, constant_rate_factor, PRESETS, params_option="unused"
)


@pytest.fixture
def video(make_clip):
    real = probe(make_clip(frames=1, colour=(1, 1, 1, 1))).video

    def of(name: str = "yuv420p", width: int = 96, height: int = 64) -> VideoInfo:
        return replace(real, pixel_format=pixel_format(name), width=width, height=height)

    return of


@pytest.fixture
def rows(monkeypatch):
    """Makes these the hardware encoders of H.264."""

    def put(*encoders: Encoder) -> None:
        monkeypatch.setitem(hardware.HARDWARE, "h264", encoders)

    return put


def chosen(video: VideoInfo, **settings) -> Encoder:
    return choose(video, EncodeSettings(**settings), "mp4").encoder


def test_software_is_the_default_even_where_hardware_works(video, rows):
    rows(WORKING)
    assert chosen(video()) is CODECS["h264"].software


def test_auto_takes_the_first_that_works(video, rows):
    rows(MISSING, WORKING, replace(WORKING, kind="amf"))
    assert chosen(video(), encoder="auto") is WORKING


def test_auto_falls_back_to_software(video, rows):
    rows(MISSING)
    assert chosen(video(), encoder="auto") is CODECS["h264"].software


@pytest.mark.parametrize("source", ["yuv422p", "yuv444p", "gray"])
def test_auto_loses_nothing_for_the_sake_of_hardware(video, rows, source):
    rows(WORKING)
    assert chosen(video(source), codec="h264", encoder="auto") is CODECS["h264"].software


def test_auto_passes_by_a_preset_that_the_hardware_lacks(video, rows):
    rows(WORKING)
    assert chosen(video(), encoder="auto", preset="fast") is WORKING
    assert chosen(video(), encoder="auto", preset="slow") is CODECS["h264"].software


def test_an_encoder_that_is_asked_for_is_taken_with_what_it_has(video, rows):
    rows(MISSING, WORKING)
    encoding = choose(video("yuv444p"), EncodeSettings("h264", encoder="nvenc"), "mp4")
    assert encoding.encoder is WORKING
    assert encoding.picture.pixel_format.name == "yuv420p"
    assert encoding.options == {"crf": "9", "preset": "faster"}


def test_what_was_chosen_writes_a_file(video, rows, tmp_path):
    rows(WORKING)
    path = tmp_path / "o.mp4"
    with av.open(str(path), "w") as container:
        stream, _ = add_video_stream(container, video(), EncodeSettings(encoder="auto"))
        assert stream.codec_context.pix_fmt == "nv12"
        container.mux(stream.encode(av.VideoFrame(96, 64, "yuv420p")))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 1


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"encoder": "qsv"}, "encoder h264_of_nobody does not work: this build of FFmpeg"),
        ({"encoder": "vaapi"}, "encoder vaapi does not work: there is no h264 in it"),
        ({"encoder": "nvenc", "preset": "slow"}, "libx264 does not work: it has no preset slow"),
    ],
)
def test_one_that_does_not_work_is_refused_with_the_reason(video, rows, settings, why):
    rows(MISSING, WORKING)
    with pytest.raises(DeviceError, match=why) as caught:
        chosen(video(), **settings)
    assert caught.value.hint == "--encoder auto chooses one that works"
    assert "\n" not in str(caught.value)


def test_prores_has_no_hardware(video):
    with pytest.raises(DeviceError, match="there is no prores in it"):
        choose(video(), EncodeSettings("prores", encoder="nvenc"), "mov")
    software = CODECS["prores"].software
    assert choose(video(), EncodeSettings("prores", encoder="auto"), "mov").encoder is software


# The try-out itself


def test_an_encoder_that_refuses_the_size_does_not_count_as_working():
    row = replace(WORKING, name="dnxhd", pixel_formats=same("yuv422p"))
    options = (("profile", "dnxhr_hq"),)
    assert hardware.why_not(row, "yuv422p", (256, 120), options) is None
    reason = hardware.why_not(row, "yuv422p", (128, 120), options)
    assert reason is not None
    assert "at least 256x120" in reason


def test_an_encoder_that_swallows_frames_does_not_count_as_working(monkeypatch):
    monkeypatch.setattr(hardware, "_try_out", lambda *_: 3)
    row = replace(WORKING, name="swallows")
    assert hardware.why_not(row, "yuv420p", (96, 64), ()) == "it gave 3 of 5 frames"


def test_each_is_tried_once_for_a_size_and_format(monkeypatch):
    tried = []

    def try_out(encoder, form, size, options):
        tried.append(size)
        return 5

    monkeypatch.setattr(hardware, "_try_out", try_out)
    row = replace(WORKING, name="tried")
    for size in ((96, 64), (96, 64), (1920, 1080)):
        assert hardware.why_not(row, "yuv420p", size, ()) is None
    assert tried == [(96, 64), (1920, 1080)]


def test_the_log_level_is_what_it_was():
    before = get_level()
    hardware.why_not(replace(MISSING, name="other"), "yuv420p", (96, 64), ())
    assert get_level() == before


@pytest.mark.parametrize(
    "row", [row for rows in hardware.HARDWARE.values() for row in rows], ids=lambda row: row.name
)
def test_every_row_of_this_machine_works_or_says_why_not(video, row):
    codec = row.name.split("_", maxsplit=1)[0]
    settings = EncodeSettings(codec, encoder=row.kind)
    try:
        assert choose(video(width=640, height=360), settings, "mp4").encoder is row
    except DeviceError as error:
        assert f"the encoder {row.name} does not work: " in error.what
        assert "\n" not in str(error)


def test_the_list_of_encoders_is_the_table_s():
    kinds = {row.kind for rows in hardware.HARDWARE.values() for row in rows}
    assert {"software", "auto", *kinds} == set(encode.ENCODERS)
