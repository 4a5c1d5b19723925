"""Settings that a training run depends on, and the recipes they start from."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from ..core.errors import UsageError
from ..core.network import NetworkSpec
from .data.disturbance import Disturbances
from .losses import LossWeights
from .muon import Muon

GAPS = (1, 2, 4)
PRECISIONS = ("bf16", "fp32")
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "muon": Muon,
    "adam": torch.optim.Adam,
}


@dataclass(frozen=True)
class TrainingSettings:
    """Settings that a run depends on, apart from painting, footage and parent.

    Attributes:
        recipe: Name of the recipe that the rest was taken from.
        iterations: Number of steps.
        seed: For weights, crops and disturbances.
        batch: Pairs a step.
        crop: Side of the training crops, pixels.
        style_size: Shorter side to which the painting is scaled, pixels; larger gives larger
            strokes.
        learning_rate: Learning rate at the start.
        last_rate: Share of it that remains at the end, reached along a cosine; 1 keeps it.
        temporal_ramp: Share of the run over which the temporal weight rises from 0, so that
            strokes form before they are made stable.
        both_judged: Whether both frames of a pair have a content and style loss, as in the paper,
            or the previous one alone: they are nearly the same, and a step takes two thirds of
            the time.
        content_every: Content is asked for in every so manieth step, and counts so many times
            then. The loss network sees the clean frame for nothing else: a third of its time.
        settled: Whether normalisation's gain is bounded in the style that is written, see
            `gain_bound`; a run then always trains with the recipe's epsilon. Only for networks
            that normalise inside the residual branches.
        longest_gap: Most frames that the two of a pair may be apart: 1, 2 or 4.
        precision: "bf16" (autocast; float32 weights) or "fp32".
        optimizer: "muon" or "adam".
        weights: Weights of the hybrid loss.
        relative_style: Whether the style loss is divided by that of untouched footage. Paintings
            differ twentyfold in how far they are from footage; relative, one weight makes all of
            them equally strong.
        layer_weights: Weights of the style layers, in the order of `STYLE_LAYERS`, each layer's
            loss divided by that of untouched footage. None adds the layers up as they are: the
            first layers are then most of the sum, and fine texture most of the style.
        disturbances: Disturbances of the pairs.
        network: Shape of the stylizing network.

    Raises:
        UsageError: A field is out of its range.
    """

    recipe: str
    weights: LossWeights
    relative_style: bool
    network: NetworkSpec
    disturbances: Disturbances
    learning_rate: float
    last_rate: float
    temporal_ramp: float
    both_judged: bool
    settled: bool
    layer_weights: tuple[float, float, float, float] | None = None
    content_every: int = 1
    iterations: int = 3000
    seed: int = 0
    batch: int = 1
    crop: int = 192
    style_size: int = 512
    longest_gap: int = 1
    precision: str = "bf16"
    optimizer: str = "adam"

    def __post_init__(self) -> None:
        least = {
            "content_every": 1,
            "iterations": 1,
            "seed": 0,
            "batch": 1,
            "crop": 32,
            "style_size": 64,
        }
        for name, value in least.items():
            if getattr(self, name) < value:
                raise UsageError(f"{name} must be {value} or more, not {getattr(self, name)}")
        for name, weight in asdict(self.weights).items():
            if not 0 <= weight < math.inf:
                raise UsageError(f"the {name} weight must be 0 or more, not {weight}")
        if self.layer_weights and not (
            all(0 <= weight < math.inf for weight in self.layer_weights)
            and sum(self.layer_weights) > 0
        ):
            raise UsageError(f"layer weights must be 0 or more, not {self.layer_weights}")
        for name, share in asdict(self.disturbances).items():
            most = 255 if name == "noise" else 1
            if not 0 <= share <= most:
                raise UsageError(f"{name} must be between 0 and {most}, not {share}")
        if self.longest_gap not in GAPS:
            raise UsageError(f"longest_gap must be one of {GAPS}, not {self.longest_gap}")
        if self.precision not in PRECISIONS:
            raise UsageError(f"precision must be one of {PRECISIONS}, not {self.precision!r}")
        if self.optimizer not in OPTIMIZERS:
            raise UsageError(f"optimizer must be one of {(*OPTIMIZERS,)}, not {self.optimizer!r}")

    def weights_at(self, step: int) -> LossWeights:
        """Return the loss weights of one step, the temporal one ramped."""
        ramp = self.temporal_ramp * self.iterations
        reached = min(1.0, step / ramp) if ramp else 1.0
        return replace(self.weights, temporal=self.weights.temporal * reached)

    def content_at(self, step: int) -> int:
        """Return how many times the content of one step counts."""
        return 0 if step % self.content_every else self.content_every

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of one step."""
        cosine = (1 + math.cos(math.pi * step / self.iterations)) / 2
        return self.learning_rate * (self.last_rate + (1 - self.last_rate) * cosine)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return json.loads(json.dumps(asdict(self)))


def scaled_size(style_scale: float, size: int) -> int:
    """Return the shorter side, pixels, of a painting at a scale relative to the usual size.

    Raises:
        UsageError: The scale is not above 0.
    """
    if not 0 < style_scale < math.inf:
        raise UsageError(f"--style-scale must be above 0, not {style_scale}")
    return round(size * style_scale)


# Huang et al. 2017: losses, network and optimiser of the paper. Its weights 1 / 10 / 1e-3 / 1e4
# drown the scene in strokes when pixels are in [0, 1] and features have a mean activation of 1;
# these were measured at that scale.
PAPER = TrainingSettings(
    recipe="paper",
    weights=LossWeights(content=4.0, style=1.0, total_variation=1e-4, temporal=2e3, overlay=0.0),
    relative_style=False,
    network=NetworkSpec(
        downsampling="strided",
        upsampling="transposed",
        skips=False,
        norm_epsilon=1e-5,
        normalization="everywhere",
    ),
    disturbances=Disturbances(),
    learning_rate=1e-3,
    last_rate=1.0,
    temporal_ramp=0.0,
    both_judged=True,
    settled=False,
)

# The house recipe of the first styles: calmer and fainter, in two colours.
CALM = TrainingSettings(
    recipe="calm",
    weights=LossWeights(
        content=8.0, style=420.0, total_variation=1e-4, temporal=1.2e5, overlay=1e4
    ),
    relative_style=True,
    network=NetworkSpec(),
    disturbances=Disturbances(
        noise=4.0, compression=0.2, overlays=0.2, synthetic=0.15, shifted=0.15
    ),
    learning_rate=1e-3,
    last_rate=0.05,
    temporal_ramp=0.5,
    both_judged=False,
    settled=True,
)

# What measured best at the height at which styles paint: docs/training.md.
HOUSE = replace(
    CALM,
    recipe="house",
    weights=LossWeights(
        content=2.0,
        style=420.0,
        total_variation=1e-4,
        temporal=6e4,
        overlay=4e3,
        palette=1e3,
        hues=2e3,
    ),
    layer_weights=(1.0, 1.0, 3.0, 6.0),
    content_every=2,
    crop=256,
    learning_rate=3e-3,
    optimizer="muon",
)

RECIPES = {recipe.recipe: recipe for recipe in (HOUSE, CALM, PAPER)}


def fastest_precision(device: torch.device) -> str:
    """Return the precision to train in: "bf16" where the device has it natively, else "fp32"."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported()
    return "bf16" if native else "fp32"
