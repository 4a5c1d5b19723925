"""The table of docs/training.md: rows that diverge, and rows that were measured otherwise."""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from brushreel.core.errors import TrainingError

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "training" / "ablation.py"
OPTIONS = {"iterations": 400, "style_scale": 1.0, "pairs": 4, "painting": "wave.jpg"}


@pytest.fixture(scope="module")
def ablation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ablation", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_run_that_diverges_is_a_row(ablation, monkeypatch):
    def diverge(*_: object) -> None:
        raise TrainingError("training diverged at step 60")

    monkeypatch.setattr(ablation, "trained", diverge)
    row = ablation.row_of("no ramp", argparse.Namespace(), [], None)
    assert row == {"died": "training diverged at step 60"}
    printed = ablation.line("no ramp", row)
    assert printed.startswith("| no ramp | training diverged at step 60 |")
    assert printed.count("|") == ablation.HEADER.splitlines()[0].count("|")


def test_rows_are_taken_up_where_the_options_are_the_same(ablation, tmp_path):
    path = tmp_path / "ablation.json"
    assert ablation.kept_rows(path, OPTIONS) == {}
    path.write_text(json.dumps({"options": OPTIONS, "rows": {"house": {"shift": 2.5}}}))
    assert ablation.kept_rows(path, OPTIONS) == {"house": {"shift": 2.5}}


@pytest.mark.parametrize("kept", [{"options": OPTIONS | {"pairs": 2}}, {"house": {"shift": 2.5}}])
def test_rows_of_other_options_are_refused(ablation, tmp_path, kept):
    path = tmp_path / "ablation.json"
    path.write_text(json.dumps(kept))
    with pytest.raises(SystemExit, match="was begun with") as caught:
        ablation.kept_rows(path, OPTIONS)
    assert "\n" not in str(caught.value)
