"""A training run between two steps: its inputs, a step, saving and restoring."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..core.errors import TrainingError
from ..core.moving import moving
from ..core.network import NetworkSpec, StylizingNetwork
from ..core.style import Painting, Style, weights_digest
from ..core.stylizer import Stylizer
from .checkpoint import Checkpoint, optimizer_state, restore_optimizer
from .compilation import compiled
from .data.disturbance import Example, disturbed
from .data.extraction import consecutive_frames
from .data.footage import Footage, footage_report, not_footage, survey_footage, usable_footage
from .data.painting import load_painting
from .data.sampler import PairSampler
from .data.stills import IMAGE_SUFFIXES
from .evaluation.evaluate import held_out_figures
from .fast_loss_network import FastLossNetwork
from .gain_bound import EPSILON, bound_gain, set_epsilon
from .loss_network import STYLE_LAYERS, LossNetwork
from .losses import HybridLoss, hybrid_loss, style_losses, style_targets
from .palette import Hues, Palette
from .processes import Processes
from .recipe import OPTIMIZERS, TrainingSettings

CALIBRATION_PAIRS, GAIN_PAIRS = 64, 32
# Steps that tell how long one takes.
TRIED = 8
# Every tenth clip is held out to measure on; the paper holds out 9 of 91.
HELD_OUT_EVERY, MOST_HELD_OUT = 10, 10
# Examples that are prepared during a step, each by a thread; one takes a CPU a few milliseconds.
AHEAD = {"cpu": 1, "cuda": 4}
WATCHED = 20
# A network that diverges returns one colour: content and style loss far above those of the start.
EXPLODED = 15


@dataclass(frozen=True)
class Material:
    """Inputs of a run.

    Attributes:
        painting: Image file.
        about: Its provenance.
        clips: Folder of footage, searched recursively.
        loss_weights: Weights of the loss network, safetensors.
        parent: The style to start from, instead of random weights.
    """

    painting: Path
    about: Painting
    clips: Path
    loss_weights: Path
    parent: Style | None = None


class Run:
    """A training run between two steps.

    Args:
        material: Painting, footage, loss network, parent.
        settings: The recipe; a parent's network takes the place of the recipe's, but for the
            epsilon where normalisation's gain is bounded.
        processes: This process among those of the run.

    Attributes:
        step: Steps done.
        history: Losses of each step, (8,) each: the parts of `HybridLoss` and the weighted sum.
        report: The footage report.
        painting: As it is trained on, (1, 3, H, W) RGB in [0, 1].
        held_out: Footage to measure on.

    Raises:
        TrainingError: Painting, footage or loss network can't be used.
    """

    def __init__(self, material: Material, settings: TrainingSettings, processes: Processes):
        if material.parent:
            settings = replace(settings, network=_shape_of_a_child(material.parent.spec, settings))
        self.material = material
        self.settings = settings
        self.processes = processes
        self.device = processes.device
        self.step = 0
        self.seconds = 0.0
        self.history: list[Tensor] = []

        # Refused, if they can't be used, before footage is decoded.
        self.painting = load_painting(material.painting, settings.style_size).to(self.device)
        self.painting_sha256 = hashlib.sha256(material.painting.read_bytes()).hexdigest()
        self.loss_network = LossNetwork(material.loss_weights).to(self.device)

        self.report, footage, self.held_out = self._find_footage()
        # Noted now: files may be gone when a checkpoint is written.
        self._names = [_names(clips, material.clips) for clips in (footage, self.held_out)]
        self.sampler = PairSampler(footage, crop=settings.crop, longest_gap=settings.longest_gap)

        with moving("calibrating the losses"):
            calibration = self._calibration(CALIBRATION_PAIRS)
            # The two frames of a pair are nearly the same.
            self.grams, self.style_units = self._calibrate_losses(
                self.painting, [frames[:1] for frames in calibration]
            )
        self.shares = style_shares(self.style_units, settings)
        self.palette = Palette(self.painting)
        self.hues = Hues(self.painting, calibration)
        self.network, self.family = self._initial_network(calibration[:GAIN_PAIRS])
        self.optimizer = self._new_optimizer()

    def _find_footage(self) -> tuple[str, list[Footage], list[Footage]]:
        """Return the footage report, what to train on and what is held out."""
        folder = self.material.clips
        with self.processes.first_alone():  # fills the cache that the others read
            found = survey_footage(folder, least_side=self.settings.crop)
        return footage_report(found, not_footage(folder, found)), *split(
            usable_footage(found, folder)
        )

    def _calibrate_losses(
        self, painting: Tensor, frames: list[Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Rescale the loss network; return the painting's Gram matrices and the style's units."""
        with self._autocast():
            self.loss_network.rescale(frames)
        self.loss_network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        grams = style_targets(self.loss_network, painting)
        with self._autocast():
            return grams, self._styles_of(frames, grams)

    def _initial_network(self, frames: list[Tensor]) -> tuple[StylizingNetwork, str]:
        """Return the network before the first step, and its family.

        Its weights are the parent's, or random ones that the seed decides.
        """
        parent = self.material.parent
        torch.manual_seed(self.settings.seed)
        network = StylizingNetwork(self.settings.network)
        if parent:
            network.load_state_dict(self._inherited(parent, frames).state_dict())
        # Two paintings can start from the same random weights and still not be mixed.
        birth = weights_digest(network.state_dict(), about=self.painting_sha256)
        network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network, parent.family if parent else birth

    def _inherited(self, parent: Style, frames: list[Tensor]) -> StylizingNetwork:
        """Return the parent's network with this run's epsilon."""
        network = parent.network().to(self.device)
        if parent.spec != self.settings.network:
            set_epsilon(network, self.settings.network.norm_epsilon, frames)
        return network

    def _new_optimizer(self) -> torch.optim.Optimizer:
        return OPTIMIZERS[self.settings.optimizer](self.network.parameters())

    def fit(self, minutes: float) -> None:
        """Set the number of steps to what takes so many minutes; before the first step.

        A few steps are tried and forgotten.
        """
        before = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.settings = replace(self.settings, iterations=TRIED + 1)
        trial = self.steps()
        for step in range(TRIED):
            next(trial)
            if step == 0:
                self.seconds = 0.0  # the first one is slower
        trial.close()
        took = self.processes.slowest(self.seconds / (TRIED - 1))
        self.network.load_state_dict(before)
        self.optimizer = self._new_optimizer()
        self.step, self.seconds, self.history = 0, 0.0, []
        self.settings = replace(self.settings, iterations=max(1, round(minutes * 60 / took)))

    def steps(self) -> Generator[dict[str, float] | None, None, None]:
        """Train on to the last step.

        Yields:
            None after each step; after every twentieth the means of the parts of the loss.

        Raises:
            TrainingError: Training diverged.
        """
        network, loss_network = self._for_training()
        count = AHEAD.get(self.device.type, 1)
        with ThreadPoolExecutor(count) as threads:
            first = range(self.step, self.step + count)
            upcoming = deque(threads.submit(self._prepared, step) for step in first)
            while self.step < self.settings.iterations:
                started = time.monotonic()
                example = upcoming.popleft().result()
                upcoming.append(threads.submit(self._prepared, self.step + count))
                self._train_on(example, network, loss_network)
                self.step += 1
                self.seconds += time.monotonic() - started
                yield None if self.step % WATCHED else self._watch()

    def example(self, step: int) -> Example:
        """Prepare the example of a step; depends on seed, process and step alone."""
        random = np.random.default_rng((self.settings.seed, self.processes.rank, step))
        pairs = [self.sampler.draw(random) for _ in range(self.settings.batch)]
        return disturbed(pairs, self.settings.disturbances, random)

    def _prepared(self, step: int) -> Example:
        example = self.example(step)
        return example.pinned() if self.device.type == "cuda" else example

    def _train_on(self, example: Example, network: nn.Module, loss_network: nn.Module) -> None:
        example = example.to(self.device)
        with self._autocast():
            stylized = network(example.seen)
            loss = hybrid_loss(
                loss_network,
                example,
                stylized,
                self.grams,
                both_judged=self.settings.both_judged,
                shares=self.shares,
                content=self.settings.content_at(self.step),
                palette=self._palette_distance() if self.settings.weights.palette else None,
                hues=self.hues.distance if self.settings.weights.hues else None,
            )
        weighted = loss.total(self.settings.weights_at(self.step))
        self.optimizer.param_groups[0]["lr"] = self.settings.learning_rate_at(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        weighted.backward()
        self.optimizer.step()
        self.history.append(torch.stack((*vars(loss).values(), weighted)).detach())

    def _autocast(self) -> torch.autocast:
        enabled = self.settings.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def _palette_distance(self) -> Callable[[Tensor, Tensor], Tensor]:
        # Another stream than that of `example`, which may be ahead of this step.
        random = np.random.default_rng((self.settings.seed, self.processes.rank, self.step, 1))
        return partial(self.palette.distance, random=random)

    def _for_training(self) -> tuple[nn.Module, nn.Module]:
        """Return stylizing and loss network for steps: compiled, for frames of one size."""
        network, loss_network = compiled(self.device, self.network, self.loss_network)
        if self.device.type == "cpu" and self.settings.precision == "bf16":
            loss_network = FastLossNetwork(self.loss_network)
        if self.processes.count > 1:
            network = DistributedDataParallel(network)
        return network, loss_network

    def _watch(self) -> dict[str, float]:
        """Return the means of the parts of the loss over the latest steps.

        Raises:
            TrainingError: Losses or weights are not finite, or content and style loss are far above
                those of the first steps.
        """
        first, latest = torch.stack(self.history[:WATCHED]), torch.stack(self.history[-WATCHED:])
        finite = all(weight.isfinite().all() for weight in self.network.parameters())
        highest = EXPLODED * self._painting_part(first).min()
        painting = self._painting_part(latest)
        # A single step may be far above the mean of twenty.
        if not (finite and painting.mean() < highest and painting[-1] < 4 * highest):
            raise TrainingError(
                f"training diverged at step {self.step}; the last checkpoint is kept",
                hint="lower the style or the temporal weight",
            )
        names = [field.name for field in fields(HybridLoss)]
        return dict(zip(names, latest.mean(0).tolist(), strict=False))

    def _painting_part(self, rows: Tensor) -> Tensor:
        # Without the temporal part, whose weight rises.
        weights = self.settings.weights
        return weights.content * rows[:, 0] + weights.style * rows[:, 1]

    def save(self, path: Path) -> None:
        """Write a checkpoint; only the first process does.

        Raises:
            TrainingError: Training diverged, or the file can't be written; an older one is kept.
        """
        self._watch()
        if self.processes.first:
            network, optimizer = self.network.state_dict(), optimizer_state(self.optimizer)
            history = torch.stack(self.history)
            Checkpoint(self.identity(), self.step, self.seconds, network, optimizer, history).save(
                path
            )

    def restore(self, checkpoint: Checkpoint, path: Path) -> None:
        """Restore the state of a checkpoint.

        Raises:
            TrainingError: It is of another run.
        """
        checkpoint.check(self.identity(), path)
        self.network.load_state_dict(checkpoint.network)
        restore_optimizer(self.optimizer, checkpoint.optimizer)
        self.history = list(checkpoint.history.to(self.device))
        self.step, self.seconds = checkpoint.step, checkpoint.seconds

    def identity(self) -> dict[str, Any]:
        """Return all that the result depends on, as JSON values."""
        parent = self.material.parent
        return {
            "settings": self.settings.to_json(),
            "painting_sha256": self.painting_sha256,
            "loss_network_sha256": self.loss_network.digest,
            "footage": self._names[0],
            "held_out": self._names[1],
            "family": self.family,
            "parent": {"name": parent.name, "digest": parent.digest} if parent else None,
            "processes": self.processes.count,
        }

    def style(self, name: str, command: str) -> Style:
        """Return the style as trained so far, measured on the held-out footage."""
        network, spec = self._finished()
        figures = held_out_figures(network, self.loss_network, self.grams, self.held_out)
        about = self.material.about
        provenance = self.identity() | {
            "command": command,
            "style_unit": round(sum(self.style_units.values()), 4),
            "style_units": {name: round(unit, 5) for name, unit in self.style_units.items()},
            "steps": self.step,
            "seconds": round(self.seconds),
            "torch": torch.__version__,
            "device": str(self.device),
        }
        weights = {key: value.detach().cpu() for key, value in network.state_dict().items()}
        title = f"{about.title}, after {about.artist}"
        return Style(name, title, about, spec, weights, provenance, figures)

    def unmeasured_style(self) -> Style:
        """Return the style as trained so far, to be looked at: without figures, gain unbounded."""
        state = self.network.state_dict()
        weights = {key: value.detach().cpu().clone() for key, value in state.items()}
        return Style("so-far", "As trained so far", self.material.about, self.network.spec, weights)

    def stylizer(self, style: Style) -> Stylizer:
        """Return a stylizer of a style of this run, exact, on the device that it is trained on."""
        return Stylizer(style, device=str(self.device), precision="fp32", runtime="torch")

    def held_out_frames(self, most: int = MOST_HELD_OUT) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Yield of held-out clips the name and a frame of the clip's own size, (H, W, 3) RGB."""
        for clip in self.held_out[:most]:
            trained_on = clip.pairs["frames"][len(clip.pairs) // 2, 1]
            yield clip.path.name, next(consecutive_frames(clip.path, 1), trained_on)

    def sheet(self, style: Style) -> list[tuple[str, Tensor, Tensor]]:
        """Return of every held-out clip its name, a frame, and the frame as users see it.

        Args:
            style: It is applied at its own stroke size.

        Returns:
            Frames of a clip's own size, (3, H, W) RGB, uint8.
        """
        stylizer = self.stylizer(style)
        rows = []
        for name, frame in self.held_out_frames():
            both = (torch.from_numpy(codes.copy()) for codes in (frame, stylizer(frame)))
            rows.append((name, *(codes.permute(2, 0, 1) for codes in both)))
        return rows

    def _finished(self) -> tuple[StylizingNetwork, NetworkSpec]:
        """Return a copy of the network as it is written to a style, and its shape."""
        network = StylizingNetwork(self.settings.network).to(self.device)
        network.load_state_dict(self.network.state_dict())
        if not _bounds_gain(self.settings, network.spec):
            return network, network.spec
        bound_gain(network, self._calibration(GAIN_PAIRS))
        return network, replace(network.spec, norm_epsilon=EPSILON)

    def _calibration(self, count: int) -> list[Tensor]:
        random = np.random.default_rng(self.settings.seed)
        pairs = [self.sampler.draw(random) for _ in range(count)]
        return [pair.frames.to(self.device) for pair in pairs]

    @torch.no_grad()
    def _styles_of(self, frames: list[Tensor], grams: dict[str, Tensor]) -> dict[str, float]:
        """Return the mean style loss of untouched frames, layer by layer."""
        batches = [
            {name: loss.item() / len(batch) for name, loss in losses.items()}
            for batch in frames
            for losses in [style_losses(self.loss_network(batch), grams)]
        ]
        return {name: fmean(batch[name] for batch in batches) for name in STYLE_LAYERS}


def style_shares(units: dict[str, float], settings: TrainingSettings) -> dict[str, float]:
    """Return what each layer's style loss is multiplied by.

    Args:
        units: What untouched footage has, layer by layer.
        settings: Whether the whole is relative to that, or each layer, or nothing.
    """
    if settings.layer_weights:
        whole = sum(settings.layer_weights)
        weights = zip(STYLE_LAYERS, settings.layer_weights, strict=True)
        return {name: weight / whole / units[name] for name, weight in weights}
    unit = sum(units.values()) if settings.relative_style else 1.0
    return dict.fromkeys(STYLE_LAYERS, 1 / unit)


def _shape_of_a_child(parent: NetworkSpec, settings: TrainingSettings) -> NetworkSpec:
    if not _bounds_gain(settings, parent):
        return parent
    return replace(parent, norm_epsilon=settings.network.norm_epsilon)


def _bounds_gain(settings: TrainingSettings, shape: NetworkSpec) -> bool:
    # Where everything is normalised, frames differ too much for one epsilon to replace another.
    return settings.settled and shape.normalization == "residual"


def split(footage: list[Footage]) -> tuple[list[Footage], list[Footage]]:
    """Split footage into clips to train on and at most ten held-out clips to measure on.

    Every tenth take or, of more than a hundred, ten of them; the only one serves as both. A take is
    a clip, or images that may be frames of one scene: a folder of them, or a tenth of the only
    folder.
    """
    images = [clip for clip in footage if clip.path.suffix.lower() in IMAGE_SUFFIXES]
    clips = [clip for clip in footage if clip not in images]
    takes = [[clip] for clip in clips] + _takes(images)
    every = max(HELD_OUT_EVERY, len(takes) // MOST_HELD_OUT)
    held_out = [clip for take in takes[every - 1 :: every] or takes[-1:] for clip in take]
    rest = [clip for clip in footage if clip not in held_out]
    return rest or footage, held_out[:: ceil(len(held_out) / MOST_HELD_OUT)]


def _takes(images: list[Footage]) -> list[list[Footage]]:
    folders: defaultdict[Path, list[Footage]] = defaultdict(list)
    for image in images:
        folders[image.path.parent].append(image)
    if len(folders) != 1:
        return list(folders.values())
    tenth = ceil(len(images) / HELD_OUT_EVERY)
    return [images[start : start + tenth] for start in range(0, len(images), tenth)]


def _names(footage: list[Footage], folder: Path) -> list[str]:
    """Name clips with their sizes: files of the same names may have other contents."""
    return [
        f"{clip.path.relative_to(folder).as_posix()}, {clip.path.stat().st_size} bytes, "
        f"{len(clip.pairs)} pairs"
        for clip in footage
    ]
