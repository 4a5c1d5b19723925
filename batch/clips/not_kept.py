"""Warnings: properties of a clip that are not kept, a line each."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.clips.media import ClipInfo
from ...core.clips.reader import Reader
from ...core.human import counted
from ...core.options import Interlaced
from ..encoding.encode import Encoding

INTERLACED = {
    "deinterlace": "deinterlaced with bwdif, one frame for each",
    "keep": "stylized as if progressive",
}


def met_on_the_way(reader: Reader, interlaced: Interlaced) -> Iterator[str]:
    """Yield what is known only when the whole clip is read."""
    if reader.damaged_frames:
        yield f"damaged in the source: {counted(reader.damaged_frames, 'frame')}"
    if reader.interlaced_frames and not reader.info.video.interlaced:
        frames = counted(reader.interlaced_frames, "interlaced frame")
        yield f"has {frames}: {INTERLACED[interlaced]}"


def losses(info: ClipInfo, encoding: Encoding, interlaced: Interlaced) -> Iterator[str]:
    """Yield what is known before the first frame."""
    video, form = info.video, encoding.picture.pixel_format
    if video.has_alpha and not form.alpha:
        yield "transparency is not kept"
    if form.depth < video.pixel_format.depth:
        yield f"written with {form.depth} bits instead of {video.pixel_format.depth}"
    if form.chroma_shift != video.pixel_format.chroma_shift and form.family == "yuv":
        yield f"written as {form.name} instead of {video.pixel_format.name}"
    if video.interlaced:
        yield f"is interlaced: {INTERLACED[interlaced]}"
