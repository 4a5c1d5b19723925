"""Copies to and from NVIDIA GPUs that overlap with the arithmetic instead of stopping it.

Frames that are processed at the same time have a thread each. With a stream for every thread and
page-locked memory, one frame is uploaded and another downloaded while a third is stylized. On
other devices these are plain copies.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

_thread_data = threading.local()


def own_stream(device: torch.device) -> AbstractContextManager[object]:
    """Run the `with` block in a stream of the calling thread; nothing waits for its end."""
    if device.type != "cuda":
        return nullcontext()
    streams = _thread_data.__dict__.setdefault("streams", {})
    if device not in streams:
        streams[device] = torch.cuda.Stream(device)
    return torch.cuda.stream(streams[device])


def upload(values: Tensor, device: torch.device | str) -> Tensor:
    """Copy values from the CPU to a device."""
    if torch.device(device).type != "cuda":
        return values.to(device)
    # The allocator keeps the page-locked copy until the stream has read it.
    return values.pin_memory().to(device, non_blocking=True)


def download(values: Sequence[Tensor]) -> list[Tensor]:
    """Copy values of one device to the CPU; on CUDA with one wait, for the current stream alone."""
    if not values or not values[0].is_cuda:
        return [tensor.cpu() for tensor in values]
    # PyTorch takes page-locked memory for them.
    copies = [tensor.to("cpu", non_blocking=True) for tensor in values]
    torch.cuda.current_stream(values[0].device).synchronize()
    return copies
