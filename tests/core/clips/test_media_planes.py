"""Clips made with PyAV, read back: planes must be those that went in."""

from __future__ import annotations

import importlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

from brushreel.core.clips.media import probe, read
from brushreel.core.frames.av_frame import from_av, to_av, working_format
from brushreel.core.frames.frame import PIXEL_FORMATS, Colour, Matrix, Range

RATE = Fraction(1, 25)


def native_frames(path: Path) -> list[av.VideoFrame]:
    """Decode the same clip by PyAV alone."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def planes_of(picture: av.VideoFrame) -> list[np.ndarray]:
    """Return the planes of a planar frame, cut out of PyAV's buffers."""
    name, planes = picture.format.name, []
    for plane in picture.planes:
        codes = np.frombuffer(bytes(plane), "<u2" if name.endswith("le") else np.uint8)
        rows = codes.reshape(plane.height, plane.line_size // codes.itemsize)
        planes.append(rows[:, : plane.width])
    return planes


LOSSLESS = [
    ("ffv1", "yuv420p"),
    ("ffv1", "yuv422p"),
    ("ffv1", "yuv444p"),
    ("ffv1", "yuv420p10le"),
    ("ffv1", "yuv422p10le"),
    ("ffv1", "yuv444p10le"),
    ("ffv1", "yuv420p12le"),
    ("ffv1", "yuv444p12le"),
    ("ffv1", "gray"),
    ("ffv1", "gray10le"),
    ("ffv1", "gray12le"),
    ("ffv1", "gbrp10le"),
    ("ffv1", "gbrp12le"),
    ("ffv1", "yuva420p"),
    ("ffv1", "yuva422p"),
    ("ffv1", "yuva444p"),
    ("ffv1", "yuva420p10le"),
    ("ffv1", "yuva422p10le"),
    ("ffv1", "yuva444p10le"),
    ("ffv1", "yuva422p12le"),
    ("ffv1", "yuva444p12le"),
    ("ffv1", "gbrap10le"),
    ("ffv1", "gbrap12le"),
]


class TestPlanes:
    @pytest.mark.parametrize("size", [(48, 32), (33, 21)])
    @pytest.mark.parametrize(("codec", "name"), LOSSLESS)
    def test_are_those_that_were_written(self, tmp_path, codec, name, size, write_clip, picture):
        clip = write_clip(tmp_path / "c.mkv", codec, name, size=size, count=2)
        frames = list(read(clip))
        for index, frame in enumerate(frames):
            assert (frame.pixel_format.name, frame.width, frame.height) == (name, *size)
            for plane, expected in zip(
                frame.planes, planes_of(picture(name, *size, index)), strict=True
            ):
                np.testing.assert_array_equal(plane, expected)
        assert not np.array_equal(frames[0].planes[0], frames[1].planes[0])

    @pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p", "gray", "gray10le"])
    def test_are_those_of_pyav_s_array(self, tmp_path, name, write_clip):
        clip = write_clip(tmp_path / "c.mkv", "ffv1", name)
        for frame, native in zip(read(clip), native_frames(clip), strict=True):
            together = np.concatenate([plane.reshape(-1) for plane in frame.planes])
            np.testing.assert_array_equal(together, native.to_ndarray().reshape(-1))

    def test_stay_valid_while_the_clip_is_read_on(self, tmp_path, write_clip):
        clip = write_clip(tmp_path / "c.mkv", "ffv1", count=12)
        kept = list(read(clip))
        copies = [frame.planes[0].copy() for frame in read(clip)]
        for frame, copy in zip(kept, copies, strict=True):
            np.testing.assert_array_equal(frame.planes[0], copy)

    def test_rgb_of_h264(self, tmp_path, write_clip):
        clip = write_clip(tmp_path / "c.mkv", "libx264rgb", "rgb24")
        for frame, native in zip(read(clip), native_frames(clip), strict=True):
            rgb = native.to_ndarray(format="rgb24")
            for plane, channel in zip(frame.planes, (1, 2, 0), strict=True):
                np.testing.assert_array_equal(plane, rgb[..., channel])

    @pytest.mark.parametrize("name", ["rgb24", "rgba", "pal8"])
    def test_rgb_of_png(self, tmp_path, name, write_clip):
        clip = write_clip(tmp_path / "c.mov", "png", name)
        video = probe(clip).video
        assert video.native_format == name
        assert video.pixel_format.name == ("gbrap" if name == "rgba" else "gbrp")
        assert video.colour.matrix == Matrix.RGB
        assert video.colour.range == Range.FULL
        assert video.has_alpha == (name == "rgba")
        for frame, native in zip(read(clip), native_frames(clip), strict=True):
            rgb = native.to_ndarray(format="rgb24") if name != "rgba" else native.to_ndarray()
            for plane, channel in zip(frame.planes, (1, 2, 0, 3), strict=name == "rgba"):
                np.testing.assert_array_equal(plane, rgb[..., channel])

    def test_grey_of_png_with_alpha(self, tmp_path, write_clip):
        clip = write_clip(tmp_path / "c.mov", "png", "ya8")
        assert probe(clip).video.native_format == "ya8"
        for frame, native in zip(read(clip), native_frames(clip), strict=True):
            packed = np.frombuffer(memoryview(native.planes[0]), np.uint8).reshape(32, -1)[:, :96]
            for plane in frame.planes[:3]:
                np.testing.assert_array_equal(plane, packed[:, 0::2])
            np.testing.assert_array_equal(frame.alpha, packed[:, 1::2])

    @pytest.mark.parametrize("name", ["rgba64be", "ya16be", "gbrap16le"])
    def test_deep_alpha_keeps_its_bits(self, name):
        native = av.VideoFrame(48, 32, name)
        for level, expected in [(0, 0), (0xFFFF, 0xFFFF)]:
            for plane in native.planes:
                plane.update(np.full(plane.buffer_size // 2, level, "<u2").tobytes())
            frame = from_av(
                native,
                pixel_format=working_format(native.format),
                colour=Colour(Matrix.RGB, Range.FULL),
                pts=0,
                duration=1,
                time_base=RATE,
            )
            assert frame.pixel_format.name == "gbrap16le"
            assert {int(code) for plane in frame.planes for code in plane.flat} == {expected}

    @pytest.mark.parametrize("range_", [1, 2])
    def test_semi_planar_is_taken_apart(self, tmp_path, range_, write_clip):
        def tag(stream):
            stream.codec_context.color_range = range_

        clip = write_clip(tmp_path / "c.mkv", "rawvideo", "nv12", prepare=tag)
        for frame, native in zip(read(clip), native_frames(clip), strict=True):
            assert native.format.name == "nv12"
            stacked = native.to_ndarray()
            np.testing.assert_array_equal(frame.planes[0], stacked[:32])
            np.testing.assert_array_equal(frame.planes[1], stacked[32:, 0::2])
            np.testing.assert_array_equal(frame.planes[2], stacked[32:, 1::2])

    def test_packed_is_taken_apart(self, tmp_path, write_clip):
        clip = write_clip(tmp_path / "c.avi", "rawvideo", "yuyv422")
        for frame, native in zip(read(clip), native_frames(clip), strict=True):
            assert native.format.name == "yuyv422"
            assert frame.pixel_format.name == "yuv422p"
            packed = native.to_ndarray().reshape(32, 96)
            for plane, columns in zip(frame.planes, np.s_[0::2, 1::4, 3::4], strict=True):
                np.testing.assert_array_equal(plane, packed[:, columns])

    @pytest.mark.parametrize("name", ["gray16le", "gbrp16le", "gbrap16le"])
    def test_sixteen_bits_of_grey_and_rgb_stay(self, tmp_path, name, write_clip):
        clip = write_clip(tmp_path / "c.mkv", "ffv1", name)
        for frame, native in zip(read(clip), native_frames(clip), strict=True):
            assert frame.pixel_format.name == native.format.name == name
            for plane, codes in zip(frame.planes, native.planes, strict=True):
                rows = np.frombuffer(memoryview(codes), np.uint16).reshape(32, -1)
                np.testing.assert_array_equal(plane, rows[:, : plane.shape[1]])

    @pytest.mark.parametrize("name", ["rgb48be", "rgba64be", "ya16be", "gray16be"])
    def test_packed_sixteen_bits_are_taken_apart(self, name, picture):
        native = picture(name, 48, 32)
        frame = from_av(
            native,
            pixel_format=working_format(native.format),
            colour=Colour(Matrix.RGB if "gray" not in name else Matrix.BT709, Range.FULL),
            pts=0,
            duration=1,
            time_base=RATE,
        )
        packed = np.frombuffer(memoryview(native.planes[0]), ">u2").reshape(32, -1)
        count = len(native.format.components)
        order = {4: (1, 2, 0, 3), 3: (1, 2, 0), 2: (0, 0, 0, 1), 1: (0,)}[count]
        for plane, channel in zip(frame.planes, order, strict=True):
            np.testing.assert_array_equal(plane, packed[:, channel : 48 * count : count])

    @pytest.mark.parametrize("name", ["yuv420p16le", "yuv444p16le"])
    def test_sixteen_bits_of_yuv_become_twelve(self, tmp_path, name, write_clip):
        clip = write_clip(tmp_path / "c.mkv", "ffv1", name)
        for frame, native in zip(read(clip), native_frames(clip), strict=True):
            assert frame.pixel_format.depth == 12
            width = frame.planes[0].shape[1]
            codes = np.frombuffer(memoryview(native.planes[0]), np.uint16).reshape(32, -1)[
                :, :width
            ]
            difference = frame.planes[0].astype(int) - codes / 16
            assert np.abs(difference).max() < 2

    @pytest.mark.parametrize("range_", [1, 2])
    @pytest.mark.parametrize("name", ["yuv411p", "yuv410p", "yuv440p"])
    def test_other_subsampling_becomes_full_with_the_same_luma(
        self, tmp_path, name, range_, write_clip
    ):
        def tag(stream):
            stream.codec_context.color_range = range_

        clip = write_clip(tmp_path / "c.mkv", "ffv1", name, prepare=tag)
        assert probe(clip).video.colour.range == range_
        for frame, native in zip(read(clip), native_frames(clip), strict=True):
            assert frame.pixel_format.name == "yuv444p"
            luma = np.frombuffer(memoryview(native.planes[0]), np.uint8).reshape(32, -1)[:, :48]
            np.testing.assert_array_equal(frame.planes[0], luma)

    @pytest.mark.parametrize(("codec", "name"), LOSSLESS)
    def test_to_av_and_back(self, tmp_path, codec, name, write_clip):
        clip = write_clip(tmp_path / "c.mkv", codec, name, size=(33, 21), count=2)
        video = probe(clip).video
        for frame in read(clip):
            native = to_av(frame)
            again = from_av(
                native,
                pixel_format=video.pixel_format,
                colour=video.colour,
                pts=frame.pts,
                duration=frame.duration,
                time_base=video.time_base,
            )
            for plane, back in zip(frame.planes, again.planes, strict=True):
                np.testing.assert_array_equal(plane, back)
            assert native.format.name == name
            assert (native.pts, native.time_base) == (frame.pts, frame.time_base)
            assert native.duration == frame.duration
            assert native.colorspace == frame.colour.matrix
            assert native.color_range == frame.colour.range
            assert native.color_primaries == frame.colour.primaries
            assert native.color_trc == frame.colour.transfer


WORKING = {
    "yuv420p": "yuv420p yuvj420p nv12 nv21",
    "yuv422p": "yuv422p yuvj422p nv16 yuyv422 uyvy422 yvyu422",
    "yuv444p": "yuv444p yuvj444p nv24 yuv411p yuv410p yuv440p uyyvyy411",
    "yuv420p10le": "yuv420p10le yuv420p10be yuv420p9le p010le",
    "yuv422p10le": "yuv422p10le yuv422p9le p210le y210le nv20le",
    "yuv444p10le": "yuv444p10le yuv440p10le xv30le p410le",
    "yuv420p12le": "yuv420p12le yuv420p14le yuv420p16le p016le p012le",
    "yuv422p12le": "yuv422p12le yuv422p16be y212le p216le",
    "yuv444p12le": "yuv444p12le yuv444p16le xv36le",
    "gray": "gray monow monob",
    "gray10le": "gray10le gray9le gray10be",
    "gray12le": "gray12le gray12be",
    "gray16le": "gray14le gray16le gray16be grayf32le",
    "gbrp": "gbrp rgb24 bgr24 rgb0 0bgr pal8 rgb565le bgr8 bayer_rggb8",
    "gbrp10le": "gbrp10le gbrp9le x2rgb10le x2bgr10le",
    "gbrp12le": "gbrp12le gbrp12be",
    "gbrp16le": "gbrp14le gbrp16le rgb48le rgb48be gbrpf32le",
    "yuva420p": "yuva420p",
    "yuva422p": "yuva422p",
    "yuva444p": "yuva444p vuya ayuv uyva",
    "yuva420p10le": "yuva420p10le yuva420p9le yuva420p10be",
    "yuva422p10le": "yuva422p10le yuva422p9le",
    "yuva444p10le": "yuva444p10le yuva444p9be",
    "yuva422p12le": "yuva422p12le yuva422p16le yuva420p16le",
    "yuva444p12le": "yuva444p12le yuva444p16le ayuv64le",
    "gbrap": "gbrap rgba bgra argb abgr ya8",
    "gbrap10le": "gbrap10le gbrap10be",
    "gbrap12le": "gbrap12le gbrap12be",
    "gbrap16le": "gbrap14le gbrap16be rgba64le ya16le gbrapf32le",
}


class TestCrop:
    """Pixels that H.264 and HEVC store beyond the frame are left out."""

    @pytest.mark.parametrize(
        ("codec", "metadata"), [("libx264", "h264_metadata"), ("libx265", "hevc_metadata")]
    )
    def test_every_side(self, tmp_path, codec, metadata, write_clip):
        def quiet(stream):
            stream.options = {"x265-params": "log-level=error"} if codec == "libx265" else {}

        whole = write_clip(tmp_path / "w.mp4", codec, size=(96, 64), prepare=quiet)
        cropped = tmp_path / "c.mp4"
        sides = "crop_left=6:crop_right=2:crop_top=4:crop_bottom=10"
        with av.open(str(whole)) as source, av.open(str(cropped), "w") as target:
            stream = source.streams.video[0]
            copy = target.add_stream_from_template(stream)
            edit = BitStreamFilterContext(f"{metadata}={sides}", stream, copy)
            for packet in source.demux(stream):
                for edited in edit.filter(packet if packet.size else None):
                    edited.stream = copy
                    target.mux(edited)
        video = probe(cropped).video
        assert (video.width, video.height) == (88, 50)
        for frame, full in zip(read(cropped), read(whole), strict=True):
            np.testing.assert_array_equal(frame.planes[0], full.planes[0][4:54, 6:94])
            np.testing.assert_array_equal(frame.planes[1], full.planes[1][2:27, 3:47])


class TestWorkingFormat:
    @pytest.mark.parametrize("size", [(48, 32), (33, 21), (720, 576)])
    @pytest.mark.parametrize("name", WORKING)
    def test_holds_what_the_native_one_holds(self, name, size):
        given = {native: av.VideoFormat(native, *size) for native in WORKING[name].split()}
        found = {native: working_format(format_).name for native, format_ in given.items()}
        assert found == dict.fromkeys(given, name)

    def test_every_software_format_has_one_that_can_be_converted_to(self):
        formats: Any = importlib.import_module("av.video.format")  # PyAV types no `names`
        for name in sorted(formats.names):
            native = av.VideoFormat(name, 32, 16)
            if native.components:  # those of hardware have none
                assert working_format(native).name in PIXEL_FORMATS
