from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.core.style import Style
from brushreel.core.stylizer import Stylizer
from brushreel.training import run as training_run
from brushreel.training.data.disturbance import Example
from brushreel.training.data.extraction import consecutive_frames
from brushreel.training.data.footage import Footage
from brushreel.training.gain_bound import EPSILON
from brushreel.training.loss_network import STYLE_LAYERS
from brushreel.training.losses import HybridLoss, style_losses
from brushreel.training.processes import Processes
from brushreel.training.run import Run, split

PARTS = [field.name for field in dataclasses.fields(HybridLoss)]
LONE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture
def parent(quick, material) -> Style:
    torch.manual_seed(5)
    weights = StylizingNetwork(quick.network).state_dict()
    return Style("old", "Old", material.about, quick.network, weights, {"family": "of-old"})


def test_report_shows_frames_of_clips_as_users_see_them(material, quick, parent):
    run = Run(material, quick, LONE)
    stylizer = Stylizer(parent, device="cpu", precision="fp32", runtime="torch")
    rows = run.sheet(parent)
    assert [name for name, *_ in rows] == [clip.path.name for clip in run.held_out]
    for clip, (_, source, stylized) in zip(run.held_out, rows, strict=True):
        frame = next(consecutive_frames(clip.path, 1))
        assert np.array_equal(source.permute(1, 2, 0), frame)
        assert np.array_equal(stylized.permute(1, 2, 0), stylizer(frame))


class TestParent:
    def test_weights_start_at_the_parent_s(self, material, quick, parent):
        child = Run(dataclasses.replace(material, parent=parent), quick, LONE)
        for name, weight in child.network.state_dict().items():
            assert torch.equal(weight, parent.weights[name])

    def test_network_is_the_parent_s_whatever_the_recipe_says(self, run, quick, parent, unmeasured):
        changes = {"network": NetworkSpec(), "iterations": 1}
        style = run(parent=parent, **changes)
        assert style.spec == dataclasses.replace(quick.network, norm_epsilon=EPSILON)
        assert style.training["settings"]["network"]["channels"] == [4, 6, 8]

    def test_a_parent_of_bounded_gain_is_trained_on_with_the_recipe_s_epsilon(
        self, run, material, quick, unmeasured
    ):
        parent = run(iterations=2)
        assert parent.spec.norm_epsilon == EPSILON
        child = Run(dataclasses.replace(material, parent=parent), quick, LONE)
        assert child.settings.network == quick.network
        frames = child.sampler.draw(np.random.default_rng(7)).frames
        with torch.no_grad():
            change = (child.network(frames) - parent.network()(frames)).abs().mean()
        assert change < 1 / 255

    def test_a_recipe_that_does_not_bound_the_gain_writes_what_it_trained(
        self, run, quick, unmeasured
    ):
        style = run(settled=False, iterations=2)
        assert style.spec == quick.network
        assert run("again", settled=False, parent=style, iterations=1).spec == quick.network

    @pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
    def test_with_normalisation_everywhere_what_was_trained_is_written(
        self, material, quick, upsampling, unmeasured
    ):
        """A bounded gain would change the network: frames differ too much in what it normalises."""
        spec = dataclasses.replace(
            quick.network, upsampling=upsampling, normalization="everywhere", norm_epsilon=1e-5
        )
        torch.manual_seed(5)
        weights = StylizingNetwork(spec).state_dict()
        parent = Style("old", "Old", material.about, spec, weights, {"family": "of-old"})
        child = Run(dataclasses.replace(material, parent=parent), quick, LONE)
        written = child.style("new", "")
        assert child.settings.network == written.spec == spec
        frames = child.sampler.draw(np.random.default_rng(7)).frames
        with torch.no_grad():
            stylized = [network(frames) for network in (parent.network(), written.network())]
        torch.testing.assert_close(*stylized)

    def test_parent_itself_stays_as_it_is(self, run, parent, unmeasured):
        digest = parent.digest
        assert run(parent=parent).digest != digest
        assert parent.digest == digest

    def test_provenance_names_parent_and_family(self, run, parent, unmeasured):
        style = run(parent=parent)
        assert style.training["parent"] == {"name": "old", "digest": parent.digest}
        assert style.family == parent.family == "of-old"

    def test_child_of_a_style_that_notes_no_family(self, run, parent, unmeasured):
        elder = dataclasses.replace(parent, training={})
        assert run(parent=elder).family == elder.family

    def test_from_scratch_seed_and_painting_make_the_family(
        self, run, texture, tmp_path, unmeasured
    ):
        """Different paintings of the same file name make different families."""
        other = tmp_path / "other" / "painting.png"
        other.parent.mkdir()
        Image.fromarray(texture(80, 80, 9)).save(other)
        changes = [{}, {"learning_rate": 1e-4}, {"seed": 1}, {"painting": other}]
        families = [run(str(n), iterations=1, **c).family for n, c in enumerate(changes)]
        assert families[0] == families[1]
        assert len(set(families)) == 3


class TestLoss:
    def test_weighted_sum_is_that_of_the_step(self, material, quick):
        run = Run(material, quick, LONE)
        for _ in run.steps():
            pass
        for step, row in enumerate(run.history):
            weights = vars(quick.weights_at(step))
            parts = row[:-1] * torch.tensor([weights[name] for name in PARTS])
            assert (parts != 0).sum() >= 4
            torch.testing.assert_close(row[-1], parts.sum())

    def seen(self, run: Run) -> list[dict[str, float]]:
        """Return the style losses of untouched footage, frame by frame."""
        frames = [run.sampler.draw(np.random.default_rng(0)).frames[:1] for _ in range(1)]
        return [
            {name: loss.item() for name, loss in style_losses(features, run.grams).items()}
            for features in map(run.loss_network, frames)
        ]

    def test_style_of_footage_itself_is_one_unit_layer_by_layer(self, material, quick, monkeypatch):
        monkeypatch.setattr(training_run, "CALIBRATION_PAIRS", 1)
        run = Run(material, replace(quick, layer_weights=(1.0, 2.0, 3.0, 4.0)), LONE)
        (losses,) = self.seen(run)
        shares = [losses[name] * run.shares[name] for name in STYLE_LAYERS]
        assert shares == pytest.approx([0.1, 0.2, 0.3, 0.4], rel=1e-4)

    def test_style_of_footage_itself_is_one_unit_in_all(self, material, quick, monkeypatch):
        monkeypatch.setattr(training_run, "CALIBRATION_PAIRS", 1)
        run = Run(material, replace(quick, layer_weights=None), LONE)
        (losses,) = self.seen(run)
        assert len(set(run.shares.values())) == 1
        assert sum(losses[name] * run.shares[name] for name in STYLE_LAYERS) == pytest.approx(
            1, rel=1e-4
        )

    def test_absolute(self, material, quick):
        settings = replace(quick, relative_style=False, layer_weights=None)
        assert set(Run(material, settings, LONE).shares.values()) == {1.0}

    def test_a_bfloat16_step_on_a_cpu_has_the_losses_of_autograd(
        self, material, quick, monkeypatch
    ):
        rows = {}
        for name in ("by hand", "autograd"):
            if name == "autograd":
                monkeypatch.setattr(training_run, "FastLossNetwork", lambda network: network)
            run = Run(material, replace(quick, precision="bf16", iterations=1), LONE)
            for _ in run.steps():
                pass
            rows[name] = run.history[0]
        torch.testing.assert_close(rows["by hand"], rows["autograd"], rtol=0.02, atol=1e-4)

    def test_palette_of_a_step_depends_on_seed_and_step_alone(self, material, quick):
        frame = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
        clean = torch.full_like(frame, 0.5)
        run, again = (Run(material, quick, LONE) for _ in range(2))
        other = Run(material, replace(quick, seed=quick.seed + 1), LONE)
        assert run._palette_distance()(frame, clean) == again._palette_distance()(frame, clean)
        assert run._palette_distance()(frame, clean) != other._palette_distance()(frame, clean)
        again.step += 1
        assert run._palette_distance()(frame, clean) != again._palette_distance()(frame, clean)


class TestExamples:
    def equal(self, one: Example, other: Example) -> bool:
        return all(torch.equal(mine, vars(other)[name]) for name, mine in vars(one).items())

    def test_depend_on_seed_process_and_step_alone(self, material, quick):
        first, again = Run(material, quick, LONE), Run(material, quick, LONE)
        forwards = [first.example(step) for step in range(4)]
        backwards = [again.example(step) for step in reversed(range(4))]
        for one, other in zip(forwards, reversed(backwards), strict=True):
            assert self.equal(one, other)
        assert not self.equal(forwards[0], forwards[1])
        again.processes = Processes(1, 2, LONE.device)
        assert not self.equal(again.example(0), forwards[0])
        seeded = Run(material, dataclasses.replace(quick, seed=1), LONE)
        assert not self.equal(seeded.example(0), forwards[0])

    def test_how_many_are_made_ahead_changes_nothing(self, material, quick, monkeypatch):
        histories = []
        for ahead in (1, 3):
            monkeypatch.setitem(training_run.AHEAD, "cpu", ahead)
            run = Run(material, dataclasses.replace(quick, iterations=4), LONE)
            for _ in run.steps():
                pass
            histories.append(torch.stack(run.history))
        assert torch.equal(*histories)

    def test_twin_without_temporal_loss_sees_the_same(self, run, quick, monkeypatch, unmeasured):
        seen: list[list[torch.Tensor]] = []
        hybrid_loss = training_run.hybrid_loss

        def watched(network, example, *rest, **options):
            seen[-1].append(example.seen)
            return hybrid_loss(network, example, *rest, **options)

        monkeypatch.setattr(training_run, "hybrid_loss", watched)
        digests = []
        for temporal in (quick.weights.temporal, 0.0):
            seen.append([])
            weights = dataclasses.replace(quick.weights, temporal=temporal)
            digests.append(run(f"{temporal}", weights=weights).digest)
        assert len(seen[0]) == 3
        assert all(map(torch.equal, *seen))
        assert digests[0] != digests[1]


def some_clips(count: int) -> list[Footage]:
    return made(f"{index}.mp4" for index in range(count))


def made(names: Iterable[str]) -> list[Footage]:
    return [Footage(Path(name), lambda: np.zeros(1, "V1"), {}) for name in names]


class TestSplit:
    @pytest.mark.parametrize(
        ("count", "held_out"), [(2, [1]), (9, [8]), (10, [9]), (20, [9, 19]), (25, [9, 19])]
    )
    def test_every_tenth_is_held_out(self, count, held_out):
        footage = some_clips(count)
        rest, held = split(footage)
        assert [footage.index(clip) for clip in held] == held_out
        assert [footage.index(clip) for clip in rest] == [
            index for index in range(count) if index not in held_out
        ]

    def test_the_only_clip_serves_as_both(self):
        footage = some_clips(1)
        assert split(footage) == (footage, footage)

    def test_at_most_ten_are_held_out(self):
        rest, held = split(some_clips(320))
        assert len(held) == 10
        assert len(rest) == 310

    def test_few_clips_among_images_are_trained_on(self):
        footage = made(sorted([*(f"{n:02}.jpg" for n in range(40)), "05.mp4", "07.mp4"]))
        rest, held = split(footage)
        assert [clip.path.name for clip in held] == ["28.jpg", "29.jpg", "30.jpg", "31.jpg"]
        assert len(rest) == 38

    def test_frames_of_one_folder_stay_together(self):
        footage = made(
            f"{name}/{n:05}.jpg" for name in ("bear", "camel", "swan") for n in range(50)
        )
        rest, held = split(footage)
        assert {clip.path.parent.name for clip in held} == {"swan"}
        assert {clip.path.parent.name for clip in rest} == {"bear", "camel"}
        assert 5 <= len(held) <= 10

    @pytest.mark.parametrize(("count", "kept"), [(2, [1]), (9, [8]), (30, [27, 28, 29])])
    def test_frames_of_the_only_folder_are_its_last(self, count, kept):
        footage = made(f"{n:05}.png" for n in range(count))
        rest, held = split(footage)
        assert held == [footage[n] for n in kept]
        assert rest == footage[: -len(kept)]
