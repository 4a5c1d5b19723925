"""A few frames from all over a clip, for what only the whole clip can tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import av.error

from ..frames.av_frame import from_av
from ..frames.crop import cropped_frame
from ..frames.frame import Frame
from .clip_info import VideoInfo
from .opening import open_clip, video_stream

_MOMENTS = 12
# Fewer key frames than this say too little about a clip ...
_LEAST = 4
# ... and then so many frames from its start are looked through instead.
_MOST_DECODED = 300
_MICROSECONDS = 1_000_000


def sampled_frames(
    path: Path, video: VideoInfo, *, start: Fraction = Fraction(0), end: Fraction | None = None
) -> list[Frame]:
    """Return frames spread over a clip: the key frame before each of twelve moments.

    Frames that can't be decoded are passed over: whoever reads the whole clip reports them.

    Args:
        path: The clip.
        video: Its video stream, as its reader describes it.
        start: First second to look at.
        end: Last second to look at; None for the clip's end.
    """
    end = end or video.duration or start
    moments = [start + (end - start) * Fraction(2 * i + 1, 2 * _MOMENTS) for i in range(_MOMENTS)]
    found = _decoded(_at_key_frames(path, moments), video)
    if len(found) < _LEAST:
        found = _decoded(_from(path, start), video) or found
    return found


def _decoded(items: Iterator[av.VideoFrame], video: VideoInfo) -> list[Frame]:
    frames: dict[int | None, Frame] = {}
    with suppress(av.error.FFmpegError, OSError):
        for item in items:
            if (item.width, item.height) == video.decoded_size:
                frame = from_av(
                    item,
                    pixel_format=video.pixel_format,
                    colour=video.colour,
                    pts=len(frames),
                    duration=1,
                    time_base=Fraction(1),
                )
                frames[item.pts] = cropped_frame(frame, video.crop)
    return list(frames.values())


def _at_key_frames(path: Path, moments: list[Fraction]) -> Iterator[av.VideoFrame]:
    with open_clip(path) as container:
        stream = video_stream(container, path)
        # Threads would decode many frames ahead of the one that is wanted.
        stream.thread_type = "SLICE"
        for moment in moments:
            container.seek(int(moment * _MICROSECONDS) + (container.start_time or 0))
            item = next(container.decode(stream), None)
            if item is None:
                return
            yield item


def _from(path: Path, start: Fraction) -> Iterator[av.VideoFrame]:
    with open_clip(path) as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        if start:
            container.seek(int(start * _MICROSECONDS) + (container.start_time or 0))
        yield from islice(container.decode(stream), 0, _MOST_DECODED, _MOST_DECODED // _MOMENTS)
