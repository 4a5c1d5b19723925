"""Disturbances that cameras and editing add to a scene: noise, compression, fades, titles.

Footage to train on is clean; what a style is used on is not. Each disturbance states how the output
should look: noise and compression should not show at all, while a fade, a title or a letterbox bar
should be the same as in the source, laid over the stylized scene.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.consistency import inside, warp
from ...core.errors import extra
from .motion import nchw, shift_motion, synthetic_motion
from .sampler import Pair

with extra("train"):
    import cv2

JPEG_QUALITY = (15, 60)


@dataclass(frozen=True)
class Disturbances:
    """Frequency and strength of disturbances; 0 is never.

    Attributes:
        noise: Largest standard deviation of camera noise, 1/255; every pair draws its own, every
            frame its own noise.
        compression: Share of pairs that go through JPEG.
        overlays: Share of pairs whose second frame is the first one under a fade, a title or bars.
        synthetic: Share of pairs whose second frame is the first one, warped (compound
            regularisation, Wang et al. 2020): exact motion, nothing occluded.
        shifted: Share of pairs whose second frame is the first one, moved by whole pixels: exact
            without interpolation, so that only the pixel grid moves.
    """

    noise: float = 0.0
    compression: float = 0.0
    overlays: float = 0.0
    synthetic: float = 0.0
    shifted: float = 0.0


@dataclass(frozen=True)
class Example:
    """The N pairs that one step trains on; frames are the N previous, then the N current ones.

    Attributes:
        seen: (2N, 3, H, W) RGB in [0, 1], the network's input.
        clean: (2N, 3, H, W) RGB in [0, 1], the scene without noise, compression and overlays.
        flow: (N, 2, H, W) pixels, from current into previous.
        mask: (N, 1, H, W), 1 where the temporal loss counts.
        overlaid: (N,) bool, whether the current frame has an overlay; always on the CPU, so that
            reading it does not wait for a device.
        matte: (N, 1, H, W) in [0, 1], how much of the scene shows in the current frame.
        overlay: (N, 3, H, W) RGB in [0, 1], what shows instead.
    """

    seen: Tensor
    clean: Tensor
    flow: Tensor
    mask: Tensor
    overlaid: Tensor
    matte: Tensor
    overlay: Tensor

    @property
    def scenes(self) -> Tensor:
        """Indices of the frames that show nothing but the scene, on the CPU."""
        return (
            torch.cat((torch.zeros_like(self.overlaid), self.overlaid))
            .logical_not()
            .nonzero()[:, 0]
        )

    def pinned(self) -> Example:
        """Return a copy in pinned memory, from which CUDA can copy while it computes."""
        return Example(**{name: tensor.pin_memory() for name, tensor in vars(self).items()})

    def to(self, device: torch.device) -> Example:
        """Return the example on a device, frames in channels_last."""
        moved = {name: tensor.to(device, non_blocking=True) for name, tensor in vars(self).items()}
        for name in ("seen", "clean"):
            moved[name] = moved[name].contiguous(memory_format=torch.channels_last)
        return Example(**moved | {"overlaid": self.overlaid})


def disturbed(pairs: list[Pair], how: Disturbances, random: np.random.Generator) -> Example:
    """Make an example of pairs of one size, disturbing each.

    Args:
        pairs: Clean pairs, N of them.
        how: How often and how strongly.
        random: The only source of randomness.
    """
    singles = [_disturbed(pair, how, random) for pair in pairs]
    parts = {
        name: torch.cat([getattr(single, name) for single in singles])
        for name in ("flow", "mask", "overlaid", "matte", "overlay")
    }
    for name in ("seen", "clean"):
        frames = [getattr(single, name) for single in singles]
        parts[name] = torch.cat([f[:1] for f in frames] + [f[1:] for f in frames])
    return Example(**parts)


def _disturbed(pair: Pair, how: Disturbances, random: np.random.Generator) -> Example:
    height, width = pair.frames.shape[-2:]
    kind = random.random()
    overlaid = kind < how.overlays
    if overlaid:
        pair = _frozen(pair)
    elif kind < how.overlays + how.synthetic:
        pair = _moved(pair, synthetic_motion(height, width, random))
    elif kind < how.overlays + how.synthetic + how.shifted:
        pair = _moved(pair, shift_motion(height, width, random))
    matte, overlay = _overlay(height, width, random) if overlaid else _nothing(height, width)
    seen = torch.cat((pair.frames[:1], matte * pair.frames[1:] + (1 - matte) * overlay))
    if random.random() < how.compression:
        seen = _compressed(seen, int(random.integers(*JPEG_QUALITY)))
    seen = _noisy(seen, random.uniform(0, how.noise), random)
    return Example(
        seen, pair.frames, pair.flow, pair.mask, torch.tensor([overlaid]), matte, overlay
    )


def _noisy(frames: Tensor, deviation: float, random: np.random.Generator) -> Tensor:
    noise = random.standard_normal(frames.shape, np.float32)
    return (frames + torch.from_numpy(noise) * (deviation / 255)).clamp(0, 1)


def _frozen(pair: Pair) -> Pair:
    flow, mask = torch.zeros_like(pair.flow), torch.ones_like(pair.mask)
    return Pair(pair.frames[:1].expand(2, -1, -1, -1), flow, mask)


def _moved(pair: Pair, motion: NDArray[np.float32]) -> Pair:
    still, flow = pair.frames[:1], nchw(motion)
    return Pair(torch.cat((still, warp(still, flow))), flow, inside(flow)[:, None].float())


def _compressed(frames: Tensor, quality: int) -> Tensor:
    codes = (frames * 255).round().byte().permute(0, 2, 3, 1).numpy()
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    files = [cv2.imencode(".jpg", frame[..., ::-1], options)[1] for frame in codes]
    decoded = [np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR_RGB)) for file in files]
    return torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).float() / 255


def _nothing(height: int, width: int) -> tuple[Tensor, Tensor]:
    return torch.ones(1, 1, height, width), torch.zeros(1, 3, height, width)


def _overlay(height: int, width: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    draw = (_fade, _bars, _title)[random.integers(3)]
    return draw(height, width, random)


def _fade(height: int, width: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw a fade, to black or white four times in ten each, else to any grey; a quarter end there.

    White is the harder of the two: few paintings have any, so nothing else asks for it.
    """
    level = (0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, *random.random(2))[random.integers(10)]
    left = random.random() ** 1.5 if random.random() > 0.25 else 0.0
    matte, overlay = _nothing(height, width)
    return matte * left, overlay + level


def _bars(height: int, width: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw a black bar along one side."""
    matte, overlay = _nothing(height, width)
    thickness = int(random.integers(8, min(height, width) // 2))
    edges = (matte[..., :thickness, :], matte[..., -thickness:, :])
    sides = (matte[..., :thickness], matte[..., -thickness:])
    (*edges, *sides)[random.integers(4)].zero_()
    return matte, overlay


def _title(height: int, width: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw white strokes like those of letters, over the scene or over black."""
    matte, overlay = _nothing(height, width)
    matte *= float(random.random() < 0.5)
    for _ in range(random.integers(1, 12)):
        thin, long = random.integers(2, 14), random.integers(2, 40)
        down, across = (thin, long) if random.random() < 0.5 else (long, thin)
        top, start = random.integers(height), random.integers(width)
        where = (..., slice(top, top + down), slice(start, start + across))
        matte[where], overlay[where] = 0, 1
    return matte, overlay
