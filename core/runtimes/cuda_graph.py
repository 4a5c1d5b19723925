"""CUDA graphs: the kernels of a frame, recorded once and launched with one call.

A frame up to 1080p takes about eighty kernels of a few microseconds each; launched one by one from
Python, the GPU waits for them.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor

# Larger frames keep the GPU busy without graphs, and a recording keeps its memory.
_MOST_PIXELS = 2**21
_KEPT = 4
# cuDNN chooses its algorithms, and allocates for them, in the first runs.
_WARM_UP = 3
# PyTorch records one graph at a time in a process.
_one_at_a_time = threading.Lock()

_log = logging.getLogger(__name__)


class Recorded:
    """A network that replays recorded graphs; shapes that can't be recorded run without.

    May be called by several threads at a time, each in a stream of its own.

    Args:
        network: (N, C, H, W) to (N, C', H, W) on a CUDA device, the same kernels every time.
    """

    def __init__(self, network: Callable[[Tensor], Tensor]):
        self._network = network
        self._lock = threading.Lock()
        self._recordings: OrderedDict[torch.Size, _Recording | None] = OrderedDict()

    def __call__(self, frames: Tensor) -> Tensor:
        """Apply the network."""
        if frames.shape[-2] * frames.shape[-1] > _MOST_PIXELS:
            return self._network(frames)
        with self._lock:
            recording = self._recording_for(frames)
            if recording is not None:
                # This only queues work: nothing waits under the lock.
                return recording.replay(frames)
        return self._network(frames)

    def _recording_for(self, frames: Tensor) -> _Recording | None:
        shape = frames.shape
        if shape not in self._recordings:
            while len(self._recordings) >= _KEPT:
                torch.cuda.synchronize(frames.device)  # it may still be running
                self._recordings.popitem(last=False)
            self._recordings[shape] = self._recorded(frames)
        self._recordings.move_to_end(shape)
        return self._recordings[shape]

    def _recorded(self, frames: Tensor) -> _Recording | None:
        try:
            with _one_at_a_time:
                return _Recording(self._network, frames)
        except torch.OutOfMemoryError:
            raise  # the caller can take smaller tiles
        except RuntimeError:
            _log.warning("frames are stylized without CUDA graphs")
            _log.debug("recording fails", exc_info=True)
            return None


class _Recording:
    """One shape's graph, with the memory of its inputs and outputs."""

    def __init__(self, network: Callable[[Tensor], Tensor], frames: Tensor):
        self._given = frames.clone()
        stream = torch.cuda.Stream(frames.device)
        stream.wait_stream(torch.cuda.current_stream(frames.device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                network(self._given)
        stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        # Other threads go on uploading and downloading meanwhile.
        with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
            self._stylized = network(self._given)
        self._free = torch.cuda.Event()

    def replay(self, frames: Tensor) -> Tensor:
        """Run the graph in the caller's stream, after the frame that was queued before."""
        stream = torch.cuda.current_stream(frames.device)
        stream.wait_event(self._free)
        self._given.copy_(frames)
        self._graph.replay()
        stylized = self._stylized.clone()
        self._free.record(stream)
        return stylized
