from __future__ import annotations

import pytest

from brushreel.training.evaluation.evaluate import Figures
from brushreel.training.evaluation.ratios import against_peer, against_twin


class TestAgainstTwin:
    SOURCE = Figures(0.03, 0.001, 2.0, 1.0, 9.0, 0.0)
    TWIN = Figures(0.05, 0.003, 6.0, 1.0, 0.10, 3.0)

    def test_by_hand(self):
        ratios = against_twin(Figures(0.034, 0.002, 1.5, 1.0, 0.12, 3.0), self.TWIN, self.SOURCE)
        assert ratios.e_temporal == pytest.approx(0.68)
        assert ratios.excess == pytest.approx(0.4)  # sqrt((0.034^2 - 0.03^2) / (0.05^2 - 0.03^2))
        assert ratios.style_loss == pytest.approx(1.2)
        assert ratios.shimmer == pytest.approx(0.25)

    def test_more_stable_than_the_source_has_no_excess(self):
        assert against_twin(Figures(0.02, 0, 1.0, 1.0), self.TWIN, self.SOURCE).excess == 0

    def test_twin_more_stable_than_the_source_gives_no_excess(self):
        stable = Figures(0.02, 0, 1.0, 1.0)
        assert against_twin(self.TWIN, stable, self.SOURCE).excess is None

    def test_without_a_painting_there_is_no_style_loss(self):
        ratios = against_twin(Figures(0.04, 0, 1.0, 1.0), Figures(0.05, 0, 0.0, 1.0), self.SOURCE)
        assert ratios.style_loss is None
        assert ratios.shimmer is None
        assert ratios.e_temporal == pytest.approx(0.8)


def test_against_a_peer():
    ours = Figures(0.02, 0, 0.5, 1, style_distance=0.2, judged_e_temporal=0.01)
    theirs = Figures(0.05, 0, 2.0, 1, style_distance=0.4, judged_e_temporal=0.04)
    ratios = against_peer(ours, theirs)
    assert ratios.e_temporal == pytest.approx(0.4)
    assert ratios.judged_e_temporal == pytest.approx(0.25)
    assert ratios.shimmer == pytest.approx(0.25)
    assert ratios.style_distance == pytest.approx(0.5)
    assert against_peer(ours, Figures(0.05, 0, 2, 1)).style_distance is None
