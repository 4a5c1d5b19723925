"""Footage: clips to consecutive frame pairs with their motion, cached on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import av.error
import numpy as np
import torch
from numpy.typing import NDArray
from platformdirs import user_cache_path
from torch import Tensor

from ..core.errors import MediaError, TrainingError
from ..core.media import find_clips, open_clip, picture_stream
from .motion import FlowEstimator, Motion

# The paper's training size; longer side, so that portrait clips train at the same scale.
LONG_SIDE = 640
PAIRS_PER_CLIP = 24
# Below this deviation instance normalisation divides by almost nothing and gradients explode.
LEAST_DEVIATION = 0.03
LEAST_VISIBLE = 0.5
LEAST_CHANGE = 0.25 / 255

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Footage:
    """The usable pairs of one clip.

    Attributes:
        path: The clip.
        pairs: (P,) records of "frames" (2, H, W, 3) uint8 RGB, previous then current, "flow"
            (H, W, 2) float16 pixels from current into previous, and "visible" (H, W) bool;
            mapped from the cache, not held in memory.
        left_out: Why pairs were not used, reason to count.
    """

    path: Path
    pairs: NDArray[np.void]
    left_out: dict[str, int]


def load_footage(folder: Path) -> list[Footage]:
    """Every usable clip of a folder, decoded and measured once, then read from the cache.

    Raises:
        TrainingError: No clip has a usable pair, or the cache can't be written.
    """
    footage = [_cached(path) for path in find_clips(folder, recursive=True)]
    usable = [clip for clip in footage if len(clip.pairs)]
    if not usable:
        reasons = "; ".join(f"{clip.path.name}: {_reasons(clip)}" for clip in footage)
        raise TrainingError(f"no usable footage here. {reasons}", path=folder)
    return usable


def _reasons(clip: Footage) -> str:
    return ", ".join(f"{count} {why}" for why, count in clip.left_out.items()) or "too short"


def _cached(path: Path) -> Footage:
    cache = user_cache_path("housestyle", appauthor=False) / "footage"
    key = _key(path)
    pairs_file, report_file = cache / f"{key}.npy", cache / f"{key}.json"
    if not (pairs_file.exists() and report_file.exists()):
        pairs, left_out = _extract(path)
        # Renamed, so that neither an interruption nor a second run leaves half a file.
        partial = cache / f"{key}.{os.getpid()}.partial.npy"
        try:
            cache.mkdir(parents=True, exist_ok=True)
            np.save(partial, pairs, allow_pickle=False)
            partial.replace(pairs_file)
            partial.write_text(json.dumps(left_out))
            partial.replace(report_file)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            raise TrainingError(
                f"the footage cache can't be written: {error.strerror or error}",
                path=cache,
                hint="is the disk full?",
            ) from error
    report = json.loads(report_file.read_text())
    # An empty array can't be mapped.
    mode = "r" if pairs_file.stat().st_size > 4096 else None
    return Footage(path, np.load(pairs_file, mmap_mode=mode, allow_pickle=False), report)


def _key(path: Path) -> str:
    facts = path.stat()
    identity = [str(path.resolve()), facts.st_size, facts.st_mtime_ns, LONG_SIDE, PAIRS_PER_CLIP]
    return hashlib.sha256(json.dumps([*identity, FlowEstimator.version]).encode()).hexdigest()[:32]


def _extract(path: Path) -> tuple[NDArray[np.void], dict[str, int]]:
    estimate = FlowEstimator()
    left_out: Counter[str] = Counter()
    records: list[tuple[Pixels, Motion]] = []
    try:
        for frames in _candidate_pairs(path):
            if records and frames.shape != records[0][0].shape:
                left_out["of another size"] += 1
                continue
            motion = estimate(frames[0], frames[1])
            if why := _why_unusable(frames, motion):
                left_out[why] += 1
            else:
                records.append((frames, motion))
    except (MediaError, av.error.FFmpegError, OSError):
        # What was read before stays usable; one damaged clip does not stop a run of hours.
        left_out["unreadable"] += 1
    return _pack(records), dict(left_out)


def _why_unusable(frames: Pixels, motion: Motion) -> str | None:
    if frames.std() / 255 < LEAST_DEVIATION:
        return "flat"
    if np.abs(frames[0].astype(np.int16) - frames[1]).mean() / 255 < LEAST_CHANGE:
        return "duplicate"
    return "cut" if motion.visible.mean() < LEAST_VISIBLE else None


def _candidate_pairs(path: Path) -> Iterator[Pixels]:
    """Consecutive frames, evenly spread over the clip."""
    with open_clip(path) as container:
        stream = picture_stream(container, path)
        stream.thread_type = "AUTO"
        rate = stream.average_rate or 25
        seconds = (container.duration or 0) / av.time_base
        every = max(2, int(seconds * rate) // PAIRS_PER_CLIP)
        frames = container.decode(stream)
        for index, (previous, current) in enumerate(pairwise(frames)):
            same_size = (previous.width, previous.height) == (current.width, current.height)
            if same_size and index % every == every // 2:
                yield np.stack((_rgb(previous), _rgb(current)))


def _rgb(frame: av.VideoFrame) -> Pixels:
    scale = LONG_SIDE / max(frame.width, frame.height)
    width, height = round(frame.width * scale), round(frame.height * scale)
    scaled = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    return np.asarray(scaled.to_ndarray(), np.uint8)


def _pack(records: list[tuple[Pixels, Motion]]) -> NDArray[np.void]:
    height, width = records[0][0].shape[1:3] if records else (1, 1)
    kind = np.dtype(
        [
            ("frames", np.uint8, (2, height, width, 3)),
            ("flow", np.float16, (height, width, 2)),
            ("visible", np.bool_, (height, width)),
        ]
    )
    pairs = np.zeros(len(records), kind)
    for pair, (frames, motion) in zip(pairs, records, strict=True):
        pair["frames"], pair["flow"], pair["visible"] = frames, motion.flow, motion.visible
    return pairs


@dataclass(frozen=True)
class Pair:
    """A training pair on the CPU.

    Attributes:
        frames: (2, 3, H, W) float32 RGB in [0, 1], previous then current.
        flow: (1, 2, H, W) float32 pixels, from current into previous.
        mask: (1, 1, H, W) float32, 1 where the flow can be trusted.
    """

    frames: Tensor
    flow: Tensor
    mask: Tensor


def to_pair(record: np.void, rows: slice = slice(None), columns: slice = slice(None)) -> Pair:
    """A record of `Footage.pairs`, whole or cropped, as tensors."""
    frames = record["frames"][:, rows, columns].copy()
    flow = record["flow"][rows, columns].astype(np.float32)
    visible = record["visible"][rows, columns].astype(np.float32)
    return Pair(
        frames=torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255,
        flow=torch.from_numpy(flow).permute(2, 0, 1)[None],
        mask=torch.from_numpy(visible)[None, None],
    )


class PairSampler:
    """Draws random crops of random pairs; the same seed draws the same crops.

    Every clip counts alike, however many of its pairs are usable.

    Raises:
        TrainingError: A clip's frames are smaller than the crop.
    """

    def __init__(self, footage: list[Footage], *, crop: int, seed: int):
        for clip in footage:
            height, width = clip.pairs["visible"].shape[1:]
            if min(height, width) < crop:
                raise TrainingError(
                    f"at {width}x{height} it is smaller than the crop of {crop}",
                    path=clip.path,
                    hint="choose a smaller crop or leave it out",
                )
        self.footage = footage
        self.crop = crop
        self.random = np.random.default_rng(seed)

    def draw(self) -> Pair:
        """A crop that is not flat, mirrored half of the time."""
        while True:
            clip = self.footage[self.random.integers(len(self.footage))]
            record = clip.pairs[self.random.integers(len(clip.pairs))]
            height, width = record["visible"].shape
            top = self.random.integers(height - self.crop + 1)
            left = self.random.integers(width - self.crop + 1)
            pair = to_pair(record, slice(top, top + self.crop), slice(left, left + self.crop))
            if pair.frames.std() >= LEAST_DEVIATION:
                return _mirrored(pair) if self.random.random() < 0.5 else pair


def _mirrored(pair: Pair) -> Pair:
    flow = pair.flow.flip(-1)
    flow[:, 0] *= -1
    return Pair(pair.frames.flip(-1), flow, pair.mask.flip(-1))
