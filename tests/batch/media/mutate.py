"""Damaged media files: whole ones of several kinds, changed at random places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from .make import Sound, make_clip

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Damage to a file's bytes."""

_HALF = Fraction(2, 5)
_BASES: dict[str, dict[str, Any]] = {
    "h264.mp4": {"sounds": (Sound(seconds=_HALF),)},
    "fragments.mp4": {"muxer_options": {"movflags": "frag_keyframe+empty_moov"}},
    "hevc.mp4": {"codec": "libx265", "pixel_format": "yuv420p10le"},
    "av1.mp4": {"codec": "libsvtav1"},
    "prores.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le"},
    "h264.mkv": {"sounds": (Sound("flac", _HALF),), "subtitles": ["Hello", "again"]},
    "ffv1.mkv": {"codec": "ffv1", "sounds": (Sound("libopus", _HALF),)},
    "vp9.webm": {"codec": "libvpx-vp9", "sounds": (Sound("libopus", _HALF),)},
    "vp8.webm": {"codec": "libvpx"},
    "mpeg2.ts": {"codec": "mpeg2video", "sounds": (Sound("mp2", _HALF),)},
    "h264.ts": {"sounds": (Sound(seconds=_HALF),)},
    "mpeg1.mpg": {"codec": "mpeg1video", "sounds": (Sound("mp2", _HALF),)},
    "mpeg4.avi": {"codec": "mpeg4", "sounds": (Sound("libmp3lame", _HALF),)},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "flash.flv": {"codec": "flv", "sounds": (Sound("libmp3lame", _HALF, rate=44_100),)},
}
# Headers of every container lie there, and most of an MP4's tables.
_HEAD = 1024


def whole_clips(folder: Path) -> dict[str, bytes]:
    """Return a clip of every kind, by name; the folder is left empty."""
    clips = {}
    for name, facts in _BASES.items():
        path = make_clip(folder, name, size=(64, 48), **facts)
        clips[name] = path.read_bytes()
        path.unlink()
    return clips


def mutants(
    folder: Path,
    whole: Mapping[str, bytes],
    count: int,
    seed: int,
    changes: Sequence[Change] = (),
) -> list[Path]:
    """Write so many damaged files; the same for the same seed.

    Args:
        folder: Where.
        whole: Intact files by name.
        count: How many.
        seed: Of the damage.
        changes: Kinds of damage that suit these files, besides those that suit any.
    """
    rng = np.random.default_rng(seed)
    files, kinds = list(whole.items()), [*_CHANGES, *changes]
    paths = []
    for number in range(count):
        name, content = files[number % len(files)]
        change = kinds[number // len(files) % len(kinds)]
        path = folder / f"{number:03}-{change.__name__.strip('_')}-{name}"
        path.write_bytes(change(np.frombuffer(content, np.uint8).copy(), rng).tobytes())
        paths.append(path)
    return paths


def _flip(content: np.ndarray, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    content[places] ^= 1 << rng.integers(0, 8, places.size).astype(np.uint8)
    return content


def _bits(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flip some bits, anywhere."""
    places = rng.integers(0, content.size, 2 ** rng.integers(0, 9))
    return _flip(content, places, rng)


def _head(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flip bits near the start."""
    return _flip(content, rng.integers(0, min(_HEAD, content.size), rng.integers(1, 9)), rng)


def _tail(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flip bits near the end."""
    return _flip(
        content, rng.integers(max(0, content.size - _HEAD), content.size, rng.integers(1, 9)), rng
    )


def _cut(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut off."""
    return content[: rng.integers(0, content.size)]


def _beheaded(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace the first bytes with zeros."""
    content[: 2 ** rng.integers(2, 10)] = 0
    return content


def _swapped(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Swap two blocks."""
    size = int(rng.integers(16, content.size // 4))
    one, two = (
        rng.integers(0, content.size // 2 - size),
        rng.integers(content.size // 2, content.size - size),
    )
    content[one : one + size], content[two : two + size] = (
        content[two : two + size].copy(),
        content[one : one + size].copy(),
    )
    return content


def _lost(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Remove a block."""
    start = rng.integers(0, content.size)
    return np.delete(content, slice(start, start + rng.integers(1, 4096)))


def _zeroed(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace a block with zeros, as a disk's sector that could not be read."""
    start = rng.integers(0, content.size)
    content[start : start + rng.integers(1, 4096)] = 0
    return content


def _huge(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace numbers with the largest there are."""
    for start in rng.integers(0, content.size - 4, rng.integers(1, 5)):
        content[start : start + 4] = 0xFF
    content[rng.integers(0, content.size)] = 0x7F
    return content


def _repeated(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Copy a block to behind itself."""
    start, size = rng.integers(0, content.size), rng.integers(1, 4096)
    return np.insert(content, start, content[start : start + size])


_CHANGES: tuple[Change, ...] = (
    *(_bits, _head, _tail, _cut, _beheaded, _swapped, _lost, _zeroed, _huge, _repeated),
)
