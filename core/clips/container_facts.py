"""Facts beside the video that FFmpeg reads and PyAV does not pass on.

Read from the file itself: sample descriptions of MP4 and MOV (ISO/IEC 14496-12; QuickTime File
Format), track entries of Matroska (RFC 9559).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..frames.crop import NO_CROP, Crop

# Spherical video, version 1: the box of the XML description.
_SPHERICAL_UUID = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")
# Boxes of a sample description that stay true of stylized frames: aperture, stereo, projection,
# ambient light.
_CARRIED = frozenset((b"clap", b"st3d", b"sv3d", b"amve"))
_DOLBY_VISION = frozenset((b"dvcC", b"dvvC", b"dvwC"))
_PROFILES = frozenset((b"prof", b"rICC"))
# Bytes of a box's header; of a video's sample description before its boxes.
_BOX, _DESCRIPTION = 8, 78
_LONGEST_BOX = 1 << 24
_FULL_BOX = 8

# Matroska's element numbers.
_SEGMENT, _TRACKS, _TRACK, _CLUSTER = 0x18538067, 0x1654AE6B, 0xAE, 0x1F43B675
_VIDEO, _PROJECTION, _STEREO = 0xE0, 0x7670, 0x53B8
_CROPS = {0x54CC: 0, 0x54BB: 1, 0x54DD: 2, 0x54AA: 3}
_ADDITION, _ADDITION_TYPE, _ADDITION_DATA = 0x41E4, 0x41E7, 0x41ED


@dataclass(frozen=True)
class ContainerFacts:
    """Facts of the video stream that its container states.

    Attributes:
        crop: What is not to be shown.
        boxes: Boxes of its sample description that stylized frames can have, too (MP4, MOV).
        track_boxes: The same of its track.
        dolby_vision: Profile and compatibility of Dolby Vision; None where there is none.
        projection: True if it states a spherical projection.
        stereo: True if it states that it shows two views.
        profile: ICC profile; None where there is none.
        two_views: True if a second view is coded in the same stream (MV-HEVC).
    """

    crop: Crop = NO_CROP
    boxes: tuple[bytes, ...] = ()
    track_boxes: tuple[bytes, ...] = ()
    dolby_vision: tuple[int, int] | None = None
    projection: bool = False
    stereo: bool = False
    profile: bytes | None = None
    two_views: bool = False


NO_FACTS = ContainerFacts()


def container_facts(path: Path, container: str, track: int) -> ContainerFacts:
    """Read the facts of a video stream; none where the container has no place for them.

    Args:
        path: The file.
        container: FFmpeg's name of the format.
        track: The stream's number in the container (FFmpeg's `id`).
    """
    try:
        with path.open("rb") as file:
            return facts_in_file(file, container, track)
    except OSError:
        return NO_FACTS


def facts_in_file(file: BinaryIO, container: str, track: int) -> ContainerFacts:
    """Read the facts of a video stream from an open file, see `container_facts`."""
    try:
        if "mp4" in container:
            return _of_mp4(file, track)
        if "matroska" in container:
            return _of_matroska(file, track)
    except (OSError, struct.error, ValueError, ZeroDivisionError, IndexError):
        # What is damaged is FFmpeg's to judge; it has opened the file.
        return NO_FACTS
    return NO_FACTS


class Box(NamedTuple):
    """A box: its type, and where its content starts and ends."""

    name: bytes
    start: int
    end: int


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes of a part of an MP4 or MOV file."""
    while start + _BOX <= end:
        file.seek(start)
        size, name = struct.unpack(">I4s", file.read(_BOX))
        header = _BOX
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            header = 16
        size = size or end - start
        if size < header:
            return
        yield Box(name, start + header, min(start + size, end))
        start += size


def inside(file: BinaryIO, box: Box, *names: bytes) -> Box | None:
    """Return the first box at a path below another one; None where there is none."""
    for name in names:
        found = next((own for own in boxes(file, box.start, box.end) if own.name == name), None)
        if found is None:
            return None
        box = found
    return box


def whole_file(file: BinaryIO) -> Box:
    """Return a file's whole content as a box."""
    return Box(b"", 0, file.seek(0, 2))


def content(file: BinaryIO, box: Box) -> bytes:
    """Return the content of a box, or its beginning where it is absurdly long."""
    file.seek(box.start)
    return file.read(min(box.end - box.start, _LONGEST_BOX))


def video_track(file: BinaryIO, track: int) -> Box | None:
    """Return the box of the track with a number."""
    movie = inside(file, whole_file(file), b"moov")
    for own in boxes(file, movie.start, movie.end) if movie else ():
        header = inside(file, own, b"tkhd") if own.name == b"trak" else None
        if header is None:
            continue
        about = content(file, header)
        place = 20 if about[0] == 1 else 12
        if struct.unpack_from(">I", about, place) == (track,):
            return own
    return None


def description(file: BinaryIO, track: Box) -> Box | None:
    """Return the part of a video track's first sample description that holds boxes."""
    table = inside(file, track, b"mdia", b"minf", b"stbl", b"stsd")
    first = None if table is None else next(boxes(file, table.start + _FULL_BOX, table.end), None)
    return None if first is None else first._replace(start=first.start + _DESCRIPTION)


def _of_mp4(file: BinaryIO, number: int) -> ContainerFacts:
    track = video_track(file, number)
    entry = None if track is None else description(file, track)
    if track is None or entry is None:
        return NO_FACTS
    file.seek(entry.start - _DESCRIPTION + 24)
    size = struct.unpack(">HH", file.read(4))
    found = {own.name: content(file, own) for own in boxes(file, entry.start, entry.end)}
    colours = [content(file, own) for own in boxes(file, entry.start, entry.end)]
    profiles = [own[4:] for own in colours if own[:4] in _PROFILES]
    spherical = [
        own
        for own in (content(file, box) for box in boxes(file, track.start, track.end))
        if own.startswith(_SPHERICAL_UUID)
    ]
    vision = next((found[name] for name in _DOLBY_VISION if name in found), None)
    return ContainerFacts(
        crop=_aperture(found[b"clap"], *size) if b"clap" in found else NO_CROP,
        boxes=tuple(_boxed(name, found[name]) for name in found if name in _CARRIED),
        track_boxes=tuple(_boxed(b"uuid", own) for own in spherical),
        dolby_vision=None if vision is None else (vision[2] >> 1, vision[4] >> 4),
        projection=b"sv3d" in found or bool(spherical),
        stereo=b"st3d" in found and found[b"st3d"][4] > 0,
        profile=profiles[0] if profiles else None,
        two_views=b"lhvC" in found,
    )


def _boxed(name: bytes, text: bytes) -> bytes:
    return struct.pack(">I4s", len(text) + _BOX, name) + text


def aperture_box(crop: Crop, width: int, height: int) -> bytes:
    """Return the box of a clean aperture for frames of a size (ISO/IEC 14496-12, 12.1.4)."""
    wide, high = width - crop.left - crop.right, height - crop.top - crop.bottom
    values = (wide, 1, high, 1, crop.left - crop.right, 2, crop.top - crop.bottom, 2)
    return _boxed(b"clap", struct.pack(">IIIIiIiI", *values))


def _aperture(text: bytes, width: int, height: int) -> Crop:
    """Return what a clean aperture leaves out; pixels that are shown in part are kept."""
    values = struct.unpack(">IIIIiIiI", text[:32])
    wide, high, across, down = (Fraction(*values[at : at + 2]) for at in range(0, 8, 2))
    left, top = (width - wide) / 2 + across, (height - high) / 2 + down
    crop = Crop(floor(left), floor(top), width - ceil(left + wide), height - ceil(top + high))
    valid = min(crop) >= 0 and wide >= 1 and high >= 1
    return crop if valid else NO_CROP


def _of_matroska(file: BinaryIO, number: int) -> ContainerFacts:
    end = file.seek(0, 2)
    segment = next((own for own in _elements(file, 0, end) if own.number == _SEGMENT), None)
    for own in _elements(file, segment.start, segment.end) if segment else ():
        if own.number == _CLUSTER:
            break
        if own.number == _TRACKS:
            tracks = [one for one in _elements(file, own.start, own.end) if one.number == _TRACK]
            return _of_track_entry(file, [*_elements(file, *tracks[number][1:])])
    return NO_FACTS


class _Element(NamedTuple):
    number: int
    start: int
    end: int


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[_Element]:
    """Yield the elements of a part of a Matroska file (RFC 8794)."""
    while start < end:
        file.seek(start)
        first = file.read(1)[0]
        length = 9 - first.bit_length()
        number = int.from_bytes(bytes((first,)) + file.read(length - 1))
        first = file.read(1)[0]
        following = 8 - first.bit_length()
        size = (first << 8 * following | int.from_bytes(file.read(following))) & (
            (1 << 7 * following + 7) - 1
        )
        begin = file.tell()
        stop = end if size == (1 << 7 * following + 7) - 1 else min(end, begin + size)
        yield _Element(number, begin, stop)
        start = stop


def _of_track_entry(file: BinaryIO, entry: list[_Element]) -> ContainerFacts:
    crop, projection, stereo, vision = [0, 0, 0, 0], False, False, None
    for own in entry:
        if own.number == _VIDEO:
            for one in _elements(file, own.start, own.end):
                if one.number in _CROPS:
                    crop[_CROPS[one.number]] = _number(file, one)
                projection |= one.number == _PROJECTION
                stereo |= one.number == _STEREO and _number(file, one) > 0
        if own.number == _ADDITION:
            parts = {one.number: one for one in _elements(file, own.start, own.end)}
            kind = parts.get(_ADDITION_TYPE)
            if kind and _number(file, kind).to_bytes(8)[4:] in _DOLBY_VISION:
                place = parts[_ADDITION_DATA]
                file.seek(place.start)
                text = file.read(place.end - place.start)
                vision = (text[2] >> 1, text[4] >> 4)
    return ContainerFacts(
        crop=Crop(*crop), projection=projection, stereo=stereo, dolby_vision=vision
    )


def _number(file: BinaryIO, element: _Element) -> int:
    file.seek(element.start)
    return int.from_bytes(file.read(element.end - element.start))
