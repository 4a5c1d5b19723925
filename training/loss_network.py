"""The loss network: VGG-19 up to relu4_2, frozen (Simonyan & Zisserman 2014)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import TrainingError
from ..core.user_folders import cache_folder
from .download import VGG_19, download_tensors

# (torchvision's index, name of the activation, output channels); None is a 2 x 2 max pooling.
LAYERS: tuple[tuple[int, str, int] | None, ...] = (
    (0, "relu1_1", 64),
    (2, "relu1_2", 64),
    None,
    (5, "relu2_1", 128),
    (7, "relu2_2", 128),
    None,
    (10, "relu3_1", 256),
    (12, "relu3_2", 256),
    (14, "relu3_3", 256),
    (16, "relu3_4", 256),
    None,
    (19, "relu4_1", 512),
    (21, "relu4_2", 512),
)
CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_2", "relu4_2")
WEIGHTS_NAME = "vgg19_to_relu4_2.safetensors"
TENSOR_NAMES = tuple(
    f"features.{layer[0]}.{part}" for layer in filter(None, LAYERS) for part in ("weight", "bias")
)
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# Share of a layer's median, the least mean activation that a filter is rescaled by: one that is
# hardly active would dominate all the others.
LEAST_ACTIVATION = 0.25


def find_weights(path: Path | None, *, download: bool = False) -> Path:
    """Return the path of the loss network's weights: the given one, else that in the user's cache.

    Args:
        path: If given, the only place to look.
        download: Whether to download torchvision's VGG-19 into the cache if it is not there.

    Raises:
        TrainingError: There is no such file, or it can't be downloaded.
    """
    found = path or cache_folder() / WEIGHTS_NAME
    if download and path is None and not found.is_file():
        download_tensors(VGG_19, TENSOR_NAMES, found)
    if not found.is_file():
        raise TrainingError(
            "no VGG-19 weights at this path",
            path=found,
            hint="--download-loss-network downloads them (575 MB, 23 MB are kept), or give a "
            "safetensors file with torchvision's names features.0.weight to features.21.bias "
            "with --loss-weights",
        )
    return found


class LossNetwork(nn.Module):
    """VGG-19's activations, rescaled so that each filter's mean activation is about 1.

    The rescaling (Gatys et al. 2016) makes the original Caffe-trained network and a retrained one
    interchangeable, and gives the loss weights a scale that can be stated. It is calibrated on
    real frames by `rescale`; ReLU and max pooling are positively homogeneous, so the network's
    shape of response stays as it was.

    Args:
        path: A safetensors file with torchvision's tensor names.

    Raises:
        TrainingError: The file is damaged or of another network.
    """

    def __init__(self, path: Path):
        super().__init__()
        try:
            content = path.read_bytes()
            tensors = load_tensors(content)
        except (OSError, SafetensorError) as error:
            raise TrainingError.because(error, "can't be read", path=path) from error
        self.digest = hashlib.sha256(content).hexdigest()
        self.convs = nn.ModuleDict()
        channels = 3
        for layer in filter(None, LAYERS):
            index, name, width = layer
            self.convs[name] = _conv(tensors, index, channels, width, path)
            channels = width
        self.mean = nn.Buffer(torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.std = nn.Buffer(torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(requires_grad=False)

    def forward(self, frames: Tensor) -> dict[str, Tensor]:
        """Compute the activations of the content and style layers.

        Args:
            frames: (N, 3, H, W) RGB in [0, 1], at least 16 x 16.

        Returns:
            Name of the layer to (N, C, h, w).
        """
        x = (frames - self.mean) / self.std
        features: dict[str, Tensor] = {}
        for layer in LAYERS:
            if layer is None:
                x = F.max_pool2d(x, 2)
                continue
            name = layer[1]
            x = F.relu(self.convs[name](x))
            if name in STYLE_LAYERS or name == CONTENT_LAYER:
                features[name] = x
        return features

    @torch.no_grad()
    def rescale(self, batches: Iterable[Tensor]) -> None:
        """Divide every filter by its mean activation over real frames; the next layer undoes it.

        Args:
            batches: (N, 3, H, W) RGB in [0, 1], several.
        """
        means = self._mean_activations(batches)
        before = torch.ones(3, device=self.mean.device)
        for name, conv in self.convs.items():
            assert isinstance(conv, nn.Conv2d)
            least = max(1e-3, LEAST_ACTIVATION * means[name].median().item())
            after = means[name].clamp_min(least)
            conv.weight *= before.view(1, -1, 1, 1) / after.view(-1, 1, 1, 1)
            assert conv.bias is not None
            conv.bias /= after
            before = after

    def _mean_activations(self, batches: Iterable[Tensor]) -> dict[str, Tensor]:
        sums: dict[str, Tensor] = {}
        count = 0
        for frames in batches:
            x = (frames - self.mean) / self.std
            count += 1
            for layer in LAYERS:
                if layer is None:
                    x = F.max_pool2d(x, 2)
                    continue
                x = F.relu(self.convs[layer[1]](x))
                sums[layer[1]] = sums.get(layer[1], 0) + x.float().mean((0, 2, 3))
        return {name: total / count for name, total in sums.items()}


def _conv(
    tensors: dict[str, Tensor], index: int, inputs: int, outputs: int, path: Path
) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    for part, own in (("weight", conv.weight), ("bias", conv.bias)):
        name = f"features.{index}.{part}"
        tensor = tensors.get(name)
        assert own is not None
        if tensor is None or tensor.shape != own.shape:
            raise TrainingError(
                f"is not VGG-19: {name} is missing or not {tuple(own.shape)}", path=path
            )
        own.data = tensor.float()
    return conv
