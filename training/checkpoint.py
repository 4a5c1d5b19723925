"""Checkpoint: the state of a run between two steps, as one safetensors file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from ..core.atomic import atomic_write
from ..core.errors import TrainingError

FORMAT_VERSION = "1"


@dataclass(frozen=True)
class Checkpoint:
    """State from which a run resumes with the same result as without the interruption.

    What a step draws depends on the seed and the step's number alone, so there is no random state.

    Attributes:
        run: All that the run depends on, as JSON values; a run may only be resumed with the same.
        step: Steps done.
        seconds: Time spent on them.
        network: The stylizing network's state, float32.
        optimizer: the optimizer's moments and step counts, "<parameter's index>.<name>" to tensor.
        history: (step, 8) float32: the parts of `HybridLoss` and their weighted sum.
    """

    run: dict[str, Any]
    step: int
    seconds: float
    network: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    history: Tensor

    def save(self, path: Path) -> None:
        """Write the checkpoint; the file appears only when it is complete.

        Raises:
            TrainingError: It can't be written; an older file stays.
        """
        tensors = {f"network.{name}": tensor for name, tensor in self.network.items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in self.optimizer.items()}
        tensors["history"] = self.history
        about = {"run": self.run, "step": self.step, "seconds": self.seconds}
        metadata = {"brushreel_checkpoint": FORMAT_VERSION, "about": json.dumps(about)}
        content = save_tensors(
            {name: t.cpu().contiguous() for name, t in tensors.items()}, metadata
        )
        try:
            with atomic_write(path) as file:
                file.write(content)
        except OSError as error:
            raise TrainingError.because(
                error, "the checkpoint can't be written", path=path
            ) from error

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            TrainingError: It is missing, damaged, or of another version.
        """
        if not path.is_file():
            raise TrainingError("no run to resume", path=path)
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise TrainingError.because(error, "the checkpoint can't be read", path=path) from error
        if metadata.get("brushreel_checkpoint") != FORMAT_VERSION:
            raise TrainingError("is not a checkpoint of this version", path=path)
        try:
            return cls(
                **json.loads(metadata["about"]),
                network=_part(tensors, "network."),
                optimizer=_part(tensors, "optimizer."),
                history=tensors["history"],
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise TrainingError("the checkpoint is damaged", path=path) from error

    def check(self, run: dict[str, Any], path: Path) -> None:
        """Check that the checkpoint belongs to this run.

        Raises:
            TrainingError: It does not; the message names what differs.
        """
        mine, other = _flat(self.run), _flat(run)
        if wrong := sorted(
            name for name in mine.keys() | other.keys() if mine.get(name) != other.get(name)
        ):
            raise TrainingError(
                f"the run to resume differs in {', '.join(wrong)}",
                path=path,
                hint="repeat its command, or start again with --overwrite",
            )


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return an optimizer's state, "<parameter's index>.<name>" to tensor."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": t for index, parts in state.items() for name, t in parts.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Tensor]) -> None:
    """Restore a state that `optimizer_state` returned."""
    parts: dict[int, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        index, _, name = key.partition(".")
        parts.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": parts})


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Flatten nested dictionaries, names joined by dots."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[before + name] = value
    return flat
