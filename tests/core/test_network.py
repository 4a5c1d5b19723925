from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from brushreel.core.network import ConvBlock, NetworkSpec, StylizingNetwork, UpsampleBlock

SMALL = NetworkSpec(channels=(4, 6, 8), residual_blocks=2)
UPSAMPLINGS = ["bilinear", "nearest", "transposed"]
NORMALIZATIONS = ["residual", "everywhere", "none"]
PAPER = NetworkSpec(
    downsampling="strided", upsampling="nearest", skips=False, normalization="everywhere"
)


def network(spec: NetworkSpec = SMALL) -> StylizingNetwork:
    torch.manual_seed(3)
    return StylizingNetwork(spec).eval().requires_grad_(requires_grad=False)


def frames(count: int = 1, height: int = 24, width: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(5))


class Recorder(TorchFunctionMode):
    """A record of the layers that a forward pass goes through, as Table 1 has them."""

    def __init__(self):
        super().__init__()
        self.steps: list[str] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        self.steps += filter(None, [self.step(getattr(function, "__name__", ""), args, kwargs)])
        return function(*args, **kwargs)

    def step(self, name: str, args: tuple, kwargs: dict) -> str | None:
        if name == "conv2d":
            outputs, inputs, *kernel = args[1].shape
            if kwargs.get("groups", 1) > 1:
                return f"low-pass {outputs} k{kernel}"
            # A plain call gives neither: a stride of 1, no padding.
            (stride, *_), (padding, *_) = args[3:5] or ((1,), (0,))
            return f"conv {inputs}-{outputs} k{kernel} s{stride} p{padding}"
        if name == "conv_transpose2d":
            inputs, outputs, *kernel = args[1].shape
            return f"transposed {inputs}-{outputs} k{kernel} s{args[3][0]}"
        if name == "instance_norm":
            affine = kwargs["weight"] is not None and kwargs["bias"] is not None
            return "IN" if affine and kwargs["running_mean"] is None else "IN of another kind"
        if name == "pad":
            return f"pad {kwargs['mode']} {args[1]}"
        if name == "interpolate":
            return f"{kwargs.get('mode', 'nearest')} x{kwargs['scale_factor']}"
        if name in ("add", "__add__") and all(isinstance(arg, torch.Tensor) for arg in args):
            return "skip"
        return name if name in ("relu", "tanh", "sigmoid", "pixel_shuffle") else None


def layers(spec: NetworkSpec) -> list[str]:
    with Recorder() as recorder:
        network(spec)(frames())
    return recorder.steps


def conv(inputs: int, outputs: int, *after: str, stride: int = 1) -> list[str]:
    step = f"conv {inputs}-{outputs} k[3, 3] s{stride} p0"
    return ["pad reflect (1, 1, 1, 1)", step, *after]


def doubled(inputs: int, outputs: int, *after: str) -> list[str]:
    """List the layers of a doubling by nearest neighbours; a bilinear one is in `sub_pixel`."""
    return ["pad replicate (1, 1, 1, 1)", "nearest x2.0", *conv(inputs, outputs, *after)[1:]]


def sub_pixel_doubled(inputs: int, outputs: int, *after: str) -> list[str]:
    return ["pad replicate (1, 1, 1, 1)", conv(inputs, 4 * outputs)[1], "pixel_shuffle", *after]


class TestTable1:
    @pytest.mark.parametrize("upsampling", UPSAMPLINGS)
    def test_parameters(self, upsampling):
        net = StylizingNetwork(dataclasses.replace(PAPER, upsampling=upsampling))
        assert sum(p.numel() for p in net.parameters()) == 246_969
        weights = [value for name, value in net.named_parameters() if name.endswith("conv.weight")]
        assert sum(weight.numel() for weight in weights) == 245_088

    def test_layers_with_nearest_upsampling(self):
        assert layers(PAPER) == [
            *conv(3, 16, "IN", "relu"),
            *conv(16, 32, "IN", "relu", stride=2),
            *conv(32, 48, "IN", "relu", stride=2),
            *5 * [*conv(48, 48, "IN", "relu"), *conv(48, 48, "IN", "skip")],
            *doubled(48, 32, "IN", "relu"),
            *doubled(32, 16, "IN", "relu"),
            *conv(16, 3, "IN", "tanh"),
        ]

    def test_layers_with_transposed_convolution(self):
        nearest = layers(PAPER)
        assert layers(dataclasses.replace(PAPER, upsampling="transposed")) == [
            *nearest[:-14],
            *["transposed 48-32 k[3, 3] s2", "IN", "relu"],
            *["transposed 32-16 k[3, 3] s2", "IN", "relu"],
            *nearest[-4:],
        ]

    def test_the_house_network(self):
        """Changes of resolution are filtered; normalisation is in the branches."""
        low_pass = ("pad reflect (1, 1, 1, 1)", "low-pass {} k[3, 3]")
        assert layers(NetworkSpec()) == [
            *conv(3, 16, "relu"),
            *[step.format(16) for step in low_pass],
            *conv(16, 32, "relu", stride=2),
            *[step.format(32) for step in low_pass],
            *conv(32, 48, "relu", stride=2),
            *5 * [*conv(48, 48, "IN", "relu"), *conv(48, 48, "IN", "skip")],
            *sub_pixel_doubled(48, 32, "skip", "relu"),
            *sub_pixel_doubled(32, 16, "skip", "relu"),
            *conv(16, 3, "tanh"),
        ]

    def test_without_normalisation(self):
        plain = layers(dataclasses.replace(PAPER, normalization="none"))
        assert plain == [step for step in layers(PAPER) if step != "IN"]

    def test_pixels_are_half_of_tanh_plus_one(self):
        net = network(dataclasses.replace(SMALL, normalization="everywhere"))
        with torch.no_grad():
            norm: Any = net.output.norm
            norm.weight.zero_()
            norm.bias.copy_(torch.tensor([0.0, 0.5, -30.0]))
        stylized = net(frames())[0, :, 3, 3]
        torch.testing.assert_close(stylized, torch.tensor([0.5, 0.7310586, 0.0]))


class TestShifts:
    """A picture that moves by a pixel should only move by a pixel."""

    @staticmethod
    def change(spec: NetworkSpec) -> float:
        net, scene = network(spec), F.avg_pool2d(frames(1, 100, 104), 3, 1)
        here, there = net(scene[..., 1:]), net(scene[..., :-1])
        # Away from the border, which does not move with the scene.
        return (here[..., 20:-20, 20:-20] - there[..., 20:-20, 21:-19]).abs().mean().item()

    def test_filtered_resolution_changes_follow_them(self):
        plain = dataclasses.replace(SMALL, downsampling="strided", upsampling="nearest")
        assert self.change(SMALL) < 0.35 * self.change(plain)

    @pytest.mark.parametrize("lever", [{"downsampling": "strided"}, {"upsampling": "nearest"}])
    def test_it_takes_both_filters(self, lever):
        assert self.change(SMALL) < 0.7 * self.change(dataclasses.replace(SMALL, **lever))


class TestSubPixel:
    @pytest.mark.parametrize("size", [(1, 1), (2, 7), (9, 12)])
    def test_is_bilinear_doubling_and_then_the_convolution(self, size):
        block = UpsampleBlock(5, 3, NetworkSpec()).double()
        x = torch.randn(2, 5, *size, dtype=torch.double)
        wide = F.interpolate(
            F.pad(x, (1, 1, 1, 1), mode="replicate"), scale_factor=2.0, mode="bilinear"
        )
        torch.testing.assert_close(block(x), block.conv(wide[..., 1:-1, 1:-1]))


class TestForward:
    @pytest.mark.parametrize("upsampling", UPSAMPLINGS)
    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    @pytest.mark.parametrize(
        "size", [(1, 1), (3, 5), (2, 9), (1, 40), (8, 8), (33, 21), (34, 35), (40, 18)]
    )
    def test_any_size_comes_back_in_range(self, size, normalization, upsampling):
        change = {"normalization": normalization, "upsampling": upsampling}
        stylized = network(dataclasses.replace(SMALL, **change))(frames(2, *size))
        assert stylized.shape == (2, 3, *size)
        assert stylized.isfinite().all()
        assert stylized.min() >= 0
        assert stylized.max() <= 1

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_dtype_is_kept(self, dtype):
        assert network().to(dtype)(frames().to(dtype)).dtype == dtype

    def test_half_precision_paints_fine_gradients(self):
        """More levels near white than half precision itself has."""
        stylized = network().to(torch.bfloat16)(frames(1, 64, 64).to(torch.bfloat16))
        assert stylized.dtype == torch.float32
        assert not torch.equal(stylized, stylized.to(torch.bfloat16).to(torch.float32))

    def test_batch_gives_what_single_frames_give(self):
        net, batch = network(), frames(3)
        single = torch.cat([net(frame[None]) for frame in batch])
        torch.testing.assert_close(net(batch), single, atol=1e-5, rtol=0)
        assert (single[0] - single[1]).abs().max() > 0.05  # different frames do differ

    def test_odd_sizes_repeat_the_last_row_and_column(self):
        net, frame = network(), frames(1, 13, 10)
        padded = F.pad(frame, (0, 2, 0, 3), mode="replicate")
        assert padded.shape[-2:] == (16, 12)
        torch.testing.assert_close(net(frame), net(padded)[..., :13, :10], atol=1e-5, rtol=0)

    def test_whole_sizes_are_not_padded(self):
        with Recorder() as recorder:
            network()(frames(1, 24, 32))
        assert recorder.steps[0].startswith("pad reflect")

    def test_border_of_a_flat_area_stays_flat(self):
        block = ConvBlock(3, 4, SMALL)
        flat = torch.full((1, 3, 9, 9), 0.7)
        seen: list[Any] = []
        block.conv.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
        block(flat)
        assert seen[0].shape == (1, 4, 9, 9)
        torch.testing.assert_close(seen[0], seen[0][..., 4:5, 4:5].expand_as(seen[0]))

    def test_normalised_everywhere_brightness_and_contrast_are_lost(self):
        net, frame = network(dataclasses.replace(PAPER, norm_epsilon=1e-5)), frames()
        torch.testing.assert_close(net(frame * 0.5 + 0.2), net(frame), atol=2e-3, rtol=0)


def flat(*levels: float) -> torch.Tensor:
    """Return a flat frame of each level."""
    return torch.stack([torch.full((3, 24, 32), level) for level in levels])


class TestFlatFrames:
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("normalization", ["residual", "none"])
    def test_black_grey_and_white_come_out_different(self, normalization, seed):
        torch.manual_seed(seed)
        stylized = StylizingNetwork(NetworkSpec(normalization=normalization))(flat(0, 0.5, 1))
        for one, other in itertools.combinations(stylized, 2):
            assert (one - other).abs().mean((1, 2)).max() > 0.02

    def test_normalised_everywhere_they_come_out_the_same(self):
        stylized = network(PAPER)(flat(0, 0.5, 1))
        torch.testing.assert_close(stylized, stylized[:1].expand_as(stylized), atol=1e-4, rtol=0)

    def test_small_change_of_a_flat_frame_makes_a_small_change(self):
        net = network(NetworkSpec())
        for level in (0.0, 0.5, 0.98):
            dark, light = net(flat(level, level + 2 / 255))
            assert (dark - light).abs().max() < 0.05

    @pytest.mark.parametrize("upsampling", UPSAMPLINGS)
    @pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
    def test_slopes_stay_in_bounds(self, level, upsampling):
        frame = frames()
        steepest = []
        for seen in (flat(level), frame):
            torch.manual_seed(3)
            net = StylizingNetwork(NetworkSpec(upsampling=upsampling))
            net(seen).sum().backward()
            steepest.append(max(p.grad.abs().max() for p in net.parameters()))
        assert steepest[0] < 10 * steepest[1]


class TestStart:
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("upsampling", UPSAMPLINGS)
    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    def test_is_neither_dead_nor_saturated(self, normalization, upsampling, seed):
        torch.manual_seed(seed)
        net = StylizingNetwork(NetworkSpec(upsampling=upsampling, normalization=normalization))
        stylized = net(frames())
        assert stylized.std() > 0.02
        assert ((stylized > 0.02) & (stylized < 0.98)).float().mean() > 0.8

    def test_pixels_are_taken_around_middle_grey(self):
        torch.testing.assert_close(network(NetworkSpec())(flat(0.5)), flat(0.5), atol=1e-6, rtol=0)

    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    def test_every_weight_has_a_slope(self, normalization):
        torch.manual_seed(3)
        net = StylizingNetwork(NetworkSpec(normalization=normalization))
        net(frames()).square().sum().backward()
        for name, parameter in net.named_parameters():
            assert parameter.grad.isfinite().all(), name
            # Normalisation takes a bias away, and so its slope.
            if normalization == "none" or name.endswith("weight"):
                assert parameter.grad.abs().max() > 1e-3, name


class TestSpec:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"channels": (16, 32)},
            {"channels": (16, 0, 48)},
            {"channels": (16, 32, 1025)},
            {"residual_blocks": -1},
            {"residual_blocks": 65},
            {"upsampling": "bicubic"},
            {"downsampling": "pooled"},
            {"norm_epsilon": 0.0},
            {"norm_epsilon": 101.0},
            {"norm_epsilon": float("nan")},
            {"normalization": "encoder"},
        ],
    )
    def test_fields_out_of_range_are_named(self, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            NetworkSpec(**wrong)

    @pytest.mark.parametrize(
        "spec",
        [
            NetworkSpec(),
            SMALL,
            NetworkSpec((1, 2, 3), 0, "strided", "transposed", False, 100.0, "none"),
        ],
    )
    def test_json_round_trip(self, spec):
        assert NetworkSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec

    @pytest.mark.parametrize("change", [{"depth": 3}, {"channels": None}, {"channels": [1, 2]}])
    def test_json_of_another_shape_is_refused(self, change):
        with pytest.raises((TypeError, ValueError)):
            NetworkSpec.from_json({**NetworkSpec().to_json(), **change})

    @pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(NetworkSpec)])
    def test_json_that_lacks_a_field_is_refused(self, name):
        """Fields that an older file lacks must not be guessed."""
        fields = NetworkSpec().to_json()
        del fields[name]
        with pytest.raises((ValueError, KeyError), match=name):
            NetworkSpec.from_json(fields)

    def test_every_field_shapes_the_network(self):
        plain = network()(frames())
        changes = ({"norm_epsilon": 2.0}, {"upsampling": "transposed"}, {"normalization": "none"})
        for change in changes:
            other = network(dataclasses.replace(SMALL, **change))(frames())
            assert (other - plain).abs().max() > 1e-3
        assert len(network(dataclasses.replace(SMALL, residual_blocks=4)).residuals) == 4
