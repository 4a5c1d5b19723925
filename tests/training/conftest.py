from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from brushreel.core.network import NetworkSpec
from brushreel.core.style import Painting, Style
from brushreel.training import run as training_run
from brushreel.training import trainer
from brushreel.training.checkpoint import Checkpoint
from brushreel.training.data import extraction
from brushreel.training.data.disturbance import Disturbances
from brushreel.training.loss_network import LAYERS
from brushreel.training.recipe import HOUSE, TrainingSettings
from brushreel.training.reporting.ndjson import TrainingEvents
from brushreel.training.run import Material
from brushreel.training.trainer import train


@pytest.fixture(scope="session")
def vgg_tensors() -> dict[str, torch.Tensor]:
    """Random weights of VGG-19's names and shapes, scaled so that activations stay in bounds."""
    generator = torch.Generator().manual_seed(1)
    tensors, channels = {}, 3
    for layer in filter(None, LAYERS):
        index, _, width = layer
        gain = (2 / (9 * channels)) ** 0.5
        weight = torch.randn(width, channels, 3, 3, generator=generator) * gain
        tensors[f"features.{index}.weight"] = weight
        tensors[f"features.{index}.bias"] = torch.randn(width, generator=generator) * 0.1
        channels = width
    return tensors


@pytest.fixture(scope="session")
def vgg_file(vgg_tensors, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg.safetensors"
    save_file(vgg_tensors, path)
    return path


def make_texture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Make an image with detail at several scales: (H, W, 3) uint8."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for step in (4, 8, 16):
        coarse = random.integers(0, 256, (height // step + 2, width // step + 2, 3), np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(image)
    return (total / 3).astype(np.uint8)


@pytest.fixture(scope="session")
def texture() -> Callable[..., NDArray[np.uint8]]:
    return make_texture


@pytest.fixture(scope="session")
def write_footage() -> Callable[..., Path]:
    """Writes images as a clip of 25 frames a second, without loss unless told otherwise."""

    def write(
        path: Path, images: list[NDArray[np.uint8]], codec: str = "ffv1", name: str = "bgr0"
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt = name
            for image in images:
                frame = av.VideoFrame.from_ndarray(image, "rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture(scope="session")
def pan(texture) -> Callable[..., list[NDArray[np.uint8]]]:
    """Images of a still world under a camera that moves `step` pixels to the left a frame."""

    def pan(count: int, height: int, width: int, *, step: int = 2, seed: int = 0):
        world = texture(height, width + step * count, seed)
        starts = [step * (count - 1 - index) for index in range(count)]
        return [np.ascontiguousarray(world[:, start : start + width]) for start in starts]

    return pan


@pytest.fixture
def painting(tmp_path, texture) -> Path:
    Image.fromarray(texture(70, 90, 3)).save(tmp_path / "painting.png")
    return tmp_path / "painting.png"


@pytest.fixture
def footage_folder(tmp_path, pan, write_footage, monkeypatch) -> Path:
    """A clip of 112 x 80 pixels, to be quick."""
    monkeypatch.setattr(extraction, "LONG_SIDE", 112)
    monkeypatch.setattr(training_run, "CALIBRATION_PAIRS", 2)
    write_footage(tmp_path / "clips" / "pan.mkv", pan(5, 80, 112))
    return tmp_path / "clips"


@pytest.fixture
def material(painting, footage_folder, vgg_file) -> Material:
    about = Painting("Waves", "A. Painter", "1831", "public domain")
    return Material(painting, about, footage_folder, vgg_file)


@pytest.fixture(scope="session")
def quick() -> TrainingSettings:
    """Three steps of a tiny network; every kind of disturbance comes up within a few."""
    return replace(
        HOUSE,
        iterations=3,
        crop=32,
        style_size=64,
        network=NetworkSpec(channels=(4, 6, 8), residual_blocks=1),
        precision="fp32",
        disturbances=Disturbances(noise=4, compression=0.3, overlays=0.3, synthetic=0.3),
    )


@pytest.fixture
def run(material, quick, tmp_path) -> Callable[..., Style]:
    """Trains with the settings of a quick run, changed, in a folder of that name."""

    def run(
        folder: str = "run",
        *,
        resume: bool = False,
        minutes: float | None = None,
        checkpoint_minutes: float = 5.0,
        parent: Style | None = None,
        painting: Path = material.painting,
        events: TrainingEvents | None = None,
        **changes,
    ) -> Style:
        return train(
            replace(material, parent=parent, painting=painting),
            replace(quick, **changes),
            name="new",
            output=tmp_path / folder / "new.safetensors",
            folder=tmp_path / folder,
            command="brushreel train …",
            resume=resume,
            minutes=minutes,
            checkpoint_minutes=checkpoint_minutes,
            events=events,
        )

    return run


@pytest.fixture
def unmeasured(monkeypatch) -> None:
    """Leaves out what follows the last step, to be quick."""
    monkeypatch.setattr(training_run, "held_out_figures", lambda *_: {})
    monkeypatch.setattr(trainer, "write_report", lambda *_: None)


@pytest.fixture
def saved(monkeypatch) -> dict[int, Checkpoint]:
    """Checkpoints as they were written, by step."""
    saved: dict[int, Checkpoint] = {}
    save = Checkpoint.save

    def kept(checkpoint: Checkpoint, path: Path) -> None:
        save(checkpoint, path)
        saved[checkpoint.step] = Checkpoint.load(path)

    monkeypatch.setattr(Checkpoint, "save", kept)
    return saved
