"""Which encoder writes the picture, in which pixel format, at which quality."""

from __future__ import annotations

from dataclasses import dataclass, replace

import av
from av.container import OutputContainer

from ..core.errors import OutputError, UsageError
from ..core.frame import PIXEL_FORMATS, ChromaLocation, Colour, PixelFormat
from ..core.media import VideoInfo


@dataclass(frozen=True)
class Codec:
    """One row of the codec table.

    Attributes:
        encoder: FFmpeg's encoder.
        pixel_formats: What it takes, of the formats that frames come in.
        crf: Lowest, default and highest constant rate factor; None where the codec has none.
        containers: Suffixes of the files that hold it, the usual one first.
        options: FFmpeg's options for the encoder.
    """

    encoder: str
    pixel_formats: tuple[str, ...]
    crf: tuple[int, int, int] | None
    containers: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()


_YUV_TO_10 = tuple(
    layout + depth for depth in ("", "10le") for layout in ("yuv420p", "yuv422p", "yuv444p")
)
CODECS = {
    "h264": Codec(
        "libx264",
        (*_YUV_TO_10, "gray", "gray10le"),
        (0, 15, 51),
        ("mp4", "mov", "mkv"),
        (("preset", "medium"),),
    ),
    "hevc": Codec(
        "libx265",
        (*_YUV_TO_10, "yuv420p12le", "yuv422p12le", "yuv444p12le", "gray", "gray10le", "gray12le"),
        (0, 15, 51),
        ("mp4", "mov", "mkv"),
        (("preset", "medium"), ("x265-params", "log-level=error")),
    ),
    "prores": Codec(
        "prores_ks",
        ("yuv422p10le", "yuv444p10le"),
        None,
        ("mov", "mkv"),
        (("profile", "hq"), ("vendor", "apl0")),
    ),
    "ffv1": Codec(
        "ffv1",
        tuple(name for name in PIXEL_FORMATS if name != "gbrp"),
        None,
        ("mkv",),
        (("level", "3"), ("slicecrc", "1")),
    ),
}


@dataclass(frozen=True)
class EncodeSettings:
    """What the user chose.

    Attributes:
        codec: A key of `CODECS`, or "auto": h264 for 8 bit, hevc for more.
        crf: Constant rate factor, lower is better; None for the codec's default.

    Raises:
        UsageError: Unknown codec, or a CRF that it does not have.
    """

    codec: str = "auto"
    crf: int | None = None

    def __post_init__(self) -> None:
        if self.codec != "auto" and self.codec not in CODECS:
            raise UsageError(f"codec must be one of auto, {', '.join(CODECS)}, not {self.codec}")
        if self.crf is None:
            return
        limits = None if self.codec == "auto" else CODECS[self.codec].crf
        if self.codec != "auto" and limits is None:
            raise UsageError(f"{self.codec} has no CRF")
        least, _, most = limits or (0, 0, 51)
        if not least <= self.crf <= most:
            raise UsageError(f"CRF must lie between {least} and {most}, not {self.crf}")

    def codec_for(self, source: PixelFormat) -> Codec:
        """The row of the table for a source of this pixel format."""
        if self.codec != "auto":
            return CODECS[self.codec]
        return CODECS["h264" if source.depth == 8 else "hevc"]


@dataclass(frozen=True)
class Picture:
    """What the encoder is fed: the pixel format and colour of the written track."""

    pixel_format: PixelFormat
    colour: Colour


def encoded_picture(video: VideoInfo, codec: Codec) -> Picture:
    """The source's own format where the encoder takes it, else the nearest that loses least.

    The nearest keeps the chroma resolution first (RGB counts as 4:4:4), then the depth; RGB
    becomes limited-range BT.709. H.264 and HEVC count cropping in chroma samples: an odd size
    has no 4:2:0 form in them, and is written with finer chroma.
    """
    source = video.pixel_format
    offered = [PIXEL_FORMATS[name] for name in codec.pixel_formats]
    if codec.encoder in ("libx264", "libx265"):
        offered = [form for form in offered if _divides(form, video)]
    form = source if source in offered else min(offered, key=lambda offer: _loss(source, offer))
    # PyAV can't tag where chroma sits, so it is put where every decoder expects it.
    colour = replace(_colour_in(video, form), chroma_location=ChromaLocation.LEFT)
    return Picture(form, colour)


def _divides(form: PixelFormat, video: VideoInfo) -> bool:
    across, down = form.chroma_shift
    return video.width % (1 << across) == 0 and video.height % (1 << down) == 0


def _loss(source: PixelFormat, offer: PixelFormat) -> tuple[float, ...]:
    """Sorts pixel formats by what a source loses in them, then by what they waste."""
    fewer_planes = int(offer.plane_count < source.plane_count)
    other_family = int((source.family == "rgb") != (offer.family == "rgb"))
    # Grey has no chroma to lose.
    coarser = 0 if source.family == "gray" else _coarser(source, offer)
    shallower = max(0, source.depth - offer.depth)
    samples_per_pixel = 1 + (offer.plane_count - 1) / 2 ** sum(offer.chroma_shift)
    waste = offer.depth * samples_per_pixel
    return fewer_planes, other_family, coarser, shallower, waste


def _coarser(source: PixelFormat, offer: PixelFormat) -> int:
    pairs = zip(source.chroma_shift, offer.chroma_shift, strict=True)
    return sum(max(0, theirs - own) for own, theirs in pairs)


def _colour_in(video: VideoInfo, form: PixelFormat) -> Colour:
    if (video.pixel_format.family == "rgb") == (form.family == "rgb"):
        return video.colour
    return Colour.resolve(
        matrix=1,
        range=1,
        primaries=video.colour.primaries,
        transfer=video.colour.transfer,
        pixel_format=form,
        width=video.width,
        height=video.height,
    )


def add_video_stream(
    container: OutputContainer, video: VideoInfo, settings: EncodeSettings
) -> tuple[av.VideoStream, Picture]:
    """The output's picture track: same size, times, rotation and pixel shape as the source's.

    Raises:
        OutputError: The container can't hold the codec, or the encoder can't be opened.
    """
    codec = settings.codec_for(video.pixel_format)
    picture = encoded_picture(video, codec)
    options = dict(codec.options)
    if codec.crf is not None:
        options["crf"] = str(codec.crf[1] if settings.crf is None else settings.crf)
    if picture.pixel_format.name == "yuv444p10le" and codec.encoder == "prores_ks":
        options["profile"] = "4444"
    try:
        stream = container.add_stream(
            codec.encoder,
            rate=video.frame_rate or 25,
            options=options,
            time_base=video.time_base,
            width=video.width,
            height=video.height,
        )
    except ValueError as error:
        raise OutputError(
            f"{codec.encoder} video can't be held by {container.format.name}",
            hint=f"use --container {codec.containers[0]}",
        ) from error
    assert isinstance(stream, av.VideoStream)
    _describe(stream, video, picture)
    return stream, picture


def _describe(stream: av.VideoStream, video: VideoInfo, picture: Picture) -> None:
    context = stream.codec_context
    context.pix_fmt = picture.pixel_format.name
    context.colorspace = picture.colour.matrix
    context.color_range = picture.colour.range
    context.color_primaries = picture.colour.primaries
    context.color_trc = picture.colour.transfer
    if video.sample_aspect_ratio:
        context.sample_aspect_ratio = video.sample_aspect_ratio
    if not video.constant_rate and stream.container.format.name != "matroska":
        # MP4 keeps how long frames last in decoding order: only without reordering does the last
        # frame keep its own duration.
        context.max_b_frames = 0
    if video.display_matrix:
        stream.set_display_matrix(video.display_matrix)
    if context.name == "libx265" and stream.container.format.name != "matroska":
        # The tag under which QuickTime and Resolve recognise HEVC; Matroska has none.
        context.codec_tag = "hvc1"
