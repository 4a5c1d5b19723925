"""Made-up measurements of two models, \"wave\" and \"twin\"."""

from __future__ import annotations

from brushreel.training.evaluation.evaluate import Evaluation, Figures, Measured


def measured(scale: float, *clips: str) -> Measured:
    figures = {
        clip: Figures(
            *(scale, scale / 10, scale * 100, scale * 50, scale * 2, 3.0),
            *(0.25, 5.0, None, (0.1, 0.2, 0.3, 0.4), scale / 2, scale * 20),
        )
        for clip in clips
    }
    return Measured(figures, {clip: [scale, scale * 2, scale / 3] for clip in clips})


def evaluation(*clips: str) -> Evaluation:
    models = {"wave": measured(0.034, *clips), "twin": measured(0.05, *clips)}
    return Evaluation(measured(0.03, *clips), models)
