"""Modules that an exported model is made of: the network in the layouts of `options.PixelLayout`.

They are written for PyTorch's exporter: batches of any size, and no loops over pixels. Resampling
is an operator that `export_scaling` puts in.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .frames.colour import BT709_LUMA
from .frames.plane_scaling import detail_shares
from .frames.scaling_on_torch import detail_gain

ROWS = "brushreel::Rows"
"""The operator that resamples the rows of planes, see `export_scaling`."""


class _Rgb8(nn.Module):
    """The network between (N, H, W, 3) uint8 and the same."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        stylized = self.network(frames.permute(0, 3, 1, 2).to(torch.float32) / 255)
        return (stylized.permute(0, 2, 3, 1) * 255).round().to(torch.uint8)


class _Nv12(nn.Module):
    """The network between limited-range BT.709 planes (H.273), chroma at the left."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        to_rgb = _bt709_to_rgb()
        self.register_buffer("to_rgb", to_rgb)
        self.register_buffer("from_rgb", torch.linalg.inv(to_rgb))

    def forward(self, luma: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
        y = (luma.to(torch.float32).unsqueeze(1) - 16) / 219
        c = _doubled((chroma.permute(0, 3, 1, 2).to(torch.float32) - 128) / 224)
        rgb = torch.einsum("ij,njhw->nihw", self.to_rgb, torch.cat([y, c], 1)).clamp(0, 1)
        ycc = torch.einsum("ij,njhw->nihw", self.from_rgb, self.network(rgb))
        stylized_luma = (ycc[:, 0] * 219 + 16).round().to(torch.uint8)
        halved = _halved(ycc[:, 1:]).permute(0, 2, 3, 1)
        return stylized_luma, (halved * 224 + 128).round().clamp(16, 240).to(torch.uint8)


def _doubled(chroma: Tensor) -> Tensor:
    """Double (N, 2, h, w) bilinearly; samples are on even columns, between rows."""
    right = torch.cat([chroma[..., 1:], chroma[..., -1:]], 3)
    wide = torch.stack([chroma, (chroma + right) / 2], -1).flatten(3)
    return F.interpolate(wide, scale_factor=(2.0, 1.0), mode="bilinear")


def _halved(chroma: Tensor) -> Tensor:
    """Halve (N, 2, 2h, 2w) to (N, 2, h, w), by a tent of three columns and the mean of two rows."""
    rows = (chroma[..., 0::2, :] + chroma[..., 1::2, :]) / 2
    even, odd = rows[..., 0::2], rows[..., 1::2]
    left = torch.cat([even[..., :1], odd[..., :-1]], 3)
    return (left + 2 * even + odd) / 4


class _Scaled(nn.Module):
    """Steps of `strokes.stylized_rgb` for batches, with sides that are given."""

    luma_shares: Tensor

    def __init__(self, network: nn.Module, detail: float, coarse: bool):
        super().__init__()
        self.network, self.detail, self.coarse = network, detail, coarse
        kr, _, kb = BT709_LUMA
        shares = torch.tensor([kr, 1 - kr - kb, kb])
        self.register_buffer("luma_shares", shares[:, None, None])

    def luma(self, rgb: Tensor) -> Tensor:
        """Return the luma, (N, 1, H, W), of (N, 3, H, W)."""
        return (rgb * self.luma_shares).sum(1, keepdim=True)

    def stylized(self, rgb: Tensor, sides: dict[str, Tensor]) -> Tensor:
        """Stylize at the working size; the result has the size beyond which detail is finer."""
        stylized = self.network(rgb.clamp(0, 1))
        return _enlarged(stylized, sides, "step") if self.coarse else stylized

    def enlarged(
        self,
        planes: Tensor,
        own: Tensor,
        coarse: Tensor,
        luma: Tensor,
        sides: dict[str, Tensor],
        levels: tuple[float, float] = (0, 1),
    ) -> Tensor:
        """Bring planes to the frame's size and codes, with detail.

        Args:
            planes: (N, C, h, w), stylized.
            own: (N, 1, h, w), their luma.
            coarse: (N, 1, h2, w2), the source's at the working size.
            luma: (N, 1, H, W), the source's, in codes.
            sides: By name, see `_rows`.
            levels: Codes of 0 and of the way from there to 1. At the working size, as here, the
                conversion is cheap.
        """
        zero, span = levels
        base = planes * span + zero
        if not self.detail:
            return _enlarged(base, sides, "up")
        if self.coarse:
            coarse = (_reduced(luma, sides, "luma_down") - zero) / span
        slope = detail_gain(own[:, 0], coarse[:, 0], detail_shares(self.detail)).unsqueeze(1)
        base = base - slope * (coarse * span + zero)
        made = _enlarged(torch.cat([base, slope], 1), sides, "up")
        return made[:, :-1] + made[:, -1:] * luma


def _reduced(planes: Tensor, sides: dict[str, Tensor], name: str) -> Tensor:
    """Bring (N, C, H, W) to another size; the fewer rows, the fewer products are left."""
    return _rows(_rows(planes, sides[f"{name}_rows"]).mT, sides[f"{name}_columns"]).mT


def _enlarged(planes: Tensor, sides: dict[str, Tensor], name: str) -> Tensor:
    """Bring (N, C, H, W) to another size, rows last."""
    return _rows(_rows(planes.mT, sides[f"{name}_columns"]).mT, sides[f"{name}_rows"])


def _rows(planes: Tensor, side: Tensor) -> Tensor:
    """Bring (N, C, H, W) to as many rows as there are values in `side`; in the export alone."""
    count, channels, _, width = planes.shape
    shape = (count, channels, side.shape[0], width)
    return torch.onnx.ops.symbolic(ROWS, (planes, side), dtype=planes.dtype, shape=shape, version=1)


class _ScaledRgb(_Scaled):
    """Strokes for (N, 3, H, W) in [0, 1]."""

    white = 1

    def forward(self, frames: Tensor, sides: dict[str, Tensor]) -> Tensor:
        rgb = _reduced(frames, sides, "down") / self.white
        stylized = self.stylized(rgb, sides)
        luma, own, levels = self.luma(frames), self.luma(stylized), (0, self.white)
        made = self.enlarged(stylized, own, self.luma(rgb), luma, sides, levels)
        return made.clamp(0, self.white)


class _ScaledRgb8(_ScaledRgb):
    """Strokes for (N, H, W, 3) uint8."""

    white = 255

    def forward(self, frames: Tensor, sides: dict[str, Tensor]) -> Tensor:
        codes = frames.permute(0, 3, 1, 2).to(torch.float32)
        return super().forward(codes, sides).round().to(torch.uint8).permute(0, 2, 3, 1)


class _ScaledNv12(_Scaled):
    """Strokes for limited-range BT.709 planes, chroma at the left."""

    to_rgb: Tensor
    from_rgb: Tensor

    def __init__(self, network: nn.Module, detail: float, coarse: bool):
        super().__init__(network, detail, coarse)
        self.register_buffer("to_rgb", _bt709_to_rgb())
        self.register_buffer("from_rgb", torch.linalg.inv(_bt709_to_rgb()))

    def forward(
        self, luma: Tensor, chroma: Tensor, sides: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        codes = luma.to(torch.float32).unsqueeze(1)
        coarse = (_reduced(codes, sides, "down") - 16) / 219
        both = _reduced(chroma.permute(0, 3, 1, 2).to(torch.float32), sides, "chroma_down")
        ycc = torch.cat([coarse, (both - 128) / 224], 1)
        stylized = self.stylized(torch.einsum("ij,njhw->nihw", self.to_rgb, ycc), sides)
        ycc = torch.einsum("ij,njhw->nihw", self.from_rgb, stylized)
        own = ycc[:, :1]
        made = self.enlarged(own, own, coarse, codes, sides, (16, 219))[:, 0]
        small = _enlarged(ycc[:, 1:] * 224 + 128, sides, "chroma_up")
        return _codes(made, 235), _codes(small, 240).permute(0, 2, 3, 1)


def _codes(values: Tensor, most: int) -> Tensor:
    return values.round().clamp(16, most).to(torch.uint8)


def _bt709_to_rgb() -> Tensor:
    """Return the (3, 3) matrix from luma, Cb and Cr to R'G'B' (H.273)."""
    kr, _, kb = BT709_LUMA
    kg = 1 - kr - kb
    return torch.tensor(
        [
            [1.0, 0.0, 2 * (1 - kr)],
            [1.0, -2 * (1 - kb) * kb / kg, -2 * (1 - kr) * kr / kg],
            [1.0, 2 * (1 - kb), 0.0],
        ]
    )


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "float": lambda network: network,
    "rgb8": _Rgb8,
    "nv12": _Nv12,
}
"""The network alone, by layout; modules of images."""

SCALED: dict[str, Callable[[nn.Module, float, bool], nn.Module]] = {
    "float": _ScaledRgb,
    "rgb8": _ScaledRgb8,
    "nv12": _ScaledNv12,
}
"""The network with scaling, by layout: modules of images and sides."""
