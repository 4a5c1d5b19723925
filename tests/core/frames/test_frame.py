from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from brushreel.core.errors import ColourError
from brushreel.core.frames.frame import (
    PIXEL_FORMATS,
    ChromaLocation,
    Colour,
    Frame,
    Matrix,
    Range,
    pixel_format,
)

BT709 = Colour(Matrix.BT709, Range.LIMITED, 1, 1)


def make_frame(name: str = "yuv420p", width: int = 6, height: int = 4, **changes) -> Frame:
    layout = pixel_format(name)
    facts = {
        "planes": tuple(
            np.full(layout.plane_shape(index, width, height), 77, layout.dtype)
            for index in range(layout.plane_count)
        ),
        "pixel_format": layout,
        "width": width,
        "height": height,
        "pts": 3003,
        "duration": 1001,
        "time_base": Fraction(1, 30000),
        "colour": Colour(Matrix.RGB, Range.FULL) if layout.family == "rgb" else BT709,
    }
    return Frame(**{**facts, **changes})


def resolve(name: str = "yuv420p", width: int = 1920, height: int = 1080, **tags) -> Colour:
    unspecified = {"matrix": 2, "range": 0, "primaries": 2, "transfer": 2}
    return Colour.resolve(
        **{**unspecified, **tags}, pixel_format=pixel_format(name), width=width, height=height
    )


class TestPixelFormat:
    @pytest.mark.parametrize("name", PIXEL_FORMATS)
    @pytest.mark.parametrize("size", [(33, 21), (32, 20), (1, 1)])
    def test_agrees_with_ffmpeg(self, name, size):
        ours, theirs = pixel_format(name), av.VideoFrame(size[0], size[1], name)
        assert ours.name == theirs.format.name
        assert {component.bits for component in theirs.format.components} == {ours.depth}
        shapes = [(plane.height, plane.width) for plane in theirs.planes]
        assert [ours.plane_shape(i, *size) for i in range(ours.plane_count)] == shapes

    def test_there_are_nine_layouts_at_three_depths_and_three_at_sixteen_bits(self):
        assert len(PIXEL_FORMATS) == 29  # FFmpeg has no yuva420p12le
        assert {(f.depth, str(f.dtype)) for f in PIXEL_FORMATS.values()} == {
            (8, "uint8"),
            (10, "uint16"),
            (12, "uint16"),
            (16, "uint16"),
        }

    @pytest.mark.parametrize("name", PIXEL_FORMATS)
    def test_alpha_is_the_last_plane_at_full_size(self, name):
        ours, theirs = pixel_format(name), av.VideoFormat(name, 33, 21)
        alphas = [component.plane for component in theirs.components if component.is_alpha]
        assert alphas == ([ours.plane_count - 1] if ours.alpha else [])
        assert ours.plane_count == ours.colour_plane_count + len(alphas)
        if ours.alpha:
            assert ours.plane_shape(ours.plane_count - 1, 33, 21) == (21, 33)

    def test_an_unknown_format_names_the_supported_ones(self):
        with pytest.raises(ColourError, match=r"pixel format nv12 .*yuv420p, .*gbrap12le"):
            pixel_format("nv12")


class TestColour:
    def test_matrix_and_range_are_never_unspecified(self):
        with pytest.raises(ColourError, match="matrix is unspecified"):
            Colour(Matrix.UNSPECIFIED, Range.FULL)
        with pytest.raises(ColourError, match="range is unspecified"):
            Colour(Matrix.BT709, Range.UNSPECIFIED)

    def test_chroma_is_left_by_default(self):
        assert BT709.chroma_location == ChromaLocation.LEFT
        assert resolve().chroma_location == ChromaLocation.LEFT

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ((1920, 1080), (Matrix.BT709, 1, 1)),
            ((1280, 534), (Matrix.BT709, 1, 1)),
            ((1280, 576), (Matrix.BT709, 1, 1)),
            ((768, 577), (Matrix.BT709, 1, 1)),
            ((1279, 576), (Matrix.BT470BG, 5, 6)),
            ((352, 288), (Matrix.BT470BG, 5, 6)),
            ((720, 480), (Matrix.SMPTE170M, 6, 6)),
            ((640, 360), (Matrix.SMPTE170M, 6, 6)),
        ],
    )
    @pytest.mark.parametrize("name", ["yuv420p", "gray10le"])
    def test_an_untagged_stream_follows_its_size(self, name, size, expected):
        assert resolve(name, *size) == Colour(expected[0], Range.LIMITED, *expected[1:])

    @pytest.mark.parametrize(
        ("matrix", "primaries", "transfer"),
        [(1, 1, 1), (4, 4, 4), (5, 5, 6), (6, 6, 6), (7, 7, 7), (9, 9, 14)],
    )
    def test_a_known_matrix_fills_primaries_and_transfer(self, matrix, primaries, transfer):
        found = resolve(width=640, height=360, matrix=matrix)
        assert found == Colour(Matrix(matrix), Range.LIMITED, primaries, transfer)

    def test_only_unspecified_facts_are_filled(self):
        tagged: dict[str, Any] = {"matrix": 9, "range": 2, "primaries": 12, "transfer": 16}
        assert resolve(**tagged) == Colour(Matrix.BT2020_NCL, Range.FULL, 12, 16)
        assert resolve(primaries=9) == Colour(Matrix.BT709, Range.LIMITED, 9, 1)
        assert resolve(matrix=9, transfer=18) == Colour(Matrix.BT2020_NCL, Range.LIMITED, 9, 18)

    def test_reserved_primaries_and_transfer_say_nothing(self):
        assert resolve(primaries=0, transfer=3) == Colour(Matrix.BT709, Range.LIMITED, 1, 1)

    @pytest.mark.parametrize(("range_", "expected"), [(0, Range.FULL), (1, Range.LIMITED)])
    def test_full_range_formats_are_full_unless_tagged(self, range_, expected):
        found = Colour.resolve(
            matrix=1,
            range=range_,
            primaries=1,
            transfer=1,
            pixel_format=pixel_format("yuv420p"),
            width=640,
            height=480,
            full_range_format=True,
        )
        assert found.range == expected

    def test_rgb_planes_are_rgb_and_full(self):
        assert resolve("gbrp") == Colour(Matrix.RGB, Range.FULL)
        assert resolve("gbrp10le", matrix=1, range=1, primaries=9) == Colour(
            Matrix.RGB, Range.LIMITED, 9
        )

    def test_an_rgb_tag_on_other_planes_says_nothing(self):
        assert resolve("gray", matrix=0, range=2) == Colour(Matrix.BT709, Range.FULL, 1, 1)
        assert resolve("yuv420p", 720, 576, matrix=0).matrix == Matrix.BT470BG

    @pytest.mark.parametrize(("code", "name"), [(8, "YCgCo"), (10, "constant"), (14, "ICtCp")])
    def test_a_matrix_without_conversion_is_one_clear_line(self, code, name):
        with pytest.raises(
            ColourError, match=rf"colour matrix {code} \(.*{name}.*convert"
        ) as error:
            resolve(matrix=code)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("tags", [{"matrix": 3}, {"matrix": 99}, {"range": 7}])
    def test_unknown_codes_are_refused(self, tags):
        with pytest.raises(ColourError, match="not supported"):
            resolve(**tags)


class TestFrame:
    @pytest.mark.parametrize("name", PIXEL_FORMATS)
    def test_every_format_makes_a_frame(self, name):
        assert make_frame(name, 5, 3).pixel_format.name == name

    @pytest.mark.parametrize("name", PIXEL_FORMATS)
    def test_alpha_is_a_plane_or_none(self, name):
        frame = make_frame(name)
        expected = frame.planes[-1] if pixel_format(name).alpha else None
        assert frame.alpha is expected

    def test_time_is_exact(self):
        assert make_frame().time == Fraction(3003, 30000)
        assert make_frame(pts=-1).time == Fraction(-1, 30000)

    def test_repr_shows_shapes_and_facts_but_no_data(self):
        text = repr(make_frame())
        for fact in ("yuv420p", "6x4", "4x6, 2x3, 2x3", "uint8", "pts=3003", "1/30000", "BT709"):
            assert fact in text
        assert "77" not in text
        assert "array" not in text

    def test_rows_may_be_padded(self):
        padded = np.zeros((4, 64), np.uint8)[:, :6]
        assert make_frame("gray", planes=(padded,)).planes[0] is padded

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"planes": (np.zeros((4, 6), np.uint8),)}, "1 planes for yuv420p"),
            ({"planes": (np.zeros((4, 6), np.uint8),) * 3}, r"plane 1 .*\(4, 6\)"),
            ({"planes": (np.zeros((4, 6), np.uint16),) * 3}, "plane 0 .*uint16"),
            ({"height": 0}, "6x0 pixels"),
            ({"time_base": Fraction(0)}, "time base"),
        ],
    )
    def test_planes_and_numbers_must_fit(self, changes, message):
        with pytest.raises(ValueError, match=message):
            make_frame(**changes)

    @pytest.mark.parametrize(
        ("name", "matrix"), [("gbrp", "BT709"), ("yuv444p", "RGB"), ("gray", "RGB")]
    )
    def test_the_matrix_must_fit_the_planes(self, name, matrix):
        with pytest.raises(ColourError, match=f"{matrix} does not fit pixel format {name}"):
            make_frame(name, colour=Colour(Matrix[matrix], Range.FULL))

    def test_frames_are_frozen_and_compare_by_identity(self):
        frame = make_frame()
        with pytest.raises(dataclasses.FrozenInstanceError):
            frame.pts = 4  # pyright: ignore[reportAttributeAccessIssue]
        assert frame == frame
        assert frame != dataclasses.replace(frame)
