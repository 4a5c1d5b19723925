from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from brushreel.core.errors import TrainingError
from brushreel.core.network import StylizingNetwork
from brushreel.training.checkpoint import Checkpoint, optimizer_state, restore_optimizer
from brushreel.training.muon import Muon
from brushreel.training.recipe import HOUSE

RUN = {"settings": HOUSE.to_json(), "painting_sha256": "ab", "footage": ["a.mp4"], "parent": None}


def make_checkpoint(step: int = 3, size: int = 4) -> Checkpoint:
    generator = torch.Generator().manual_seed(step)
    return Checkpoint(
        run=RUN,
        step=step,
        seconds=1.25,
        network={"conv.weight": torch.randn(size, 3, generator=generator)},
        optimizer={"0.exp_avg": torch.randn(size, 3), "0.step": torch.tensor(float(step))},
        history=torch.randn(step, 6, generator=generator),
    )


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run" / "checkpoint.safetensors"


def same(one: Checkpoint, other: Checkpoint) -> bool:
    def equal(mine: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
        return mine.keys() == others.keys() and all(
            torch.equal(tensor, others[name]) for name, tensor in mine.items()
        )

    return (
        (one.run, one.step, one.seconds) == (other.run, other.step, other.seconds)
        and equal(one.network, other.network)
        and equal(one.optimizer, other.optimizer)
        and torch.equal(one.history, other.history)
    )


class TestFile:
    def test_round_trip(self, path):
        checkpoint = make_checkpoint()
        checkpoint.save(path)
        assert same(Checkpoint.load(path), checkpoint)

    def test_before_the_first_step(self, path):
        start = replace(make_checkpoint(), step=0, optimizer={}, history=torch.zeros(0, 6))
        start.save(path)
        assert same(Checkpoint.load(path), start)

    def test_tensors_in_another_memory_layout(self, path):
        weight = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
        replace(make_checkpoint(), network={"conv.weight": weight}).save(path)
        assert torch.equal(Checkpoint.load(path).network["conv.weight"], weight)

    def test_takes_the_place_of_the_one_before_and_leaves_nothing_else(self, path):
        make_checkpoint(3).save(path)
        make_checkpoint(4).save(path)
        assert Checkpoint.load(path).step == 4
        assert list(path.parent.iterdir()) == [path]

    def test_missing(self, path):
        with pytest.raises(TrainingError, match="no run to resume") as caught:
            Checkpoint.load(path)
        assert caught.value.path == path

    @pytest.mark.parametrize("length", [0, 1, 8, 9, 200, -1])
    def test_truncated(self, path, length):
        make_checkpoint().save(path)
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(TrainingError, match="is cut short, or no safetensors file") as caught:
            Checkpoint.load(path)
        assert caught.value.path == path

    @pytest.mark.parametrize("content", [b"a run in words\n" * 40, bytes(1000), b"PK\3\4" * 99])
    def test_of_another_kind(self, path, content):
        path.parent.mkdir()
        path.write_bytes(content)
        with pytest.raises(TrainingError, match="is cut short, or no safetensors file"):
            Checkpoint.load(path)

    def test_style_file(self, style_file):
        with pytest.raises(TrainingError, match="not a checkpoint of this version"):
            Checkpoint.load(style_file)

    def test_safetensors_without_metadata(self, tmp_path):
        save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
        with pytest.raises(TrainingError, match="not a checkpoint of this version"):
            Checkpoint.load(tmp_path / "other.safetensors")

    def test_of_another_version(self, path):
        path.parent.mkdir()
        about = json.dumps({"run": {}, "step": 1, "seconds": 1})
        save_file({"a": torch.zeros(1)}, path, {"brushreel_checkpoint": "0", "about": about})
        with pytest.raises(TrainingError, match="not a checkpoint of this version"):
            Checkpoint.load(path)


class TestCannotBeWritten:
    @contextmanager
    def small_disk(self):
        """Limit files to 4 KiB, for as short as possible: pytest's own output is a file, too."""
        resource = pytest.importorskip("resource", reason="no limits on this system")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def test_full_disk_keeps_the_one_before(self, path):
        make_checkpoint(3).save(path)
        with (
            self.small_disk(),
            pytest.raises(TrainingError, match="can't be written") as caught,
        ):
            make_checkpoint(4, size=4096).save(path)
        assert caught.value.path == path
        assert len(str(caught.value).splitlines()) == 1
        assert Checkpoint.load(path).step == 3
        assert list(path.parent.iterdir()) == [path]

    def test_folder_that_can_t_be_made(self, tmp_path):
        (tmp_path / "run").write_text("in the way")
        with pytest.raises(TrainingError, match="can't be written"):
            make_checkpoint().save(tmp_path / "run" / "checkpoint.safetensors")

    def test_interrupted_while_writing_it_keeps_the_one_before(self, path, monkeypatch):
        make_checkpoint(3).save(path)

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", interrupted)
            with pytest.raises(KeyboardInterrupt):
                make_checkpoint(4).save(path)
        assert Checkpoint.load(path).step == 3
        # What an interruption leaves, the checkpoint that follows it takes away.
        make_checkpoint(4).save(path)
        assert list(path.parent.iterdir()) == [path]


class TestCheck:
    def test_the_same_run_is_fine(self, path):
        make_checkpoint().save(path)
        Checkpoint.load(path).check(json.loads(json.dumps(RUN)), path)

    def test_says_what_differs(self, path):
        settings = replace(HOUSE, seed=7, weights=replace(HOUSE.weights, temporal=1.0))
        other = {**RUN, "settings": settings.to_json(), "footage": ["a.mp4", "b.mp4"]}
        with pytest.raises(TrainingError) as caught:
            make_checkpoint().check(other, path)
        assert caught.value.path == path
        line = str(caught.value)
        assert "differs in footage, settings.seed, settings.weights.temporal" in line
        assert "--overwrite" in line
        for name in ("painting_sha256", "settings.network", "settings.weights.style"):
            assert name not in line

    @pytest.mark.parametrize("swapped", [False, True])
    def test_parent_on_one_side_only(self, path, swapped):
        child = {**RUN, "parent": {"name": "wave", "digest": "cd"}}
        mine, other = (child, RUN) if swapped else (RUN, child)
        with pytest.raises(TrainingError, match="differs in parent"):
            replace(make_checkpoint(), run=mine).check(other, path)

    def test_setting_that_the_other_program_did_not_have(self, path):
        less = {name: value for name, value in RUN.items() if name != "painting_sha256"}
        for mine, other in ((RUN, less), (less, RUN)):
            with pytest.raises(TrainingError, match="differs in painting_sha256"):
                replace(make_checkpoint(), run=mine).check(other, path)


@pytest.mark.parametrize("kind", [torch.optim.Adam, Muon])
class TestOptimizer:
    def network(self) -> StylizingNetwork:
        torch.manual_seed(0)
        return StylizingNetwork().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def train(self, net: StylizingNetwork, optimizer: torch.optim.Optimizer, steps: range) -> None:
        for step in steps:
            frame = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            net(frame).square().mean().backward()
            optimizer.step()

    def test_goes_on_as_if_it_had_not_been_away(self, path, kind):
        net = self.network()
        optimizer = kind(net.parameters())
        self.train(net, optimizer, range(3))
        before = replace(
            make_checkpoint(), network=net.state_dict(), optimizer=optimizer_state(optimizer)
        )
        before.save(path)
        self.train(net, optimizer, range(3, 8))

        again = self.network()
        loaded = Checkpoint.load(path)
        again.load_state_dict(loaded.network)
        other = kind(again.parameters())
        restore_optimizer(other, loaded.optimizer)
        self.train(again, other, range(3, 8))
        for name, weight in net.state_dict().items():
            assert torch.equal(weight, again.state_dict()[name]), name
        for name, moment in optimizer_state(optimizer).items():
            assert torch.equal(moment, optimizer_state(other)[name]), name

    def test_before_the_first_step(self, kind):
        net = self.network()
        optimizer = kind(net.parameters())
        assert optimizer_state(optimizer) == {}
        restore_optimizer(optimizer, {})
        self.train(net, optimizer, range(1))
