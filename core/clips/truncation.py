"""Truncated files, found before the first frame by what their container promises."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from av.container import InputContainer
from av.stream import Stream

from ..errors import MediaError


def check_whole(container: InputContainer, path: Path) -> None:
    """Refuse a file that is shorter than its container states.

    MP4 and MOV state where their last sample is stored, Matroska and AVI how long they are; other
    containers state neither.

    Raises:
        MediaError: The file is truncated.
    """
    if "mp4" in container.format.name:
        promised = max(map(_last_byte, container.streams), default=0)
    elif "matroska" in container.format.name:
        promised = _segment_end(path)
    elif container.format.name == "avi":
        promised = _riff_end(path)
    else:
        return
    missing = promised - path.stat().st_size
    if missing > 0:
        raise MediaError(f"is truncated: at least {missing} bytes are missing", path=path)


def _segment_end(path: Path) -> int:
    """Return where Matroska's Segment ends (RFC 9559, sizes: RFC 8794); 0 if that is not stated."""
    with path.open("rb") as file:
        file.seek(4)
        file.seek(_element_size(file) or 0, 1)
        file.seek(4, 1)
        size = _element_size(file)
        return 0 if size is None else file.tell() + size


def _element_size(file: BinaryIO) -> int | None:
    """Read an EBML size: the first byte's leading zeros count the others; all ones is unknown."""
    first = file.read(1)[0]
    following = 8 - first.bit_length()
    value = (first << 8 * following | int.from_bytes(file.read(following))) ^ 1 << 7 * following + 7
    return None if value == (1 << 7 * following + 7) - 1 else value


def _riff_end(path: Path) -> int:
    """Return where an AVI's first RIFF chunk ends; 0 where the writer never filled its size in."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8)[4:], "little")
    return size + 8 if 0 < size < 0xFFFFFFFF else 0


def _last_byte(stream: Stream) -> int:
    entries = stream.index_entries
    if not len(entries):
        return 0
    last = entries[len(entries) - 1]
    return last.pos + last.size
