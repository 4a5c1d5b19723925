"""The same network in fewer steps, for running it: what training needs apart is multiplied out."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..network import StylizingNetwork, UpsampleBlock

# A doubled row's samples 2i - 1 to 2i + 2 as shares of the rows i - 1, i and i + 1 before bilinear
# doubling: every new sample lies a quarter from the nearer old one.
_DOUBLED = (
    (0.75, 0.25, 0.0),
    (0.25, 0.75, 0.0),
    (0.0, 0.75, 0.25),
    (0.0, 0.25, 0.75),
)


def folded(network: StylizingNetwork) -> StylizingNetwork:
    """A copy that computes the same with less work and memory.

    Bilinear doubling and the convolution after it are both linear: together they are one
    convolution at the lower resolution with four times the outputs, one for each place in a
    2 x 2 block (sub-pixel convolution, Shi et al. 2016). The doubled features are never made.
    Results agree to rounding. Networks with other up-sampling are copied as they are.
    """
    network = copy.deepcopy(network).eval()
    if network.spec.upsampling == "bilinear":
        network.decoder = nn.ModuleList(_SubPixel(block) for block in network.decoder)
    return network


class _SubPixel(nn.Module):
    """An `UpsampleBlock` as one convolution at the lower resolution."""

    def __init__(self, block: nn.Module):
        super().__init__()
        assert isinstance(block, UpsampleBlock)
        weight, bias = block.conv.weight.detach(), block.conv.bias
        assert bias is not None
        self.conv = nn.Conv2d(weight.shape[1], 4 * weight.shape[0], 3)
        self.conv.weight.data = _four_places(weight)
        self.conv.bias = nn.Parameter(bias.detach().repeat_interleave(4))
        self.norm = block.norm

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', 2H, 2W)."""
        places = self.conv(F.pad(x, (1, 1, 1, 1), mode="replicate"))
        return self.norm(F.pixel_shuffle(places, 2))


def _four_places(weight: Tensor) -> Tensor:
    """(O, C, 3, 3) after doubling to (4 O, C, 3, 3) before it, in `pixel_shuffle`'s order."""
    rows = torch.tensor(_DOUBLED, dtype=weight.dtype, device=weight.device)
    # shares[p, t, i]: of tap t at place p, what comes from row i - 1.
    shares = torch.stack([rows[0:3], rows[1:4]])
    places = torch.einsum("ocyx,pyi,qxj->opqcij", weight, shares, shares)
    return places.reshape(4 * weight.shape[0], *weight.shape[1:])
