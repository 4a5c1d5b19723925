"""Encoded files: every codec in every container, its quality, and its reproducibility."""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.filter import Graph

from brushreel.batch.encoding.codecs import CODECS
from brushreel.batch.encoding.encode import (
    EncodeSettings,
    add_video_stream,
    choose,
    start_encoding,
)
from brushreel.core.clips.clip_info import VideoInfo
from brushreel.core.clips.media import probe
from brushreel.core.frames.av_frame import to_av
from brushreel.core.frames.frame import PIXEL_FORMATS, Colour, Frame, Matrix, Range, pixel_format

SIZE = (256, 120)  # the least that every codec takes
MUXERS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm"}
DECODED_AS = {"av1": "libdav1d", "dnxhr": "dnxhd"}
HELD = [(codec, suffix) for codec, row in CODECS.items() for suffix in row.containers]


@pytest.fixture
def video(make_clip):
    """The facts of a picture track in any pixel format."""
    real = probe(make_clip(frames=1, colour=(1, 1, 1, 1))).video

    def of(name: str, size: tuple[int, int] = SIZE, **facts) -> VideoInfo:
        form = pixel_format(name)
        colour = Colour(Matrix.RGB, Range.FULL) if form.family == "rgb" else real.colour
        width, height = size
        facts = {
            "frame_rate": Fraction(25),
            "time_base": Fraction(1, 25),
            "constant_rate": True,
        } | facts
        return replace(real, pixel_format=form, colour=colour, width=width, height=height, **facts)

    return of


def picture(number: int, size: tuple[int, int], noise_codes: float) -> np.ndarray:
    """Draw a moving texture, a gradient, camera noise on both: (H, W) in 0.1 .. 0.9."""
    width, height = size
    rng = np.random.default_rng(5)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(512), np.fft.fftfreq(512)))
    spectrum = np.fft.fft2(rng.normal(size=(512, 512))) / np.maximum(frequency, 1 / 512) ** 1.8
    texture = np.fft.ifft2(spectrum).real
    texture = np.roll(0.5 + 0.12 * texture / texture.std(), (number, -2 * number), (0, 1))
    down, across = np.mgrid[0:height, 0:width]
    gradient = 0.2 + 0.6 * (across + down + number) / (width + height)
    noise = np.random.default_rng(number).normal(scale=noise_codes / 255, size=(height, width))
    halves = np.where(across < width // 2, texture[:height, :width], gradient)
    return np.clip(halves + noise, 0.1, 0.9)


def frames(video: VideoInfo, count: int, noise: float = 1) -> list[Frame]:
    form, made = video.pixel_format, []
    for number in range(count):
        drawn, planes = picture(number, (video.width, video.height), noise), []
        for index in range(form.plane_count):
            rows, columns = form.plane_shape(index, video.width, video.height)
            small = drawn[:: -(-video.height // rows), :: -(-video.width // columns)]
            chroma = form.family == "yuv" and index in (1, 2)
            values = 0.5 + (small - 0.5) * (0.4 if chroma else 1)
            planes.append(np.rint(values * (2**form.depth - 1)).astype(form.dtype))
        made.append(
            Frame(
                tuple(planes),
                form,
                video.width,
                video.height,
                number,
                1,
                video.time_base,
                video.colour,
            )
        )
    return made


def encode(
    path, video: VideoInfo, settings: EncodeSettings, count: int, noise: float = 1
) -> tuple[bytes, str]:
    """Return extradata before the first frame, and a hash of every packet."""
    digest = hashlib.sha256()
    with av.open(str(path), "w", format=MUXERS[path.suffix[1:]]) as container:
        stream, chosen = add_video_stream(container, video, settings)
        start_encoding(container)
        extradata = bytes(stream.codec_context.extradata or b"")
        # What the stylizer does: frames come in the format that the encoder is fed.
        shown = replace(video, pixel_format=chosen.pixel_format, colour=chosen.colour)
        for frame in [*frames(shown, count, noise), None]:
            for packet in stream.encode(None if frame is None else to_av(frame)):
                digest.update(bytes(packet))
                if count <= 2:
                    # One frame or two are never reordered, but libx265 leaves their dts to chance.
                    packet.dts = packet.pts
                container.mux(packet)
        assert bytes(stream.codec_context.extradata or b"") == extradata
    return extradata, digest.hexdigest()


def decode(path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def ssim(sources: list[Frame], decoded: list[av.VideoFrame]) -> float:
    """Measure FFmpeg's SSIM over all planes, the mean of the frames."""
    graph, first = Graph(), decoded[0]
    inputs = [
        graph.add_buffer(
            width=first.width,
            height=first.height,
            format=first.format,
            time_base=Fraction(1, 25),
        )
        for _ in range(2)
    ]
    measure, sink = graph.add("ssim"), graph.add("buffersink")
    for place, source in enumerate(inputs):
        source.link_to(measure, 0, place)
    measure.link_to(sink)
    graph.configure()
    values = []
    for number, (source, result) in enumerate(zip(sources, decoded, strict=True)):
        same_range = int(result.color_range)
        wanted = to_av(source).reformat(
            format=first.format.name, src_color_range=same_range, dst_color_range=same_range
        )
        for feed, frame in zip(inputs, (wanted, result), strict=True):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            frame.colorspace, frame.color_range = result.colorspace, result.color_range
            frame.color_primaries, frame.color_trc = result.color_primaries, result.color_trc
            feed.push(frame)
        values.append(float(sink.pull().metadata["lavfi.ssim.All"]))
    return float(np.mean(values))


@pytest.mark.parametrize(("codec", "suffix"), HELD)
def test_every_container_of_a_codec_holds_it(video, tmp_path, codec, suffix):
    path = tmp_path / f"o.{suffix}"
    encode(path, video("yuv420p"), EncodeSettings(codec=codec, preset=quick(codec)), 3)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == DECODED_AS.get(codec, codec)
        assert len(list(container.decode(video=0))) == 3


def quick(codec: str) -> str | None:
    return "veryfast" if CODECS[codec].preset else None


@pytest.mark.parametrize(
    ("codec", "suffix", "tag"),
    [
        ("h264", "mp4", "avc1"),
        ("h264", "mov", "avc1"),
        ("hevc", "mp4", "hvc1"),
        ("hevc", "mov", "hvc1"),
        ("av1", "mp4", "av01"),
        ("prores", "mov", "apch"),
        ("dnxhr", "mov", "AVdh"),
    ],
)
def test_files_carry_the_tag_that_quicktime_and_resolve_know(video, tmp_path, codec, suffix, tag):
    path = tmp_path / f"o.{suffix}"
    encode(path, video("yuv420p"), EncodeSettings(codec=codec, preset=quick(codec)), 1)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == tag


PROFILES = {
    "h264": {
        "main": "Main",
        "high": "High",
        "high10": "High 10",
        "high422": "High 4:2:2",
        "high444": "High 4:4:4 Predictive",
    },
    # FFmpeg calls every profile of the range extensions by one name.
    "hevc": {"main": "Main", "main10": "Main 10"},
    "prores": {
        **{"proxy": "Proxy", "lt": "LT", "standard": "Standard"},
        **{"hq": "HQ", "4444": "4444", "4444xq": "XQ"},
    },
    "dnxhr": {name: f"DNXHR {name.upper()}" for name in ("lb", "sq", "hq", "hqx", "444")},
}


@pytest.mark.parametrize(
    ("codec", "profile", "form"),
    [
        (codec, name, form)
        for codec, row in CODECS.items()
        for name, profile in row.profiles.items()
        for form in profile.pixel_formats
    ],
)
def test_a_profile_is_written_with_each_of_its_formats(video, tmp_path, codec, profile, form):
    path = tmp_path / f"o.{CODECS[codec].containers[0]}"
    encode(path, video(form), EncodeSettings(codec=codec, profile=profile, preset=quick(codec)), 1)
    with av.open(str(path)) as container:
        decoded = next(container.decode(video=0))
        said = container.streams.video[0].codec_context.profile
    assert said == PROFILES[codec].get(profile, "Rext")
    # ProRes 4444 is always decoded with 12 bits, H.264's grey as 4:2:0.
    shown = decoded.format.name.replace("12le", "10le")
    assert shown == form.replace("12le", "10le").replace("gray", "yuv420p")


def written(video: VideoInfo, settings: EncodeSettings, muxer: str) -> VideoInfo:
    """Convert the source to what the encoder gets."""
    chosen = choose(video, settings, muxer).picture
    return replace(video, pixel_format=chosen.pixel_format, colour=chosen.colour)


@pytest.mark.parametrize("form", ["yuv420p", "yuv422p10le", "gbrp"])
@pytest.mark.parametrize("codec", CODECS)
def test_a_default_never_loses_visible_quality(video, tmp_path, codec, form):
    path = tmp_path / f"o.{CODECS[codec].containers[0]}"
    settings = EncodeSettings(codec=codec)
    encode(path, video(form), settings, 8)
    shown = written(video(form), settings, MUXERS[path.suffix[1:]])
    assert ssim(frames(shown, 8), decode(path)) >= 0.99


@pytest.mark.parametrize("form", PIXEL_FORMATS)
def test_ffv1_loses_nothing(video, tmp_path, form):
    path = tmp_path / "o.mkv"
    encode(path, video(form, (97, 63)), EncodeSettings(codec="ffv1"), 2)
    for source, result in zip(frames(video(form, (97, 63)), 2), decode(path), strict=True):
        same_range = int(result.color_range)
        shown = result.reformat(format=form, src_color_range=same_range, dst_color_range=same_range)
        for index, plane in enumerate(source.planes):
            rows = np.frombuffer(memoryview(shown.planes[index]), plane.dtype).reshape(
                plane.shape[0], -1
            )
            assert (rows[:, : plane.shape[1]] == plane).all()


def test_prores_keeps_transparency(video, tmp_path):
    path = tmp_path / "o.mov"
    source = video("yuva444p10le", (96, 64))
    encode(path, source, EncodeSettings(), 1)
    result = decode(path)[0]
    rows = np.frombuffer(memoryview(result.planes[3]), np.uint16).reshape(64, -1)[:, :96]
    error = np.abs(rows.astype(int) / 4095 - frames(source, 1)[0].planes[3] / 1023)
    assert error.max() <= 1 / 1023


def test_rgb_stays_rgb_in_hevc(video, tmp_path):
    path = tmp_path / "o.mp4"
    encode(path, video("gbrp10le"), EncodeSettings(preset="veryfast"), 1)
    result = decode(path)[0]
    assert (result.format.name, result.colorspace, result.color_range) == ("gbrp10le", 0, 2)


@pytest.mark.parametrize(
    "settings",
    [
        *(EncodeSettings(codec=codec) for codec in CODECS),
        *(EncodeSettings(codec=codec, bitrate=500_000) for codec in ("h264", "hevc", "av1")),
    ],
    ids=str,
)
def test_a_fresh_encoder_writes_the_same_again(video, tmp_path, settings):
    suffix = CODECS[settings.codec].containers[0]
    first, *others = (
        encode(tmp_path / f"{number}.{suffix}", video("yuv420p"), settings, 12)
        for number in range(3)
    )
    assert others == [first, first]


def test_libx264_writes_the_same_again_whatever_the_cpu(video, tmp_path):
    # With AVX-512 it differs only now and then, and only in noise of some length.
    source, settings = video("yuv420p", (320, 240)), EncodeSettings("h264", preset="veryfast")
    written = {encode(tmp_path / f"{run}.mp4", source, settings, 50, noise=5) for run in range(5)}
    assert len(written) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_what_is_written_does_not_depend_on_the_machine_s_processors(video, tmp_path):
    with_all = encode(tmp_path / "all.mp4", video("yuv420p"), EncodeSettings("h264"), 12)
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        with_one = encode(tmp_path / "one.mp4", video("yuv420p"), EncodeSettings("h264"), 12)
    finally:
        os.sched_setaffinity(0, allowed)
    assert with_one == with_all


@pytest.mark.parametrize("codec", CODECS)
def test_extradata_does_not_depend_on_the_frames(video, tmp_path, codec):
    suffix, settings = CODECS[codec].containers[0], EncodeSettings(codec=codec)
    few, _ = encode(tmp_path / f"few.{suffix}", video("yuv420p"), settings, 1)
    more, _ = encode(tmp_path / f"more.{suffix}", video("yuv420p"), settings, 7)
    assert few == more


# ITU-R BT.2020 primaries, D65, 0.0001 to 1000 cd/m2.
DISPLAY = tuple(
    Fraction(number)
    for number in (
        *("0.708", "0.292", "0.170", "0.797", "0.131", "0.046"),
        *("0.3127", "0.3290", "0.0001", "1000"),
    )
)


@pytest.mark.parametrize(("codec", "suffix"), [("h264", "mp4"), ("hevc", "mp4"), ("av1", "mkv")])
def test_mastering_metadata_is_written(video, tmp_path, codec, suffix):
    path = tmp_path / f"o.{suffix}"
    source = video("yuv420p10le", mastering_display=DISPLAY, content_light=(1000, 400))
    encode(path, source, EncodeSettings(codec=codec, preset="veryfast"), 1)
    side_data: Any = decode(path)[0].side_data
    light = struct.unpack("=2I", bytes(side_data.get("CONTENT_LIGHT_LEVEL")))
    assert light == (1000, 400)
    # AVMasteringDisplayMetadata: ten rationals, then two flags.
    numbers = struct.unpack("=20i", bytes(side_data.get("MASTERING_DISPLAY_METADATA"))[:80])
    told = [Fraction(*numbers[index : index + 2]) for index in range(0, 20, 2)]
    assert all(abs(a - b) < Fraction(1, 10_000) for a, b in zip(told, DISPLAY, strict=True))


def test_svt_av1_says_nothing_on_stderr(video, tmp_path, capfd):
    encode(tmp_path / "o.mp4", video("yuv420p"), EncodeSettings(codec="av1"), 1)
    assert capfd.readouterr().err == ""
