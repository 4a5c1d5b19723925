"""Boxes that FFmpeg's muxer is not told of through PyAV, put into a finished MP4 or MOV file."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import BinaryIO

from ...core.clips.clip_info import ClipInfo
from ...core.clips.container_facts import (
    Box,
    aperture_box,
    boxes,
    description,
    inside,
    video_track,
    whole_file,
)
from ...core.errors import OutputError
from ...core.frames.crop import NO_CROP

# The video stream is added first.
VIDEO_TRACK = 1
_AROUND_DESCRIPTION = (b"mdia", b"minf", b"stbl", b"stsd")


def carried_boxes(info: ClipInfo) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Return the boxes for the sample description and for the track of a stylized clip."""
    facts, own = info.facts, list(info.facts.boxes)
    if facts.crop != NO_CROP and not any(box[4:8] == b"clap" for box in own):
        own.append(aperture_box(facts.crop, info.video.width, info.video.height))
    if info.video.crop != NO_CROP:
        own = [box for box in own if box[4:8] != b"clap"]
    if facts.profile is not None:
        text = b"prof" + facts.profile
        own.append(struct.pack(">I4s", len(text) + 8, b"colr") + text)
    return own, facts.track_boxes


def add_boxes(file: BinaryIO, entry_boxes: Sequence[bytes], track_boxes: Sequence[bytes]) -> None:
    """Put boxes at the end of the video's sample description, and of its track.

    The index of the file is its last part, so that nothing else moves.

    Raises:
        OutputError: It is not.
        OSError: It can't be read or written.
    """
    top = list(boxes(file, 0, file.seek(0, 2)))
    movie = next((box for box in top if box.name == b"moov"), None)
    if movie is None or any(box.name == b"mdat" and box.start > movie.start for box in top):
        raise OutputError("its index is not at its end")
    start = movie.start - 8
    file.seek(start)
    index = io.BytesIO(file.read())
    changed = _with_boxes(index, entry_boxes, track_boxes)
    file.seek(start)
    file.write(changed)


def _with_boxes(
    index: io.BytesIO, entry_boxes: Sequence[bytes], track_boxes: Sequence[bytes]
) -> bytes:
    track = video_track(index, VIDEO_TRACK)
    entry = None if track is None else description(index, track)
    movie = inside(index, whole_file(index), b"moov")
    if track is None or entry is None or movie is None:
        raise OutputError("its index has no video track")
    around = [inside(index, track, *_AROUND_DESCRIPTION[:depth]) for depth in range(1, 5)]
    # The description's own size precedes its name.
    whole = [*around, entry._replace(start=entry.start - 78)]
    text, inner, outer = bytearray(index.getvalue()), b"".join(entry_boxes), b"".join(track_boxes)
    for box, more in [
        *((box, len(inner)) for box in whole if box is not None),
        *((box, len(inner) + len(outer)) for box in (track, movie)),
    ]:
        _grow(text, box, more)
    # From the end to the start, so that places stay valid.
    text[track.end : track.end] = outer
    text[entry.end : entry.end] = inner
    return bytes(text)


def _grow(text: bytearray, box: Box, more: int) -> None:
    place = box.start - 8
    (size,) = struct.unpack_from(">I", text, place)
    struct.pack_into(">I", text, place, size + more)
