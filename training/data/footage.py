"""Footage: a folder of clips and images as frame pairs with their motion, cached on disk."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...core.atomic import atomic_write
from ...core.clips.folder import PassedOver, find_clips, listing, passed_over
from ...core.clips.recognition import is_clip
from ...core.errors import TrainingError
from ...core.file_identity import file_identity
from ...core.keys import key_digest
from ...core.user_folders import cache_folder
from . import extraction
from .extraction import Evenly, Extraction, extract
from .motion import FlowEstimator
from .stills import IMAGE_SUFFIXES, PAIRS_PER_IMAGE, extract_image

# Part of the cache's key: change it whenever the records would come out differently.
VERSION = 5
# Entries that were not read for so many days are deleted.
KEPT_DAYS = 30


@dataclass(frozen=True, eq=False)
class Footage:
    """The usable pairs of one clip or image.

    Attributes:
        path: The clip or image.
        read: Returns `pairs`.
        left_out: Reason why pairs were left out, to their number.
        notes: Changes made to the frames, in words.
    """

    path: Path
    read: Callable[[], NDArray[np.void]]
    left_out: dict[str, int]
    notes: tuple[str, ...] = ()

    @property
    def pairs(self) -> NDArray[np.void]:
        """(P,) records in the order of their gaps.

        Fields: "frames" (2, H, W, 3) uint8 RGB, previous then current; "flow" (H, W, 2) float16
        pixels from current into previous; "visible" (H, W) bool; and "gap" uint8: how many frames
        current is after previous. Mapped from the cache at every call: a map holds its file open,
        and a process may open fewer files than a folder has clips.

        Raises:
            TrainingError: They are no longer in the cache.
        """
        try:
            return self.read()
        except (OSError, ValueError, EOFError) as error:
            raise TrainingError.because(
                error,
                "is no longer in the footage cache",
                path=self.path,
                hint="start again: it is read anew",
                otherwise="it is damaged there",
            ) from error

    @property
    def height(self) -> int:
        """Height of the frames, pixels."""
        return self.pairs.dtype["visible"].shape[0]

    @property
    def width(self) -> int:
        """Width of the frames, pixels."""
        return self.pairs.dtype["visible"].shape[1]


def load_footage(folder: Path, *, least_side: int = 1) -> list[Footage]:
    """Return the usable clips and images of a folder; see `survey_footage`.

    Raises:
        TrainingError: No clip has a usable pair, or the cache can't be written.
        MediaError: There is no such folder.
    """
    return usable_footage(survey_footage(folder, least_side=least_side), folder)


def survey_footage(folder: Path, *, least_side: int = 1) -> list[Footage]:
    """Return every clip and image of a folder, searched recursively, usable or not.

    Each is decoded and measured once, then read from the cache.

    Args:
        folder: The folder to search.
        least_side: Frames whose shorter side is smaller are left out, pixels.

    Raises:
        TrainingError: The cache can't be written, or OpenCV or Pillow is missing.
        MediaError: There is no such folder.
    """
    paths = sorted({*find_clips(folder, recursive=True), *find_images(folder)})
    return [_large_enough(clip, least_side) for clip in _every(paths)]


def load_evenly(folder: Path, evenly: Evenly) -> list[Footage]:
    """Return the usable clips of a folder, searched recursively, with pairs to measure on.

    Each is decoded and its motion estimated once, then read from the cache.

    Raises:
        TrainingError: No clip has a usable pair, the cache can't be written, or OpenCV is missing.
        MediaError: There is no such folder.
    """
    return usable_footage(_every(find_clips(folder, recursive=True), evenly), folder)


def _every(paths: Sequence[Path], evenly: Evenly | None = None) -> list[Footage]:
    with tqdm(
        paths, desc="footage", unit="file", leave=False, dynamic_ncols=True, disable=None
    ) as bar:
        footage = [_cached(path, evenly) for path in bar]
    _delete_old_entries()
    return footage


def usable_footage(footage: Sequence[Footage], folder: Path) -> list[Footage]:
    """Return the clips of `survey_footage` that have pairs.

    Raises:
        TrainingError: None has; the message gives the reason for each file.
    """
    usable = [clip for clip in footage if len(clip.pairs)]
    if not usable:
        reasons = "; ".join(f"{clip.path.name}: {_reasons(clip)}" for clip in footage)
        raise TrainingError(
            f"no usable footage here. {reasons or 'No clips and no images'}", path=folder
        )
    return usable


def footage_report(footage: Sequence[Footage], passed_over: Sequence[PassedOver] = ()) -> str:
    """Return what was used of each clip, what was left out and why, one line a file."""
    lines = [f"{clip.path.name}: {_report_line(clip)}" for clip in footage]
    lines += [f"{item.path.name}: passed over: {item.reason}" for item in passed_over]
    return "\n".join(lines)


def not_footage(folder: Path, footage: Sequence[Footage]) -> list[PassedOver]:
    """Return the files of a folder that are neither clips nor images, sorted by path."""
    return passed_over(folder, recursive=True, used=[clip.path for clip in footage])


def _report_line(clip: Footage) -> str:
    counts = Counter(clip.pairs["gap"].tolist())
    parts = [f"{counts.pop(1, 0)} pairs"]
    parts[0] += "".join(f", {count} over {gap} frames" for gap, count in counts.items())
    if clip.left_out or not len(clip.pairs):
        parts.append(f"left out: {_reasons(clip)}")
    return "; ".join([*parts, *clip.notes])


def _reasons(clip: Footage) -> str:
    return ", ".join(f"{count} {why}" for why, count in clip.left_out.items()) or "too short"


def _large_enough(clip: Footage, least_side: int) -> Footage:
    if not len(clip.pairs) or min(clip.height, clip.width) >= least_side:
        return clip
    why = f"smaller than the crop of {least_side} at {clip.width}x{clip.height}"
    none = np.zeros(0, clip.pairs.dtype)
    return replace(clip, read=lambda: none, left_out={**clip.left_out, why: len(clip.pairs)})


def find_images(folder: Path) -> list[Path]:
    """Find the images of a folder by suffix, recursively; hidden ones are left out."""
    files = listing(folder, recursive=True).files
    return [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]


def _cache() -> Path:
    return cache_folder() / "footage"


def _cached(path: Path, evenly: Evenly | None = None) -> Footage:
    cache, key = _cache(), _key(path, evenly)
    if cached := _read(path, cache, key):
        return cached
    extracted = extract(path, evenly) if is_clip(path) else extract_image(path)
    if not len(extracted.pairs) and "unreadable" in extracted.left_out:
        # The reason may be temporary (permissions, an unmounted disk): not cached.
        return Footage(path, lambda: extracted.pairs, extracted.left_out, extracted.notes)
    _write(extracted, cache, key)
    written = _read(path, cache, key)
    if written is None:
        raise TrainingError("the footage cache lost what was just written to it", path=cache)
    return written


def _key(path: Path, evenly: Evenly | None) -> str:
    facts = file_identity(path)
    identity = [str(path.resolve()), facts.size, facts.mtime_ns]
    settings: list[object] = (
        [evenly.count, evenly.long_side]
        if evenly
        else [*(extraction.LONG_SIDE, list(extraction.PAIRS_PER_CLIP.items()), PAIRS_PER_IMAGE)]
    )
    versions = [VERSION, FlowEstimator.version]
    return key_digest([identity, settings, versions], sort=False)[:32]


def _read(path: Path, cache: Path, key: str) -> Footage | None:
    """Return None where there is no entry, or where it is damaged."""
    pairs_file, report_file = cache / f"{key}.npy", cache / f"{key}.json"
    try:
        report = json.loads(report_file.read_text())
        # An empty array can't be mapped.
        mode = "r" if report["pairs"] else None
        read = partial(np.load, pairs_file, mmap_mode=mode, allow_pickle=False)
        if len(read()) == report["pairs"]:
            _mark_as_read(pairs_file, report_file)
            return Footage(path, read, report["left_out"], tuple(report["notes"]))
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        pass
    return None


def _mark_as_read(*files: Path) -> None:
    # By modification time: not every file system stores the time of access.
    with suppress(OSError):
        for file in files:
            os.utime(file)


def _delete_old_entries() -> None:
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    for file in _cache().glob("*.*"):
        with suppress(OSError):
            if file.stat().st_mtime < oldest:
                file.unlink()


def _write(extracted: Extraction, cache: Path, key: str) -> None:
    report = {
        "pairs": len(extracted.pairs),
        "left_out": extracted.left_out,
        "notes": extracted.notes,
    }
    try:
        with atomic_write(cache / f"{key}.npy") as file:
            np.save(file, extracted.pairs, allow_pickle=False)
        with atomic_write(cache / f"{key}.json") as file:
            file.write(json.dumps(report).encode())
    except OSError as error:
        raise TrainingError.because(
            error, "the footage cache can't be written", path=cache
        ) from error
