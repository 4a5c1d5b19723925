"""Measures of temporal stability: warping, occlusion masks and temporal errors.

Flow follows one convention everywhere: ``flow`` is (N, 2, H, W) in pixels, x then y, and belongs
to the pixels of the *current* frame; it points to the position of each in the *other* frame.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def warp(other: Tensor, flow: Tensor) -> Tensor:
    """Warp the other frame onto the current one.

    Args:
        other: (N, C, H, W) floating point.
        flow: (N, 2, H, W) pixels, from the current frame into `other`.

    Returns:
        (N, C, H, W), interpolated bilinearly; beyond the border the nearest pixel.
    """
    height, width = other.shape[-2:]
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype).view(1, -1, 1)
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype).view(1, 1, -1)
    x = (columns + flow[:, 0]) * (2 / max(width - 1, 1)) - 1
    y = (rows + flow[:, 1]) * (2 / max(height - 1, 1)) - 1
    grid = torch.stack((x, y), dim=-1).to(other.dtype)
    return F.grid_sample(other, grid, padding_mode="border", align_corners=True)


def visibility_mask(flow: Tensor, flow_back: Tensor) -> Tensor:
    """Return the confidence c of the temporal loss: the pixels that two frames share.

    A pixel counts as occluded where the flow there and back does not return to it,
    |w + w_back|^2 > 0.01 (|w|^2 + |w_back|^2) + 0.5, and as a motion boundary where
    |grad w|^2 > 0.01 |w|^2 + 0.002 (Sundaram et al. 2010, as used by Ruder et al. 2016 and Huang
    et al. 2017); a pixel that comes from outside the other frame is not shared either.

    Args:
        flow: (N, 2, H, W) pixels, from the current frame into the other.
        flow_back: (N, 2, H, W) pixels, from the other frame into the current.

    Returns:
        (N, 1, H, W) of 0 and 1, the dtype of `flow`.
    """
    back_here = warp(flow_back, flow)
    magnitude = flow.square().sum(1) + back_here.square().sum(1)
    occluded = (flow + back_here).square().sum(1) > 0.01 * magnitude + 0.5
    dx = F.pad(flow[..., :, 1:] - flow[..., :, :-1], (0, 1)).square().sum(1)
    dy = F.pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1)).square().sum(1)
    boundary = dx + dy > 0.01 * flow.square().sum(1) + 0.002
    visible = inside(flow) & ~(occluded | boundary)
    return visible.unsqueeze(1).to(flow.dtype)


def inside(flow: Tensor) -> Tensor:
    """Return the mask of the pixels that come from within the other frame.

    Args:
        flow: (N, 2, H, W) pixels, from the current frame into the other.

    Returns:
        (N, H, W) bool.
    """
    height, width = flow.shape[-2:]
    x = flow[:, 0] + torch.arange(width, device=flow.device).view(1, 1, -1)
    y = flow[:, 1] + torch.arange(height, device=flow.device).view(1, -1, 1)
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def temporal_error(current: Tensor, other: Tensor, flow: Tensor, mask: Tensor) -> Tensor:
    """Compute the mean squared change between warped neighbours: Huang et al. 2017, temporal loss.

    (1 / D) sum_k c_k (y_t - warp(y_other))_k^2 with D = N H W C, occluded pixels included in D.
    Its square root, with the mean taken over the pairs of a clip, is the paper's E_temporal.

    Args:
        current: (N, 3, H, W) in [0, 1].
        other: (N, 3, H, W) in [0, 1].
        flow: (N, 2, H, W) pixels, from `current` into `other`.
        mask: (N, 1, H, W), see `visibility_mask`.

    Returns:
        Scalar, differentiable.
    """
    return (mask * (current - warp(other, flow)).square()).mean()


def warping_error(current: Tensor, other: Tensor, flow: Tensor, mask: Tensor) -> Tensor:
    """Compute the mean squared change of the visible pixels: Lai et al. 2018, the warping error.

    sum_k m_k (y_t - warp(y_other))_k^2 / sum_k m_k for each pair, k over pixels and channels, and
    no root; mean over the pairs. A pair without visible pixels counts as 0.

    Args:
        current: (N, 3, H, W) in [0, 1].
        other: (N, 3, H, W) in [0, 1].
        flow: (N, 2, H, W) pixels, from `current` into `other`.
        mask: (N, 1, H, W), see `visibility_mask`.

    Returns:
        Scalar, differentiable.
    """
    squares = mask * (current - warp(other, flow)).square()
    visible = mask.sum((1, 2, 3)) * current.shape[1]
    return (squares.sum((1, 2, 3)) / visible.clamp_min(1)).mean()
