"""Ratios of a model's figures to another's: its twin's, or a peer's."""

from __future__ import annotations

from dataclasses import dataclass

from .evaluate import Figures


@dataclass(frozen=True)
class TwinRatios:
    """Ratios of a style to its twin, trained by the same command without the temporal loss.

    Attributes:
        e_temporal: E / T, where E is the style's E_temporal, T the twin's, S the source's.
        excess: sqrt((E^2 - S^2) / (T^2 - S^2)), with the source's own error subtracted; 0 where
            E is below S, None where T is.
        style_loss: Ratio; shows a style that is stable only because it is weak.
        shimmer: Ratio.
    """

    e_temporal: float | None
    excess: float | None
    style_loss: float | None
    shimmer: float | None


def against_twin(style: Figures, twin: Figures, source: Figures) -> TwinRatios:
    """Compare two networks on the same sequence, or their means."""
    squares = [figures.e_temporal**2 - source.e_temporal**2 for figures in (style, twin)]
    excess = max(squares[0], 0) / squares[1] if squares[1] > 0 else None
    return TwinRatios(
        e_temporal=_ratio(style.e_temporal, twin.e_temporal),
        excess=None if excess is None else excess**0.5,
        style_loss=_ratio(style.style_loss, twin.style_loss),
        shimmer=_ratio(style.shimmer, twin.shimmer),
    )


def _ratio(ours: float | None, twins: float | None) -> float | None:
    return None if ours is None or not twins else ours / twins


@dataclass(frozen=True)
class PeerRatios:
    """Ratios of a model to another program's for the same painting.

    Attributes:
        e_temporal: At the frame's own size.
        judged_e_temporal: At the working height.
        shimmer: At the frame's own size.
        style_distance: Below 1 where the model is nearer to the painting.
    """

    e_temporal: float | None
    judged_e_temporal: float | None
    shimmer: float | None
    style_distance: float | None


def against_peer(model: Figures, peer: Figures) -> PeerRatios:
    """Compare two models on the same sequence, or their means."""
    return PeerRatios(
        e_temporal=_ratio(model.e_temporal, peer.e_temporal),
        judged_e_temporal=_ratio(model.judged_e_temporal, peer.judged_e_temporal),
        shimmer=_ratio(model.shimmer, peer.shimmer),
        style_distance=_ratio(model.style_distance, peer.style_distance),
    )
