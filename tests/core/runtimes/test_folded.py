from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.core.runtimes.folded import folded

SPEC = NetworkSpec(channels=(4, 6, 8), residual_blocks=1)


def network(**changes) -> StylizingNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return StylizingNetwork(dataclasses.replace(SPEC, **changes)).eval()


@pytest.mark.parametrize("size", [(8, 8), (5, 3), (37, 50)])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"skips": False, "downsampling": "strided"},
        {"normalization": "everywhere"},
        {"upsampling": "nearest"},
        {"upsampling": "transposed"},
    ],
)
@torch.no_grad()
def test_paints_the_same_to_the_last_row(size, changes):
    net, frames = network(**changes), torch.rand(2, 3, *size)
    torch.testing.assert_close(folded(net)(frames), net(frames), atol=2e-6, rtol=0)


@torch.no_grad()
def test_never_holds_doubled_features():
    """The widest thing at full resolution is what the last convolution reads."""
    seen = []
    net: Any = folded(network())
    for block in net.decoder:
        block.conv.register_forward_hook(lambda _m, given, _out: seen.append(given[0].shape[-1]))
    net(torch.rand(1, 3, 64, 64))
    assert seen == [18, 34]


def test_leaves_the_network_alone():
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for value in folded(net).parameters():
        value.data.zero_()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
