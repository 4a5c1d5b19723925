"""The conversions against libswscale, against the standards' numbers, and there and back."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from av.filter import Graph

from brushreel.core.errors import ColourError
from brushreel.core.frames.colour import from_rgb, to_rgb
from brushreel.core.frames.frame import (
    PIXEL_FORMATS,
    ChromaLocation,
    Colour,
    Frame,
    Matrix,
    PixelFormat,
    Range,
    pixel_format,
)

# libswscale's fixed point stays this close to the exact RGB (in 1/255), its planes this close to
# the rounded codes. It makes full range out of limited range in 14 bits, hence the second code.
SWSCALE_RGB = 0.02
SWSCALE_CODES = 2

SWSCALE_MATRICES = {
    Matrix.BT709: "bt709",
    Matrix.FCC: "fcc",
    Matrix.BT470BG: "bt470bg",
    Matrix.SMPTE170M: "smpte170m",
    Matrix.SMPTE240M: "smpte240m",
    Matrix.BT2020_NCL: "bt2020nc",
}
SWSCALE_RANGES = {Range.LIMITED: "tv", Range.FULL: "pc"}
SWSCALE_FLAGS = "flags=bilinear+accurate_rnd+bitexact+full_chroma_int+full_chroma_inp"
SITINGS = [ChromaLocation.LEFT, ChromaLocation.CENTER]
SWSCALE_SITING = dict(zip(SITINGS, [(0, 128), (128, 128)], strict=True))  # 1/256 sample
RANGES = [Range.LIMITED, Range.FULL]
COLOURS = [name for name, format_ in PIXEL_FORMATS.items() if not format_.alpha]
YUV = [name for name in COLOURS if PIXEL_FORMATS[name].family == "yuv"]


def colour_for(format_: PixelFormat, matrix: Matrix, range_: Range, **facts) -> Colour:
    return Colour(Matrix.RGB if format_.family == "rgb" else matrix, range_, **facts)


def picture(width: int = 96, height: int = 64) -> torch.Tensor:
    """Return RGB that is smooth and saturated, without a flat edge: (1, 3, H, W)."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 20), np.cos(y / 17), np.sin((x + y) / 25)]
    return torch.tensor(0.5 + 0.4 * np.stack(waves), dtype=torch.float32)[None]


def noise(width: int = 48, height: int = 36) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


def timing(width: int = 2, height: int = 2) -> Frame:
    """Return any frame, to give ``from_rgb`` its timing."""
    plane = np.zeros((height, width), np.uint8)
    colour = Colour(Matrix.BT709, Range.FULL)
    return Frame((plane,), pixel_format("gray"), width, height, 41, 2, Fraction(1, 24), colour)


def frame_of(rgb: torch.Tensor, name: str, colour: Colour) -> Frame:
    return from_rgb(rgb, timing(), pixel_format=pixel_format(name), colour=colour)


def frame_from(planes: list[np.ndarray], name: str, colour: Colour) -> Frame:
    height, width = planes[0].shape
    return Frame(tuple(planes), pixel_format(name), width, height, 0, 1, Fraction(1, 25), colour)


def swscale(planes, source: str, target: str, options: str) -> list[np.ndarray]:
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, source)
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    for plane, buffer in zip(planes, frame.planes, strict=True):
        rows = np.frombuffer(memoryview(buffer), np.uint8).reshape(buffer.height, buffer.line_size)
        data = np.ascontiguousarray(plane).view(np.uint8)
        rows[:, : data.shape[1]] = data
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=width, height=height, format=frame.format, time_base=Fraction(1, 25)
        ),
        graph.add("scale", f"{options}:{SWSCALE_FLAGS}"),
        graph.add("format", target),
        graph.add("buffersink"),
    ).configure()
    graph.push(frame)
    return [read_plane(plane, target) for plane in graph.pull().planes]


def read_plane(plane, name: str) -> np.ndarray:
    dtype = np.dtype(np.uint16 if "le" in name else np.uint8)
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return np.ascontiguousarray(rows[:, : plane.width * dtype.itemsize]).view(dtype)


def swscale_rgb(frame: Frame) -> np.ndarray:
    colour, depth = frame.colour, frame.pixel_format.depth
    g, b, r = swscale(
        frame.planes,
        frame.pixel_format.name,
        "gbrp16le",
        f"in_color_matrix={SWSCALE_MATRICES[colour.matrix]}:out_range=pc:"
        f"in_range={SWSCALE_RANGES[colour.range]}:{siting('in', frame.pixel_format, colour)}",
    )
    # It shifts codes to 16 bits where exact scaling would stretch them: white is not 65535.
    white = 255 << 8 if colour.range == Range.LIMITED else (2**depth - 1) << (16 - depth)
    return np.stack([r, g, b]) / white


def swscale_planes(rgb: torch.Tensor, name: str, colour: Colour) -> list[np.ndarray]:
    r, g, b = (rgb[0].numpy() * (255 << 8)).round().astype(np.uint16)
    return swscale(
        [g, b, r],
        "gbrp16le",
        name,
        f"out_color_matrix={SWSCALE_MATRICES[colour.matrix]}:in_range=pc:"
        f"out_range={SWSCALE_RANGES[colour.range]}:{siting('out', pixel_format(name), colour)}",
    )


def siting(side: str, format_: PixelFormat, colour: Colour) -> str:
    position = SWSCALE_SITING[colour.chroma_location]
    across, down = (
        place if shift else -513  # its "not set"
        for place, shift in zip(position, format_.chroma_shift, strict=True)
    )
    return f"{side}_h_chr_pos={across}:{side}_v_chr_pos={down}"


def furthest(ours, theirs) -> int:
    """Return the largest difference in codes off the edge, where filters replicate no samples."""
    pairs = zip(ours, theirs, strict=True)
    return max(np.abs(a.astype(int) - b)[1:-1, 1:-1].max() for a, b in pairs)


class TestAgainstSwscale:
    @pytest.mark.parametrize("name", YUV)
    @pytest.mark.parametrize("range_", RANGES)
    @pytest.mark.parametrize("matrix", SWSCALE_MATRICES)
    def test_to_rgb(self, name, range_, matrix):
        frame = frame_of(picture(), name, Colour(matrix, range_))
        difference = np.abs(to_rgb(frame)[0].numpy() - swscale_rgb(frame))
        assert difference.max() * 255 < SWSCALE_RGB

    @pytest.mark.parametrize("name", YUV)
    @pytest.mark.parametrize("range_", RANGES)
    @pytest.mark.parametrize("matrix", SWSCALE_MATRICES)
    def test_from_rgb(self, name, range_, matrix):
        colour = Colour(matrix, range_)
        ours = frame_of(picture(), name, colour).planes
        theirs = swscale_planes(picture(), name, colour)
        assert furthest(ours, theirs) <= SWSCALE_CODES

    @pytest.mark.parametrize("name", ["yuv420p12le", "yuv422p12le"])
    @pytest.mark.parametrize("location", SITINGS)
    def test_siting(self, name, location):
        colour = Colour(Matrix.BT709, Range.LIMITED, chroma_location=location)
        frame = frame_of(picture(), name, colour)
        difference = np.abs(to_rgb(frame)[0].numpy() - swscale_rgb(frame))
        assert difference.max() * 255 < SWSCALE_RGB
        theirs = swscale_planes(picture(), name, colour)
        assert furthest(frame.planes, theirs) <= SWSCALE_CODES

    @pytest.mark.parametrize("name", ["gray", "gray10le", "gray12le"])
    def test_gray_in_full_range(self, name):  # swscale knows no limited grey
        frame = frame_of(noise(), name, Colour(Matrix.SMPTE170M, Range.FULL))
        difference = np.abs(to_rgb(frame)[0].numpy() - swscale_rgb(frame))
        assert difference.max() * 255 < SWSCALE_RGB


class TestAgainstTheStandards:
    @pytest.mark.parametrize(
        ("name", "matrix", "range_", "rgb", "codes"),
        [
            ("yuv444p", Matrix.BT709, Range.LIMITED, (1, 0, 0), (63, 102, 240)),
            ("yuv444p", Matrix.BT709, Range.LIMITED, (0, 1, 0), (173, 42, 26)),
            ("yuv444p", Matrix.BT709, Range.LIMITED, (0, 0, 1), (32, 240, 118)),
            ("yuv444p", Matrix.SMPTE170M, Range.LIMITED, (1, 0, 0), (81, 90, 240)),
            ("yuv444p", Matrix.BT470BG, Range.LIMITED, (0, 1, 0), (145, 54, 34)),
            ("yuv444p", Matrix.SMPTE170M, Range.LIMITED, (0, 0, 1), (41, 240, 110)),
            ("yuv444p10le", Matrix.BT2020_NCL, Range.LIMITED, (1, 0, 0), (294, 387, 960)),
            ("yuv444p", Matrix.BT709, Range.FULL, (1, 0, 0), (54, 99, 255)),
            ("yuv420p", Matrix.BT709, Range.LIMITED, (1, 1, 1), (235, 128, 128)),
            ("yuv420p", Matrix.BT709, Range.LIMITED, (0, 0, 0), (16, 128, 128)),
            ("yuv422p10le", Matrix.BT709, Range.LIMITED, (1, 1, 1), (940, 512, 512)),
            ("yuv422p10le", Matrix.BT709, Range.LIMITED, (0.5, 0.5, 0.5), (502, 512, 512)),
            ("yuv420p12le", Matrix.BT709, Range.LIMITED, (0, 0, 0), (256, 2048, 2048)),
            ("yuv420p12le", Matrix.FCC, Range.FULL, (1, 1, 1), (4095, 2048, 2048)),
            ("gray", Matrix.BT709, Range.LIMITED, (1, 0, 0), (63,)),
            ("gray10le", Matrix.BT709, Range.FULL, (1, 0, 0), (217,)),
            ("gbrp", Matrix.RGB, Range.FULL, (1, 0.2, 0), (51, 0, 255)),
            ("gbrp10le", Matrix.RGB, Range.LIMITED, (1, 0.5, 0), (502, 64, 940)),
        ],
    )
    def test_codes_of_a_flat_colour(self, name, matrix, range_, rgb, codes):
        flat = torch.tensor(rgb, dtype=torch.float32).reshape(1, 3, 1, 1).expand(1, 3, 5, 7)
        frame = frame_of(flat, name, Colour(matrix, range_))
        assert [set(plane.ravel().tolist()) for plane in frame.planes] == [{c} for c in codes]
        if len(codes) == 3:
            step = 1.9 / 2**frame.pixel_format.depth
            assert torch.allclose(to_rgb(frame), flat, rtol=0, atol=step)

    @pytest.mark.parametrize("depth", [8, 10, 12])
    @pytest.mark.parametrize("range_", RANGES)
    def test_codes_are_the_nearest_to_the_equations(self, depth, range_):
        r, g, b = noise()[0].double().numpy()
        y = 0.2627 * r + 0.6780 * g + 0.0593 * b
        chroma = (b - y) / 1.8814, (r - y) / 1.4746
        if range_ == Range.LIMITED:
            exact = [(219 * y + 16), *(224 * c + 128 for c in chroma)]
            exact = [codes * 2 ** (depth - 8) for codes in exact]
        else:
            exact = [(2**depth - 1) * y, *((2**depth - 1) * c + 2 ** (depth - 1) for c in chroma)]
        name = "yuv444p" if depth == 8 else f"yuv444p{depth}le"
        ours = frame_of(noise(), name, Colour(Matrix.BT2020_NCL, range_)).planes
        for a, b in zip(ours, exact, strict=True):
            assert np.abs(a - b).max() < 0.502

    @pytest.mark.parametrize("name", PIXEL_FORMATS)
    @pytest.mark.parametrize("range_", RANGES)
    def test_black_and_white_are_exact(self, name, range_):
        colour = colour_for(pixel_format(name), Matrix.BT709, range_)
        for level in (0.0, 1.0):
            rgb = to_rgb(frame_of(torch.full((1, 3, 4, 6), level), name, colour))
            assert torch.allclose(rgb, torch.full_like(rgb, level), rtol=0, atol=1e-6)

    @pytest.mark.parametrize("name", COLOURS)
    @pytest.mark.parametrize("range_", RANGES)
    def test_codes_stay_legal_and_planes_contiguous(self, name, range_):
        layout = pixel_format(name)
        colour = colour_for(layout, Matrix.BT709, range_)
        wild = noise() * 4 - 1.5
        for index, plane in enumerate(frame_of(wild, name, colour).planes):
            limited = (16, 240 if index and layout.family == "yuv" else 235)
            low, high = (code << (layout.depth - 8) for code in limited)
            legal = (low, high) if range_ == Range.LIMITED else (0, 2**layout.depth - 1)
            assert (plane.min(), plane.max()) == legal
            assert plane.flags.c_contiguous

    def test_foot_and_headroom_are_clamped(self):
        colour = Colour(Matrix.BT709, Range.LIMITED)
        rgb = to_rgb(frame_from([np.array([[0, 16, 235, 255]], np.uint8)], "gray", colour))
        assert rgb[0, :, 0].tolist() == [[0, 0, 1, 1]] * 3


class TestRoundTrip:
    @pytest.mark.parametrize("name", [name for name in PIXEL_FORMATS if "42" not in name])
    @pytest.mark.parametrize("range_", RANGES)
    def test_full_resolution_planes_come_back_exactly(self, name, range_):
        frame = frame_of(noise(), name, colour_for(pixel_format(name), Matrix.BT709, range_))
        back = from_rgb(to_rgb(frame), frame)
        for before, after in zip(frame.planes, back.planes, strict=True):
            np.testing.assert_array_equal(before, after)

    @pytest.mark.parametrize("name", [name for name in COLOURS if "42" in name])
    @pytest.mark.parametrize("location", SITINGS)
    def test_subsampled_ramps_come_back(self, name, location):
        layout = pixel_format(name)
        colour = Colour(Matrix.SMPTE170M, Range.LIMITED, chroma_location=location)
        planes = []
        for index, slope in enumerate((0.5, 1, -1)):
            rows, columns = np.indices(layout.plane_shape(index, 41, 31))
            ramp = 128 + slope * (columns + rows - columns.max())
            planes.append((ramp * 2 ** (layout.depth - 8)).astype(layout.dtype))
        frame = frame_from(planes, name, colour)
        back = from_rgb(to_rgb(frame), frame)
        np.testing.assert_array_equal(back.planes[0], planes[0])
        for before, after in zip(planes[1:], back.planes[1:], strict=True):
            difference = np.abs(before.astype(int) - after)
            assert difference[1:-1, 1:-1].max() == 0  # the replicated edge bends the ramp


def places(count: int, *, co_sited: bool) -> np.ndarray:
    """Return positions of chroma samples on an axis, in luma samples."""
    return 2.0 * np.arange(count) + (0 if co_sited else 0.5)


class TestSubsampling:
    @pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 5), (8, 6), (9, 2), (17, 13)])
    @pytest.mark.parametrize("location", SITINGS)
    def test_up_is_linear_interpolation_at_any_size(self, size, location):
        width, height = size
        layout = pixel_format("yuv420p")
        rng = np.random.default_rng(2)
        luma = np.full((height, width), 126, np.uint8)
        cr = rng.integers(98, 158, layout.plane_shape(2, width, height)).astype(np.uint8)
        colour = Colour(Matrix.BT709, Range.LIMITED, chroma_location=location)
        frame = frame_from([luma, np.full_like(cr, 128), cr], "yuv420p", colour)
        down = places(cr.shape[0], co_sited=False)
        across = places(cr.shape[1], co_sited=location != ChromaLocation.CENTER)
        tall = np.stack([np.interp(np.arange(height), down, column) for column in cr.T], 1)
        full = np.stack([np.interp(np.arange(width), across, row) for row in tall])
        red = (126 - 16) / 219 + 1.5748 * (full - 128) / 224
        np.testing.assert_allclose(to_rgb(frame)[0, 0].numpy(), red, atol=1e-6)

    @pytest.mark.parametrize(
        ("location", "across", "down"),
        [
            # Red of 0, 0, 1, 0, 1: the last of three samples weighs 1 2 1 with a replicated edge
            # where it is co-sited, or is the last column (row) itself where it is centred.
            (ChromaLocation.LEFT, 0.75, 1.0),
            (ChromaLocation.UNSPECIFIED, 0.75, 1.0),
            (ChromaLocation.CENTER, 1.0, 1.0),
        ],
    )
    def test_down_at_odd_sizes(self, location, across, down):
        rgb = torch.zeros(1, 3, 3, 5)
        rgb[0, 0] = torch.tensor([0.0, 0, 1, 0, 1])
        colour = Colour(Matrix.BT709, Range.LIMITED, chroma_location=location)
        row = frame_of(rgb, "yuv420p12le", colour).planes[2][0]
        column = frame_of(rgb.mT, "yuv420p12le", colour).planes[2][:, 0]
        for codes, last in ((row, across), (column, down)):
            np.testing.assert_allclose((codes - 2048.0) / 1792, [0, 0.5, last], atol=5e-4)


class TestInputs:
    @pytest.mark.parametrize("name", PIXEL_FORMATS)
    def test_any_memory_layout_gives_the_same_rgb_and_is_left_alone(self, name):
        layout = pixel_format(name)
        frame = frame_of(picture(13, 9), name, colour_for(layout, Matrix.BT709, Range.LIMITED))
        padded = [np.pad(plane, ((0, 0), (0, 19)))[:, :-19] for plane in frame.planes]
        flipped = [plane[::-1].copy()[::-1] for plane in frame.planes]
        frozen = [plane.copy() for plane in frame.planes]
        for plane in frozen:
            plane.flags.writeable = False
        expected = to_rgb(frame)
        for planes in (padded, flipped, frozen):
            assert torch.equal(to_rgb(frame_from(planes, name, frame.colour)), expected)
            for plane, before in zip(planes, frame.planes, strict=True):
                np.testing.assert_array_equal(plane, before)

    @pytest.mark.parametrize("name", ["yuv420p", "gray10le", "gbrp12le"])
    def test_rgb_is_float32_of_one_picture(self, name):
        frame = frame_of(
            noise(7, 5), name, colour_for(pixel_format(name), Matrix.BT709, Range.FULL)
        )
        rgb = to_rgb(frame, device=torch.device("cpu"))
        assert (rgb.shape, rgb.dtype) == ((1, 3, 5, 7), torch.float32)
        assert rgb.min() >= 0
        assert rgb.max() <= 1

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
    def test_any_float_dtype_is_taken(self, dtype):
        rgb = torch.full((1, 3, 4, 4), 0.5, dtype=dtype)
        frame = frame_of(rgb, "yuv444p10le", Colour(Matrix.BT709, Range.LIMITED))
        assert set(frame.planes[0].ravel().tolist()) == {502}

    def test_rgb_is_left_alone_and_may_require_grad(self):
        rgb = noise(6, 6).requires_grad_()
        before = rgb.detach().clone()
        for name, matrix in (("yuv420p", Matrix.BT709), ("gbrp", Matrix.RGB)):
            frame_of(rgb, name, Colour(matrix, Range.LIMITED))
        assert torch.equal(rgb, before)

    @pytest.mark.parametrize(
        "rgb",
        [torch.zeros(3, 4, 4), torch.zeros(2, 3, 4, 4), torch.zeros(1, 3, 4, 4).byte()],
    )
    def test_another_shape_or_dtype_is_refused(self, rgb):
        with pytest.raises(ValueError, match=r"not \(1, 3, H, W\)"):
            from_rgb(rgb, timing())


class TestTarget:
    def test_timing_and_facts_are_those_of_like(self):
        like = timing(6, 4)
        frame = from_rgb(noise(6, 4), like)
        assert (frame.pts, frame.duration, frame.time_base) == (41, 2, Fraction(1, 24))
        assert (frame.pixel_format, frame.colour) == (like.pixel_format, like.colour)

    def test_an_rgb_source_becomes_yuv_with_a_given_colour(self):
        source = frame_of(picture(), "gbrp10le", Colour(Matrix.RGB, Range.FULL))
        colour = Colour(Matrix.BT709, Range.LIMITED, 1, 1)
        target = from_rgb(
            to_rgb(source), source, pixel_format=pixel_format("yuv444p"), colour=colour
        )
        assert (target.pixel_format.name, target.colour) == ("yuv444p", colour)
        assert torch.allclose(to_rgb(target), to_rgb(source), rtol=0, atol=2 / 255)

    @pytest.mark.parametrize(("name", "matrix"), [("yuv444p", "RGB"), ("gbrp", "BT709")])
    def test_the_matrix_must_fit_the_target(self, name, matrix):
        with pytest.raises(ColourError, match=f"{matrix} does not fit pixel format {name}"):
            frame_of(noise(), name, Colour(Matrix[matrix], Range.FULL))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_cuda_agrees_with_the_cpu(name):
    frame = frame_of(picture(), name, colour_for(pixel_format(name), Matrix.BT709, Range.LIMITED))
    rgb = to_rgb(frame, device="cuda")
    assert rgb.device.type == "cuda"
    assert torch.allclose(rgb.cpu(), to_rgb(frame), rtol=0, atol=1e-6)
    assert furthest(from_rgb(rgb, frame).planes, from_rgb(rgb.cpu(), frame).planes) <= 1
