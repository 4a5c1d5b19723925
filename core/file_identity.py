"""Identity of a file: the facts by which it is recognised as unchanged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Bytes that are read at a file's start and at its end. Its middle is trusted to be what it was at
# the stated time of change.
_CLIP_SAMPLE = 1 << 20
_IMAGE_SAMPLE = 1 << 12


@dataclass(frozen=True)
class FileIdentity:
    """Facts by which a file is recognised as unchanged.

    Attributes:
        size: Bytes.
        mtime_ns: Time of change in nanoseconds.
        ends: Hash of its first and last bytes; None where they were not read.
    """

    size: int
    mtime_ns: int
    ends: str | None = None


def file_identity(path: Path, *, sample: int = 0) -> FileIdentity:
    """Return a file's identity.

    Args:
        path: The file.
        sample: Bytes to hash at its start and at its end.

    Raises:
        OSError: It can't be read.
    """
    about = path.stat()
    ends = _hash_of_ends(path, about.st_size, sample) if sample else None
    return FileIdentity(about.st_size, about.st_mtime_ns, ends)


def clip_identity(path: Path) -> dict[str, Any]:
    """Return a clip's identity with its absolute path, as keys store it."""
    found = file_identity(path, sample=_CLIP_SAMPLE)
    return {
        "path": str(path.resolve()),
        "size": found.size,
        "mtime_ns": found.mtime_ns,
        "ends": found.ends,
    }


def image_identity(path: Path) -> list[Any]:
    """Return an image's identity with its name, as keys and journals store it."""
    found = file_identity(path, sample=_IMAGE_SAMPLE)
    return [path.name, found.size, found.mtime_ns, found.ends]


def _hash_of_ends(path: Path, size: int, sample: int) -> str:
    with path.open("rb") as file:
        head = file.read(sample)
        file.seek(max(0, size - sample))
        return hashlib.blake2b(head + file.read(sample), digest_size=16).hexdigest()
