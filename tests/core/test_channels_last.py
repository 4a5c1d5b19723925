from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from brushreel.core import channels_last
from brushreel.core.channels_last import InstanceNorm, bordered, doubled
from brushreel.core.network import NetworkSpec, StylizingNetwork


def features(*shape: int, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=random).contiguous(memory_format=torch.channels_last)
    return values.requires_grad_()


def both(function, expected, *inputs: torch.Tensor) -> None:
    """Require the same values, and the same gradients of all inputs."""
    found, wanted = function(*inputs), expected(*inputs)
    assert found.grad_fn is not None
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    slope = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(9))
    for one, other in zip(
        torch.autograd.grad(found, inputs, slope),
        torch.autograd.grad(wanted, inputs, slope),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (1, 4, 2, 2), (3, 1, 2, 9)])
def test_border_is_that_of_pad(mode, shape):
    both(lambda x: bordered(x, mode), lambda x: F.pad(x, (1, 1, 1, 1), mode), features(*shape))


def test_instance_norm_is_pytorch_s():
    norm = InstanceNorm(5, eps=0.3, affine=True)
    plain = nn.InstanceNorm2d(5, eps=0.3, affine=True)
    weight, bias = (torch.randn(5, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    for one in (norm, plain):
        one.weight.data.copy_(weight)
        one.bias.data.copy_(bias)
    both(norm, plain, features(3, 5, 6, 4))
    slopes = [
        torch.autograd.grad(one(features(3, 5, 6, 4)).square().sum(), list(one.parameters()))
        for one in (norm, plain)
    ]
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_doubling_is_a_convolution_and_a_pixel_shuffle():
    weight = torch.randn(12, 5, 3, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    bias = torch.randn(12, generator=torch.Generator().manual_seed(2)).requires_grad_()
    both(
        doubled,
        lambda x, w, b: F.pixel_shuffle(F.conv2d(x, w, b), 2),
        *(features(2, 5, 6, 8), weight, bias),
    )


@pytest.mark.parametrize("upsampling", ["bilinear", "nearest"])
@pytest.mark.parametrize("normalization", ["residual", "everywhere"])
def test_a_network_has_the_slopes_of_pytorch_s_kernels(monkeypatch, upsampling, normalization):
    torch.manual_seed(0)
    shape = {"upsampling": upsampling, "normalization": normalization}
    network = StylizingNetwork(NetworkSpec((4, 6, 8), residual_blocks=2, **shape))
    frames, slopes = torch.rand(2, 3, 16, 24), []
    for own in (True, False):
        if not own:
            monkeypatch.setattr(channels_last, "_trained_on_a_cpu", lambda _: False)
        network.zero_grad()
        network(frames).square().sum().backward()
        slopes.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    torch.testing.assert_close(*slopes, rtol=1e-3, atol=1e-4)


def test_features_stay_as_they_lie_and_in_their_type():
    x = features(2, 8, 6, 6).bfloat16()
    weight, bias = torch.zeros(16, 8, 3, 3).bfloat16(), torch.zeros(16).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        made = bordered(x, "reflect"), InstanceNorm(8, affine=True)(x), doubled(x, weight, bias)
    for out in made:
        assert out.dtype == torch.bfloat16
        assert out.is_contiguous(memory_format=torch.channels_last)
