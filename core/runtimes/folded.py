"""The network in fewer steps for inference: linear steps that training separates are merged."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn import functional as F

from ..network import StylizingNetwork, UpsampleBlock, sub_pixel


def folded(network: StylizingNetwork) -> StylizingNetwork:
    """Copy a network with the weights of `network.sub_pixel` computed in advance.

    Networks with other up-sampling are copied unchanged.
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
        assert block.conv.bias is not None
        weight, bias = sub_pixel(block.conv.weight, block.conv.bias)
        self.conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3)
        self.conv.weight.data, self.conv.bias = weight.detach(), nn.Parameter(bias.detach())
        self.norm = block.norm

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', 2H, 2W)."""
        positions = self.conv(F.pad(x, (1, 1, 1, 1), mode="replicate"))
        return self.norm(F.pixel_shuffle(positions, 2))
