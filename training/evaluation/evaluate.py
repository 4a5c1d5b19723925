"""Evaluation of styles: style, content, flicker and shimmer on held-out footage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean

import torch
from torch import Tensor

from ...core.consistency import temporal_error, warping_error
from ...core.frames.stroke_size import Size, StrokeSize
from ...core.network import StylizingNetwork
from ..data.footage import Footage
from ..data.sampler import Pair
from ..loss_network import LossNetwork
from ..losses import Features, content_loss, style_loss, style_targets
from .judged import judged_frames, judged_pair, judged_size
from .levels import Levels
from .look import PaintingLook, style_distance, style_distances
from .models import Model
from .sequences import FrameSequence, of_footage

# Camera noise of a well-lit shot.
NOISE = 2 / 255
# The border affects about so many pixels of the output.
SHIFT_BORDER = 32
# Pairs of each held-out clip that a training run measures on at its end.
HELD_OUT_PAIRS = 4


@dataclass(frozen=True)
class Figures:
    """Figures of one model on one sequence, or their mean over sequences.

    The first four are those of frames at their own size, all others at the size of `judged_size`.

    Attributes:
        e_temporal: Square root of the mean of `temporal_error` over the pairs (Huang et al. 2017).
        warping_error: Mean of `warping_error` over the pairs (Lai et al. 2018).
        shimmer: Mean absolute change, in 1/255, between the outputs for two draws of Gaussian
            noise (sigma 2/255) on one still frame.
        shift: Mean absolute change, in 1/255, between the outputs for a still frame and for the
            same frame moved by one pixel along both axes: what sticks to the pixel grid.
        style_loss: Mean over the current frames of the pairs, unweighted; None without a painting.
        content_loss: The same.
        style_distance: |G - Gs| / |Gs| with the painting's Gram matrices Gs, mean over the style
            layers; None without a painting.
        palette_distance: See `PaintingLook`; None without a painting.
        flat_texture: The same; None where no frame has flat places, too.
        style_by_layer: `style_distance` layer by layer.
        judged_e_temporal: `e_temporal` of the frames scaled down.
        judged_shimmer: `shimmer`, with the noise on the frame's own pixels, of the outputs scaled
            down.
    """

    e_temporal: float
    warping_error: float
    shimmer: float
    shift: float
    style_loss: float | None = None
    content_loss: float | None = None
    style_distance: float | None = None
    palette_distance: float | None = None
    flat_texture: float | None = None
    style_by_layer: tuple[float, ...] | None = None
    judged_e_temporal: float | None = None
    judged_shimmer: float | None = None


@dataclass(frozen=True)
class Measured:
    """Measurements of one model.

    Attributes:
        figures: Name of the sequence to figures.
        errors: Name of the sequence to the square root of `temporal_error`, pair by pair.
    """

    figures: dict[str, Figures]
    errors: dict[str, list[float]]

    @property
    def mean(self) -> Figures:
        """Mean over sequences, equally weighted."""
        every = self.figures.values()
        return Figures(
            e_temporal=fmean(figures.e_temporal for figures in every),
            warping_error=fmean(figures.warping_error for figures in every),
            shimmer=fmean(figures.shimmer for figures in every),
            shift=fmean(figures.shift for figures in every),
            style_loss=_mean_if_any([figures.style_loss for figures in every]),
            content_loss=_mean_if_any([figures.content_loss for figures in every]),
            style_distance=_mean_if_any([figures.style_distance for figures in every]),
            palette_distance=_mean_if_any([figures.palette_distance for figures in every]),
            flat_texture=_mean_if_any([figures.flat_texture for figures in every]),
            style_by_layer=_mean_by_layer([figures.style_by_layer for figures in every]),
            judged_e_temporal=_mean_if_any([figures.judged_e_temporal for figures in every]),
            judged_shimmer=_mean_if_any([figures.judged_shimmer for figures in every]),
        )


def _mean_by_layer(values: list[tuple[float, ...] | None]) -> tuple[float, ...] | None:
    there = [value for value in values if value is not None]
    return tuple(map(fmean, zip(*there, strict=True))) if there else None


def _mean_if_any(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


@dataclass(frozen=True)
class Evaluation:
    """Measurements of several models on the same pairs.

    Attributes:
        source: The footage itself, as if a model returned its input.
        models: Name to measurements.
        levels: Name to what becomes of flat frames and fades, where that was measured.
    """

    source: Measured
    models: dict[str, Measured]
    levels: dict[str, Levels] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PaintingLosses:
    """Style and content loss against one painting.

    Attributes:
        network: The loss network, rescaled.
        grams: The painting's Gram matrices, from `style_targets`.
        look: The painting's colours and texture; without it no figure is made of them.
    """

    network: LossNetwork
    grams: dict[str, Tensor]
    look: PaintingLook | None = None

    def __call__(self, stylized: Features, source: Features) -> tuple[float, float]:
        """Return style and content loss of a frame, from the loss network's activations."""
        return style_loss(stylized, self.grams).item(), content_loss(stylized, source).item()


@contextmanager
def in_float32() -> Iterator[None]:
    """Switch off TF32, which cuDNN uses in place of float32 by default and has 10 bits."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@torch.no_grad()
@in_float32()
def painting_losses(
    network: LossNetwork,
    painting: Tensor,
    sequences: Iterable[FrameSequence],
    *,
    stroke_size: StrokeSize = "native",
) -> PaintingLosses:
    """Rescale the loss network on the frames that will be measured.

    Losses measured with one result can be compared.

    Args:
        network: Rescaled in place.
        painting: (1, 3, H, W) RGB in [0, 1].
        sequences: The current frame of every pair is used.
        stroke_size: See `judged_size`.
    """
    device = painting.device
    network.to(device).rescale(
        judged_frames(pair.frames[1:].to(device), judged_size(pair.frames, stroke_size))
        for sequence in sequences
        for pair in sequence
    )
    return PaintingLosses(network, style_targets(network, painting), PaintingLook(painting))


@torch.no_grad()
@in_float32()
def measure(
    models: Mapping[str, Model],
    sequences: Iterable[FrameSequence],
    *,
    losses: PaintingLosses | None = None,
    stroke_size: StrokeSize = "native",
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Run every model on every pair; one pair is held in memory at a time.

    Args:
        models: Name to model; each gets (2, 3, H, W) RGB in [0, 1], float32, on `device`.
        sequences: Sequences to measure on, with different names.
        losses: For style and content loss, which are left out without it.
        stroke_size: Of the strokes in stylized frames, see `judged_size`; models know their own.
        device: Device of the frames and of `losses`.
    """
    runs: list[Model] = [_unstylized, *models.values()]
    measured = [Measured({}, {}) for _ in runs]
    for sequence in sequences:
        meters = [_Meter(run, losses) for run in runs]
        for pair in sequence:
            own = Pair(*(t.to(device) for t in (pair.frames, pair.flow, pair.mask)))
            judged = judged_pair(own, judged_size(own.frames, stroke_size))
            seen = losses.network(judged.frames[1:]) if losses else None
            for meter in meters:
                meter.add(own, judged, seen)
        for result, meter in zip(measured, meters, strict=True):
            result.figures[sequence.name] = meter.figures()
            result.errors[sequence.name] = [square**0.5 for square in meter.temporal]
    source, *others = measured
    return Evaluation(source, dict(zip(models, others, strict=True)))


def _unstylized(frames: Tensor) -> Tensor:
    return frames


class _Meter:
    """Measurements of one model over the pairs of a sequence."""

    def __init__(self, model: Model, losses: PaintingLosses | None):
        self.model = model
        self.losses = losses
        self.temporal: list[float] = []
        self._judged_temporal: list[float] = []
        self._warping: list[float] = []
        self._painting: list[tuple[float, float]] = []
        self._layers: list[tuple[float, ...]] = []
        self._palette: list[float | None] = []
        self._flat: list[float | None] = []
        self._still = (0.0, 0.0)
        self._judged_shimmer = 0.0

    def add(self, own: Pair, judged: Pair, seen: Features | None) -> None:
        size = Size(*judged.frames.shape[-2:])
        if not self.temporal:
            self._add_still(own.frames[1:], size)
        stylized = self.model(own.frames)
        motion = stylized[1:], stylized[:1], own.flow, own.mask
        self.temporal.append(temporal_error(*motion).item())
        self._warping.append(warping_error(*motion).item())
        stylized = judged_frames(stylized, size)
        motion = stylized[1:], stylized[:1], judged.flow, judged.mask
        self._judged_temporal.append(temporal_error(*motion).item())
        if seen:
            self._add_painting(stylized[1:], judged, seen)

    def _add_still(self, still: Tensor, size: Size) -> None:
        noisy = noisy_outputs(self.model, still)
        self._still = difference(*noisy), shift(self.model, still)
        self._judged_shimmer = difference(*judged_frames(noisy, size))

    def _add_painting(self, stylized: Tensor, judged: Pair, seen: Features) -> None:
        assert self.losses is not None
        source = judged.frames[1:]
        features = seen if self.model is _unstylized else self.losses.network(stylized)
        self._painting.append(self.losses(features, seen))
        self._layers.append(style_distances(features, self.losses.grams))
        if look := self.losses.look:
            self._palette.append(look.palette_distance(stylized))
            self._flat.append(look.flat_texture(stylized, source))

    def figures(self) -> Figures:
        style, content = zip(*self._painting, strict=True) if self._painting else ((), ())
        by_layer = _mean_by_layer([*self._layers])
        return Figures(
            fmean(self.temporal) ** 0.5,
            fmean(self._warping),
            *self._still,
            style_loss=_mean_if_any([*style]),
            content_loss=_mean_if_any([*content]),
            style_distance=style_distance(by_layer) if by_layer else None,
            palette_distance=_mean_if_any(self._palette),
            flat_texture=_mean_if_any(self._flat),
            style_by_layer=by_layer,
            judged_e_temporal=fmean(self._judged_temporal) ** 0.5,
            judged_shimmer=self._judged_shimmer,
        )


def difference(first: Tensor, second: Tensor) -> float:
    """Return the mean absolute difference of frames in [0, 1], in 1/255."""
    return (first - second).abs().mean().item() * 255


@torch.no_grad()
def shimmer(model: Model, frame: Tensor) -> float:
    """Measure how much camera noise changes the output: see `Figures`; always the same two draws.

    Args:
        model: The model to measure.
        frame: (1, 3, H, W) RGB in [0, 1].

    Returns:
        Mean absolute change in 1/255.
    """
    return difference(*noisy_outputs(model, frame))


@torch.no_grad()
def noisy_outputs(model: Model, frame: Tensor) -> Tensor:
    """Return the outputs, (2, 3, H, W), for two draws of noise on (1, 3, H, W)."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((2, *frame.shape[1:]), generator=generator).to(frame.device)
    return model((frame + NOISE * noise).clamp(0, 1))


@torch.no_grad()
def shift(model: Model, frame: Tensor) -> float:
    """Measure how much the output sticks to the pixel grid: see `Figures`.

    Args:
        model: The model to measure.
        frame: (1, 3, H, W) RGB in [0, 1].

    Returns:
        Mean absolute change in 1/255, without the border, which does not move with the scene.
    """
    here, there = (model(part) for part in (frame[..., 1:, 1:], frame[..., :-1, :-1]))
    change = (here[..., :-1, :-1] - there[..., 1:, 1:]).abs()
    away = min(SHIFT_BORDER, min(change.shape[-2:]) // 4)
    rows, columns = (slice(away, side - away) for side in change.shape[-2:])
    return change[..., rows, columns].mean().item() * 255


def held_out_figures(
    network: StylizingNetwork,
    loss_network: LossNetwork,
    style_grams: dict[str, Tensor],
    footage: list[Footage],
) -> dict[str, float]:
    """Measure the figures that are stored with a style, as a mean over the held-out clips.

    Args:
        network: The style's network, in float32.
        loss_network: The loss network, rescaled as in training.
        style_grams: Gram matrices from `style_targets`.
        footage: The held-out clips.

    Returns:
        "style_loss", "content_loss" and "e_temporal" of the style, see `Figures`, and
        "e_temporal_source" of the clips.
    """
    device = next(network.parameters()).device
    losses = PaintingLosses(loss_network, style_grams)
    sequences = of_footage(footage, pairs=HELD_OUT_PAIRS)
    evaluation = measure({"style": network}, sequences, losses=losses, device=device)
    style, source = evaluation.models["style"].mean, evaluation.source.mean
    assert style.style_loss is not None
    assert style.content_loss is not None
    figures = {
        "style_loss": style.style_loss,
        "content_loss": style.content_loss,
        "e_temporal": style.e_temporal,
        "e_temporal_source": source.e_temporal,
    }
    return {name: round(value, 5) for name, value in figures.items()}
