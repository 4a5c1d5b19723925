"""Facts of a clip: its video stream, and which other streams it has."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.sidedata.sidedata import SideData, SideDataContainer
from av.stream import Disposition, Stream

from ..frames.av_frame import working_format
from ..frames.crop import NO_CROP, Crop
from ..frames.fields import FieldOrder, field_order
from ..frames.frame import UNSPECIFIED_TAGS, ChromaLocation, Colour, PixelFormat
from ..frames.icc import tags_of_profile
from .container_facts import NO_FACTS, ContainerFacts

# Seconds; default of MP4 and MOV. Edit lists state in it how long a track is.
_MOVIE_TICK = Fraction(1, 1000)
BESIDE = {
    "A53_CC": "closed captions in the frames (CEA-608, CEA-708)",
    "AFD": "active format descriptions",
    "S12M_TIMECODE": "timecodes of single frames",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DYNAMIC_HDR_VIVID": "HDR Vivid metadata",
    "DOVI_RPU_BUFFER": "Dolby Vision metadata",
    "DOVI_METADATA": "Dolby Vision metadata",
    "REGIONS_OF_INTEREST": "regions of interest",
    "DETECTION_BBOXES": "detected objects",
}
"""Names of what frames carry beside their pixels and no output keeps, by FFmpeg's names."""
# What x264 and x265 say of themselves in the first frame.
_ENCODERS_NOTES = frozenset(
    bytes.fromhex(uuid)
    for uuid in ("dc45e9bde6d948b7962cd820d923eeef", "2ca2de09b51747dbbb55a4fe7fc2fc4e")
)
# Frames a second; what is above is a clock.
_FASTEST = 2000
# Codecs of the MPEG-1 school, which site chroma between the luma samples (H.262, annex; JFIF).
_CENTRED_CHROMA = frozenset({"mjpeg", "mpeg1video", "h263"})


@dataclass(frozen=True)
class VideoInfo:
    """Facts of the video stream of a clip.

    Attributes:
        index: Stream index in the container.
        codec: FFmpeg's name of the codec.
        width, height: Coded size in pixels, before rotation.
        native_format: FFmpeg's name of the decoder's pixel format.
        pixel_format: Format in which frames are read; represents all that the native one does,
            except YUV of more than 12 bit.
        colour: Colour tags, unspecified ones filled as players do.
        frame_rate: Average frames per second, exact; None where the container does not state it.
        constant_rate: Whether all frames are known for certain to last equally many ticks.
        time_base: Seconds; the unit of every frame's pts and duration.
        duration: Seconds; None where the container does not state it.
        frames: Expected number of frames, a guess from the header: never a promise.
        sample_aspect_ratio: Width of a pixel over its height; None where not stated (square).
        display_matrix: Rotation and mirroring for display, 9 integers as FFmpeg has them.
        rotation: The same in degrees counter-clockwise, without mirroring.
        fields: Order of the first frame's fields; None where it is progressive.
        has_alpha: Whether the native format has transparency.
        mastering_display: The display that HDR was graded on (SMPTE ST 2086): x and y of red,
            green, blue and white, least and most luminance in cd/m². None where the first frame
            does not state all of it.
        content_light: The brightest pixel's and the brightest frame's average light in cd/m²
            (CTA-861.3: MaxCLL, MaxFALL; 0 where not stated); None where it states neither.
        disposition: FFmpeg's flags of the stream, such as that it is the default one.
        crop: What the reader takes off the decoder's frames, as the container asks.
        beside: Names of what the first frame carries beside its pixels, and no output keeps.
    """

    index: int
    codec: str
    width: int
    height: int
    native_format: str
    pixel_format: PixelFormat
    colour: Colour
    frame_rate: Fraction | None
    constant_rate: bool
    time_base: Fraction
    duration: Fraction | None
    frames: int | None
    sample_aspect_ratio: Fraction | None
    display_matrix: tuple[int, ...] | None
    rotation: int
    fields: FieldOrder | None
    has_alpha: bool
    mastering_display: tuple[Fraction, ...] | None = None
    content_light: tuple[int, int] | None = None
    disposition: int = int(Disposition.default)
    crop: Crop = NO_CROP
    beside: tuple[str, ...] = ()

    @property
    def decoded_size(self) -> tuple[int, int]:
        """Width and height of the decoder's frames, before they are cropped."""
        crop = self.crop
        return self.width + crop.left + crop.right, self.height + crop.top + crop.bottom

    @property
    def interlaced(self) -> bool:
        """True if the first frame is interlaced."""
        return self.fields is not None

    @property
    def hdr(self) -> str | None:
        """PQ, HLG or linear by the transfer (H.273: 16, 18, 8), else None."""
        return self.colour.hdr


@dataclass(frozen=True)
class StreamInfo:
    """Facts of a stream that is not the video."""

    index: int
    type: str
    codec: str
    language: str | None


@dataclass(frozen=True)
class ClipInfo:
    """Facts of a clip.

    Attributes:
        path: The file.
        container: FFmpeg's name of the format, e.g. "mov,mp4,m4a,3gp,3g2,mj2".
        origin: Seconds that the reader takes off every timestamp; 0 except for transport and
            program streams, which count from an arbitrary clock.
        video: The video stream.
        others: Every other stream, in the container's order.
        facts: What the container states of the video stream beside that.
    """

    path: Path
    container: str
    origin: Fraction
    video: VideoInfo
    others: tuple[StreamInfo, ...]
    facts: ContainerFacts = NO_FACTS

    @property
    def audio(self) -> tuple[StreamInfo, ...]:
        """The audio streams."""
        return tuple(stream for stream in self.others if stream.type == "audio")


def stream_info(stream: Stream) -> StreamInfo:
    """Return the facts of a stream that is not the video."""
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
    return StreamInfo(stream.index, stream.type, codec, stream.language)


def video_info(
    container: InputContainer,
    stream: av.VideoStream,
    first: av.VideoFrame,
    facts: ContainerFacts = NO_FACTS,
) -> VideoInfo:
    """Return the facts of the video stream, most of them those of its first frame.

    Raises:
        ColourError: Its colours have no conversion here.
    """
    native, form = first.format.name, working_format(first.format)
    colour = colour_of(stream, first, form, facts)
    assert stream.time_base is not None
    duration = None if stream.duration is None else stream.duration * stream.time_base
    if "matroska" in container.format.name:
        # Matroska states none for a stream; FFmpeg sometimes fills in the whole file's.
        duration = None
    rate = frame_rate(stream)
    length = duration or Fraction(container.duration or 0, av.time_base)
    return VideoInfo(
        index=stream.index,
        codec=stream.codec_context.name,
        width=first.width,
        height=first.height,
        native_format=native,
        pixel_format=form,
        colour=colour,
        frame_rate=rate,
        constant_rate=_constant_rate(container, stream),
        time_base=stream.time_base,
        duration=duration,
        frames=stream.frames or (round(length * rate) if length and rate else None),
        sample_aspect_ratio=stream.sample_aspect_ratio or None,
        display_matrix=display_matrix(first),
        rotation=first.rotation,
        fields=field_order(first),
        has_alpha=form.alpha,
        mastering_display=mastering_display(first),
        content_light=_content_light(first),
        disposition=int(stream.disposition) or int(Disposition.default),
        beside=tuple(sorted(beside_pixels(first))),
    )


def colour_of(
    stream: av.VideoStream, frame: av.VideoFrame, form: PixelFormat, facts: ContainerFacts
) -> Colour:
    """Return the colours of a frame.

    Args:
        stream: Its stream.
        frame: The frame.
        form: The `working_format` of its format.
        facts: What the container states.

    Raises:
        ColourError: They have no conversion here.
    """
    primaries, transfer = _of_profile(frame, facts)
    colour = Colour.resolve(
        matrix=frame.colorspace,
        range=frame.color_range,
        primaries=primaries,
        transfer=transfer,
        pixel_format=form,
        width=frame.width,
        height=frame.height,
        full_range_format=frame.format.name.startswith("yuvj"),
    )
    if stream.codec_context.name in _CENTRED_CHROMA:
        colour = replace(colour, chroma_location=ChromaLocation.CENTER)
    return colour


def colour_tags(frame: av.VideoFrame) -> tuple[int, ...]:
    """Return what a frame states of its colours."""
    full = frame.format.name.startswith("yuvj")
    return frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc, full


def _of_profile(frame: av.VideoFrame, facts: ContainerFacts) -> tuple[int, int]:
    """Return primaries and transfer: those that are stated, else those of an ICC profile."""
    profile = icc_profile(frame, facts)
    primaries, transfer = tags_of_profile(profile) if profile else (None, None)
    stated = frame.color_primaries, frame.color_trc
    return (
        primaries if primaries and stated[0] in UNSPECIFIED_TAGS else stated[0],
        transfer if transfer and stated[1] in UNSPECIFIED_TAGS else stated[1],
    )


def icc_profile(frame: av.VideoFrame, facts: ContainerFacts) -> bytes | None:
    """Return the ICC profile of a stream; None where it has none."""
    return facts.profile or side_data(frame, "ICC_PROFILE")


def beside_pixels(frame: av.VideoFrame) -> set[str]:
    """Return the names of what a frame carries beside its pixels, and no output keeps."""
    kinds = _side_data(frame)
    if kinds is None:
        return {"side data of an unknown kind"}
    found = {BESIDE[kind] for kind in kinds if kind in BESIDE}
    user = kinds.get("SEI_UNREGISTERED")
    if user is not None and bytes(user)[:16] not in _ENCODERS_NOTES:
        found.add("user data of frames (SEI)")
    return found


def frame_rate(stream: av.VideoStream) -> Fraction | None:
    """Return a stream's frames a second; None where it states none that can be.

    Some demuxers state the clock's ticks (60000 for DV) instead of an average.
    """
    stated = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    return next((rate for rate in stated if rate and 0 < rate <= _FASTEST), None)


def _constant_rate(container: InputContainer, stream: av.VideoStream) -> bool:
    """Return whether a table of all samples shows a constant rate; stated rates are often wrong.

    An edit list can end the last frame in its middle, or claim more time than there is; only
    what is rounded to its usual tick is not meant.
    """
    if "mp4" not in container.format.name or len(stream.index_entries) < 2:
        return False
    entries = list(stream.index_entries)
    steps = {after.timestamp - before.timestamp for before, after in pairwise(entries)}
    if len(steps) > 1 or stream.duration is None or stream.time_base is None:
        return False
    shown = steps.pop() * sum(not entry.is_discard for entry in entries)
    return abs(stream.duration - shown) * stream.time_base < _MOVIE_TICK


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """Return the rotation and mirroring for display: 9 integers as FFmpeg has them."""
    data = side_data(frame, "DISPLAYMATRIX")
    if data is None:
        return _rotation_matrix(frame.rotation) if frame.rotation else None
    return struct.unpack("=9i", data)


def side_data(frame: av.VideoFrame, kind: str) -> bytes | None:
    """Return the content of a frame's side data of a kind, by FFmpeg's name; None for none."""
    data = (_side_data(frame) or {}).get(kind)
    return None if data is None else bytes(data)


def _side_data(frame: av.VideoFrame) -> dict[str, SideData] | None:
    """Return side data by kind; None where one is of a kind that PyAV doesn't know.

    `frame.side_data` keeps in the frame what keeps the frame: its memory would be free only when
    the garbage collector comes by, many frames later.
    """
    try:
        # It yields its entries, not their names; PyAV's stubs know nothing of either.
        entries: Any = SideDataContainer(frame)  # pyright: ignore[reportCallIssue]
    except ValueError:
        return None
    return {entry.type.name: entry for entry in entries}


def mastering_display(frame: av.VideoFrame) -> tuple[Fraction, ...] | None:
    """Return the display that a frame was graded on, see `VideoInfo`; None if not all of it.

    FFmpeg's AVMasteringDisplayMetadata: ten rationals, and which of them are set.
    """
    data = side_data(frame, "MASTERING_DISPLAY_METADATA")
    if data is None:
        return None
    *terms, has_primaries, has_luminance = struct.unpack("=22i", data)
    if not (has_primaries and has_luminance and all(terms[1::2])):
        return None
    return tuple(Fraction(*pair) for pair in zip(terms[::2], terms[1::2], strict=True))


def _content_light(frame: av.VideoFrame) -> tuple[int, int] | None:
    data = side_data(frame, "CONTENT_LIGHT_LEVEL")
    return None if data is None else struct.unpack("=2I", data)


def _rotation_matrix(degrees: int) -> tuple[int, ...]:
    """Return a rotation by quarter turns as FFmpeg has it (16.16 fixed point, last row 2.30)."""
    one = 1 << 16
    cosine, sine = {0: (one, 0), 90: (0, one), -90: (0, -one)}.get(degrees, (-one, 0))
    return (cosine, -sine, 0, sine, cosine, 0, 0, 0, 1 << 30)
