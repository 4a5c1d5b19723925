from __future__ import annotations

from dataclasses import replace

from brushreel.training.evaluation.evaluate import Evaluation, Figures, Measured
from brushreel.training.evaluation.levels import Levels
from brushreel.training.evaluation.table import table

from .measured import evaluation


class TestTable:
    def test_one_clip(self):
        lines = table(evaluation("swan")).splitlines()
        _, heads, source, wave, twin = map(str.split, lines[:5])
        assert " ".join(heads) == (
            "clip style style loss content loss style distance palette flat texture "
            "E_temporal shimmer E_temporal warping error shimmer shift"
        )
        painting = ["3.0000", "0.250", "5.00", "-"]
        assert source == [
            *("swan", "(source)", "0.0600", *painting, "0.0150", "0.60"),
            *("0.0300", "0.00300", "3.00", "1.50"),
        ]
        assert wave == [
            *("swan", "wave", "0.0680", *painting, "0.0170", "0.68"),
            *("0.0340", "0.00340", "3.40", "1.70"),
        ]
        assert twin[2:] == [
            *("0.1000", *painting, "0.0250", "1.00", "0.0500", "0.00500", "5.00", "2.50")
        ]

    def test_says_above_the_columns_at_which_size_they_were_measured(self):
        groups, heads = table(evaluation("swan")).splitlines()[:2]
        assert groups.index("at the working height") == heads.index("style loss")
        assert groups.index("at the frame's own size") == heads.rindex("E_temporal")

    def test_mean_of_several(self):
        lines = table(evaluation("swan", "dog")).split("\n\n")[0].splitlines()
        assert len(lines) == 2 + 3 * 3
        assert lines[-2].split()[:2] == ["mean", "wave"]

    def test_style_layer_by_layer(self):
        assert table(evaluation("swan")).split("\n\n")[1].splitlines() == [
            "style distance            relu1_2  relu2_2  relu3_2  relu4_2",
            "mean            (source)    0.100    0.200    0.300    0.400",
            "mean            wave        0.100    0.200    0.300    0.400",
            "mean            twin        0.100    0.200    0.300    0.400",
        ]

    def test_levels(self):
        levels = {"wave": Levels(10, 120, 230.4, 0.5, 1.25, 2, fades=False)}
        measured = replace(evaluation("swan"), levels=levels)
        assert table(measured).split("\n\n")[2].splitlines() == [
            "levels        black  grey  white  noise on black  on grey  on white         fades",
            "        wave     10   120    230            0.50     1.25      2.00  not followed",
        ]

    def test_against_the_peer(self):
        assert table(evaluation("swan"), peer="twin").split("\n\n")[2].splitlines() == [
            "of the peer's        E_temporal  E at working height  shimmer  style distance",
            "mean           wave        0.68                 0.68     0.68            1.00",
        ]

    def test_against_the_twin(self):
        assert table(evaluation("swan"), twin="twin").split("\n\n")[2].splitlines() == [
            "against the twin        E / E_twin  excess  style loss  shimmer",
            "mean              wave       0.680   0.400       0.680    0.680",
        ]

    def test_what_was_not_measured_is_a_dash(self):
        bare = Measured({"swan": Figures(0.03, 0.003, 3.0, 1.5)}, {"swan": [0.03]})
        assert table(Evaluation(bare, {})).splitlines()[2].split()[2:9] == 7 * ["-"]
