"""The stylizing network "353-Res48" (Huang et al., CVPR 2017, Table 1).

The paper leaves open how borders are padded, whether instance normalisation is affine, how the
up-sampling is built and how tanh maps to pixels. Here borders are reflected, instance
normalisation is affine and every convolution keeps its bias, up-sampling is a bilinear resize
followed by a convolution (no checkerboards; the paper's transposed convolution can be chosen), and
pixels are (tanh + 1) / 2.

Three decisions differ from the paper; docs/training.md has the measurements. Instance
normalisation stays inside the residual branches: after every convolution it would remove a frame's
level, so that black, grey and white frames come out alike and a fade is lost. Resolution changes go
through low-pass filters: strides and nearest-neighbour resizing alias, and aliases move with the
pixel grid instead of the scene, which was nearly all of the flicker. The encoder's features are
added to the decoder's of the same size, so that edges need not pass through quarter resolution.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .channels_last import InstanceNorm, bordered, doubled

Downsampling = Literal["filtered", "strided"]
Upsampling = Literal["bilinear", "nearest", "transposed"]
Normalization = Literal["residual", "everywhere", "none"]


@dataclass(frozen=True)
class NetworkSpec:
    """The shape of a stylizing network; stored with its weights in the style file.

    Attributes:
        channels: Widths at full, half and quarter resolution.
        residual_blocks: Residual blocks at quarter resolution.
        downsampling: Strided convolution, "filtered" (low-pass first) or plain, "strided".
        upsampling: "bilinear" or "nearest" (resize + convolution), or "transposed" convolution.
        skips: True to add the encoder's features to the decoder's of the same resolution.
        norm_epsilon: Added to the variance in every instance normalisation.
        normalization: Place of instance normalisation: only inside the "residual" branches,
            "everywhere" (the paper's Table 1), or "none".

    Raises:
        ValueError: A field is out of its range.
    """

    channels: tuple[int, int, int] = (16, 32, 48)
    residual_blocks: int = 5
    downsampling: Downsampling = "filtered"
    upsampling: Upsampling = "bilinear"
    skips: bool = True
    norm_epsilon: float = 0.1
    normalization: Normalization = "residual"

    def __post_init__(self) -> None:
        if len(self.channels) != 3 or not all(0 < width <= 1024 for width in self.channels):
            raise ValueError(f"channels must be three widths from 1 to 1024, not {self.channels}")
        if not 0 <= self.residual_blocks <= 64:
            raise ValueError(f"residual_blocks must be 0 to 64, not {self.residual_blocks}")
        if self.downsampling not in get_args(Downsampling):
            raise ValueError(f"downsampling must be one of {get_args(Downsampling)}")
        if self.upsampling not in get_args(Upsampling):
            raise ValueError(f"upsampling must be one of {get_args(Upsampling)}")
        if self.normalization not in get_args(Normalization):
            raise ValueError(f"normalization must be one of {get_args(Normalization)}")
        if not 0 < self.norm_epsilon <= 100:
            raise ValueError(f"norm_epsilon must lie between 0 and 100, not {self.norm_epsilon}")

    @property
    def size_multiple(self) -> int:
        """Height and width inside the network are padded to a multiple of this."""
        return 4

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Build a spec from the fields that `to_json` returned.

        Raises:
            ValueError, TypeError, KeyError: Fields are missing, unknown or out of range.
        """
        spec = cls(**{**fields, "channels": tuple(fields["channels"])})
        if missing := asdict(spec).keys() - fields.keys():
            raise ValueError(f"lacks {min(missing)}")
        return spec


class ConvBlock(nn.Module):
    """A 3 x 3 convolution with optional instance normalisation; Table 1's "Conv"."""

    def __init__(
        self, inputs: int, outputs: int, spec: NetworkSpec, *, stride: int = 1, branch: bool = False
    ):
        super().__init__()
        filtered = stride > 1 and spec.downsampling == "filtered"
        self.filter = LowPass(inputs) if filtered else nn.Identity()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride)
        self.norm = _normalization(outputs, spec, branch=branch)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W), or half of H and W with a stride of 2."""
        # A reflected border has no dark edge, as one of zeros would have.
        return self.norm(self.conv(bordered(self.filter(x), "reflect")))


class LowPass(nn.Module):
    """The binomial filter (1 2 1) / 4 along both axes; neither trained nor stored.

    Frequencies that a stride alone would alias move with the pixel grid and not with the scene
    (Zhang 2019, "Making Convolutional Networks Shift-Invariant Again").
    """

    kernel: Tensor

    def __init__(self, channels: int):
        super().__init__()
        taps = torch.tensor((1.0, 2.0, 1.0)) / 4
        kernel = (taps[:, None] * taps).repeat(channels, 1, 1, 1)
        # A buffer is on the network's device: a CUDA graph may not wait for an upload.
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return F.conv2d(bordered(x, "reflect"), self.kernel, groups=x.shape[1])


class UpsampleBlock(nn.Module):
    """A doubling of height and width; Table 1's "Deconv", stride 1/2."""

    def __init__(self, inputs: int, outputs: int, spec: NetworkSpec):
        super().__init__()
        self.resize = spec.upsampling if spec.upsampling != "transposed" else None
        self.conv = (
            nn.Conv2d(inputs, outputs, 3)
            if self.resize
            else nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
        )
        self.norm = _normalization(outputs, spec)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', 2H, 2W)."""
        if self.resize == "bilinear":
            assert self.conv.bias is not None
            weight, bias = sub_pixel(self.conv.weight, self.conv.bias)
            return self.norm(doubled(bordered(x, "replicate"), weight, bias))
        if self.resize == "nearest":
            # Padded before it is doubled, so that doubling and convolution are one linear step.
            x = bordered(x, "replicate")
            x = F.interpolate(x, scale_factor=2.0)[..., 1:-1, 1:-1]
        return self.norm(self.conv(x))


# A bilinearly doubled row's samples 2i - 1 to 2i + 2 as shares of the rows i - 1, i and i + 1
# before doubling: every new sample is a quarter from the nearer old one.
_DOUBLED = (
    (0.75, 0.25, 0.0),
    (0.25, 0.75, 0.0),
    (0.0, 0.75, 0.25),
    (0.0, 0.25, 0.75),
)


def sub_pixel(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Merge bilinear doubling and the convolution after it into one convolution before it.

    It has four times the outputs, one for each position in a 2 x 2 block (sub-pixel convolution,
    Shi et al. 2016); the doubled features are never computed.

    Args:
        weight: (O, C, 3, 3), the convolution's.
        bias: (O,).

    Returns:
        (4 O, C, 3, 3) and (4 O,), in `pixel_shuffle`'s order.
    """
    rows = torch.tensor(_DOUBLED, dtype=weight.dtype, device=weight.device)
    # shares[p, t, i]: share of row i - 1 in tap t at position p.
    shares = torch.stack([rows[0:3], rows[1:4]])
    with torch.autocast(weight.device.type, enabled=False):
        positions = torch.einsum("ocyx,pyi,qxj->opqcij", weight, shares, shares)
    return positions.reshape(-1, *weight.shape[1:]), bias.repeat_interleave(4)


class ResidualBlock(nn.Module):
    """Two convolutions and a skip; no activation after the second."""

    def __init__(self, width: int, spec: NetworkSpec):
        super().__init__()
        self.first = ConvBlock(width, width, spec, branch=True)
        self.second = ConvBlock(width, width, spec, branch=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return x + self.second(F.relu(self.first(x)))


def _normalization(channels: int, spec: NetworkSpec, *, branch: bool = False) -> nn.Module:
    wanted = spec.normalization == "everywhere" or (spec.normalization == "residual" and branch)
    if not wanted:
        return nn.Identity()
    return InstanceNorm(channels, eps=spec.norm_epsilon, affine=True)


class StylizingNetwork(nn.Module):
    """The network from a frame to its stylized frame; no optical flow, no memory of other frames.

    It has 246,969 parameters with the paper's spec.
    """

    def __init__(self, spec: NetworkSpec | None = None):
        super().__init__()
        self.spec = spec = spec or NetworkSpec()
        full, half, quarter = spec.channels
        self.encoder = nn.ModuleList(
            [
                ConvBlock(3, full, spec),
                ConvBlock(full, half, spec, stride=2),
                ConvBlock(half, quarter, spec, stride=2),
            ]
        )
        self.residuals = nn.ModuleList(
            ResidualBlock(quarter, spec) for _ in range(spec.residual_blocks)
        )
        self.decoder = nn.ModuleList(
            [UpsampleBlock(quarter, half, spec), UpsampleBlock(half, full, spec)]
        )
        self.output = ConvBlock(full, 3, spec)
        if spec.normalization != "everywhere":
            _keep_variance(self)

    def forward(self, frames: Tensor) -> Tensor:
        """Stylize frames.

        Args:
            frames: (N, 3, H, W) RGB in [0, 1], any H and W from 1 up, floating point.

        Returns:
            (N, 3, H, W) RGB in [0, 1], same device; float32 even where features are narrower.
        """
        height, width = frames.shape[-2:]
        full, half, quarter = self.encode(padded(frames, self.spec.size_multiple))
        return self.decode(full, half, self.transform(quarter))[..., :height, :width]

    def encode(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute features at full, half and quarter resolution; H and W: see `size_multiple`."""
        # Centred at 0, as convolutions expect where nothing normalises their input.
        x = frames * 2 - 1
        seen = []
        for block in self.encoder:
            x = F.relu(block(x))
            seen.append(x)
        full, half, quarter = seen
        return full, half, quarter

    def transform(self, quarter: Tensor) -> Tensor:
        """Apply the residual blocks, at quarter resolution."""
        for block in self.residuals:
            quarter = block(quarter)
        return quarter

    def decode(self, full: Tensor, half: Tensor, x: Tensor) -> Tensor:
        """Compute pixels from transformed features and, with skips, the encoder's."""
        for block, same_size in zip(self.decoder, (half, full), strict=True):
            x = F.relu(block(x) + same_size if self.spec.skips else block(x))
        x = self.output(x)
        if x.itemsize < 4:
            # bf16 has steps of 1/256 below 1, which show in soft gradients of 10 bits.
            x = x.to(torch.float32)
        return (torch.tanh(x) + 1) / 2


def padded(frames: Tensor, multiple: int, least: int = 8) -> Tensor:
    """Repeat the last row and column up to a size that the network can halve twice.

    Args:
        frames: (N, C, H, W).
        multiple: `NetworkSpec.size_multiple`.
        least: Least size; 8 because a reflected border needs two rows at quarter resolution.

    Returns:
        (N, C, H', W').
    """
    height, width = frames.shape[-2:]
    below, right = (max(least, side + -side % multiple) - side for side in (height, width))
    return F.pad(frames, (0, right, 0, below), mode="replicate") if below or right else frames


@torch.no_grad()
def _keep_variance(network: StylizingNetwork) -> None:
    """Set initial weights so that the signal neither dies out nor saturates the tanh.

    He et al. 2015 for every convolution; residual branches and the output start small, since the
    branches add up (Zhang et al. 2019).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    network.output.conv.weight.mul_(0.3)
    for block in network.residuals:
        assert isinstance(block, ResidualBlock)
        norm = block.second.norm
        last = norm.weight if isinstance(norm, nn.InstanceNorm2d) else block.second.conv.weight
        last.mul_(0.3)
