from __future__ import annotations

import dataclasses

import pytest
import torch

from housestyle.core.network import NetworkSpec, StylizingNetwork
from housestyle.core.runtimes.packed import PackedNetwork, can_be_packed
from housestyle.core.tiling import NetworkParts, paint_in_tiles

SPEC = NetworkSpec(channels=(4, 6, 8), residual_blocks=1)


def network(**changes) -> StylizingNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = StylizingNetwork(dataclasses.replace(SPEC, **changes)).eval()
        for name, value in net.named_parameters():
            if name.endswith("bias"):  # zero at the start
                torch.nn.init.normal_(value, std=0.1)
        return net.requires_grad_(requires_grad=False)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (5, 3), (12, 8), (37, 50)])
@pytest.mark.parametrize("changes", [{}, {"skips": False}, {"normalization": "none"}])
def test_paints_the_same_to_the_last_row(size, changes):
    net, frames = network(**changes), torch.rand(2, 3, *size)
    torch.testing.assert_close(PackedNetwork(net)(frames), net(frames), atol=2e-6, rtol=0)


def test_paints_the_same_in_tiles():
    net, frame = network(), torch.rand(1, 3, 96, 160)
    painted = paint_in_tiles(NetworkParts(PackedNetwork(net)), frame, 64)
    torch.testing.assert_close(painted, net(frame), atol=2e-6, rtol=0)


def test_holds_nothing_but_pixels_at_full_resolution():
    seen = []
    net = PackedNetwork(network())
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            module.register_forward_hook(lambda _m, _given, made: seen.append(made.shape[-1]))
    net(torch.rand(1, 3, 64, 64))
    assert seen == [32, 32, 16, 16, 16, 32, 32, 32]


@pytest.mark.parametrize(
    "changes",
    [{"downsampling": "strided"}, {"upsampling": "nearest"}, {"normalization": "everywhere"}],
)
def test_not_every_shape_can_be_packed(changes):
    assert can_be_packed(SPEC)
    assert not can_be_packed(dataclasses.replace(SPEC, **changes))


def test_leaves_the_network_alone():
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    PackedNetwork(net)(torch.rand(1, 3, 16, 16))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
