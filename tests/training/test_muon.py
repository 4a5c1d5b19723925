"""Muon: what one step does to kernels and to the rest, and that it minimises."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from brushreel.training.muon import REST, Muon, orthogonal


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(16, 27), (48, 16), (32, 32)])
def test_singular_values_are_about_1_and_the_vectors_stay(shape):
    matrix = random(*shape)
    out = orthogonal(matrix)
    values = torch.linalg.svdvals(out)
    assert 0.6 < values.min() < values.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    rotated = u.T @ out @ v.T
    assert (rotated - rotated.diag().diag()).abs().max() < 1e-3


def test_a_step_of_a_kernel_is_as_large_as_one_of_adam():
    kernel = nn.Parameter(random(32, 16, 3, 3))
    before = kernel.detach().clone()
    kernel.grad = 1e-6 * random(32, 16, 3, 3)
    Muon([kernel], lr=0.01).step()
    change = (kernel.detach() - before).square().mean().sqrt()
    assert 0.1 * 0.01 < change < 0.3 * 0.01  # Adam's are 0.2 to 0.4 of the rate, Liu et al. 2025
    assert ((before - kernel.detach()) * kernel.grad).sum() > 0


def test_biases_are_changed_as_adam_does_at_a_third_of_the_rate():
    mine, other = (nn.Parameter(random(8)) for _ in range(2))
    muon, adam = Muon([mine], lr=0.03), torch.optim.Adam([other], lr=0.03 * REST)
    for step in range(5):
        mine.grad = other.grad = (step + 1) * random(8) ** 2
        muon.step()
        adam.step()
    assert torch.allclose(mine, other, atol=1e-6)


def test_parameters_without_a_gradient_stay():
    kernel, bias = nn.Parameter(random(4, 4, 3, 3)), nn.Parameter(random(4))
    Muon([kernel, bias]).step()
    assert torch.equal(kernel, random(4, 4, 3, 3))
    assert torch.equal(bias, random(4))
