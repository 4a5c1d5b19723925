"""The training run, top to bottom: a painting and footage in, a style out."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from ..core.errors import TrainingError
from ..core.network import StylizingNetwork
from ..core.style import Painting, Style, weights_digest
from .checkpoint import Checkpoint, adam_state, restore_adam
from .disturbance import Example, disturbed
from .evaluate import held_out_figures
from .footage import Footage, footage_report, survey_footage, usable_footage
from .loss_network import LossNetwork
from .losses import HybridLoss, hybrid_loss, style_targets
from .recipe import TrainingSettings
from .sampler import PairSampler

CALIBRATION_PAIRS = 16
# Every tenth clip is kept back to measure on, as the paper keeps 9 of 91.
HELD_OUT_EVERY = 10
WATCHED = 20
# The temporal weight rises during a run, and the loss with it; a run that diverges goes far beyond.
EXPLODED = 50


@dataclass(frozen=True)
class Material:
    """What a run is made from.

    Attributes:
        painting: Picture file.
        about: Its provenance.
        clips: Folder of footage, searched recursively.
        loss_weights: The loss network's, safetensors.
        parent: The style to start from, instead of random weights.
    """

    painting: Path
    about: Painting
    clips: Path
    loss_weights: Path
    parent: Style | None = None


def train(
    material: Material,
    settings: TrainingSettings,
    *,
    name: str,
    output: Path,
    folder: Path,
    command: str = "",
    device: torch.device | str = "cpu",
    resume: bool = False,
    checkpoint_minutes: float = 5.0,
) -> Style:
    """Train a style and save it.

    Started by torchrun, every process trains on pairs of its own and the gradients are averaged.

    Args:
        material: Painting, footage, loss network, parent.
        settings: The recipe; a parent's network takes the place of the recipe's.
        name: Name of the style.
        output: The style file to write, at the end.
        folder: Where the run keeps its checkpoint and its report.
        command: How the run was started, kept as provenance.
        device: Where to train.
        resume: Go on from the checkpoint in `folder`, to the same result.
        checkpoint_minutes: Between checkpoints; an interrupted run leaves one too.

    Raises:
        TrainingError: Painting, footage, loss network or checkpoint can't be used, or the run
            diverges (the last checkpoint stays).
        StyleError: The style file can't be written.
    """
    run = Run(material, settings, torch.device(device))
    checkpoint = folder / "checkpoint.safetensors"
    if resume:
        run.restore(Checkpoint.load(checkpoint), checkpoint)
    elif run.first:
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint.unlink(missing_ok=True)
    saved = time.monotonic()
    try:
        for _ in run.steps(name):
            if time.monotonic() - saved > checkpoint_minutes * 60:
                run.save(checkpoint)
                saved = time.monotonic()
    except KeyboardInterrupt:
        run.save(checkpoint)
        raise
    run.save(checkpoint)
    style = run.style(name, command)
    if run.first:
        style.save(output)
    return style


class Run:
    """A training run between two steps.

    Attributes:
        step: Steps done.
        history: Their losses, (6,) each: the parts of `HybridLoss` and the weighted sum.
        first: Whether this process is the one that writes files.
        report: What was used of the footage.
        held_out: Footage to measure on.
    """

    def __init__(self, material: Material, settings: TrainingSettings, device: torch.device):
        self.rank, self.world = _join_processes(device)
        self.first = self.rank == 0
        self.device = _device_of_rank(device)
        self.settings = settings
        self.material = material
        self.step = 0
        self.seconds = 0.0
        self.history: list[Tensor] = []

        picture = load_painting(material.painting, settings.style_size).to(self.device)
        self.loss_network = LossNetwork(material.loss_weights).to(self.device)
        footage, self.held_out, self.report = self._footage()
        self.clip_names = [clip.path.name for clip in footage]
        self.sampler = PairSampler(footage, crop=settings.crop, longest_gap=settings.longest_gap)
        random = np.random.default_rng(settings.seed)
        self.loss_network.rescale(
            self.sampler.draw(random).frames.to(self.device) for _ in range(CALIBRATION_PAIRS)
        )
        self.loss_network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.grams = style_targets(self.loss_network, picture)

        torch.manual_seed(settings.seed)
        self.network = StylizingNetwork(settings.network)
        if material.parent:
            self.network.load_state_dict(dict(material.parent.weights))
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.family = material.parent.family if material.parent else self._birth()
        self.optimizer = torch.optim.Adam(self.network.parameters())

    def steps(self, title: str) -> Iterator[int]:
        """Train on to the last step; yields the number of steps done after each.

        Raises:
            TrainingError: The loss is not finite or explodes.
        """
        network = self._for_training()
        total = self.settings.iterations
        with (
            ThreadPoolExecutor(1) as ahead,
            tqdm(
                total=total,
                initial=self.step,
                desc=title,
                unit="step",
                dynamic_ncols=True,
                disable=not self.first,
            ) as bar,
        ):
            upcoming = ahead.submit(self.example, self.step)
            while self.step < total:
                started = time.monotonic()
                example = upcoming.result()
                upcoming = ahead.submit(self.example, self.step + 1)
                loss, weighted = self._step(network, example)
                self.history.append(torch.stack((*vars(loss).values(), weighted)).detach())
                self.step += 1
                self.seconds += time.monotonic() - started
                bar.update()
                if self.step % WATCHED == 0:
                    bar.set_postfix(self._watch())
                yield self.step

    def example(self, step: int) -> Example:
        """What a step trains on; depends on seed, process and step alone."""
        random = np.random.default_rng((self.settings.seed, self.rank, step))
        pairs = [self.sampler.draw(random) for _ in range(self.settings.batch)]
        return disturbed(pairs, self.settings.disturbances, random)

    def _step(self, network: nn.Module, example: Example) -> tuple[HybridLoss, Tensor]:
        example = example.to(self.device)
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"
        ):
            stylized = network(example.seen)
            loss = hybrid_loss(self.loss_network, example, stylized, self.grams)
        weighted = loss.total(self.settings.weights_at(self.step))
        self.optimizer.param_groups[0]["lr"] = self.settings.learning_rate_at(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        weighted.backward()
        self.optimizer.step()
        return loss, weighted

    def _for_training(self) -> nn.Module:
        network: nn.Module = self.network
        if self.device.type == "cuda":
            network = torch.compile(network)  # type: ignore[assignment]
            self.loss_network.compile()
        return DistributedDataParallel(network) if self.world > 1 else network

    def _watch(self) -> dict[str, str]:
        """Means of the latest steps.

        Raises:
            TrainingError: They are not finite, or far above those of the first steps.
        """
        *parts, weighted = torch.stack(self.history[-WATCHED:]).mean(0).tolist()
        start = fmean(row[-1].item() for row in self.history[:WATCHED])
        if not weighted < EXPLODED * start:
            raise TrainingError(
                f"the loss runs away at step {self.step}; the last checkpoint stays",
                hint="lower the learning rate or the temporal weight",
            )
        names = [field.name for field in fields(HybridLoss)]
        return {name: f"{value:.4g}" for name, value in zip(names, parts, strict=True)}

    def save(self, path: Path) -> None:
        """Write a checkpoint; only the first process does."""
        if self.history:
            self._watch()
        if self.first:
            history = torch.stack(self.history) if self.history else torch.zeros(0, 6)
            state = self.network.state_dict()
            optimizer = adam_state(self.optimizer)
            run = self.identity()
            Checkpoint(run, self.step, self.seconds, state, optimizer, history).save(path)

    def restore(self, checkpoint: Checkpoint, path: Path) -> None:
        """Go back to where a checkpoint was written.

        Raises:
            TrainingError: It is of another run.
        """
        checkpoint.check(self.identity(), path)
        self.network.load_state_dict(checkpoint.network)
        restore_adam(self.optimizer, checkpoint.optimizer)
        self.history = list(checkpoint.history.to(self.device))
        self.step, self.seconds = checkpoint.step, checkpoint.seconds

    def identity(self) -> dict[str, Any]:
        """All that the result depends on, as JSON values."""
        return {
            "settings": self.settings.to_json(),
            "painting_sha256": hashlib.sha256(self.material.painting.read_bytes()).hexdigest(),
            "loss_network_sha256": self.loss_network.digest,
            "footage": self.clip_names,
            "held_out": [clip.path.name for clip in self.held_out],
            "family": self.family,
            "parent": _ancestor(self.material.parent),
            "processes": self.world,
        }

    def style(self, name: str, command: str) -> Style:
        """The style as trained so far, measured on the footage that was kept back."""
        network = StylizingNetwork(self.settings.network).to(self.device)
        network.load_state_dict(self.network.state_dict())
        figures = held_out_figures(network, self.loss_network, self.grams, self.held_out)
        about = self.material.about
        provenance = self.identity() | {
            "command": command,
            "steps": self.step,
            "seconds": round(self.seconds),
            "torch": torch.__version__,
            "device": str(self.device),
        }
        weights = {key: value.detach().cpu() for key, value in self.network.state_dict().items()}
        title = f"{about.title}, after {about.artist}"
        return Style(name, title, about, self.settings.network, weights, provenance, figures)

    def _footage(self) -> tuple[list[Footage], list[Footage], str]:
        # The first process fills the cache that the others read.
        if not self.first:
            distributed.barrier()
        found = survey_footage(self.material.clips, least_side=self.settings.crop)
        if self.first and self.world > 1:
            distributed.barrier()
        return *split(usable_footage(found, self.material.clips)), footage_report(found)

    def _birth(self) -> str:
        # Two paintings can start from the same random weights and still not be mixed.
        weights = {key: value.cpu() for key, value in self.network.state_dict().items()}
        return weights_digest(weights, about=self.material.painting.name)


def _ancestor(parent: Style | None) -> dict[str, str] | None:
    return {"name": parent.name, "digest": parent.digest} if parent else None


def _join_processes(device: torch.device) -> tuple[int, int]:
    """Rank and number of processes, as torchrun says."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return rank, world


def _device_of_rank(device: torch.device) -> torch.device:
    if device.type != "cuda" or device.index is not None:
        return device
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def split(footage: list[Footage]) -> tuple[list[Footage], list[Footage]]:
    """Footage to train on, and every tenth clip to measure on (the only clip serves as both)."""
    held_out = footage[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY] or footage[-1:]
    rest = [clip for clip in footage if clip not in held_out]
    return rest or footage, held_out


def load_painting(path: Path, size: int) -> Tensor:
    """The painting as (1, 3, H, W) float32 RGB in [0, 1], its shorter side scaled to `size`.

    Raises:
        TrainingError: It can't be read, has transparency, or is too small.
    """
    try:
        from PIL import Image, ImageOps  # noqa: PLC0415  an extra: only training needs it
    except ImportError as error:
        raise TrainingError(
            "reading paintings needs Pillow", hint="pip install 'housestyle[train]'"
        ) from error
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)
            picture.load()
    except (OSError, Image.DecompressionBombError) as error:
        raise TrainingError(f"can't be read as a picture: {error}", path=path) from error
    if picture.has_transparency_data:
        raise TrainingError(
            "the painting has transparent parts", path=path, hint="save it without alpha"
        )
    if min(picture.size) < size / 2:
        raise TrainingError(
            f"the painting is too small: {picture.width}x{picture.height}",
            path=path,
            hint=f"its shorter side should have {size} pixels",
        )
    scale = size / min(picture.size)
    shape = (round(picture.width * scale), round(picture.height * scale))
    if picture.mode.startswith("I"):
        # Pillow clips 16 bit grey to 8 bit instead of scaling it.
        picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    pixels = np.asarray(picture.convert("RGB").resize(shape, Image.Resampling.LANCZOS))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
