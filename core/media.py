"""Clips on disk."""

from __future__ import annotations

from pathlib import Path

from .errors import MediaError

CLIP_SUFFIXES = frozenset(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .webm .wmv".split()
)


def find_clips(folder: Path, *, recursive: bool) -> list[Path]:
    """The clips of a folder by their suffix, sorted by path; hidden files are left out.

    Raises:
        MediaError: The folder can't be read.
    """
    if not folder.is_dir():
        raise MediaError("no such folder", path=folder)
    files = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(
        path
        for path in files
        if path.suffix.lower() in CLIP_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
