from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from brushreel.batch.demo.scene import Scene
from brushreel.core.devices import choose_device, choose_precision
from brushreel.core.errors import DeviceError, StyleError, UsageError
from brushreel.core.frames.colour import from_rgb, to_rgb
from brushreel.core.frames.frame import Colour, Frame, Matrix, Range, pixel_format
from brushreel.core.frames.mixing import with_chroma_of
from brushreel.core.frames.stroke_size import DETAIL, Size
from brushreel.core.library import SHIPPED, user_styles
from brushreel.core.style import Style
from brushreel.core.stylizer import Stylizer

LUMA = torch.tensor([0.2126, 0.7152, 0.0722], dtype=torch.float64).view(1, 3, 1, 1)


def scene(count: int = 1, height: int = 20, width: int = 26) -> torch.Tensor:
    """Return smooth colours with some grain: (N, 3, H, W) in [0, 1]."""
    generator = torch.Generator().manual_seed(4)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    shifts = torch.arange(count).view(-1, 1, 1)
    waves = [torch.sin(x / 5 + shifts), torch.cos(y / 4 - shifts), torch.sin((x + y) / 7 + shifts)]
    smooth = 0.5 + 0.45 * torch.stack(waves, dim=1)
    grain = torch.rand(smooth.shape, generator=generator)
    return (smooth + 0.1 * (grain - 0.5)).clamp(0, 1)


def native(name: str = "yuv420p", width: int = 25, height: int = 19) -> Frame:
    """Return a decoded frame of an odd size."""
    layout = pixel_format(name)
    matrix = Matrix.RGB if layout.family == "rgb" else Matrix.BT709
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
    colour = Colour(matrix, Range.LIMITED, 1, 1)
    return from_rgb(scene(1, height, width), blank, pixel_format=layout, colour=colour)


def cpu(style: Style, **options) -> Stylizer:
    return Stylizer(style, **{"device": "cpu", "precision": "fp32", **options})


def chroma(rgb: torch.Tensor) -> torch.Tensor:
    """Compute BT.709's colour differences Cb and Cr: (N, 2, H, W)."""
    rgb = rgb.double()
    luma = (rgb * LUMA).sum(1, keepdim=True)
    return torch.cat([(rgb[:, 2:] - luma) / 1.8556, (rgb[:, :1] - luma) / 1.5748], dim=1)


class TestStrength:
    def test_full_is_the_network_s_picture(self, tiny_style):
        frames = scene(2)
        stylized = tiny_style.network()(frames)
        native_strokes = cpu(tiny_style, stroke_size="native")
        torch.testing.assert_close(native_strokes(frames), stylized, atol=1e-5, rtol=0)
        assert (stylized - frames).abs().mean() > 0.1

    def test_zero_is_the_source_exactly(self, tiny_style):
        frames = scene(2)
        same = cpu(tiny_style, strength=0)(frames)
        assert torch.equal(same, frames)
        assert same.data_ptr() != frames.data_ptr()  # the caller's own frames stay the caller's

    @pytest.mark.parametrize("keep_colors", [False, True])
    @pytest.mark.parametrize("strength", [0.25, 0.5])
    def test_between_is_the_mix_of_pixels(self, tiny_style, strength, keep_colors):
        frames = scene()
        full = cpu(tiny_style, keep_colors=keep_colors)(frames)
        mixed = cpu(tiny_style, strength=strength, keep_colors=keep_colors)(frames)
        torch.testing.assert_close(
            mixed, (1 - strength) * frames + strength * full, atol=1e-6, rtol=0
        )


class TestKeepColors:
    @pytest.mark.parametrize("strength", [1.0, 0.4])
    def test_colour_differences_are_the_source_s(self, tiny_style, strength):
        frames = scene(2)
        kept = cpu(tiny_style, keep_colors=True, strength=strength)(frames)
        torch.testing.assert_close(chroma(kept), chroma(frames), atol=1e-4, rtol=0)
        assert kept.min() >= 0
        assert kept.max() <= 1
        assert (kept - frames).abs().mean() > 0.01  # lightness did change

    def test_extreme_colours_stay_in_the_gamut(self):
        corners = torch.cartesian_prod(*3 * [torch.tensor([0.0, 1.0])]).double()
        source = corners.T.reshape(1, 3, 8, 1).expand(1, 3, 8, 8)
        stylized = source.mT
        kept = with_chroma_of(source, stylized)
        assert kept.min() >= 0
        assert kept.max() <= 1
        torch.testing.assert_close(chroma(kept), chroma(source), atol=1e-7, rtol=0)

    def test_lightness_is_the_painting_s_where_the_gamut_allows(self):
        source, stylized = 0.4 + 0.2 * scene().double(), 0.4 + 0.2 * scene().double().flip(-1)
        kept = with_chroma_of(source, stylized)
        luma = (kept * LUMA).sum(1)
        torch.testing.assert_close(luma, (stylized * LUMA).sum(1), atol=1e-7, rtol=0)

    def test_painting_equal_to_the_source_changes_nothing(self):
        torch.testing.assert_close(with_chroma_of(scene(), scene()), scene(), atol=1e-6, rtol=0)


class TestFramesOnTheirOwn:
    def test_batch_and_order_do_not_matter(self, tiny_style):
        stylizer, frames = cpu(tiny_style), scene(3)
        together = stylizer(frames)
        alone = torch.cat([stylizer(frame[None]) for frame in frames.flip(0)]).flip(0)
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
        torch.testing.assert_close(stylizer(frames.flip(0)).flip(0), alone, atol=1e-5, rtol=0)
        assert (alone[0] - alone[1]).abs().max() > 0.05

    def test_no_memory_of_what_came_before(self, tiny_style):
        stylizer, frames = cpu(tiny_style), scene(2)
        first = stylizer(frames[:1])
        stylizer(frames[1:])
        assert torch.equal(stylizer(frames[:1]), first)

    def test_source_is_left_as_it_was(self, tiny_style):
        frames = scene()
        cpu(tiny_style, keep_colors=True, strength=0.5)(frames)
        assert torch.equal(frames, scene())

    def test_output_carries_no_gradient(self, tiny_style):
        assert not cpu(tiny_style)(scene().requires_grad_()).requires_grad


class TestDtype:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    @pytest.mark.parametrize("strength", [0, 0.5, 1])
    def test_comes_back_as_it_went_in(self, tiny_style, dtype, strength):
        frames = scene().to(dtype)
        stylized = cpu(tiny_style, strength=strength)(frames)
        assert stylized.dtype == dtype
        assert stylized.device == frames.device
        expected = cpu(tiny_style, strength=strength)(frames.float())
        tolerance = 2**-8 if dtype == torch.bfloat16 else 1e-3
        torch.testing.assert_close(stylized.float(), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.safetensors")))
def test_shipped_styles_look_the_same_in_half_precision(name, precision):
    picture = Scene.build(320, 180).draw(0, 0.0)
    frames = torch.from_numpy(picture).clamp(0, 1).permute(2, 0, 1)[None].float()
    style = Style.load(SHIPPED / f"{name}.safetensors")
    exact = Stylizer(style, device="cpu", precision="fp32", runtime="torch")(frames)
    quick = Stylizer(style, device="cpu", precision=precision, runtime="torch")(frames)
    error = (quick - exact).square().mean()
    assert error > 0  # it did compute in another precision
    assert -10 * error.log10() > 45


class TestStylize:
    def test_at_strength_zero_the_very_frame_comes_back(self, tiny_style):
        frame = native()
        assert cpu(tiny_style, strength=0).stylize(frame) is frame

    @pytest.mark.parametrize(
        "name", ["yuv420p", "yuv422p10le", "yuv444p12le", "gray", "gbrp", "gbrp10le"]
    )
    def test_format_colour_and_timing_stay(self, tiny_style, name):
        frame = native(name)
        stylized = cpu(tiny_style).stylize(frame)
        for field in dataclasses.fields(Frame):
            if field.name != "planes":
                assert getattr(stylized, field.name) == getattr(frame, field.name)

    @pytest.mark.parametrize("name", ["yuva420p", "yuva444p12le", "gbrap", "gbrap10le"])
    @pytest.mark.parametrize("strength", [0, 0.5, 1])
    def test_alpha_stays_and_the_colour_under_it_is_stylized(self, tiny_style, name, strength):
        blank = native(name)
        codes = np.random.default_rng(1).integers(0, 2**blank.pixel_format.depth, (19, 25))
        alpha = codes.astype(blank.pixel_format.dtype)
        frame = dataclasses.replace(blank, planes=(*blank.planes[:-1], alpha))
        stylized = cpu(tiny_style, strength=strength).stylize(frame)
        np.testing.assert_array_equal(stylized.alpha, alpha)
        assert np.array_equal(stylized.planes[0], frame.planes[0]) == (strength == 0)

    def test_pixels_are_those_of_a_call(self, tiny_style):
        frame, stylizer = native("gbrp"), cpu(tiny_style)
        stylized = to_rgb(stylizer.stylize(frame))
        torch.testing.assert_close(stylized, stylizer(to_rgb(frame)), atol=0.003, rtol=0)


class TestErrors:
    @pytest.mark.parametrize("shape", [(3, 8, 8), (1, 4, 8, 8), (1, 1, 8, 8), (1, 8, 8, 3)])
    @pytest.mark.parametrize("strength", [0, 1])
    def test_shape(self, tiny_style, shape, strength):
        with pytest.raises(UsageError, match=r"must be \(N, 3, H, W\) floating point") as caught:
            cpu(tiny_style, strength=strength)(torch.zeros(shape))
        assert str(shape) in str(caught.value)

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.bool])
    def test_dtype(self, tiny_style, dtype):
        with pytest.raises(UsageError, match=str(dtype)):
            cpu(tiny_style)(torch.zeros((1, 3, 8, 8), dtype=dtype))

    @pytest.mark.parametrize("strength", [-0.01, 1.01, float("nan"), float("inf"), 50])
    def test_strength(self, tiny_style, strength):
        with pytest.raises(UsageError, match=f"between 0 and 1, not {strength}"):
            cpu(tiny_style, strength=strength)

    @pytest.mark.parametrize("precision", ["fp64", "", "FP16", "half"])
    def test_precision(self, tiny_style, precision):
        with pytest.raises(UsageError, match="one of auto, fp32, bf16, fp16"):
            cpu(tiny_style, precision=precision)

    @pytest.mark.parametrize("device", ["cuda:99", "gpu", "", "xpu:99", "cpu:x"])
    def test_device(self, tiny_style, device):
        with pytest.raises(DeviceError, match="is not available here") as caught:
            cpu(tiny_style, device=device)
        line = str(caught.value)
        assert repr(device) in line
        assert "brushreel doctor" in line
        assert "\n" not in line

    def test_style(self, tmp_path):
        with pytest.raises(StyleError, match="no style named 'nowhere'"):
            Stylizer("nowhere")
        with pytest.raises(StyleError, match="no such style file"):
            Stylizer(tmp_path / "none.safetensors")


class TestChoices:
    @pytest.mark.parametrize("kind", ["name", "path", "string"])
    def test_style_by_name_or_path(self, tiny_style, style_file, kind):
        tiny_style.save(user_styles() / "tiny.safetensors")
        given = {"name": "tiny", "path": style_file, "string": str(style_file)}[kind]
        assert Stylizer(given, device="cpu").style.digest == tiny_style.digest

    def test_auto_takes_a_device_that_is_there(self):
        device = choose_device("auto")
        assert torch.zeros(1, device=device).device.type == device.type
        if torch.cuda.is_available():
            assert device.type == "cuda"

    def test_auto_precision_by_device(self):
        assert choose_precision("auto", torch.device("cuda")) == "fp16"
        assert choose_precision("auto", torch.device("mps")) == "fp32"
        native = torch.cpu._is_avx512_bf16_supported()
        assert choose_precision("auto", torch.device("cpu")) == ("bf16" if native else "fp32")

    @pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
    def test_a_named_precision_is_taken_as_it_is(self, tiny_style, precision):
        stylizer = cpu(tiny_style, precision=precision)
        assert choose_precision(precision, torch.device("cpu")) == precision
        assert stylizer.precision == precision
        assert stylizer.device == torch.device("cpu")


@pytest.mark.parametrize("stroke_size", [1.9, 4])
def test_strokes_of_a_share_of_the_frame(tiny_style, stroke_size, monkeypatch):
    stylizer = cpu(tiny_style, stroke_size=stroke_size)
    seen = []
    stylize = stylizer._network
    monkeypatch.setattr(
        stylizer, "_network", lambda source: seen.append(source.shape[-2:]) or stylize(source)
    )
    frame = native("yuv420p", 400, 240)
    made = stylizer.stylize(frame)
    assert (made.width, made.height, made.pixel_format) == (400, 240, frame.pixel_format)
    assert seen == [stylizer.working_size(240, 400)]
    rgb = to_rgb(frame)
    assert stylizer(rgb).shape == rgb.shape
    assert len(seen) == 2


def test_a_proxy_looks_like_the_final():
    wave = Style.load(SHIPPED / "wave.safetensors")
    stylizer = cpu(wave, stroke_size=4, detail=0)
    native_strokes = cpu(wave)
    final, proxy = (smooth(height) for height in (240, 120))
    far = []
    for paint in (stylizer, native_strokes):
        small = F.interpolate(paint(final), scale_factor=0.5, mode="area")
        far.append((small - paint(proxy)).abs().mean().item())
    assert far[0] < 0.01
    assert far[0] < 0.7 * far[1]


def smooth(height: int) -> torch.Tensor:
    """Draw the same picture at any resolution: (1, 3, H, W) in [0, 1]."""
    width = height * 4 // 3
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / height, indexing="ij"
    )
    waves = [torch.sin(30 * x), torch.cos(40 * y), torch.sin(20 * (x + y))]
    return (0.5 + 0.45 * torch.stack(waves)).unsqueeze(0)


def test_at_strength_0_no_stroke_size_changes_anything(tiny_style):
    stylizer = cpu(tiny_style, stroke_size=1, strength=0)
    frame = native("yuv420p", 400, 240)
    assert stylizer.stylize(frame) is frame
    assert stylizer.identity(240, 400) is None


def test_stroke_size_and_detail_decide_about_pixels(tiny_style):
    sizes = [("native", 0.4), (1, 0.4), (1, 0.5), (2, 0.5)]
    made = [
        cpu(tiny_style, stroke_size=size, detail=detail).identity(240, 400)
        for size, detail in sizes
    ]
    assert len(set(made)) == len(made)


def test_anamorphic_frames_are_stylized_in_square_pixels(tiny_style):
    stylizer = cpu(tiny_style, stroke_size=4)
    size = stylizer.working_size(240, 300, Fraction(4, 3))
    assert size is not None
    assert size == stylizer.working_size(240, 400)


@pytest.mark.parametrize("transfer", [16, 18, 8])
def test_hdr_in_strokes_of_a_size(tiny_style, transfer):
    frame = native("yuv444p10le", 400, 240)
    frame = dataclasses.replace(frame, colour=Colour(Matrix.BT2020_NCL, Range.LIMITED, 9, transfer))
    made = cpu(tiny_style, stroke_size=4).stylize(frame)
    assert made.colour == frame.colour
    assert not np.array_equal(made.planes[0], frame.planes[0])
    off = np.abs(made.planes[0].astype(int) - frame.planes[0]).mean()
    assert off < 300  # of 1024: it is still the same scene


@pytest.mark.parametrize("options", [{"detail": -0.1}, {"detail": 1.1}, {"stroke_size": 0}])
def test_what_makes_no_strokes_is_refused(tiny_style, options):
    with pytest.raises(UsageError):
        cpu(tiny_style, **options)


def test_strokes_finer_than_a_picture_are_refused(tiny_style):
    with pytest.raises(UsageError, match="too small for a frame of 40x30"):
        cpu(tiny_style, stroke_size=0.9).stylize(native("yuv420p", 40, 30))


def test_other_strokes_share_the_networks(tiny_style):
    stylizer = cpu(tiny_style, stroke_size=4)
    other = stylizer.with_strokes(3.5, 0.1)
    expected = cpu(tiny_style, stroke_size=3.5, detail=0.1)(scene(1, 96, 128))
    assert torch.equal(other(scene(1, 96, 128)), expected)
    assert (stylizer.stroke_size, stylizer.detail) == (4, DETAIL)
    assert other._network is stylizer._network
    with pytest.raises(UsageError):
        stylizer.with_strokes(0, 0.1)


def test_a_proxy_is_stylized_as_its_full_size_says(tiny_style, monkeypatch):
    stylizer, proxy = cpu(tiny_style, stroke_size=0.5), scene(1, 24, 32)
    with pytest.raises(UsageError, match="too small"):
        stylizer(proxy)
    sizes = []
    monkeypatch.setattr(
        stylizer, "_network", lambda source: sizes.append(source.shape[-2:]) or source
    )
    stylizer(proxy, full_size=Size(270, 360))
    assert sizes == [(864, 1152)]


class TestArrays:
    """(H, W, 3) as OpenCV, Pillow and imageio have frames."""

    @pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64", ">f4"])
    @pytest.mark.parametrize("strength", [0.0, 1.0])
    def test_same_kind_and_picture_as_a_tensor(self, tiny_style, dtype, strength):
        stylizer = cpu(tiny_style, strength=strength)
        array = scene()[0].permute(1, 2, 0).numpy()
        codes = (array * 255).round()
        frame = (codes if dtype == "uint8" else codes / 255).astype(dtype)
        stylized = stylizer(frame)
        assert isinstance(stylized, np.ndarray)
        assert (stylized.shape, stylized.dtype) == (frame.shape, np.dtype(dtype).newbyteorder("="))
        expected = stylizer(torch.from_numpy(codes / 255).permute(2, 0, 1)[None])
        expected = expected[0].permute(1, 2, 0).numpy()
        if dtype == "uint8":
            np.testing.assert_array_equal(stylized, (expected * 255).round().astype(np.uint8))
        else:
            np.testing.assert_allclose(stylized.astype(float), expected, atol=2e-3)

    def test_views_that_can_not_be_written(self, tiny_style):
        """Frames from bytes, and BGR shown as RGB."""
        content = (scene()[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        frozen = np.frombuffer(content.tobytes(), np.uint8).reshape(content.shape)
        np.testing.assert_array_equal(cpu(tiny_style)(frozen), cpu(tiny_style)(content))
        mirrored = np.ascontiguousarray(content[..., ::-1])[..., ::-1]
        np.testing.assert_array_equal(cpu(tiny_style)(mirrored), cpu(tiny_style)(content))

    @pytest.mark.parametrize(
        ("frame", "says"),
        [
            (np.zeros((20, 26), np.uint8), r"must be \(H, W, 3\) RGB"),
            (np.zeros((20, 26, 4), np.uint8), r"not \(20, 26, 4\) uint8"),
            (np.zeros((1, 20, 26, 3), np.uint8), "must be"),
            (np.zeros((20, 26, 3), np.int64), "int64"),
            (np.full((20, 26, 3), 255.0), r"\[0, 1\], not 255 to 255 \(divide by 255, or give"),
            (np.full((20, 26, 3), np.nan), r"must lie in \[0, 1\]"),
        ],
    )
    def test_others_are_refused(self, tiny_style, frame, says):
        with pytest.raises(UsageError, match=says):
            cpu(tiny_style)(frame)
