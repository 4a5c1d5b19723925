"""Clips recognised by name and by content, so that none in a folder is taken for something else."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import av
import av.error
from av.stream import Disposition

from ..file_identity import file_identity
from ..pictures.picture_header import is_animated

CLIP_SUFFIXES = frozenset(
    f".{kind}"
    for kind in (
        *("3g2", "3gp", "3gp2", "3gpp", "amv", "apng", "asf", "avi", "divx", "dv", "evo", "f4v"),
        *("flv", "gif", "gxf", "insv", "ivf", "lrv", "m1v", "m2p", "m2t", "m2ts", "m2v", "m4v"),
        *("mk3d", "mkv", "mov", "mp4", "mpe", "mpeg", "mpg", "mpv", "mts", "mxf", "nut", "ogm"),
        *("ogv", "qt", "rm", "rmvb", "ts", "vob", "webm", "wmv", "wtv", "y4m"),
    )
)
"""Suffixes that stand for clips and nothing else."""

UNREAD_IMAGE_SUFFIXES = frozenset(
    f".{kind}"
    for kind in (
        *("bmp", "cin", "cr2", "cr3", "dng", "dpx", "hdr", "heic", "jp2", "jpeg", "jpg", "nef"),
        *("psd", "sgi", "tga", "webp"),
    )
)
"""Suffixes of images that are neither clips nor read."""

# Files of which a folder may have thousands, and which are never clips.
_OTHER_SUFFIXES = frozenset(
    f".{kind}"
    for kind in (
        *("exr", "tif", "tiff", "aac", "flac", "m4a", "mp3", "opus", "wav", "csv", "json", "log"),
        *("md", "pdf", "py", "srt", "txt", "xml", "zip"),
    )
)
# First bytes that are read of a file with another suffix.
_HEAD = 4096
_MAGIC = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"0&\xb2u\x8ef\xcf\x11",  # ASF
    b"\0\0\x01\xba",  # MPEG program stream
    b"\0\0\x01\xb3",  # MPEG video
    b"\x06\x0e+4\x02\x05\x01\x01",  # MXF
    b"OggS",
    b".RMF",
    b"YUV4MPEG2",
    b"DKIF",
    b"GIF8",
    b"\xb7\xd8\0 7I\xda\x11",  # WTV
    b"\x1f\x07\0",  # DV
    b"\0\0\0\0\x01\xbc",  # GXF
)
_QUICKTIME = frozenset((b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"free", b"pnot"))
# Images in the same boxes: HEIF, AVIF, Canon's CR3.
_IMAGE_BRANDS = frozenset((b"heic", b"heix", b"heim", b"mif1", b"avif", b"crx "))
_PACKETS = ((0, 188), (4, 192))  # transport streams, plain and with time stamps
_SYNC = 0x47


def is_clip(path: Path) -> bool:
    """Return whether a file is a clip: by a suffix that only clips have, else by its content.

    Files with such a suffix that turn out to be damaged are clips that fail.
    """
    suffix = path.suffix.lower()
    if suffix in CLIP_SUFFIXES | _OTHER_SUFFIXES | UNREAD_IMAGE_SUFFIXES:
        return suffix in CLIP_SUFFIXES
    try:
        identity = file_identity(path)
    except OSError:
        return False
    return _by_content(path, identity)


@lru_cache(maxsize=65536)
def _by_content(path: Path, identity: object) -> bool:
    """Look for a container's first bytes, then for a video stream; a watched folder asks often."""
    del identity
    try:
        if is_animated(path):
            return True
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if not _has_magic(head):
            return False
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            return any(
                not stream.disposition & Disposition.attached_pic
                for stream in container.streams.video
            )
    except (av.error.FFmpegError, OSError, ValueError):
        return False


def _has_magic(head: bytes) -> bool:
    if head.startswith(b"RIFF"):
        return head[8:12] == b"AVI "
    if head[4:8] in _QUICKTIME:
        return head[8:12] not in _IMAGE_BRANDS
    if head.startswith(_MAGIC):
        return True
    return any(
        len(head) > start + 4 * step
        and all(head[start + step * number] == _SYNC for number in range(5))
        for start, step in _PACKETS
    )
