"""Operations that stay in channels_last and bfloat16 while a CPU trains, unlike PyTorch's own.

Padding, instance normalisation and pixel shuffling copy features into another layout or into
float32, and the next convolution copies them back: a quarter of the stylizing network's part of a
step. Where nothing is trained, PyTorch's own are used.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

Border = Literal["reflect", "replicate"]


def bordered(x: Tensor, mode: Border) -> Tensor:
    """Add a border of one pixel to (N, C, H, W), as `torch.nn.functional.pad` makes it."""
    if _trained_on_a_cpu(x):
        return _Bordered.apply(x, mode)  # type: ignore[return-value]
    return F.pad(x, (1, 1, 1, 1), mode=mode)


def doubled(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Compute a convolution with four times the outputs, each four a block of 2 x 2 pixels.

    Args:
        x: (N, C, H + 2, W + 2).
        weight: (4 O, C, 3, 3), in `pixel_shuffle`'s order.
        bias: (4 O,), the same.

    Returns:
        (N, O, 2 H, 2 W).
    """
    if not _trained_on_a_cpu(x):
        return F.pixel_shuffle(F.conv2d(x, weight, bias), 2)
    # By places before outputs: whole pixels are moved then, not single numbers.
    weight, bias = (
        part.unflatten(0, (-1, 4)).transpose(0, 1).flatten(0, 1) for part in (weight, bias)
    )
    blocks = F.conv2d(x, weight, bias).movedim(1, -1).unflatten(-1, (2, 2, -1))
    return blocks.transpose(2, 3).flatten(3, 4).flatten(1, 2).movedim(-1, 1)


class InstanceNorm(nn.InstanceNorm2d):
    """Affine instance normalisation."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  its name in PyTorch
        """Normalise (N, C, H, W)."""
        if _trained_on_a_cpu(input):
            return _Normalized.apply(input, self.weight, self.bias, self.eps)  # type: ignore[return-value]
        return super().forward(input)


def _trained_on_a_cpu(x: Tensor) -> bool:
    # torch.compile writes kernels of its own, and does not take functions with own gradients.
    eager = not torch.compiler.is_compiling()
    return eager and x.device.type == "cpu" and torch.is_grad_enabled() and x.requires_grad


class _Bordered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, mode: Border) -> Tensor:
        count, channels, height, width = x.shape
        # From the old border, what the new one repeats lies so far in.
        ctx.inset = inset = 1 if mode == "reflect" else 0  # type: ignore[attr-defined]
        out = torch.empty(
            (count, channels, height + 2, width + 2),
            dtype=x.dtype,
            memory_format=torch.channels_last,
        )
        out[..., 1:-1, 1:-1] = x
        out[..., 0, 1:-1], out[..., -1, 1:-1] = x[..., inset, :], x[..., -1 - inset, :]
        out[..., 0], out[..., -1] = out[..., 1 + inset], out[..., -2 - inset]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, slope: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        near, far = ctx.inset, -1 - ctx.inset  # type: ignore[attr-defined]
        inner = slope[..., 1:-1, 1:-1].clone(memory_format=torch.channels_last)
        inner[..., near, :] += slope[..., 0, 1:-1]
        inner[..., far, :] += slope[..., -1, 1:-1]
        for column, border in ((near, 0), (far, -1)):
            inner[..., column] += slope[..., 1:-1, border]
            inner[..., near, column] += slope[..., 0, border]
            inner[..., far, column] += slope[..., -1, border]
        return inner, None


class _Normalized(torch.autograd.Function):
    """Instance normalisation is group normalisation with a group for each channel."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        count, channels, height, width = x.shape
        with torch.autocast("cpu", enabled=False):
            out, mean, scale = torch.native_group_norm(
                x, weight, bias, count, channels, height * width, channels, eps
            )
        ctx.save_for_backward(x, mean.float(), scale.float(), weight)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, slope: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, mean, scale, weight = ctx.saved_tensors  # type: ignore[attr-defined]
        # (N, H W, C): without a copy in channels_last.
        places, grown = (values.movedim(1, -1).flatten(1, 2).float() for values in (x, slope))
        mean, scale = mean[:, None], scale[:, None]
        normalized = (places - mean) * scale
        of_bias, of_weight = grown.sum(1, keepdim=True), (grown * normalized).sum(1, keepdim=True)
        pixels = places.shape[1]
        inner = (grown - of_bias / pixels).addcmul_(normalized, of_weight / -pixels)
        inner = inner.mul_(scale * weight).to(x.dtype).unflatten(1, x.shape[2:]).movedim(-1, 1)
        return inner, of_weight.sum((0, 1)), of_bias.sum((0, 1)), None
