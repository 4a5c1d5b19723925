from __future__ import annotations

import dataclasses
import itertools
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import torch
from PIL import Image

from brushreel.core.errors import TrainingError
from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.training import run as training_run
from brushreel.training.checkpoint import Checkpoint
from brushreel.training.data.disturbance import Disturbances, Example
from brushreel.training.losses import HybridLoss
from brushreel.training.muon import Muon
from brushreel.training.processes import Processes
from brushreel.training.recipe import HOUSE
from brushreel.training.run import Run
from brushreel.training.trainer import CHECKPOINT

LONE = Processes(0, 1, torch.device("cpu"))


def same_state(one: Checkpoint, other: Checkpoint) -> bool:
    """Return whether weights, optimizer and history are bit-exact."""
    mine, others = (
        {**checkpoint.network, **checkpoint.optimizer, "history": checkpoint.history}
        for checkpoint in (one, other)
    )
    return mine.keys() == others.keys() and all(
        torch.equal(tensor, others[name]) for name, tensor in mine.items()
    )


@contextmanager
def interrupted(at: int, where: str) -> Iterator[None]:
    """Interrupt a run in the middle of a step, the one after `at` others."""
    owner, name = {"loss": (training_run, "hybrid_loss"), "optimizer": (Muon, "step")}[where]
    function = getattr(owner, name)
    calls = itertools.count()

    def interrupting(*args, **kwargs):
        result = function(*args, **kwargs)
        if next(calls) == at:
            signal.raise_signal(signal.SIGINT)
        return result

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, name, interrupting)
        yield


@pytest.mark.usefixtures("unmeasured")
class TestResume:
    @pytest.mark.parametrize("where", ["loss", "optimizer"])
    def test_interrupted_run_goes_on_as_if_it_had_not_been(self, run, saved, tmp_path, where):
        whole = run("whole", iterations=6, checkpoint_minutes=0)
        expected = dict(saved)
        saved.clear()
        with interrupted(at=2, where=where):
            run("parts", iterations=6)
        with interrupted(at=1, where=where):
            run("parts", iterations=6, resume=True)
        assert run("parts", iterations=6, resume=True).digest == whole.digest
        assert 2 <= min(saved) < sorted(saved)[1] < 6
        for step, checkpoint in saved.items():
            assert same_state(checkpoint, expected[step]), step
        assert expected[6].history.shape == (6, 8)

    def test_a_run_of_minutes_keeps_its_number_of_steps(self, run, saved, monkeypatch):
        monkeypatch.setattr(Processes, "slowest", lambda _self, _seconds: 0.5)
        with interrupted(at=8 + 2, where="loss"):  # eight are tried first
            run(minutes=0.1)
        assert max(saved) < 12
        monkeypatch.setattr(Processes, "slowest", lambda _self, _seconds: 7)
        assert run(minutes=0.1, resume=True).training["steps"] == 12

    def test_killed_run_goes_on_from_its_last_checkpoint(self, run, saved, tmp_path):
        whole = run("whole", iterations=5, checkpoint_minutes=0)
        saved[3].save(tmp_path / "parts" / CHECKPOINT)
        resumed = run("parts", iterations=5, resume=True)
        assert resumed.digest == whole.digest
        assert resumed.training["steps"] == 5

    def test_finished_run_only_writes_its_style(self, run, saved, tmp_path):
        whole = run(checkpoint_minutes=0)
        saved[3].save(tmp_path / "run" / CHECKPOINT)
        assert run(resume=True).digest == whole.digest

    def test_interrupted_before_the_first_step(self, run, saved, monkeypatch):
        with interrupted(at=0, where="loss"):
            run("parts")
        assert run("parts", resume=True).digest == run("whole").digest

    def test_without_resuming_a_run_starts_again(self, run, saved):
        with interrupted(at=1, where="loss"):
            run("parts")
        assert run("parts").digest == run("whole").digest

    def test_nothing_to_resume(self, run):
        with pytest.raises(TrainingError, match="no run to resume"):
            run(resume=True)

    def test_damaged_checkpoint(self, run, tmp_path):
        with interrupted(at=1, where="loss"):
            run()
        path = tmp_path / "run" / CHECKPOINT
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(TrainingError, match="damaged"):
            run(resume=True)

    @pytest.fixture
    def begun(self, material, quick) -> Checkpoint:
        """After one step, as far as it matters here."""
        run = Run(material, quick, LONE)
        return Checkpoint(run.identity(), 1, 0.5, run.network.state_dict(), {}, torch.ones(1, 6))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("iterations", 4),
            ("seed", 1),
            ("batch", 2),
            ("learning_rate", 2e-3),
            ("weights", dataclasses.replace(HOUSE.weights, temporal=1.0)),
            ("disturbances", Disturbances()),
            ("network", NetworkSpec(channels=(4, 6, 8), residual_blocks=1, norm_epsilon=0.2)),
        ],
    )
    def test_other_settings_are_refused(self, material, quick, begun, name, value):
        other = Run(material, dataclasses.replace(quick, **{name: value}), LONE)
        before = {key: weight.clone() for key, weight in other.network.state_dict().items()}
        with pytest.raises(TrainingError, match=f"differs in .*settings.{name}"):
            other.restore(begun, Path("run"))
        after = other.network.state_dict()
        assert all(torch.equal(weight, after[key]) for key, weight in before.items())

    def test_another_painting_is_refused(self, material, quick, begun, texture):
        Image.fromarray(texture(80, 80, 9)).save(material.painting)
        with pytest.raises(TrainingError, match=r"differs in .*painting"):
            Run(material, quick, LONE).restore(begun, Path("run"))

    @pytest.mark.parametrize("name", ["another.mkv", "pan.mkv"])
    def test_other_footage_is_refused(self, material, quick, begun, pan, write_footage, name):
        """More of it, or other frames under the same name."""
        write_footage(material.clips / name, pan(6, 80, 112, seed=1))
        with pytest.raises(TrainingError, match=r"differs in .*footage"):
            Run(material, quick, LONE).restore(begun, Path("run"))

    def test_footage_and_painting_may_have_moved(self, material, quick, begun, tmp_path):
        clips = material.clips.rename(tmp_path / "moved")
        painting = material.painting.rename(tmp_path / "renamed.png")
        moved = dataclasses.replace(material, clips=clips, painting=painting)
        run = Run(moved, quick, LONE)
        run.restore(begun, Path("run"))
        assert run.step == begun.step

    def test_another_parent_is_refused(self, material, quick, begun, tiny_style):
        parent = dataclasses.replace(
            tiny_style, spec=quick.network, weights=StylizingNetwork(quick.network).state_dict()
        )
        child = dataclasses.replace(material, parent=parent)
        with pytest.raises(TrainingError, match=r"differs in .*parent"):
            Run(child, quick, LONE).restore(begun, Path("run"))


def runaway(after: int, value: float):
    """Make a style loss that is multiplied by `value` after `after` steps."""
    calls = itertools.count()
    hybrid_loss = training_run.hybrid_loss

    def loss(*args, **options) -> HybridLoss:
        parts = hybrid_loss(*args, **options)
        factor = value if next(calls) >= after else 1.0
        return dataclasses.replace(parts, style=parts.style * factor)

    return loss


@pytest.mark.usefixtures("unmeasured")
class TestDivergence:
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_loss_that_is_not_finite_stops_the_run(self, run, tmp_path, monkeypatch, value):
        monkeypatch.setattr(training_run, "hybrid_loss", runaway(0, value))
        with pytest.raises(TrainingError, match="diverged") as caught:
            run()
        assert len(str(caught.value).splitlines()) == 1
        assert caught.value.hint
        assert not list((tmp_path / "run").glob("*.safetensors"))

    @pytest.mark.parametrize("value", [math.nan, math.inf, 1e6])
    def test_the_last_good_checkpoint_stays(self, run, tmp_path, monkeypatch, value):
        monkeypatch.setattr(training_run, "hybrid_loss", runaway(3, value))
        with pytest.raises(TrainingError, match="diverged at step 4"):
            run(iterations=6, checkpoint_minutes=0)
        assert not (tmp_path / "run" / "new.safetensors").exists()
        good = Checkpoint.load(tmp_path / "run" / CHECKPOINT)
        assert good.step == 3
        for tensor in (*good.network.values(), *good.optimizer.values(), good.history):
            assert tensor.isfinite().all()

    def test_weights_that_are_not_finite_are_not_saved(self, run, tmp_path, monkeypatch):
        """The loss of a step says nothing about the weights that the step leaves."""
        step, calls = Muon.step, itertools.count()

        def ruinous(optimizer, closure=None):
            step(optimizer, closure)
            if next(calls) == 2:
                optimizer.param_groups[0]["params"][0].data.fill_(math.nan)

        monkeypatch.setattr(Muon, "step", ruinous)
        with pytest.raises(TrainingError, match="diverged at step 3"):
            run(checkpoint_minutes=0)
        assert Checkpoint.load(tmp_path / "run" / CHECKPOINT).step == 2
        assert not (tmp_path / "run" / "new.safetensors").exists()

    def test_network_that_dies_is_noticed(self, run, tmp_path, monkeypatch):
        """The loss is bounded, as the output is, and does not rise further."""
        with pytest.raises(TrainingError, match="diverged"):
            run(iterations=20, learning_rate=1e30)
        assert not (tmp_path / "run" / "new.safetensors").exists()

    def test_is_noticed_soon(self, run, monkeypatch):
        """Not after all the steps of a night."""
        monkeypatch.setattr(training_run, "hybrid_loss", runaway(5, math.nan))
        with pytest.raises(TrainingError, match="at step 20"):
            run(iterations=100)

    @pytest.mark.parametrize(("factor", "saved"), [(7, True), (100, False)])
    def test_newest_step_is_judged_by_itself(self, material, quick, tmp_path, factor, saved):
        """Scenes differ by seven times, measured; a network that has just died by more."""
        run = Run(material, quick, LONE)
        run.history = [torch.ones(6)] * 100 + [factor * torch.ones(6)]
        expected = nullcontext() if saved else pytest.raises(TrainingError, match="diverged")
        with expected:
            run.save(tmp_path / CHECKPOINT)
        assert (tmp_path / CHECKPOINT).exists() == saved

    def test_interrupted_just_then_saves_nothing(self, run, tmp_path, monkeypatch):
        monkeypatch.setattr(training_run, "hybrid_loss", runaway(1, math.nan))
        with pytest.raises(TrainingError, match="diverged"), interrupted(at=2, where="optimizer"):
            run()
        assert not (tmp_path / "run" / CHECKPOINT).exists()

    @pytest.mark.parametrize(("level", "precision"), [(0, "fp32"), (1, "fp32"), (0, "bf16")])
    def test_goes_through_flat_footage(self, run, saved, monkeypatch, level, precision):
        """Leader, fades and night: nothing to normalise by."""
        disturbed = training_run.disturbed

        def flat(pairs, how, random) -> Example:
            example = disturbed(pairs, how, random)
            frames = torch.full_like(example.seen, level)
            return dataclasses.replace(example, seen=frames, clean=frames)

        monkeypatch.setattr(training_run, "disturbed", flat)
        changes = {"network": HOUSE.network, "disturbances": HOUSE.disturbances, "crop": 32}
        run(iterations=16, precision=precision, checkpoint_minutes=0, **changes)
        weighted = saved[16].history[:, -1]
        assert weighted.isfinite().all()
        assert weighted[8:].mean() < 2 * weighted[:8].mean()
        # Gradients reached 1e31 where everything was normalised.
        means = saved[16].optimizer.items()
        means = [mean for key, mean in means if key.endswith(("momentum", "mean"))]
        assert max(mean.abs().max() for mean in means) < 1e6
        assert max(weight.abs().max() for weight in saved[16].network.values()) < 10
