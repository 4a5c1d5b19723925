from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from housestyle.core.errors import StyleError, TrainingError
from housestyle.core.network import NetworkSpec, StylizingNetwork
from housestyle.core.style import Painting, Style
from housestyle.core.stylizer import Stylizer
from housestyle.training import extraction, trainer
from housestyle.training.footage import Footage, load_footage
from housestyle.training.loss_network import LossNetwork
from housestyle.training.losses import LossWeights, style_targets
from housestyle.training.sampler import PairSampler
from housestyle.training.trainer import (
    TrainingSettings,
    _steps,
    load_painting,
    split,
    train,
)

ABOUT = Painting("Waves", "A. Painter", "1831", "public domain")
SPEC = NetworkSpec(channels=(4, 6, 8), residual_blocks=1)
QUICK = TrainingSettings(iterations=3, crop=64, style_size=64, network=SPEC)


@pytest.fixture
def painting(tmp_path, texture) -> Path:
    Image.fromarray(texture(70, 90, 3)).save(tmp_path / "painting.png")
    return tmp_path / "painting.png"


@pytest.fixture
def footage_folder(tmp_path, pan, write_footage, monkeypatch) -> Path:
    """Two pairs of 112 x 80 pixels, to be quick."""
    monkeypatch.setattr(extraction, "LONG_SIDE", 112)
    monkeypatch.setattr(trainer, "CALIBRATION_PAIRS", 2)
    write_footage(tmp_path / "clips" / "pan.mkv", pan(5, 80, 112))
    return tmp_path / "clips"


@pytest.fixture
def run(painting, footage_folder, vgg_file, tmp_path):
    """Trains with the settings of a quick run, changed."""

    def run(output: str = "new.safetensors", *, checkpoint_every: int = 500, **changes) -> Style:
        return train(
            painting,
            footage_folder,
            name="new",
            about=ABOUT,
            settings=dataclasses.replace(QUICK, **changes),
            output=tmp_path / output,
            command="housestyle train …",
            loss_weights=vgg_file,
            checkpoint_every=checkpoint_every,
        )

    return run


class TestTrain:
    def test_writes_a_style_that_can_be_used(self, run, tmp_path, vgg_file):
        style = run()
        loaded = Style.load(tmp_path / "new.safetensors")
        assert loaded.digest == style.digest
        assert (loaded.name, loaded.title) == ("new", "Waves, after A. Painter")
        assert (loaded.painting, loaded.spec) == (ABOUT, SPEC)
        painted = Stylizer(loaded, device="cpu")(torch.rand(1, 3, 20, 30))
        assert painted.isfinite().all()

        assert loaded.figures.keys() == {
            *("style_loss", "content_loss", "e_temporal", "e_temporal_source")
        }
        assert all(math.isfinite(value) and value > 0 for value in loaded.figures.values())
        settings = json.loads(json.dumps(dataclasses.asdict(QUICK)))
        assert loaded.training["settings"] == settings
        assert loaded.training["command"] == "housestyle train …"
        assert loaded.training["loss_network_sha256"] == LossNetwork(vgg_file).digest
        assert loaded.training["footage"] == loaded.training["held_out"] == ["pan.mkv"]
        assert loaded.training["steps"] == 3
        assert loaded.training["torch"] == torch.__version__
        assert loaded.training["device"] == "cpu"

    def test_same_seed_gives_the_same_weights(self, run):
        first = run()
        assert run("again.safetensors").digest == first.digest
        assert run("other.safetensors", seed=1).digest != first.digest

    def test_weights_have_moved(self, run):
        torch.manual_seed(QUICK.seed)
        start = StylizingNetwork(SPEC).state_dict()
        for name, weight in run().weights.items():
            if not name.endswith("conv.bias"):  # instance normalisation takes these away
                assert (weight - start[name]).abs().max() > 1e-4

    def test_checkpoints_are_whole_styles(self, run, tmp_path, monkeypatch):
        saved: list[int] = []
        save = Style.save

        def watched(style: Style, path: Path) -> None:
            save(style, path)
            saved.append(Style.load(path).training["steps"])

        monkeypatch.setattr(Style, "save", watched)
        run(iterations=5, checkpoint_every=2)
        assert saved == [2, 4, 5]
        assert [path.name for path in tmp_path.glob("*.safetensors*")] == ["new.safetensors"]

    def test_loss_that_is_not_finite_stops_the_run(self, run, tmp_path):
        with pytest.raises(TrainingError, match="no longer finite at step 0") as caught:
            run(weights=LossWeights(style=math.inf))
        assert "lower the learning rate" in str(caught.value)
        assert not (tmp_path / "new.safetensors").exists()

    def test_last_checkpoint_stays_when_the_loss_runs_away(self, run, tmp_path):
        with pytest.raises(TrainingError, match="no longer finite at step 1"):
            run(learning_rate=1e30, checkpoint_every=1)
        assert Style.load(tmp_path / "new.safetensors").training["steps"] == 1

    def test_crop_larger_than_the_footage(self, run):
        with pytest.raises(TrainingError, match="smaller than the crop of 96"):
            run(crop=96)

    def test_output_that_can_t_be_written(self, run, tmp_path):
        (tmp_path / "folder.safetensors").mkdir()
        with pytest.raises(StyleError, match="can't be written"):
            run("folder.safetensors")

    def test_loss_network_that_is_missing(self, painting, footage_folder, tmp_path):
        with pytest.raises(TrainingError, match="no VGG-19 weights here"):
            train(
                painting,
                footage_folder,
                name="new",
                about=ABOUT,
                settings=QUICK,
                output=tmp_path / "new.safetensors",
            )


class TestSteps:
    def test_loss_falls(self, footage_folder, painting, vgg_file):
        settings = dataclasses.replace(QUICK, iterations=25, learning_rate=1e-2)
        loss_network = LossNetwork(vgg_file)
        sampler = PairSampler(load_footage(footage_folder), crop=64, seed=0)
        loss_network.rescale(sampler.draw().frames for _ in range(2))
        grams = style_targets(loss_network, load_painting(painting, 64))
        torch.manual_seed(0)
        network = StylizingNetwork(SPEC)
        steps = _steps(network, loss_network, sampler, grams, settings)
        totals = [loss.total(settings.weights).item() for loss in steps]
        assert len(totals) == 25
        assert np.mean(totals[-5:]) < 0.7 * np.mean(totals[:5])


class TestSettings:
    def test_temporal_weight_rises_from_nothing(self):
        settings = TrainingSettings(iterations=100, temporal_ramp=0.5)
        weights = settings.weights
        ramp = [settings.weights_at(step).temporal / weights.temporal for step in (0, 25, 50, 99)]
        assert ramp == pytest.approx([0, 0.5, 1, 1])
        assert dataclasses.replace(settings.weights_at(7), temporal=weights.temporal) == weights

    @pytest.mark.parametrize("step", [0, 1])
    def test_without_a_ramp(self, step):
        settings = TrainingSettings(iterations=100, temporal_ramp=0.0)
        assert settings.weights_at(1) == settings.weights
        assert settings.weights_at(step).temporal in (0, settings.weights.temporal)

    def test_learning_rate_falls_to_a_twentieth(self):
        settings = TrainingSettings(iterations=100, learning_rate=1.0)
        rates = [settings.learning_rate_at(step) for step in range(101)]
        assert rates[0] == 1
        assert rates[50] == pytest.approx(0.525)
        assert rates[100] == pytest.approx(0.05)
        assert rates == sorted(rates, reverse=True)


def some_clips(count: int) -> list[Footage]:
    return [Footage(Path(f"{index}.mp4"), np.zeros(1, "V1"), {}) for index in range(count)]


class TestSplit:
    @pytest.mark.parametrize(
        ("count", "held_out"), [(2, [1]), (9, [8]), (10, [9]), (20, [9, 19]), (25, [9, 19])]
    )
    def test_every_tenth_is_kept_back(self, count, held_out):
        footage = some_clips(count)
        rest, held = split(footage)
        assert [footage.index(clip) for clip in held] == held_out
        assert [footage.index(clip) for clip in rest] == [
            index for index in range(count) if index not in held_out
        ]

    def test_the_only_clip_serves_as_both(self):
        footage = some_clips(1)
        assert split(footage) == (footage, footage)


class TestPainting:
    def test_is_scaled_by_its_shorter_side(self, painting):
        picture = load_painting(painting, 64)
        assert picture.shape == (1, 3, 64, 82)
        assert picture.dtype == torch.float32
        assert 0 <= picture.min() < picture.max() <= 1

    def test_pixels_in_order_of_rgb(self, tmp_path):
        Image.new("RGB", (64, 80), (255, 102, 0)).save(tmp_path / "p.png")
        picture = load_painting(tmp_path / "p.png", 64)
        expected = torch.tensor([1, 0.4, 0]).view(1, 3, 1, 1).expand_as(picture)
        torch.testing.assert_close(picture, expected)

    def test_grey_one(self, tmp_path):
        Image.new("L", (64, 64), 51).save(tmp_path / "p.png")
        picture = load_painting(tmp_path / "p.png", 64)
        torch.testing.assert_close(picture, torch.full((1, 3, 64, 64), 0.2))

    def test_grey_one_of_sixteen_bits(self, tmp_path):
        codes = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
        Image.fromarray(codes).save(tmp_path / "p.png")
        picture = load_painting(tmp_path / "p.png", 64)
        expected = torch.from_numpy(codes / 65535).float().expand(1, 3, 64, 64)
        torch.testing.assert_close(picture, expected, atol=0.01, rtol=0)

    def test_is_turned_as_the_camera_says(self, tmp_path):
        upright = np.zeros((64, 96, 3), np.uint8)
        upright[:, :48] = 255  # bright on the left
        picture = Image.fromarray(np.rot90(upright))
        exif = Image.Exif()
        exif[0x0112] = 6  # to be shown a quarter turn clockwise
        picture.save(tmp_path / "p.png", exif=exif)
        turned = load_painting(tmp_path / "p.png", 64)
        assert turned.shape == (1, 3, 64, 96)
        assert turned[..., :40].min() > 0.9
        assert turned[..., 56:].max() < 0.1

    @pytest.mark.parametrize("content", [b"", b"a picture in words\n" * 9])
    def test_unreadable(self, tmp_path, content):
        (tmp_path / "p.png").write_bytes(content)
        with pytest.raises(TrainingError, match="can't be read as a picture") as caught:
            load_painting(tmp_path / "p.png", 64)
        assert caught.value.path == tmp_path / "p.png"

    @pytest.mark.parametrize("suffix", ["png", "jpg"])
    def test_truncated(self, tmp_path, texture, suffix):
        path = tmp_path / f"p.{suffix}"
        Image.fromarray(texture(80, 80)).save(path)
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(TrainingError, match="can't be read as a picture"):
            load_painting(path, 64)

    def test_missing(self, tmp_path):
        with pytest.raises(TrainingError, match="can't be read as a picture"):
            load_painting(tmp_path / "none.png", 64)

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_transparent(self, tmp_path, mode):
        Image.new(mode, (80, 80)).save(tmp_path / "p.png")
        with pytest.raises(TrainingError, match="transparent parts") as caught:
            load_painting(tmp_path / "p.png", 64)
        assert "without alpha" in str(caught.value)

    def test_palette_with_transparency(self, tmp_path):
        Image.new("P", (80, 80)).save(tmp_path / "p.png", transparency=0)
        with pytest.raises(TrainingError, match="transparent parts"):
            load_painting(tmp_path / "p.png", 64)

    @pytest.mark.parametrize(("size", "fits"), [((31, 200), False), ((32, 200), True)])
    def test_too_small(self, tmp_path, size, fits):
        Image.new("RGB", size).save(tmp_path / "p.png")
        if fits:
            assert load_painting(tmp_path / "p.png", 64).shape == (1, 3, 400, 64)
            return
        with pytest.raises(TrainingError, match="too small: 31x200") as caught:
            load_painting(tmp_path / "p.png", 64)
        assert "64 pixels" in str(caught.value)


def test_missing_pillow_is_named_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(TrainingError, match="needs Pillow") as caught:
        load_painting(tmp_path / "p.png", 64)
    assert "housestyle[train]" in str(caught.value)
