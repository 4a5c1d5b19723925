"""Muon, an optimizer for convolutions: momentum whose singular values are all made about 1.

Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon). With Adam a few directions of a
kernel take most of a step. Scaled as in Liu et al. 2025 ("Muon is scalable for LLM training"), the
learning rate means what it does to Adam. docs/training.md says where it helps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
# Adam's, for biases and normalisation, and the share of the learning rate that these have.
BETAS, EPSILON, REST = (0.9, 0.999), 1e-8, 1 / 3
# Of the quintic iteration that brings singular values near 1.
_COEFFICIENTS, _TIMES = (3.4445, -4.7750, 2.0315), 5


class Muon(torch.optim.Optimizer):
    """Muon for kernels, Adam at a third of the learning rate for all else.

    Args:
        parameters: The network's; those with four axes are kernels.
        lr: Learning rate.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float = 3e-3):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Change every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                change = self._of_kernel if parameter.ndim == 4 else self._of_rest
                parameter.sub_(change(parameter), alpha=group["lr"])

    def _of_kernel(self, parameter: Tensor) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].mul_(MOMENTUM).add_(gradient)
        ahead = gradient.add(momentum, alpha=MOMENTUM).flatten(1)
        # As large as a step of Adam usually is.
        return (orthogonal(ahead) * (0.2 * max(ahead.shape) ** 0.5)).view_as(parameter)

    def _of_rest(self, parameter: Tensor) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["mean"], state["square"] = (torch.zeros_like(parameter) for _ in range(2))
            state["steps"] = torch.zeros((), device=parameter.device)
        steps = state["steps"].add_(1)
        mean = state["mean"].lerp_(gradient, 1 - BETAS[0])
        square = state["square"].lerp_(gradient.square(), 1 - BETAS[1])
        root = (square / (1 - BETAS[1] ** steps)).sqrt_().add_(EPSILON)
        return mean / (1 - BETAS[0] ** steps) / root * REST


def orthogonal(matrix: Tensor) -> Tensor:
    """Return the matrix with the same singular vectors, and singular values between 0.7 and 1.2.

    By Newton and Schulz's iteration: products alone, no decomposition.

    Args:
        matrix: (M, N).
    """
    a, b, c = _COEFFICIENTS
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(_TIMES):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x
