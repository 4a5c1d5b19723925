"""Opacity: carried beside the colours, never touched."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from brushreel.core.clips.media import probe, read
from brushreel.core.frames.colour import from_rgb, to_rgb
from brushreel.core.frames.frame import PIXEL_FORMATS, Colour, Frame, Matrix, Range, pixel_format

ALPHAS = [name for name, format_ in PIXEL_FORMATS.items() if format_.alpha]


def noise(width: int, height: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


def frame_of(rgb: torch.Tensor, name: str) -> Frame:
    """Return a frame made from one without alpha."""
    layout = pixel_format(name)
    colour = Colour(Matrix.RGB if layout.family == "rgb" else Matrix.BT709, Range.LIMITED)
    plane, grey = np.zeros((2, 2), np.uint8), Colour(Matrix.BT709, Range.FULL)
    like = Frame((plane,), pixel_format("gray"), 2, 2, 41, 2, Fraction(1, 24), grey)
    return from_rgb(rgb, like, pixel_format=layout, colour=colour)


def with_alpha(name: str, width: int = 33, height: int = 21) -> Frame:
    """Return a frame whose alpha takes every kind of value, in rows that are padded."""
    layout = pixel_format(name)
    frame = frame_of(noise(width, height), name)
    codes = np.random.default_rng(5).integers(0, 2**layout.depth, (height, width + 9))
    codes[0, :2] = 0, 2**layout.depth - 1
    alpha = codes.astype(layout.dtype)[:, :width]
    return dataclasses.replace(frame, planes=(*frame.planes[:-1], alpha))


class TestAlpha:
    @pytest.mark.parametrize("name", ALPHAS)
    def test_is_carried_bit_by_bit(self, name):
        frame = with_alpha(name)
        stylized = from_rgb(noise(33, 21).flip(-1), frame)
        np.testing.assert_array_equal(stylized.alpha, frame.alpha)
        assert not np.array_equal(stylized.planes[0], frame.planes[0])

    @pytest.mark.parametrize("name", ALPHAS)
    def test_changes_no_colour(self, name):
        frame, plain = with_alpha(name), name.replace("yuva", "yuv").replace("gbrap", "gbrp")
        without = dataclasses.replace(
            frame, planes=frame.planes[:3], pixel_format=pixel_format(plain)
        )
        assert torch.equal(to_rgb(frame), to_rgb(without))
        stylized = from_rgb(noise(33, 21), frame).planes[:3]
        for plane, same in zip(stylized, from_rgb(noise(33, 21), without).planes, strict=True):
            np.testing.assert_array_equal(plane, same)

    @pytest.mark.parametrize(
        ("source", "target"),
        [("yuva420p", "yuva444p10le"), ("gbrap", "gbrap12le"), ("yuva444p10le", "yuva422p12le")],
    )
    def test_another_depth_stretches_it_and_back(self, source, target):
        frame = with_alpha(source)
        rgb, target = to_rgb(frame), pixel_format(target)
        deeper = from_rgb(rgb, frame, pixel_format=target)
        top = 2**target.depth - 1
        exact = frame.alpha * (top / (2**frame.pixel_format.depth - 1))
        np.testing.assert_array_equal(deeper.alpha, np.rint(exact))
        assert (deeper.alpha[0, 0], deeper.alpha[0, 1]) == (0, top)
        back = from_rgb(rgb, deeper, pixel_format=frame.pixel_format, colour=frame.colour)
        np.testing.assert_array_equal(back.alpha, frame.alpha)

    @pytest.mark.parametrize("name", ALPHAS)
    def test_is_opaque_where_the_source_has_none(self, name):
        alpha = frame_of(noise(7, 5), name).alpha
        assert alpha.shape == (5, 7)
        assert set(alpha.flat) == {2 ** pixel_format(name).depth - 1}

    def test_is_dropped_where_the_target_has_none(self):
        frame = with_alpha("yuva420p")
        assert from_rgb(to_rgb(frame), frame, pixel_format=pixel_format("yuv420p")).alpha is None


def mark_alpha(stream: av.VideoStream) -> None:
    """State like WebM that every frame has a second one with its alpha."""
    stream.metadata["alpha_mode"] = "1"
    stream.options = {"auto-alt-ref": "0", "crf": "4", "b": "0"}


class TestReading:
    @pytest.mark.parametrize("codec", ["libvpx-vp9", "libvpx"])
    @pytest.mark.parametrize("suffix", ["webm", "mkv"])
    def test_vp9_and_vp8(self, tmp_path, codec, suffix, write_clip, picture):
        clip = tmp_path / f"c.{suffix}"
        write_clip(clip, codec, "yuva420p", count=6, prepare=mark_alpha)
        video = probe(clip).video
        assert (video.pixel_format.name, video.has_alpha) == ("yuva420p", True)
        assert video.codec == codec.replace("libvpx-", "").replace("libvpx", "vp8")
        frames = list(read(clip))
        assert [frame.time for frame in frames] == [Fraction(index, 25) for index in range(6)]
        for index, frame in enumerate(frames):
            native = np.frombuffer(picture("yuva420p", 48, 32, index).planes[3], np.uint8)
            expected = native.reshape(32, -1)[:, :48].astype(int)
            assert np.abs(frame.alpha - expected).mean() < 12  # of noise in 0 to 255

    def test_vp9_without_alpha_has_none(self, tmp_path, write_clip):
        video = probe(write_clip(tmp_path / "c.webm", "libvpx-vp9")).video
        assert (video.pixel_format.name, video.has_alpha) == ("yuv420p", False)

    def test_prores_4444(self, tmp_path, write_clip, picture):
        def best(stream):
            stream.options = {"profile": "4444"}

        clip = write_clip(tmp_path / "c.mov", "prores_ks", "yuva444p10le", prepare=best)
        assert probe(clip).video.pixel_format.name in ("yuva444p10le", "yuva444p12le")
        for index, frame in enumerate(read(clip)):
            native = np.frombuffer(picture("yuva444p10le", 48, 32, index).planes[3], "<u2")
            share = native.reshape(32, -1)[:, :48] / 1023
            top = 2**frame.pixel_format.depth - 1
            np.testing.assert_allclose(frame.alpha / top, share, rtol=0, atol=1 / top)
