"""The training run: a painting and footage in, a style out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..core.errors import TrainingError
from ..core.network import NetworkSpec, StylizingNetwork
from ..core.style import Painting, Style
from .evaluate import evaluate
from .footage import Footage, load_footage
from .loss_network import LossNetwork, find_weights
from .losses import HybridLoss, LossWeights, hybrid_loss, style_targets
from .sampler import PairSampler

CALIBRATION_PAIRS = 16
# Every tenth clip is kept back to measure on, as the paper keeps 9 of 91.
HELD_OUT_EVERY = 10


@dataclass(frozen=True)
class TrainingSettings:
    """What a run depends on, beside painting and footage.

    Attributes:
        iterations: Steps of one pair each.
        seed: For weights and crops.
        crop: Side of the training crops, pixels.
        style_size: Shorter side to which the painting is scaled, pixels; larger gives larger
            strokes.
        learning_rate: Adam's, falling to a twentieth of it along a cosine.
        temporal_ramp: Share of the run over which the temporal weight rises from 0, so that
            strokes form before they are held still.
        weights: Of the hybrid loss.
        network: Shape of the stylizing network.
    """

    iterations: int = 4000
    seed: int = 0
    crop: int = 256
    style_size: int = 512
    learning_rate: float = 2e-3
    temporal_ramp: float = 0.5
    weights: LossWeights = field(default_factory=LossWeights)
    network: NetworkSpec = field(default_factory=NetworkSpec)

    def weights_at(self, step: int) -> LossWeights:
        """The loss weights of one step, the temporal one ramped."""
        reached = min(1.0, step / max(1.0, self.temporal_ramp * self.iterations))
        parts = asdict(self.weights)
        return LossWeights(**{**parts, "temporal": parts["temporal"] * reached})

    def learning_rate_at(self, step: int) -> float:
        """Cosine from the full rate to a twentieth of it."""
        cosine = (1 + math.cos(math.pi * step / self.iterations)) / 2
        return self.learning_rate * (0.05 + 0.95 * cosine)


def train(
    painting: Path,
    clips: Path,
    *,
    name: str,
    about: Painting,
    settings: TrainingSettings,
    output: Path,
    command: str = "",
    loss_weights: Path | None = None,
    device: torch.device | str = "cpu",
    checkpoint_every: int = 500,
) -> Style:
    """Train a style and save it; every `checkpoint_every` steps the style so far is saved too.

    Args:
        painting: Picture file.
        clips: Folder of footage, searched recursively.
        name: Name of the style.
        about: Provenance of the painting.
        settings: The run.
        output: The style file to write.
        command: How the run was started, kept as provenance.
        loss_weights: VGG-19 safetensors; else looked up in the user's cache.
        device: Where to train; bf16 autocast on every device.
        checkpoint_every: Steps between saves.

    Raises:
        TrainingError: Painting, footage or loss network can't be used, or the loss is no longer
            finite (the last checkpoint stays).
        StyleError: The style file can't be written.
    """
    started = time.monotonic()
    picture = load_painting(painting, settings.style_size)
    loss_network = LossNetwork(find_weights(loss_weights)).to(device)
    footage, held_out = split(load_footage(clips))
    sampler = PairSampler(footage, crop=settings.crop, seed=settings.seed)
    loss_network.rescale(sampler.draw().frames.to(device) for _ in range(CALIBRATION_PAIRS))
    grams = style_targets(loss_network, picture.to(device))

    torch.manual_seed(settings.seed)
    network = StylizingNetwork(settings.network).to(device)
    provenance: dict[str, Any] = {
        "command": command,
        "settings": asdict(settings),
        "loss_network_sha256": loss_network.digest,
        "footage": [clip.path.name for clip in footage],
        "held_out": [clip.path.name for clip in held_out],
        "torch": torch.__version__,
        "device": str(torch.device(device)),
    }

    def snapshot(step: int, figures: dict[str, Any]) -> Style:
        weights = {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}
        if not all(tensor.isfinite().all() for tensor in weights.values()):
            raise _diverged(step)
        progress = {"steps": step, "seconds": round(time.monotonic() - started)}
        title = f"{about.title}, after {about.artist}"
        return Style(name, title, about, settings.network, weights, provenance | progress, figures)

    steps = _steps(network, loss_network, sampler, grams, settings)
    with tqdm(steps, total=settings.iterations, desc=name, unit="step", dynamic_ncols=True) as bar:
        for step, loss in enumerate(bar, start=1):
            if step % 20 == 0:
                bar.set_postfix(_shown(loss))
            if step % checkpoint_every == 0:
                snapshot(step, {}).save(output)
    figures = evaluate(network, loss_network, grams, held_out)
    style = snapshot(settings.iterations, figures)
    style.save(output)
    return style


def _steps(
    network: StylizingNetwork,
    loss_network: LossNetwork,
    sampler: PairSampler,
    grams: dict[str, Tensor],
    settings: TrainingSettings,
) -> Iterator[HybridLoss]:
    device = next(network.parameters()).device
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss_network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters())
    for step in range(settings.iterations):
        pair = sampler.draw()
        source = pair.frames.to(device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            stylized = network(source)
            loss = hybrid_loss(
                loss_network, source, stylized, grams, pair.flow.to(device), pair.mask.to(device)
            )
        total = loss.total(settings.weights_at(step))
        if not total.isfinite():
            raise _diverged(step)
        optimizer.param_groups[0]["lr"] = settings.learning_rate_at(step)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        yield loss


def _diverged(step: int) -> TrainingError:
    return TrainingError(
        f"the loss is no longer finite at step {step}; the last checkpoint stays",
        hint="lower the learning rate or the temporal weight",
    )


def _shown(loss: HybridLoss) -> dict[str, str]:
    return {
        "content": f"{loss.content.item():.2f}",
        "style": f"{loss.style.item():.2f}",
        "temporal": f"{loss.temporal.item():.5f}",
    }


def split(footage: list[Footage]) -> tuple[list[Footage], list[Footage]]:
    """Footage to train on, and every tenth clip to measure on (the only clip serves as both)."""
    held_out = footage[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY] or footage[-1:]
    rest = [clip for clip in footage if clip not in held_out]
    return rest or footage, held_out


def load_painting(path: Path, size: int) -> Tensor:
    """The painting as (1, 3, H, W) float32 RGB in [0, 1], its shorter side scaled to `size`.

    Raises:
        TrainingError: It can't be read, has transparency, or is too small.
    """
    try:
        from PIL import Image, ImageOps  # noqa: PLC0415  an extra: only training needs it
    except ImportError as error:
        raise TrainingError(
            "reading paintings needs Pillow", hint="pip install 'housestyle[train]'"
        ) from error
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)
            picture.load()
    except (OSError, Image.DecompressionBombError) as error:
        raise TrainingError(f"can't be read as a picture: {error}", path=path) from error
    if picture.has_transparency_data:
        raise TrainingError(
            "the painting has transparent parts", path=path, hint="save it without alpha"
        )
    if min(picture.size) < size / 2:
        raise TrainingError(
            f"the painting is too small: {picture.width}x{picture.height}",
            path=path,
            hint=f"its shorter side should have {size} pixels",
        )
    scale = size / min(picture.size)
    shape = (round(picture.width * scale), round(picture.height * scale))
    if picture.mode.startswith("I"):
        # Pillow clips 16 bit grey to 8 bit instead of scaling it.
        picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    pixels = np.asarray(picture.convert("RGB").resize(shape, Image.Resampling.LANCZOS))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
