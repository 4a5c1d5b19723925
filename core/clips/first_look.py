"""Facts of a clip, by its container and its first frame."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer

from ..errors import MediaError
from .clip_info import ClipInfo, VideoInfo, stream_info, video_info
from .container_facts import ContainerFacts, container_facts

# Transport and program streams count from an arbitrary clock; their zero means nothing.
CLOCKED_CONTAINERS = frozenset({"mpegts", "mpeg"})


def facts_of(path: Path, container: InputContainer, stream: av.VideoStream) -> ContainerFacts:
    """Return the facts that only the file itself tells.

    Raises:
        MediaError: Its colours are Dolby Vision's alone.
    """
    name = container.format.name
    number = stream.index if "matroska" in name else stream.id
    facts = container_facts(path, name, number)
    if facts.dolby_vision is not None and facts.dolby_vision[1] == 0:
        raise MediaError(
            f"is Dolby Vision profile {facts.dolby_vision[0]}, whose colours (IPT-PQ-C2) only "
            "its own metadata turn into a picture",
            hint="convert it to HDR10 or HLG first",
        )
    return facts


def clip_info_of(
    path: Path, container: InputContainer, stream: av.VideoStream, first: av.VideoFrame
) -> ClipInfo:
    """Return the facts of a clip, its frames as they are decoded.

    Args:
        path: The clip.
        container: It, opened.
        stream: Its video stream.
        first: Its first frame.

    Raises:
        MediaError: Its colours are Dolby Vision's alone.
        ColourError: Its colours have no conversion here.
    """
    facts = facts_of(path, container, stream)
    video = video_info(container, stream, first, facts)
    others = tuple(stream_info(other) for other in container.streams if other.index != stream.index)
    name = container.format.name
    origin = _origin(container) if name in CLOCKED_CONTAINERS else Fraction(0)
    return ClipInfo(path, name, origin, video, others, facts)


def cropped_info(info: ClipInfo, *, fields: bool) -> ClipInfo:
    """Describe a clip whose frames are cropped to what its container says is shown.

    Args:
        info: Of its whole frames.
        fields: Whether frames remain interlaced.
    """
    video: VideoInfo = info.video
    crop = info.facts.crop.aligned(video.pixel_format, fields=video.interlaced and fields)
    width, height = crop.size(video.width, video.height)
    return replace(info, video=replace(video, width=width, height=height, crop=crop))


def _origin(container: InputContainer) -> Fraction:
    """Return the earliest start of all streams, in seconds."""
    starts = [
        stream.start_time * stream.time_base
        for stream in container.streams
        if stream.start_time is not None and stream.time_base
    ]
    return min(starts, default=Fraction(0))
