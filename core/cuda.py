"""Copies to and from NVIDIA GPUs that run beside the arithmetic instead of stopping it.

Frames in work at the same time have a thread each. With a stream for every thread and page-locked
memory, one frame is uploaded and another downloaded while a third is painted. On other devices
nothing here does anything special.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

_of_thread = threading.local()


def own_stream(device: torch.device) -> AbstractContextManager[object]:
    """What is queued inside goes to a stream of the calling thread; nothing waits for its end."""
    if device.type != "cuda":
        return nullcontext()
    streams = _of_thread.__dict__.setdefault("streams", {})
    if device not in streams:
        streams[device] = torch.cuda.Stream(device)
    return torch.cuda.stream(streams[device])


def upload(values: Tensor, device: torch.device | str) -> Tensor:
    """Values of the CPU on a device."""
    if torch.device(device).type != "cuda":
        return values.to(device)
    # The allocator keeps the page-locked copy until the stream has read it.
    return values.pin_memory().to(device, non_blocking=True)


def download(values: Sequence[Tensor]) -> list[Tensor]:
    """Values of one device on the CPU; on CUDA one wait for all of them, on their stream alone."""
    if not values or not values[0].is_cuda:
        return [tensor.cpu() for tensor in values]
    # PyTorch takes page-locked memory for them.
    copies = [tensor.to("cpu", non_blocking=True) for tensor in values]
    torch.cuda.current_stream(values[0].device).synchronize()
    return copies
