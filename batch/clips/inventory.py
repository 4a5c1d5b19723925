"""Inventory of a clip: all that it has, read from the file itself, of source and output alike."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error
from av.container import InputContainer
from av.stream import Discard, Disposition, Stream

from ...core.clips.clip_info import (
    beside_pixels,
    display_matrix,
    icc_profile,
    mastering_display,
    side_data,
)
from ...core.clips.container_facts import (
    ContainerFacts,
    boxes,
    description,
    facts_in_file,
    inside,
    video_track,
    whole_file,
)
from ...core.clips.opening import open_clip, video_stream
from ...core.clips.reader import Reader
from ...core.errors import MediaError
from ...core.frames.crop import NO_CROP
from ...core.frames.fields import field_order
from ...core.frames.frame import UNSPECIFIED_TAGS
from .output_tags import same_language

Key = tuple[str, ...]
"""Name of something that a clip has: ("picture", "transparency"), ("tag", "title")."""

# Of the file alone, or stated in another way.
_OWN_TAGS = frozenset(
    {
        *("major_brand", "minor_version", "compatible_brands", "encoder", "software", "vendor_id"),
        *("timecode", "reel_name", "alpha_mode"),
    }
)
# What Matroska's tools have counted.
_COUNTED_TAGS = ("bps", "duration", "number_of_", "_statistics_")
# Containers state it once.
_OF_FILES = ("creation_time",)
# Names that writing programs give every track.
_USUAL_HANDLERS = re.compile(r"handler?$|^core media |^iso media file", re.IGNORECASE)
_NO_RANGE = frozenset({0})
# Boxes of a video's description that are the codec's, or compared as what they state.
_KNOWN_BOXES = frozenset(
    {
        *(b"avcC", b"hvcC", b"av1C", b"vpcC", b"vvcC", b"apvC", b"esds", b"glbl", b"d263", b"jp2h"),
        *(b"colr", b"pasp", b"fiel", b"btrt", b"gama", b"clap", b"st3d", b"sv3d", b"amve", b"lhvC"),
        *(b"mdcv", b"clli", b"SmDm", b"CoLL", b"cclv", b"dvcC", b"dvvC", b"dvwC", b"chrm", b"ccst"),
        *(b"ACLR", b"ARES", b"APRG", b"AORD", b"ADHR", b"uuid", b"free", b"\0\0\0\0"),
    }
)
# Boxes of user data that FFmpeg reads as metadata (3GPP), or that writing programs leave.
_KNOWN_USER_DATA = frozenset(
    {
        *(b"meta", b"name", b"titl", b"auth", b"cprt", b"dscp", b"gnre", b"perf", b"albm", b"yrrc"),
        *(b"loci", b"clsf", b"kind", b"chpl", b"hnti", b"hinf", b"hdlr", b"tagc", b"Xtra", b"TAGS"),
        *(b"WLOC", b"SelO", b"AllF", b"LOOP", b"free", b"skip", b"\0\0\0\0"),
    }
)
# First byte of QuickTime's texts.
_TEXT = b"\xa9"
# XMP's place in MP4 and MOV (XMP specification, part 3, 1.2.5).
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


@dataclass(frozen=True)
class StreamItem:
    """A stream next to the video.

    Attributes:
        index: Its index in the container.
        type: FFmpeg's name of its type.
        codec: FFmpeg's name of its codec.
        tags: What it states, by lower-case name.
        marks: FFmpeg's names of its dispositions.
    """

    index: int
    type: str
    codec: str
    tags: Mapping[str, str]
    marks: frozenset[str]


@dataclass(frozen=True)
class Inventory:
    """Content of a clip but for its samples.

    Attributes:
        picture: Properties of the video by name, those that it has.
        streams: Every other stream; those are left out that containers make of other facts
            (timecode, chapters).
        tags: What the container and its video stream state, by lower-case name.
        chapters: Titles.
        boxes: Places of boxes that FFmpeg does not read (MP4, MOV).
    """

    picture: Mapping[str, object] = field(default_factory=dict)
    streams: tuple[StreamItem, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    chapters: tuple[str, ...] = ()
    boxes: frozenset[str] = frozenset()

    def of_streams(self, indices: Iterable[int]) -> Inventory:
        """Return the inventory of the video and some of the other streams."""
        wanted = set(indices)
        return replace(self, streams=tuple(own for own in self.streams if own.index in wanted))


def take(clip: Path | io.BytesIO, kind: str | None = None) -> Inventory:
    """Read an inventory; decodes the first frame.

    Args:
        clip: The clip's file, or its content.
        kind: FFmpeg's name of the container, where a file's name would tell it.

    Raises:
        MediaError: There is no such file, or it has no video.
        av.error.FFmpegError, OSError: It can't be read.
    """
    path = clip if isinstance(clip, Path) else Path("output")
    if isinstance(clip, io.BytesIO):
        clip.seek(0)
        container = av.open(clip, "r", format=kind, metadata_errors="replace")
    else:
        container = open_clip(clip)
    with container:
        stream = video_stream(container, path)
        frame = next(container.decode(stream), None)
        others = [own for own in container.streams if own.index != stream.index]
        streams = tuple(_stream_item(own) for own in others if not is_made_by_muxer(own))
        tags = _tags(stream.metadata, _OF_FILES) | _tags(container.metadata)
        chapters = tuple(
            chapter["metadata"].get("title") or f"chapter {number}"
            for number, chapter in enumerate(container.chapters(), 1)
        )
        facts, unread = _of_file(clip, container, stream)
        picture = {} if frame is None else dict(_picture(container, stream, frame, facts))
    return Inventory(picture, streams, tags, chapters, unread)


def of_source(reader: Reader) -> Inventory:
    """Read the inventory of what a reader reads: of a range its own chapters.

    Raises:
        MediaError: It can't be read.
    """
    if reader.images:
        return _of_images(reader)
    try:
        whole = take(reader.path).of_streams(other.index for other in reader.info.others)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaError.because(
            error, "can't be read any further", path=reader.path, otherwise="it is damaged"
        ) from error
    if reader.range is None:
        return whole
    titles = {chapter["metadata"].get("title") for chapter in reader.chapters}
    return replace(whole, chapters=tuple(title for title in whole.chapters if title in titles))


def _of_images(reader: Reader) -> Inventory:
    """Return the inventory of images; what their files have beside that, `Picture` tells."""
    video, form = reader.info.video, reader.info.video.pixel_format
    picture: dict[str, object] = {"bits": form.depth}
    if form.alpha:
        picture["transparency"] = True
    if video.sample_aspect_ratio not in (None, 1):
        picture["sample aspect ratio"] = video.sample_aspect_ratio
    if reader.timecode is not None:
        picture["timecode"] = True
    return Inventory(picture)


def is_made_by_muxer(stream: Stream) -> bool:
    """Return whether QuickTime's muxer makes the stream itself, from metadata and chapters."""
    timecode = "timecode" in stream.metadata
    # FFmpeg reads a chapter track itself, and marks it as one that nobody else should read.
    chapters = stream.discard == Discard.all
    return stream.type == "data" and (timecode or chapters)


def _stream_item(stream: Stream) -> StreamItem:
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
    marks = frozenset(mark.name for mark in Disposition(stream.disposition) if mark.name)
    tags = _tags(stream.metadata, _OF_FILES)
    return StreamItem(stream.index, stream.type, codec, tags, marks)


def _tags(metadata: Mapping[str, str], without: Collection[str] = ()) -> dict[str, str]:
    """Return what is said of the content, by lower-case name."""
    lower = {name.lower(): value for name, value in metadata.items()}
    if "name" in lower:
        # MP4's name of a track.
        lower.setdefault("title", lower.pop("name"))
    if "language" in lower:
        lower["language"] = same_language(lower["language"])
    return {
        name: value
        for name, value in lower.items()
        if name not in (*_OWN_TAGS, *without)
        and not name.startswith(_COUNTED_TAGS)
        and value not in ("", "und")
        and not (name == "handler_name" and _USUAL_HANDLERS.search(value.strip()))
    }


def _picture(
    container: InputContainer, stream: av.VideoStream, frame: av.VideoFrame, facts: ContainerFacts
) -> Iterator[tuple[str, object]]:
    """Yield the properties of a video that has them, by name."""
    form = frame.format
    luma, *others = form.components
    yield "bits", max(component.bits for component in form.components)
    is_yuv = not (form.is_rgb or form.has_palette or form.is_bayer) and len(others) > 1
    if is_yuv:
        shift = -(-luma.width // others[0].width), -(-luma.height // others[0].height)
        yield "chroma resolution", (*shift, form.name)
    tags = {name.lower(): value for name, value in stream.metadata.items()}
    if any(own.is_alpha for own in form.components) or tags.get("alpha_mode") == "1":
        yield "transparency", True
    if stream.sample_aspect_ratio not in (None, 0, 1):
        yield "sample aspect ratio", stream.sample_aspect_ratio
    matrix = display_matrix(frame)
    if matrix is not None and matrix[:5] != (1 << 16, 0, 0, 0, 1 << 16):
        yield "rotation", matrix[:2] + matrix[3:5]
    if frame.interlaced_frame:
        yield "fields", field_order(frame)
    yield from _colour(frame, is_yuv=is_yuv)
    if facts.crop != NO_CROP:
        yield "crop", facts.crop
    yield from _beside(frame, facts)
    stated = {name.lower() for own in (container, *container.streams) for name in own.metadata}
    for name in sorted(stated & {"timecode", "reel_name"}):
        yield name.replace("_", " "), True


def _colour(frame: av.VideoFrame, *, is_yuv: bool) -> Iterator[tuple[str, object]]:
    stated = {"primaries": frame.color_primaries, "transfer": frame.color_trc}
    if is_yuv:
        full = 2 if frame.format.name.startswith("yuvj") else frame.color_range
        stated |= {"matrix": frame.colorspace, "range": full}
    for name, code in stated.items():
        if code not in (_NO_RANGE if name == "range" else UNSPECIFIED_TAGS):
            yield name, code


def _beside(frame: av.VideoFrame, facts: ContainerFacts) -> Iterator[tuple[str, object]]:
    """Yield what frames and container state of the picture beside its pixels."""
    display = mastering_display(frame)
    if display is not None:
        yield "mastering display", tuple(round(float(value), 3) for value in display)
    elif side_data(frame, "MASTERING_DISPLAY_METADATA"):
        yield "mastering display", True
    light = side_data(frame, "CONTENT_LIGHT_LEVEL")
    if light is not None and any(light):
        yield "content light level", light
    if icc_profile(frame, facts):
        yield "ICC profile", icc_profile(frame, facts)
    if facts.projection or side_data(frame, "SPHERICAL") is not None:
        yield "spherical projection", True
    views = side_data(frame, "STEREO3D")
    # AVStereo3DType: 0 is one view.
    if facts.stereo or (views is not None and struct.unpack_from("=i", views) != (0,)):
        yield "stereo", True
    if side_data(frame, "AMBIENT_VIEWING_ENVIRONMENT") is not None:
        yield "ambient viewing environment", True
    if facts.two_views:
        yield "second view", True
    if facts.dolby_vision is not None:
        yield "Dolby Vision", facts.dolby_vision
    for name in sorted(beside_pixels(frame)):
        if facts.dolby_vision is None or "Dolby" not in name:
            yield name, True


def _of_file(
    clip: Path | io.BytesIO, container: InputContainer, stream: av.VideoStream
) -> tuple[ContainerFacts, frozenset[str]]:
    name = container.format.name
    number = stream.index if "matroska" in name else stream.id
    if isinstance(clip, io.BytesIO):
        return facts_in_file(clip, name, number), frozenset()
    with clip.open("rb") as file:
        unread: set[str] = set()
        if "mp4" in name:
            # What is damaged is FFmpeg's to judge.
            with suppress(struct.error, ValueError, IndexError):
                unread |= set(_unread_boxes(file, number))
        return facts_in_file(file, name, number), frozenset(unread)


def _unread_boxes(file: BinaryIO, number: int) -> Iterator[str]:
    """Yield places of boxes that FFmpeg does not read: a camera's settings, an editor's notes."""
    whole = whole_file(file)
    for own in boxes(file, 0, whole.end):
        if own.name == b"uuid":
            file.seek(own.start)
            yield "uuid (XMP)" if file.read(16) == _XMP else "uuid"
    movie = inside(file, whole, b"moov")
    track = video_track(file, number)
    for around in (movie, track):
        data = None if around is None else inside(file, around, b"udta")
        for own in boxes(file, data.start, data.end) if data is not None else ():
            if own.name not in _KNOWN_USER_DATA and own.name[:1] != _TEXT:
                yield f"udta/{_text(own.name)}"
    entry = None if track is None else description(file, track)
    for own in boxes(file, entry.start, entry.end) if entry is not None else ():
        if own.name not in _KNOWN_BOXES:
            yield _text(own.name)


def _text(name: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in name)


def missing(
    source: Inventory, found: Inventory, pairs: Mapping[int, int]
) -> dict[Key, tuple[Any, Any]]:
    """Compare two inventories.

    Args:
        source: Of the source.
        found: Of the output.
        pairs: Which of the output's streams each of the source's became, by index; those that are
            left out are not among them.

    Returns:
        What the output does not have as the source does: both values by its name.
    """
    lost: dict[Key, tuple[Any, Any]] = {}
    for name, value in source.picture.items():
        other = found.picture.get(name)
        if not _is_kept(name, value, other, found):
            lost["picture", name] = value, other
    written = {own.index: own for own in found.streams}
    for own in source.streams:
        lost |= _of_stream(own, written.get(pairs.get(own.index, -1)))
    for name, value in source.tags.items():
        if not _same_text(value, found.tags.get(name, "")):
            lost["tag", name] = value, found.tags.get(name)
    for number, title in enumerate(source.chapters):
        if title not in found.chapters:
            lost["chapter", str(number)] = title, None
    for place in source.boxes - found.boxes:
        lost["box", place] = place, None
    return lost


def _of_stream(own: StreamItem, other: StreamItem | None) -> Iterator[tuple[Key, tuple[Any, Any]]]:
    key = ("stream", str(own.index))
    if other is None:
        yield key, (own, None)
        return
    for name, value in own.tags.items():
        if not _same_text(value, other.tags.get(name, "")):
            yield (*key, name), (value, other.tags.get(name))
    for mark in own.marks - other.marks - {"default"}:
        yield (*key, "mark", mark), (own, None)


def _is_kept(name: str, value: Any, other: Any, found: Inventory) -> bool:  # noqa: ANN401
    if name == "bits":
        return other is None or other >= value
    if name == "chroma resolution":
        return other is None or (other[0] <= value[0] and other[1] <= value[1])
    if name in ("matrix", "range") and "chroma resolution" not in found.picture:
        # RGB and grey have none.
        return True
    return value == other


def _same_text(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def _plain(text: str) -> str:
    """Return a text without the differences in how containers spell places and dates.

    ISO 6709 and ISO 8601 have several spellings of a number and of a time.
    """
    numbers = re.sub(r"[+-]\d+\.\d+", lambda found: f"{float(found[0]):+g}", text)
    return re.sub(r"(\d\d:\d\d:\d\d)\.0+Z?$", r"\1", numbers.replace("T", " ")).removesuffix("Z")
