"""Footage: a folder of clips and pictures as frame pairs with their motion, cached on disk."""

from __future__ import annotations

import hashlib
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
from platformdirs import user_cache_path
from tqdm import tqdm

from ...core.atomic import atomic_write
from ...core.clips.media import find_clips
from ...core.errors import TrainingError
from . import extraction
from .extraction import Extraction, extract
from .motion import FlowEstimator
from .stills import PAIRS_PER_PICTURE, PICTURE_SUFFIXES, extract_picture

# Part of the cache's key: change it whenever the records would come out differently.
VERSION = 4
# Entries that nobody has read for so long are deleted.
KEPT_DAYS = 30


@dataclass(frozen=True, eq=False)
class Footage:
    """The usable pairs of one clip or picture.

    Attributes:
        path: The clip or picture.
        read: Gives `pairs`.
        left_out: Why pairs were not used, reason to count.
        notes: What was done to the frames, in words.
    """

    path: Path
    read: Callable[[], NDArray[np.void]]
    left_out: dict[str, int]
    notes: tuple[str, ...] = ()

    @property
    def pairs(self) -> NDArray[np.void]:
        """(P,) records in the order of their gaps.

        Of "frames" (2, H, W, 3) uint8 RGB, previous then current, "flow" (H, W, 2) float16 pixels
        from current into previous, "visible" (H, W) bool, and "gap" uint8: how many frames current
        is after previous. Mapped from the cache at every call: a map holds a file open as long as
        it is there, and a process may open fewer files than a folder has clips.

        Raises:
            TrainingError: They are gone.
        """
        try:
            return self.read()
        except (OSError, ValueError, EOFError) as error:
            raise TrainingError(
                f"is gone from the footage cache: {error}", path=self.path
            ) from error

    @property
    def height(self) -> int:
        """Of the frames, pixels."""
        return self.pairs.dtype["visible"].shape[0]

    @property
    def width(self) -> int:
        """Of the frames, pixels."""
        return self.pairs.dtype["visible"].shape[1]


def load_footage(folder: Path, *, least_side: int = 1) -> list[Footage]:
    """The usable clips and pictures of a folder; see `survey_footage`.

    Raises:
        TrainingError: None has a usable pair, or the cache can't be written.
        MediaError: There is no such folder.
    """
    return usable_footage(survey_footage(folder, least_side=least_side), folder)


def survey_footage(folder: Path, *, least_side: int = 1) -> list[Footage]:
    """Every clip and picture of a folder, searched recursively, usable or not.

    Each is decoded and measured once, then read from the cache.

    Args:
        folder: Where to look.
        least_side: Frames whose shorter side is smaller are left out, pixels.

    Raises:
        TrainingError: The cache can't be written, or OpenCV or Pillow is missing.
        MediaError: There is no such folder.
    """
    paths = sorted(find_clips(folder, recursive=True) + find_pictures(folder))
    with tqdm(paths, desc="footage", unit="file", leave=False, dynamic_ncols=True) as bar:
        footage = [_large_enough(_cached(path), least_side) for path in bar]
    _forget_old_entries()
    return footage


def usable_footage(footage: Sequence[Footage], folder: Path) -> list[Footage]:
    """What of `survey_footage` has pairs.

    Raises:
        TrainingError: Nothing has; says why for each file.
    """
    usable = [clip for clip in footage if len(clip.pairs)]
    if not usable:
        reasons = "; ".join(f"{clip.path.name}: {_reasons(clip)}" for clip in footage)
        raise TrainingError(
            f"no usable footage here. {reasons or 'No clips and no pictures'}", path=folder
        )
    return usable


def footage_report(footage: Sequence[Footage]) -> str:
    """What was used of each clip and what was left out and why, one line each."""
    return "\n".join(f"{clip.path.name}: {_report_line(clip)}" for clip in footage)


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


def find_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder by their suffix, searched recursively; hidden ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in PICTURE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def _cache() -> Path:
    return user_cache_path("brushreel", appauthor=False) / "footage"


def _cached(path: Path) -> Footage:
    cache, key = _cache(), _key(path)
    if kept := _read(path, cache, key):
        return kept
    extracted = (extract_picture if path.suffix.lower() in PICTURE_SUFFIXES else extract)(path)
    if not len(extracted.pairs) and "unreadable" in extracted.left_out:
        # The reason may pass (permissions, a disk that was not there) and leave the file as it is.
        return Footage(path, lambda: extracted.pairs, extracted.left_out, extracted.notes)
    _write(extracted, cache, key)
    written = _read(path, cache, key)
    if written is None:
        raise TrainingError("the footage cache does not keep what is written to it", path=cache)
    return written


def _key(path: Path) -> str:
    facts = path.stat()
    identity = [str(path.resolve()), facts.st_size, facts.st_mtime_ns]
    settings = [extraction.LONG_SIDE, list(extraction.PAIRS_PER_CLIP.items()), PAIRS_PER_PICTURE]
    versions = [VERSION, FlowEstimator.version]
    return hashlib.sha256(json.dumps([identity, settings, versions]).encode()).hexdigest()[:32]


def _read(path: Path, cache: Path, key: str) -> Footage | None:
    """None where there is nothing, or where it is damaged."""
    pairs_file, report_file = cache / f"{key}.npy", cache / f"{key}.json"
    try:
        report = json.loads(report_file.read_text())
        # An empty array can't be mapped.
        mode = "r" if report["pairs"] else None
        read = partial(np.load, pairs_file, mmap_mode=mode, allow_pickle=False)
        if len(read()) == report["pairs"]:
            _note_reading(pairs_file, report_file)
            return Footage(path, read, report["left_out"], tuple(report["notes"]))
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        pass
    return None


def _note_reading(*files: Path) -> None:
    # By their time of change: that of reading is not kept on every disk.
    with suppress(OSError):
        for file in files:
            os.utime(file)


def _forget_old_entries() -> None:
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
        raise TrainingError(
            f"the footage cache can't be written: {error.strerror or error}",
            path=cache,
            hint="is the disk full?",
        ) from error
