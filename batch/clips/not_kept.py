"""Warnings: properties of a clip that are not kept, a line each."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.clips.media import ClipInfo
from ...core.clips.reader import Reader
from ...core.frames.crop import NO_CROP
from ...core.human import counted
from ...core.options import Interlaced
from ..encoding.encode import Encoding

INTERLACED = {
    "deinterlace": "deinterlaced with bwdif, one frame for each",
    "keep": "each frame is stylized as one, and its fields stay",
}


def met_on_the_way(reader: Reader, interlaced: Interlaced) -> Iterator[str]:
    """Yield what is known only when the whole clip is read."""
    if reader.damaged_frames:
        yield f"damaged in the source: {counted(reader.damaged_frames, 'frame')}"
    if reader.recoloured_frames and "recoloured_frames" not in reader.foreseen:
        frames = counted(reader.recoloured_frames, "frame")
        yield f"{frames} state another matrix or range than the first: converted to the first's"
    if reader.repaired_frames and "repaired_frames" not in reader.foreseen:
        yield f"times that did not rise, repaired: {counted(reader.repaired_frames, 'frame')}"
    for name in sorted(reader.beside):
        yield f"{name} of later frames are not kept"
    if reader.interlaced_frames and not reader.info.video.interlaced:
        frames = counted(reader.interlaced_frames, "interlaced frame")
        yield f"has {frames}: {INTERLACED[interlaced]}"


def beside_losses(info: ClipInfo, *, carried: bool) -> Iterator[str]:
    """Yield what lies beside the video and is lost, known before the first frame.

    Args:
        info: The source.
        carried: True if the container takes over the boxes of an MP4 or MOV file.
    """
    facts, video = info.facts, info.video
    if NO_CROP not in (facts.crop, video.crop):
        yield (
            f"cropped to {video.width}x{video.height}, as the container asks, "
            f"from {video.decoded_size[0]}x{video.decoded_size[1]}"
        )
    boxed = carried and "mp4" in info.container
    only = "only MP4 or MOV to MP4 or MOV keeps it"
    if facts.projection and not boxed:
        yield f"its spherical projection is not kept: {only}"
    if facts.stereo and not boxed:
        yield f"that its frames hold two views (stereo) is not kept: {only}"
    if facts.two_views:
        yield "its second view (MV-HEVC) is not kept: the first is stylized"
    if facts.profile is not None and not carried:
        yield "its ICC profile is not kept: only MP4 and MOV have a place for it"
    if facts.dolby_vision is not None:
        profile, compatible = facts.dolby_vision
        yield f"Dolby Vision metadata (profile {profile}.{compatible}) are not kept: its base is"
    for name in video.beside:
        if facts.dolby_vision is None or "Dolby" not in name:
            yield f"{name} are not kept"


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
