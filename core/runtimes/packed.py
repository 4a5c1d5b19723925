"""The same network with nothing but pixels at full resolution: for CPUs with AMX.

AMX multiplies tiles of 16 outputs by 32 inputs. A convolution from or to 3 channels leaves most of
one empty, and all convolutions together take less time there than what lies between them: padding,
adding and shuffling 16 channels of full resolution. So these are kept as 64 of half resolution, 16
for each place of a 2 x 2 block (space to depth), and filters are multiplied out with the
convolutions beside them. More multiplications, and less time all the same; on CPUs that multiply
more slowly `folded` is faster.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..network import NetworkSpec, StylizingNetwork, sub_pixel

# Along an axis: the filter before a stride, and what bilinear doubling makes of a single sample.
_LOW_PASS = (0.25, 0.5, 0.25)
_DOUBLED = (0.25, 0.75, 0.75, 0.25)


def can_be_packed(spec: NetworkSpec) -> bool:
    """Whether encoder and decoder have all that this is about, and nothing between it."""
    resized = (spec.downsampling, spec.upsampling) == ("filtered", "bilinear")
    return resized and spec.normalization != "everywhere"


class PackedNetwork(StylizingNetwork):
    """Paints the same as a network, to rounding, with its residual blocks.

    What `encode` gives and `decode` takes as features of full resolution are blocks of 2 x 2,
    (N, 4 C, H / 2, W / 2): C channels of upper left places, then upper right, lower left, lower
    right ones.

    Args:
        network: Of a shape that `can_be_packed`.
    """

    def __init__(self, network: StylizingNetwork):
        super().__init__(network.spec)
        self.residuals = network.residuals
        full, half, quarter = map(_weights, network.encoder)
        doubled, blocks = map(_weights, network.decoder)
        weight, bias = _weights(network.output)
        self.encoder = nn.ModuleList(
            [
                _convolution(_onto_blocks(full[0]), full[1].repeat(4), stride=2),
                _convolution(_on_blocks(_filtered(half[0]), places=1), half[1]),
                _convolution(_filtered(quarter[0]), quarter[1], stride=2),
            ]
        )
        self.decoder = nn.ModuleList(
            [_doubling(*doubled), _convolution(*map(_places_first, sub_pixel(*blocks)))]
        )
        self.output = _convolution(_on_blocks(weight, places=2), bias.repeat_interleave(4))

    def encode(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `StylizingNetwork.encode`."""
        first, second, third = self.encoder
        blocks = F.relu(first(F.pad(frames * 2 - 1, (1, 1, 1, 1), mode="reflect")))
        half = F.relu(second(_bordered(blocks)))
        quarter = F.relu(third(F.pad(half, (2, 2, 2, 2), mode="reflect")))
        return blocks, half, quarter

    def decode(self, full: Tensor, half: Tensor, x: Tensor) -> Tensor:
        """See `StylizingNetwork.decode`."""
        for block, same_size in zip(self.decoder, (half, full), strict=True):
            x = block(_repeated(x))
            x = F.relu(x + same_size if self.spec.skips else x)
        # A row beyond the border is the second one; in blocks, that is the first block's other row.
        x = self.output(_repeated(x)).to(torch.float32)
        return F.pixel_shuffle((torch.tanh(x) + 1) / 2, 2)


def _repeated(x: Tensor) -> Tensor:
    return F.pad(x, (1, 1, 1, 1), mode="replicate")


def _bordered(blocks: Tensor) -> Tensor:
    """Blocks with a border of blocks in which the pixels are reflected.

    Above, a block's rows are -2 and -1 and have to be 2 and 1: the upper one of the second block
    and the lower one of the first. Below, only an upper row is read, which has to be the last one.
    """
    upper_left, upper_right, lower_left, lower_right = blocks[..., :2].chunk(4, dim=1)
    left = (upper_left[..., 1:], upper_right[..., :1], lower_left[..., 1:], lower_right[..., :1])
    wide = torch.cat([torch.cat(left, 1), blocks, blocks[..., -1:]], 3)
    upper, lower = wide[:, :, :2].chunk(2, dim=1)
    above = torch.cat([upper[:, :, 1:], lower[:, :, :1]], 1)
    return torch.cat([above, wide, wide[:, :, -1:]], 2)


def _weights(block: nn.Module) -> tuple[Tensor, Tensor]:
    """Weights and bias of a block's convolution."""
    conv = block.conv
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    return conv.weight.detach(), conv.bias.detach()


def _convolution(weight: Tensor, bias: Tensor, *, stride: int = 1) -> nn.Conv2d:
    outputs, inputs, size, _ = weight.shape
    conv = nn.Conv2d(inputs, outputs, size, stride)
    conv.weight.data, conv.bias = weight.contiguous(), nn.Parameter(bias)
    return conv


def _doubling(weight: Tensor, bias: Tensor) -> nn.ConvTranspose2d:
    """Bilinear doubling and the convolution after it; the input has a border of 1."""
    outputs, inputs = weight.shape[:2]
    doubling = nn.ConvTranspose2d(inputs, outputs, 6, stride=2, padding=4)
    doubling.weight.data = _response(weight, _DOUBLED).transpose(0, 1).contiguous()
    doubling.bias = nn.Parameter(bias)
    return doubling


def _filtered(weight: Tensor) -> Tensor:
    """(O, C, 3, 3) of what `network.low_pass` gives to (O, C, 5, 5) of what it takes."""
    return _response(weight, _LOW_PASS).flip(2, 3)


def _response(weight: Tensor, profile: tuple[float, ...]) -> Tensor:
    """(O, C, 3, 3) to (O, C, 2 + K, 2 + K): what it makes of one sample spread like a profile."""
    taps = weight.new_tensor(profile)
    spread = F.pad(taps[:, None] * taps, (2, 2, 2, 2))[None, None]
    seen = F.conv2d(spread, weight.reshape(-1, 1, 3, 3))
    return seen.reshape(*weight.shape[:2], *seen.shape[-2:])


def _onto_blocks(weight: Tensor) -> Tensor:
    """(O, C, 3, 3) on pixels to (4 O, C, 4, 4), with a stride of 2: at each place of a block."""
    places = [F.pad(weight, (x, 1 - x, y, 1 - y)) for y in (0, 1) for x in (0, 1)]
    return torch.cat(places)


def _on_blocks(weight: Tensor, *, places: int) -> Tensor:
    """(O, C, K, K), K up to 5, on pixels to (places^2 O, 4 C, 3, 3) on blocks.

    Args:
        weight: Of the pixels around the one in the middle.
        places: Of a block, along an axis, where it is applied: 1, the upper left alone (a stride of
            2), or 2; outputs are in `pixel_shuffle`'s order.
    """
    size = weight.shape[-1]
    # taps[p, q, t, k]: whether for place p tap k reads place q of block t - 1.
    taps = weight.new_zeros(places, 2, 3, size)
    for place in range(places):
        for k in range(size):
            block, read = divmod(place + k - size // 2, 2)
            taps[place, read, block + 1, k] = 1
    packed = torch.einsum("ocyx,pqty,rsux->oprqsctu", weight, taps, taps)
    return packed.reshape(places**2 * weight.shape[0], 4 * weight.shape[1], 3, 3)


def _places_first(values: Tensor) -> Tensor:
    """From `pixel_shuffle`'s order, a channel's places in a row, to a place's channels in a row."""
    return values.unflatten(0, (-1, 4)).transpose(0, 1).flatten(0, 1)
