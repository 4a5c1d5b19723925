"""A larger epsilon changes nothing on usual frames, and bounds the gain on flat areas."""

from __future__ import annotations

import pytest
import torch

from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.training.gain_bound import EPSILON, MOST_VARIANCE, bound_gain, set_epsilon

SPEC = NetworkSpec(channels=(4, 6, 8), residual_blocks=2, norm_epsilon=0.01)


@pytest.fixture
def network() -> StylizingNetwork:
    torch.manual_seed(0)
    network = StylizingNetwork(SPEC).eval()
    for block in network.residuals:
        # As after training: what is normalised varies by far more than the epsilon.
        block.first.conv.weight.data *= 2.5  # type: ignore[operator,union-attr]
        block.second.conv.weight.data *= 4  # type: ignore[operator,union-attr]
        torch.nn.init.normal_(block.second.norm.weight)  # type: ignore[arg-type,union-attr]
    return network


def noise(sigma: float, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return 0.5 + sigma * torch.randn((1, 3, 64, 64), generator=random)


USUAL = [noise(0.2, seed) for seed in range(4)]


@torch.no_grad()
@pytest.mark.parametrize("way", ["bound_gain", "set_epsilon"])
def test_usual_frames_stay_as_they_were(network, way):
    before = network(USUAL[0])
    if way == "bound_gain":
        bound_gain(network, USUAL)
    else:
        set_epsilon(network, EPSILON, USUAL)
    change = (network(USUAL[0]) - before).abs().mean()
    assert change < 1.5 / 255
    for module in network.modules():
        if isinstance(module, torch.nn.InstanceNorm2d):
            assert module.eps == EPSILON
            module.eps = SPEC.norm_epsilon
    assert (network(USUAL[0]) - before).abs().mean() > 3 * change


@torch.no_grad()
def test_noise_on_a_flat_frame_is_not_amplified(network):
    def change() -> float:
        return (network(noise(0.004, 1)) - network(noise(0.004, 2))).abs().mean().item()

    before = change()
    bound_gain(network, USUAL)
    assert change() < before / 4


@torch.no_grad()
def test_variances_come_down(network):
    def largest() -> float:
        seen: list[float] = []
        hooks = [
            block.second.norm.register_forward_pre_hook(  # type: ignore[operator,union-attr]
                lambda _, inputs: seen.append(inputs[0].var((2, 3)).mean(0).max().item())
            )
            for block in network.residuals
        ]
        network(USUAL[0])
        for hook in hooks:
            hook.remove()
        return max(seen)

    assert largest() > 2 * MOST_VARIANCE
    bound_gain(network, USUAL)
    assert largest() < 1.4 * MOST_VARIANCE


@torch.no_grad()
def test_changing_the_epsilon_is_reversible(network):
    before = network(USUAL[0])
    set_epsilon(network, EPSILON, USUAL)
    set_epsilon(network, SPEC.norm_epsilon, USUAL)
    assert (network(USUAL[0]) - before).abs().max() < 2 / 255
