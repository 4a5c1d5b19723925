from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from housestyle.training.loss_network import LAYERS


@pytest.fixture(scope="session")
def vgg_tensors() -> dict[str, torch.Tensor]:
    """Random weights of VGG-19's names and shapes, scaled so that activations stay in bounds."""
    generator = torch.Generator().manual_seed(1)
    tensors, channels = {}, 3
    for layer in filter(None, LAYERS):
        index, _, width = layer
        gain = (2 / (9 * channels)) ** 0.5
        weight = torch.randn(width, channels, 3, 3, generator=generator) * gain
        tensors[f"features.{index}.weight"] = weight
        tensors[f"features.{index}.bias"] = torch.randn(width, generator=generator) * 0.1
        channels = width
    return tensors


@pytest.fixture(scope="session")
def vgg_file(vgg_tensors, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg.safetensors"
    save_file(vgg_tensors, path)
    return path


def make_texture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A picture with detail at several scales: (H, W, 3) uint8."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for step in (4, 8, 16):
        coarse = random.integers(0, 256, (height // step + 2, width // step + 2, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(picture)
    return (total / 3).astype(np.uint8)


@pytest.fixture(scope="session")
def texture() -> Callable[..., NDArray[np.uint8]]:
    return make_texture


@pytest.fixture(scope="session")
def write_footage() -> Callable[..., Path]:
    """Writes pictures as a clip of 25 frames a second, without loss unless told otherwise."""

    def write(
        path: Path, pictures: list[NDArray[np.uint8]], codec: str = "ffv1", name: str = "bgr0"
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = name
            for picture in pictures:
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture(scope="session")
def pan(texture) -> Callable[..., list[NDArray[np.uint8]]]:
    """Pictures of a still world under a camera that moves `step` pixels to the left a frame."""

    def pan(count: int, height: int, width: int, *, step: int = 2, seed: int = 0):
        world = texture(height, width + step * count, seed)
        starts = [step * (count - 1 - index) for index in range(count)]
        return [np.ascontiguousarray(world[:, start : start + width]) for start in starts]

    return pan
