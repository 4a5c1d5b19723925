from __future__ import annotations

import json
from functools import partial

import pytest

from brushreel.cli import main
from brushreel.training.evaluation import levels
from brushreel.training.recipe import TrainingSettings


@pytest.fixture
def clips(tmp_path, pan, write_footage) -> str:
    write_footage(tmp_path / "clips" / "pan.mkv", pan(5, 80, 112))
    return str(tmp_path / "clips")


def test_everything_that_is_measured(
    style_file, clips, painting, vgg_file, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(TrainingSettings, "style_size", 64)
    monkeypatch.setattr(levels, "measure_levels", partial(levels.measure_levels, size=(120, 120)))
    given = ["evaluate", str(style_file), "--peer", str(style_file), "--clips", clips]
    given += ["--painting", str(painting), "--loss-weights", str(vgg_file), "--pairs", "1"]
    given += ["--stroke-size", "4", "--detail", "0.2", "--device", "cpu"]
    assert main([*given, "--json", "-o", str(tmp_path / "report")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["stroke_size"], report["detail"], report["peer"]) == (4, 0.2, "tiny")
    tiny = report["styles"]["tiny"]
    assert tiny["against_peer"]["e_temporal"] == 1
    assert tiny["levels"]["grey"] > 0
    assert tiny["mean"]["judged_e_temporal"] > 0
    assert len(tiny["mean"]["style_by_layer"]) == 4
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {
        *("metrics.json", "report.html"),
        *("error_over_time.png", "frames.png", "strips.png"),
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stroke-size", "9"], "stroke size must be native or from 0.25 to 4"),
        (["--detail", "2"], "detail must lie between 0 and 1"),
        (["--pairs", "0"], "--pairs takes 1 or more"),
        (["--stroke-size", "0.25"], "too small for a frame of 112x80"),
    ],
)
def test_a_bad_value_is_one_line(style_file, clips, options, message, capsys):
    assert main(["evaluate", str(style_file), "--clips", clips, "--device", "cpu", *options]) != 0
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
