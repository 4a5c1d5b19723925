"""A larger epsilon changes nothing on usual frames, and calms frames without texture."""

from __future__ import annotations

import pytest
import torch

from housestyle.core.network import NetworkSpec, StylizingNetwork
from housestyle.training.settling import set_epsilon, settle

SPEC = NetworkSpec(channels=(4, 6, 8), residual_blocks=2, norm_epsilon=0.01)


@pytest.fixture
def network() -> StylizingNetwork:
    torch.manual_seed(0)
    network = StylizingNetwork(SPEC).eval()
    for block in network.residuals:
        # As after training: what is normalised varies by far more than the epsilon.
        block.first.conv.weight.data *= 2.5  # type: ignore[operator,union-attr]
        block.second.conv.weight.data *= 2.5  # type: ignore[operator,union-attr]
        torch.nn.init.normal_(block.second.norm.weight)  # type: ignore[arg-type,union-attr]
    return network


def noise(sigma: float, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return 0.5 + sigma * torch.randn((1, 3, 64, 64), generator=random)


@torch.no_grad()
def test_usual_frames_stay_as_they_were(network):
    frames = [noise(0.2, seed) for seed in range(4)]
    before = network(frames[0])
    settle(network, 1.0, frames)
    change = (network(frames[0]) - before).abs().mean()
    assert change < 1.5 / 255
    set_epsilon(network, SPEC.norm_epsilon)
    assert (network(frames[0]) - before).abs().mean() > 3 * change


@torch.no_grad()
def test_noise_on_a_flat_frame_is_not_painted(network):
    def change() -> float:
        return (network(noise(0.004, 1)) - network(noise(0.004, 2))).abs().mean().item()

    before = change()
    settle(network, 1.0, [noise(0.2, seed) for seed in range(4)])
    assert change() < before / 4


def test_variances_come_down_to_the_epsilon(network):
    seen: list[float] = []
    for block in network.residuals:
        block.second.norm.register_forward_pre_hook(  # type: ignore[operator,union-attr]
            lambda _, inputs: seen.append(inputs[0].var((2, 3)).mean(0).max().item())
        )
    network(noise(0.2, 0))
    assert max(seen) > 1.5 * SPEC.norm_epsilon
    seen.clear()
    settle(network, SPEC.norm_epsilon, [noise(0.2, seed) for seed in range(4)])
    seen.clear()
    network(noise(0.2, 0))
    assert max(seen) < 1.2 * SPEC.norm_epsilon
