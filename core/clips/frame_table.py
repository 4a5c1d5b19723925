"""Presentation times of all frames of a clip, found as cheaply as is certain."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import av
import av.error

from ..errors import MediaError
from ..file_identity import FileIdentity, file_identity
from .media import ClipReader
from .opening import open_clip, video_stream
from .survey import video_packets

# One packet holds one frame, and what is shown after a key frame needs nothing before it.
_SEEKABLE = frozenset({"h264", "hevc", "mpeg2video", "vp9", "av1"})
# A timeline uses the same clips many times, and a long clip takes a while to read.
_MOST_KNOWN = 16


@dataclass(frozen=True)
class FrameTable:
    """Presentation times of all frames of a clip.

    Attributes:
        pts: Time of every frame, in order, as `ClipReader` gives them.
        keys: Times of the frames at which a decoder can start; empty where that is not known.
    """

    pts: Sequence[int]
    keys: Sequence[int] = ()


_known: dict[tuple[str, FileIdentity, int | None], FrameTable] = {}


def frame_table(reader: ClipReader, first_pts: int | None) -> FrameTable:
    """Find out the presentation times of all frames.

    They come from the index of an MP4 or MOV file that has nothing but key frames; from the
    packets, read and not decoded, of codecs with one frame for each packet; everything else is
    decoded once.

    Args:
        reader: Reader of the clip.
        first_pts: Time of the first frame that the decoder gives, as the container counts.

    Raises:
        MediaError: The clip can't be read.
    """
    key = (str(reader.path.absolute()), file_identity(reader.path), first_pts)
    if key not in _known:
        while len(_known) >= _MOST_KNOWN:
            _known.pop(next(iter(_known)))
        _known[key] = _found_out(reader, first_pts)
    return _known[key]


def _found_out(reader: ClipReader, first_pts: int | None) -> FrameTable:
    if first_pts is not None:
        shift = int(reader.info.origin / reader.info.video.time_base)
        for attempt in (_indexed, _scanned):
            table = attempt(reader, first_pts)
            if table is not None:
                return FrameTable(
                    *(array("q", (p - shift for p in part)) for part in (table.pts, table.keys))
                )
    with ClipReader(reader.path, interlaced="keep") as whole:
        return FrameTable(array("q", (frame.pts for frame in whole)))


def _indexed(reader: ClipReader, first_pts: int) -> FrameTable | None:
    if "mp4" not in reader.info.container:
        return None
    entries = reader.container.streams[reader.info.video.index].index_entries
    if not all(entry.is_keyframe for entry in entries):
        return None
    pts = [entry.timestamp for entry in entries if not entry.is_discard]
    return FrameTable(pts, pts) if pts and pts[0] == first_pts and _rises(pts) else None


@dataclass
class _Packets:
    pts: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)


def _scanned(reader: ClipReader, first_pts: int) -> FrameTable | None:
    info = reader.info
    stream = video_stream(reader.container, reader.path)
    if stream.codec_context.codec.canonical_name not in _SEEKABLE or info.container == "avi":
        return None
    found = _Packets()
    with open_clip(reader.path) as container:
        try:
            for packet in video_packets(container, info.video.index):
                if packet.pts is None:
                    return None
                if packet.pts >= first_pts and not packet.is_discard:
                    found.pts.append(packet.pts)
                    if packet.is_keyframe:
                        found.keys.append(packet.pts)
        except (av.error.FFmpegError, OSError) as error:
            raise MediaError.because(error, "can't be read", path=reader.path) from error
    pts = sorted(found.pts)
    return FrameTable(pts, sorted(found.keys)) if pts[:1] == [first_pts] and _rises(pts) else None


def _rises(pts: Sequence[int]) -> bool:
    return all(before < after for before, after in pairwise(pts))
