"""Processes of a run, as torchrun starts them: one for each device; without it, one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from ..core.errors import TrainingError

# While the first process extracts footage the others wait.
LONGEST_WAIT = timedelta(days=1)
# In a step, for a machine that went without closing its connections.
LONGEST_STEP = timedelta(minutes=10)


@dataclass(frozen=True)
class Processes:
    """This process among those of a run.

    Attributes:
        rank: Its number, from 0.
        count: Number of processes.
        device: Device it trains on.
        patient: A group in which they wait for long; None if it is the only process.
    """

    rank: int
    count: int
    device: torch.device
    patient: distributed.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """True for the one that writes files."""
        return self.rank == 0

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Suspend the other processes until the first has left."""
        if not self.first:
            distributed.barrier(self.patient)
        yield
        if self.first and self.count > 1:
            distributed.barrier(self.patient)

    def any_of_them(self, mine: bool) -> bool:
        """Return whether it is true in any process; all must call this, and get the same answer."""
        if self.count == 1:
            return mine
        asked = torch.tensor(mine, dtype=torch.int32, device=self.device)
        distributed.all_reduce(asked, distributed.ReduceOp.MAX)
        return bool(asked)

    def slowest(self, seconds: float) -> float:
        """Return the longest time of all processes; all must call this, and get the same answer."""
        if self.count == 1:
            return seconds
        longest = torch.tensor(seconds, dtype=torch.float64, device=self.device)
        distributed.all_reduce(longest, distributed.ReduceOp.MAX)
        return float(longest)


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Meet the other processes of the run, if torchrun started several.

    Args:
        device: A kind ("cuda": each process takes the GPU of its number) or one device.

    Raises:
        TrainingError: Another process is gone.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(0, 1, device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
        distributed.init_process_group("nccl", device_id=device, timeout=LONGEST_STEP)
    else:
        distributed.init_process_group("gloo", timeout=LONGEST_STEP)
    patient = distributed.new_group(timeout=LONGEST_WAIT, backend="gloo")
    assert not isinstance(patient, int)  # a number says that this process is not in it
    try:
        yield Processes(distributed.get_rank(), count, device, patient)
    except RuntimeError as error:
        if not _is_of_another_process(error):
            raise
        raise TrainingError(
            "another process of this run is gone; the last checkpoint is kept",
            hint="start all of them again with the same commands and --resume",
        ) from error
    finally:
        distributed.destroy_process_group()


def _is_of_another_process(error: RuntimeError) -> bool:
    # Gloo's have no class of their own.
    return isinstance(error, distributed.DistError) or "gloo" in str(error)
