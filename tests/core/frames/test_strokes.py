from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from brushreel import native
from brushreel.core.frames import scaling_library, scaling_on_torch
from brushreel.core.frames.colour import from_rgb, to_rgb
from brushreel.core.frames.frame import (
    ChromaLocation,
    Colour,
    Frame,
    Matrix,
    PixelFormat,
    Range,
    pixel_format,
)
from brushreel.core.frames.stroke_size import DETAIL, Size
from brushreel.core.frames.strokes import from_working, stylized_rgb, to_working

FORMATS = (
    *("yuv420p", "yuv422p", "yuv444p", "gray", "gbrp", "yuva420p", "gbrap"),
    *("yuv420p10le", "yuv422p12le", "yuv444p12le", "gray12le", "gbrp10le", "gbrp16le"),
)
FLOATS = PixelFormat("gbrpf32le", "rgb", 32, floating=True)
SIZE = Size(48, 64)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    if native.own_compiler() is None:
        pytest.skip("there is no C compiler")
    root = tmp_path_factory.mktemp("compiled")
    native.build_own(root, [native.SCALING.name])
    return root / native.SCALING


@pytest.fixture
def kernels(compiled, monkeypatch):
    monkeypatch.setattr(scaling_library, "_FILE", compiled)
    scaling_library.library.cache_clear()
    yield
    scaling_library.library.cache_clear()


@pytest.fixture
def no_kernels(monkeypatch, tmp_path):
    monkeypatch.setattr(scaling_library, "_FILE", tmp_path / "none.so")
    scaling_library.library.cache_clear()
    yield
    scaling_library.library.cache_clear()


def scene(height: int, width: int, grain: float = 0.1) -> torch.Tensor:
    """Draw smooth colours with some grain, the same at any size: (1, 3, H, W) in [0, 1]."""
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij"
    )
    waves = [torch.sin(9 * x), torch.cos(8 * y), torch.sin(7 * (x + y))]
    noise = torch.rand((3, height, width), generator=torch.Generator().manual_seed(4)) - 0.5
    return (0.5 + 0.4 * torch.stack(waves) + grain * noise).clamp(0, 1).unsqueeze(0)


def colour_of(layout: PixelFormat, **other) -> Colour:
    matrix = Matrix.RGB if layout.family == "rgb" else Matrix.BT709
    return replace(Colour(matrix, Range.LIMITED, 1, 1), **other)


def frame_of(rgb: torch.Tensor, name: str | PixelFormat = "yuv420p", **colour) -> Frame:
    layout = pixel_format(name) if isinstance(name, str) else name
    height, width = rgb.shape[-2:]
    blank = Frame(
        planes=(np.zeros((height, width), np.uint8),),
        pixel_format=pixel_format("gray"),
        width=width,
        height=height,
        pts=3003,
        duration=1001,
        time_base=Fraction(1, 30000),
        colour=Colour(Matrix.BT709, Range.LIMITED),
    )
    made = from_rgb(rgb, blank, pixel_format=layout, colour=colour_of(layout, **colour))
    if layout.alpha:
        top = 2**layout.depth - 1
        alpha = np.linspace(0, top, height * width).reshape(height, width).astype(layout.dtype)
        made = replace(made, planes=(*made.planes[:-1], alpha))
    return made


def stylize(rgb: torch.Tensor) -> torch.Tensor:
    """Do something like a style: other colours, other contrast, and strokes."""
    columns = torch.arange(rgb.shape[-1], dtype=torch.float32)
    strokes_of_it = 0.1 * torch.sin(columns / 1.7)
    return (rgb.flip(1) * 0.7 + 0.1 + strokes_of_it).clamp(0, 1)


def codes(frame: Frame) -> list[np.ndarray]:
    return [plane.astype(np.int64) for plane in frame.planes]


def apart(one: Frame, other: Frame) -> int:
    """Return the largest difference in codes."""
    pairs = zip(codes(one), codes(other), strict=True)
    return max(int(np.abs(a - b).max()) for a, b in pairs)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [SIZE, Size(160, 200)])
def test_a_flat_picture_stays_as_it_is(kernels, name, size):
    flat = torch.tensor([0.8, 0.3, 0.45]).view(1, 3, 1, 1).expand(1, 3, 75, 101)
    frame = frame_of(flat, name)
    working = to_working(frame, size)
    assert working.rgb.shape == (1, 3, *size)
    assert apart(from_working(working.rgb, working, frame), frame) <= 1


@pytest.mark.parametrize(
    ("name", "chroma_location", "value_range"),
    [
        *((name, ChromaLocation.LEFT, Range.LIMITED) for name in FORMATS),
        *(("yuv420p", location, Range.FULL) for location in ChromaLocation),
        ("yuv422p12le", ChromaLocation.CENTER, Range.FULL),
        ("gbrp10le", ChromaLocation.LEFT, Range.FULL),
    ],
)
def test_kernels_and_pytorch_agree(compiled, monkeypatch, name, chroma_location, value_range):
    rgb = scene(91, 133)
    frame = frame_of(rgb, name, chroma_location=chroma_location, range=value_range)
    made = {}
    for file in (compiled, compiled.with_name("none.so")):
        monkeypatch.setattr(scaling_library, "_FILE", file)
        scaling_library.library.cache_clear()
        working = to_working(frame, SIZE)
        options: tuple[dict[str, Any], ...] = (
            {"strength": 1.0},
            {"strength": 0.3},
            {"detail": 0},
            {"keep_colors": True},
            {"keep_colors": True, "strength": 0.6},
        )
        stylized = stylize(working.rgb)
        made[file] = [working, *(from_working(stylized, working, frame, **o) for o in options)]
    scaling_library.library.cache_clear()
    (one, *frames), (other, *others) = made.values()
    torch.testing.assert_close(one.rgb, other.rgb, atol=2e-6, rtol=0)
    torch.testing.assert_close(one.luma, other.luma, atol=2e-6, rtol=0)
    assert max(map(apart, frames, others)) <= 1


def test_threads_change_nothing(kernels):
    frame = frame_of(scene(300, 210))
    size = Size(200, 140)
    one, three = (to_working(frame, size, threads=threads) for threads in (1, 3))
    assert torch.equal(one.rgb, three.rgb)
    made = [from_working(stylize(one.rgb), one, frame, threads=threads) for threads in (1, 3)]
    assert apart(*made) == 0


def test_strips_change_nothing(no_kernels, monkeypatch):
    frame = frame_of(scene(91, 133), "yuv420p10le")
    whole = to_working(frame, SIZE)
    options = {"strength": 0.7, "keep_colors": True, "pixel_format": pixel_format("yuv420p12le")}
    finished = [from_working(stylize(whole.rgb), whole, frame, **o) for o in ({}, options)]
    monkeypatch.setattr(scaling_on_torch, "_STRIP", 2000)
    strips = to_working(frame, SIZE)
    torch.testing.assert_close(strips.rgb, whole.rgb, atol=1e-6, rtol=0)
    assert apart(from_working(stylize(whole.rgb), whole, frame), finished[0]) <= 1
    assert apart(from_working(stylize(whole.rgb), whole, frame, **options), finished[1]) <= 1


@pytest.mark.parametrize("name", FORMATS)
def test_at_strength_0_the_source_comes_back(kernels, name):
    frame = frame_of(scene(91, 133), name)
    working = to_working(frame, SIZE)
    assert apart(from_working(stylize(working.rgb), working, frame, strength=0), frame) == 0


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "gbrp"])
def test_a_network_that_changes_nothing_gives_the_source_with_all_detail(kernels, name):
    frame = frame_of(scene(150, 200), name)
    working = to_working(frame, SIZE)
    made = from_working(working.rgb, working, frame, detail=1)
    luma = torch.tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)
    off = ((to_rgb(made) - to_rgb(frame)) * luma).sum(1).abs()
    assert off.mean() < 0.005


def test_detail_is_the_luma_that_is_finer(kernels):
    frame = frame_of(scene(150, 200, grain=0.3))
    working = to_working(frame, SIZE)
    grain = []
    for detail in (0, 0.25, 0.5, 1):
        luma = codes(from_working(working.rgb, working, frame, detail=detail))[0]
        grain.append(np.abs(np.diff(luma, axis=1)).mean())
    assert grain == sorted(grain)
    assert grain[3] == pytest.approx(np.abs(np.diff(codes(frame)[0], axis=1)).mean(), rel=0.05)
    assert grain[0] < grain[3] / 4


@pytest.mark.parametrize("contrast", [1, 0.3, 0, -0.5])
@pytest.mark.parametrize("levels", [(0.0, 1.0), (0.2, 0.7)])
def test_no_halo_beside_an_edge(kernels, contrast, levels):
    low, high = levels
    edge = torch.full((1, 3, 120, 160), low)
    edge[..., 77:] = high
    frame = frame_of(edge, "gray")
    working = to_working(frame, SIZE)
    stylized = 0.5 + contrast * (working.rgb - 0.5)
    made = codes(from_working(stylized, working, frame))[0][60]
    ends = 16 + 219 * (0.5 + contrast * (np.array(levels) - 0.5))
    over = max(ends.min() - made.min(), made.max() - ends.max())
    without = codes(from_working(stylized, working, frame, detail=0))[0][60]
    bare = max(ends.min() - without.min(), without.max() - ends.max())
    # Not more than bicubic kernels do by themselves, and less where the style keeps the edge.
    assert over <= max(bare, 0.02 * 219 * abs(high - low)) + 1


def test_an_edge_that_the_style_keeps_gets_as_steep_as_the_sources(kernels):
    edge = torch.zeros(1, 3, 120, 160)
    edge[..., 77:] = 1
    frame = frame_of(edge, "gray")
    working = to_working(frame, SIZE)
    stylized = 0.3 + 0.4 * working.rgb
    steepest = [
        np.diff(codes(from_working(stylized, working, frame, detail=detail))[0][60]).max()
        for detail in (0, DETAIL, 1)
    ]
    assert steepest[0] < 0.6 * 0.4 * 219
    assert steepest[1] > 0.62 * 0.4 * 219
    assert steepest[2] == pytest.approx(0.4 * 219, abs=4)


@pytest.mark.parametrize("name", ["yuv444p", "gray", "gbrp"])
def test_portrait_is_landscape_turned(kernels, name):
    rgb = scene(90, 134)
    landscape = frame_of(rgb, name, chroma_location=ChromaLocation.CENTER)
    portrait = replace(
        landscape,
        planes=tuple(np.ascontiguousarray(plane.T) for plane in landscape.planes),
        width=90,
        height=134,
    )
    one = to_working(landscape, SIZE)
    other = to_working(portrait, Size(*reversed(SIZE)))
    torch.testing.assert_close(one.rgb, other.rgb.mT, atol=2e-6, rtol=0)
    stylized = stylize(one.rgb)
    made = from_working(stylized, one, landscape)
    turned = from_working(stylized.mT, other, portrait)
    assert all(np.abs(a - b.T).max() <= 1 for a, b in zip(codes(made), codes(turned), strict=True))


def test_a_proxy_is_made_of_nearly_the_same_picture(kernels):
    whole = to_working(frame_of(scene(540, 960, grain=0)), Size(108, 192))
    for height, width in ((180, 320), (270, 480), (1080, 1920)):
        proxy = to_working(frame_of(scene(height, width, grain=0)), Size(108, 192))
        assert (proxy.rgb - whole.rgb).abs().mean() < 0.5 / 255
        assert (proxy.rgb - whole.rgb).abs().max() < 5 / 255


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("location", [ChromaLocation.LEFT, ChromaLocation.CENTER])
def test_colours_do_not_move(kernels, name, location):
    """A slope of chroma that is moved by a tenth of a sample is off by a code and more."""
    ramp = torch.linspace(0.2, 0.8, 200).expand(120, 200)
    rgb = torch.stack([ramp, torch.full_like(ramp, 0.5), 1 - ramp]).unsqueeze(0)
    frame = frame_of(rgb, name + "12le", chroma_location=location)
    working = to_working(frame, SIZE)
    centres = (torch.arange(64) + 0.5) * 200 / 64 - 0.5
    wanted = 0.2 + 0.6 * centres / 199
    torch.testing.assert_close(working.rgb[0, 0, 20, 4:-4], wanted[4:-4], atol=0.001, rtol=0)
    made = codes(from_working(working.rgb, working, frame))
    inside = (slice(8, -8), slice(8, -8))
    for mine, own in zip(made, codes(frame), strict=True):
        assert np.abs(mine[inside] - own[inside]).max() <= 4  # of 4096


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "gbrp", "yuva444p"])
def test_with_its_colours_kept_only_lightness_is_stylized(kernels, name):
    frame = frame_of(scene(90, 134), name)
    working = to_working(frame, SIZE)
    made = from_working(stylize(working.rgb), working, frame, keep_colors=True)
    before, after = to_rgb(frame), to_rgb(made)
    if frame.pixel_format.family == "yuv":
        assert np.array_equal(made.planes[1], frame.planes[1])
        assert np.array_equal(made.planes[2], frame.planes[2])
    luma = torch.tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)
    moved = (after * luma).sum(1) - (before * luma).sum(1)
    assert moved.abs().mean() > 0.05
    offsets = [rgb - (rgb * luma).sum(1, keepdim=True) for rgb in (before, after)]
    assert (offsets[0] - offsets[1]).abs().mean() < 2 / 255


def test_alpha_goes_round(kernels):
    frame = frame_of(scene(90, 134), "yuva420p")
    working = to_working(frame, SIZE)
    assert from_working(stylize(working.rgb), working, frame).alpha is frame.alpha
    kept = from_working(
        stylize(working.rgb), working, frame, strength=0.5, pixel_format=pixel_format("yuva444p")
    )
    assert kept.alpha is frame.alpha


@pytest.mark.parametrize("name", ["yuv444p12le", "gray", "gbrp", "yuv420p10le"])
def test_another_format_is_written_as_well(kernels, name):
    frame = frame_of(scene(150, 200, grain=0), "yuv422p10le")
    target = pixel_format(name)
    meaning = colour_of(target)
    working = to_working(frame, Size(120, 160))
    made = from_working(working.rgb, working, frame, pixel_format=target, colour=meaning)
    wanted = from_rgb(to_rgb(frame), frame, pixel_format=target, colour=meaning)
    assert made.pixel_format == target
    for mine, other in zip(codes(made), codes(wanted), strict=True):
        assert np.abs(mine - other).mean() < 0.004 * 2**target.depth


def test_light_without_end_comes_back_and_burns_no_ring(kernels):
    rgb = scene(120, 160, grain=0)
    rgb[..., 40:80, 60:100] = 500.0
    frame = frame_of(rgb, FLOATS, range=Range.FULL, transfer=8)
    working = to_working(frame, SIZE)
    made = to_rgb(from_working(working.rgb, working, frame, detail=1))
    beside = made[..., 30:38, 50:110] / rgb[..., 30:38, 50:110].clamp(min=0.05)
    assert beside.median() == pytest.approx(1, abs=0.1)
    assert made.min() >= 0
    inside = made[..., 45:75, 65:95]
    torch.testing.assert_close(inside, torch.full_like(inside, 500), atol=0, rtol=0.05)


@pytest.mark.parametrize("options", [{}, {"strength": 0.4}, {"keep_colors": True}, {"detail": 0}])
def test_rgb_is_scaled_as_frames_are(kernels, options):
    rgb = scene(91, 133)
    made = stylized_rgb(rgb, stylize, SIZE, **options)
    frame = frame_of(rgb, FLOATS, range=Range.FULL)
    working = to_working(frame, SIZE)
    wanted = to_rgb(from_working(stylize(working.rgb.clamp(0, 1)), working, frame, **options))
    torch.testing.assert_close(made, wanted.clamp(0, 1), atol=2e-4, rtol=0)
