from __future__ import annotations

import dataclasses
import itertools
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from brushreel.core.errors import StyleError, TrainingError, UsageError
from brushreel.core.network import StylizingNetwork
from brushreel.core.style import Style
from brushreel.core.stylizer import Stylizer
from brushreel.training import run as training_run
from brushreel.training.checkpoint import Checkpoint
from brushreel.training.gain_bound import EPSILON
from brushreel.training.loss_network import LossNetwork
from brushreel.training.processes import Processes
from brushreel.training.recipe import PAPER
from brushreel.training.run import Run
from brushreel.training.trainer import CHECKPOINT


class TestTrain:
    def test_writes_a_style_that_can_be_used(self, run, tmp_path, material, quick):
        style = run()
        loaded = Style.load(tmp_path / "run" / "new.safetensors")
        assert loaded.digest == style.digest
        assert (loaded.name, loaded.title) == ("new", "Waves, after A. Painter")
        assert loaded.painting == material.about
        assert loaded.spec == dataclasses.replace(quick.network, norm_epsilon=EPSILON)
        stylized = Stylizer(loaded, device="cpu")(torch.rand(1, 3, 20, 30))
        assert stylized.isfinite().all()

        assert {"style_loss", "content_loss", "e_temporal", "e_temporal_source"} <= (
            loaded.figures.keys()
        )
        assert all(math.isfinite(value) and value > 0 for value in loaded.figures.values())

    def test_provenance_is_complete(self, run, tmp_path, vgg_file, quick, unmeasured, monkeypatch):
        # A clock that is one second later each time it is read: a step takes one second.
        clock = SimpleNamespace(monotonic=itertools.count().__next__)
        monkeypatch.setattr(training_run, "time", clock)
        run()
        training = dict(Style.load(tmp_path / "run" / "new.safetensors").training)
        assert json.loads(json.dumps(training)) == training
        assert training["settings"] == quick.to_json()
        assert training["command"] == "brushreel train …"
        assert training["loss_network_sha256"] == LossNetwork(vgg_file).digest
        assert "pan.mkv" in json.dumps(training["footage"])
        assert "pan.mkv" in json.dumps(training["held_out"])
        assert (training["steps"], training["processes"]) == (3, 1)
        assert training["parent"] is None
        assert len(training["family"]) == 64
        assert len(training["painting_sha256"]) == 64
        assert training["torch"] == torch.__version__
        assert training["device"] == "cpu"
        assert training["seconds"] == 3

    @pytest.mark.parametrize("minutes", [-1.0, math.nan])
    def test_minutes_between_checkpoints_are_0_or_more(self, run, minutes):
        with pytest.raises(UsageError, match="checkpoint_minutes"):
            run(checkpoint_minutes=minutes)

    def test_as_many_steps_as_fit_into_minutes(self, run, unmeasured, monkeypatch):
        monkeypatch.setattr(Processes, "slowest", lambda _self, _seconds: 0.5)
        timed, counted = run("timed", minutes=0.05), run("counted", iterations=6)
        assert timed.training["settings"]["iterations"] == timed.training["steps"] == 6
        for name, weight in counted.weights.items():
            assert torch.equal(timed.weights[name], weight), name

    def test_a_minute_is_measured_on_this_machine(self, run, unmeasured):
        assert run(minutes=1e-6).training["steps"] == 1

    @pytest.mark.parametrize("minutes", [0.0, -1.0, math.nan, math.inf])
    def test_minutes_of_training_are_above_0(self, run, minutes):
        with pytest.raises(UsageError, match="minutes must be above 0"):
            run(minutes=minutes)

    def test_leaves_neither_checkpoint_nor_half_written_files(self, run, tmp_path):
        run(checkpoint_minutes=0)
        names = {path.name for path in (tmp_path / "run").iterdir()}
        assert {"new.safetensors", "report.html", "sheet.png", "losses.png"} <= names
        assert CHECKPOINT not in names
        assert not [name for name in names if "partial" in name]

    def test_same_seed_gives_the_same_weights(self, run, unmeasured):
        first = run()
        assert run("again").digest == first.digest
        assert run("other", seed=1).digest != first.digest

    def test_weights_have_moved(self, run, quick, unmeasured):
        torch.manual_seed(quick.seed)
        start = StylizingNetwork(quick.network).state_dict()
        for name, weight in run().weights.items():
            # In the residual branch normalisation takes the biases away.
            if not name.startswith("residuals") or "norm" in name:
                assert (weight - start[name]).abs().max() > 1e-4, name

    def test_loss_falls(self, run, saved, monkeypatch, unmeasured):
        example = Run.example
        monkeypatch.setattr(Run, "example", lambda self, _step: example(self, 0))
        run(iterations=20, learning_rate=1e-2, temporal_ramp=0.0, checkpoint_minutes=0)
        weighted = saved[20].history[:, -1]
        assert weighted[-1] < 0.7 * weighted[0]

    def test_several_pairs_a_step(self, run, unmeasured, saved):
        run(batch=3, checkpoint_minutes=0)
        assert saved[3].history.isfinite().all()

    def test_in_bfloat16_the_weights_stay_float32(self, run, unmeasured, saved):
        style = run(precision="bf16", checkpoint_minutes=0)
        assert {weight.dtype for weight in style.weights.values()} == {torch.float32}
        assert {t.dtype for t in saved[3].optimizer.values()} == {torch.float32}

    def test_recipe_of_the_paper(self, run, quick, unmeasured):
        same = {name: getattr(quick, name) for name in ("iterations", "crop", "style_size")}
        spec = dataclasses.replace(PAPER.network, channels=(4, 6, 8), residual_blocks=1)
        paper = dataclasses.replace(PAPER, **same, network=spec, precision="fp32")
        style = run(**vars(paper))
        assert style.training["settings"] == paper.to_json()

    def test_footage_that_is_not_used_is_named(
        self, run, footage_folder, write_footage, capsys, unmeasured
    ):
        black = [np.zeros((80, 112, 3), np.uint8)] * 4
        write_footage(footage_folder / "black.mkv", black)
        style = run()
        assert "black.mkv: 0 pairs; left out" in capsys.readouterr().err
        assert "black.mkv" not in json.dumps(style.training["footage"])

    def test_crop_larger_than_the_footage(self, run):
        with pytest.raises(TrainingError, match=r"pan.mkv: .* smaller than the crop of 96"):
            run(crop=96)

    def test_output_that_can_t_be_written_loses_no_work(self, run, tmp_path, unmeasured):
        (tmp_path / "run" / "new.safetensors").mkdir(parents=True)
        with pytest.raises(StyleError, match="can't be written"):
            run()
        assert Checkpoint.load(tmp_path / "run" / CHECKPOINT).step == 3

    def test_folder_that_can_t_be_made_is_noticed_before_the_first_step(self, run, tmp_path):
        (tmp_path / "run").write_text("in the way")
        with pytest.raises(TrainingError, match="can't be created") as caught:
            run()
        assert caught.value.path == tmp_path / "run"

    def test_loss_network_that_is_missing(self, material, quick, tmp_path):
        gone = dataclasses.replace(material, loss_weights=tmp_path / "none.safetensors")
        with pytest.raises(TrainingError, match=r"none\.safetensors"):
            Run(gone, quick, Processes(0, 1, torch.device("cpu")))
