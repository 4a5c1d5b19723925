"""Test data for evaluation: clips, image sequences or ground truth, as pairs with motion."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL.Image import Resampling
from torch import Tensor

from ...core.clips.folder import find_clips
from ...core.consistency import visibility_mask
from ...core.errors import MediaError
from ..data.extraction import Evenly, Pixels, consecutive_frames
from ..data.footage import Footage, find_images, load_evenly
from ..data.images import open_image
from ..data.motion import FlowEstimator, nchw
from ..data.sampler import Pair, to_pair
from .ground_truth import GroundTruth, find_ground_truth, read_flo

PAIRS_PER_SEQUENCE = 8
_NUMBERED = re.compile(r"(.*?)(\d+)")


@dataclass(frozen=True, eq=False)
class FrameSequence:
    """Pairs of frames of one clip, each read when it is needed and not kept.

    Attributes:
        name: Name under which the figures are listed.
        readers: One for each pair, in order.
        frames: Reads consecutive frames from the middle of the clip, at most as many as are asked
            for, (H, W, 3) RGB; None where pairs are all there is.
    """

    name: str
    readers: tuple[Callable[[], Pair], ...]
    frames: Callable[[int], Iterator[Pixels]] | None = None

    def __len__(self) -> int:
        return len(self.readers)

    def __iter__(self) -> Iterator[Pair]:
        return (read() for read in self.readers)

    def consecutive(self, count: int) -> Iterator[Tensor]:
        """Return consecutive frames, at most `count`, each (1, 3, H, W) float32 RGB in [0, 1]."""
        for pixels in self.frames(count) if self.frames else ():
            yield torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255


def find_sequences(
    folder: Path, *, pairs: int = PAIRS_PER_SEQUENCE, long_side: int | None = None
) -> list[FrameSequence]:
    """Find what to measure on in a folder, searched recursively.

    One kind is used: ground truth (.flo files and their frames, at their own size) where there is
    any, else clips (through the footage cache), else image sequences (DAVIS: NAME/00000.jpg and
    so on, flow computed each time).

    Args:
        folder: The folder to search.
        pairs: Most pairs of neighbouring frames to take from each sequence, evenly spread.
        long_side: Clips and image sequences whose longer side has more pixels are scaled down to
            it; None for their own size.

    Raises:
        MediaError: There is no such folder, or nothing in it to measure on, or a .flo file is
            damaged or its frames are missing.
        TrainingError: No clip has a usable pair, or optical flow needs OpenCV.
    """
    if not folder.is_dir():
        raise MediaError("no such folder", path=folder)
    if truths := find_ground_truth(folder):
        return _of_ground_truth(folder, truths, pairs)
    if find_clips(folder, recursive=True):
        footage = load_evenly(folder, Evenly(pairs, long_side))
        return [
            replace(sequence, frames=partial(consecutive_frames, clip.path, long_side=long_side))
            for clip, sequence in zip(
                footage, of_footage(footage, pairs=pairs, root=folder), strict=True
            )
        ]
    if numbered := _image_sequences(folder):
        return _of_images(numbered, pairs, long_side)
    raise MediaError(
        "contains nothing to measure on",
        path=folder,
        hint="put clips, image sequences or .flo files with their frames into it",
    )


def of_footage(
    footage: list[Footage], *, pairs: int = PAIRS_PER_SEQUENCE, root: Path = Path()
) -> list[FrameSequence]:
    """Make sequences of cached footage, named by their path below `root`."""
    neighbours = [(clip, _neighbours(clip)) for clip in footage]
    return [
        FrameSequence(
            _name(clip.path, root),
            tuple(partial(_record, clip, records[i]) for i in _spread(len(records), pairs)),
        )
        for clip, records in neighbours
        if records
    ]


def _name(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _neighbours(clip: Footage) -> list[int]:
    """Return the records with the smallest gap: neighbouring frames, unless all are doubled."""
    gaps = clip.pairs["gap"]
    return np.flatnonzero(gaps == gaps.min()).tolist() if len(gaps) else []


def _record(clip: Footage, index: int) -> Pair:
    return to_pair(clip.pairs[index])


def _spread(length: int, count: int) -> list[int]:
    """Return at most `count` of the indices below `length`, evenly spread."""
    return np.linspace(0, length - 1, min(count, length)).astype(int).tolist()


def _image_sequences(folder: Path) -> dict[str, list[tuple[Path, Path]]]:
    """Return pairs of images with consecutive numbers, by the name of their sequence."""
    numbers: defaultdict[str, dict[int, Path]] = defaultdict(dict)
    for path in find_images(folder):
        if match := _NUMBERED.fullmatch(path.stem):
            start = (path.parent.relative_to(folder) / match[1].rstrip("-_.")).as_posix()
            numbers[folder.name if start == "." else start][int(match[2])] = path
    found = {
        name: [(frames[a], frames[b]) for a, b in pairwise(sorted(frames)) if b == a + 1]
        for name, frames in numbers.items()
    }
    return {name: neighbours for name, neighbours in found.items() if neighbours}


def _of_images(
    numbered: dict[str, list[tuple[Path, Path]]], pairs: int, long_side: int | None
) -> list[FrameSequence]:
    estimate = FlowEstimator()

    def read(previous: Path, current: Path) -> Pair:
        frames = _read_pair(previous, current, long_side)
        motion = estimate(frames[0], frames[1])
        return Pair.of(frames, motion.flow, motion.visible)

    def run(neighbours: list[tuple[Path, Path]], count: int) -> Iterator[Pixels]:
        for path in _consecutive(neighbours, count):
            yield _read_image(path, long_side)

    return [
        FrameSequence(
            name,
            tuple(partial(read, *neighbours[i]) for i in _spread(len(neighbours), pairs)),
            partial(run, neighbours),
        )
        for name, neighbours in numbered.items()
    ]


def _consecutive(neighbours: list[tuple[Path, Path]], count: int) -> list[Path]:
    """Return at most `count` images around the middle, up to one whose number is missing."""
    start = max(0, (len(neighbours) - count) // 2)
    images = [neighbours[start][0]]
    for before, after in neighbours[start : start + count - 1]:
        if before != images[-1]:
            break
        images.append(after)
    return images


def _of_ground_truth(folder: Path, truths: list[GroundTruth], pairs: int) -> list[FrameSequence]:
    estimate = FlowEstimator()

    def read(truth: GroundTruth) -> Pair:
        flow, known = read_flo(truth.flo)
        frames = _read_pair(truth.other, truth.current)
        if frames.shape[1:3] != flow.shape[:2]:
            sizes = [f"{shape[1]}x{shape[0]}" for shape in (flow.shape, frames.shape[1:])]
            raise MediaError(f"is {sizes[0]}, its frames are {sizes[1]}", path=truth.flo)
        # Ground truth has one direction; occlusion only shows in the reverse flow.
        back = estimate(frames[1], frames[0]).flow
        visible = visibility_mask(nchw(flow), nchw(back))[0, 0].numpy() > 0
        return Pair.of(frames, flow, visible & known)

    scenes: defaultdict[str, list[GroundTruth]] = defaultdict(list)
    for truth in truths:
        name = _name(truth.current.parent, folder)
        scenes[folder.name if name == "." else name].append(truth)
    return [
        FrameSequence(name, tuple(partial(read, scene[i]) for i in _spread(len(scene), pairs)))
        for name, scene in scenes.items()
    ]


def _read_pair(other: Path, current: Path, long_side: int | None = None) -> Pixels:
    """Read (2, H, W, 3) RGB."""
    images = [_read_image(path, long_side) for path in (other, current)]
    if images[0].shape != images[1].shape:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in images]
        raise MediaError(f"is {sizes[1]}, but {other.name} is {sizes[0]}", path=current)
    return np.stack(images)


def _read_image(path: Path, long_side: int | None) -> Pixels:
    image = open_image(path).convert("RGB")
    scale = min(1.0, (long_side or max(image.size)) / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Resampling.BOX))
