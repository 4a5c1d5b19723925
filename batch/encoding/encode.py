"""Choice of encoder, pixel format and quality for the written video."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import av
from av.codec.hwaccel import HWAccel
from av.container import OutputContainer
from av.stream import Disposition

from ...core.clips.clip_info import VideoInfo
from ...core.errors import DeviceError, OutputError, UsageError
from ...core.frames.fields import FieldOrder
from ...core.frames.frame import PIXEL_FORMATS, ChromaLocation, Colour, PixelFormat
from ...core.options import ENCODERS
from .codecs import CODECS, PRESETS, Codec, Encoder, container_hint
from .hardware import HARDWARE, feed, why_not
from .mastering import loses_mastering, mastering_params

# Pixels of the largest frame that is not large: 1440 lines.
_LARGE = 2560 * 1440
# Columns of the narrowest frame that is not narrow: four blocks of libx265's tree.
_NARROW = 64
MATROSKA = ("matroska", "webm")
"""FFmpeg's names of Matroska and its subset."""
_SUFFIXES = {"matroska": "mkv"}  # where FFmpeg's name of the container is not its suffix


@dataclass(frozen=True)
class EncodeSettings:
    """Encoding as the user chose it.

    Attributes:
        codec: A key of `CODECS`, or "auto": h264 for 8 bit, hevc for more and for RGB, and for
            transparency prores in MOV and ffv1 in Matroska.
        profile: One of the codec's profiles; None for the usual one.
        crf: Constant rate factor, lower is better; None for the codec's default.
        bitrate: Bits per second instead of a CRF.
        preset: One of `PRESETS`, for av1 also "0" (slow) to "13" (fast); "auto" or None for the
            fastest settings that keep the quality of the default CRF.
        encoder: One of `ENCODERS`.

    With "auto", `crf`, `bitrate` and `preset` count where the chosen codec has them.

    Raises:
        UsageError: A name that is unknown, or something that the codec does not have.
    """

    codec: str = "auto"
    profile: str | None = None
    crf: int | None = None
    bitrate: int | None = None
    preset: str | None = None
    encoder: str = "software"

    def __post_init__(self) -> None:
        if self.preset == "auto":
            object.__setattr__(self, "preset", None)
        if self.codec != "auto" and self.codec not in CODECS:
            raise UsageError(f"codec must be one of auto, {', '.join(CODECS)}, not {self.codec}")
        if self.encoder not in ENCODERS:
            raise UsageError(f"encoder must be one of {', '.join(ENCODERS)}, not {self.encoder}")
        codec = CODECS.get(self.codec)
        self._check_profile(codec)
        self._check_rate(codec)
        self._check_preset(codec)

    def _check_profile(self, codec: Codec | None) -> None:
        if self.profile is None:
            return
        if codec is None:
            raise UsageError("a profile needs a codec", hint="choose one with --codec")
        if not codec.profiles:
            raise UsageError(f"{self.codec} does not support profiles")
        if self.profile not in codec.profiles:
            names = ", ".join(codec.profiles)
            raise UsageError(f"{self.codec} has the profiles {names}, not {self.profile}")

    def _check_rate(self, codec: Codec | None) -> None:
        if self.crf is not None and self.bitrate is not None:
            raise UsageError("choose a CRF or a bitrate, not both")
        if codec is not None and codec.crf is None:
            for name, value in (("CRF", self.crf), ("bitrate", self.bitrate)):
                if value is not None:
                    raise UsageError(f"{self.codec} does not support a {name}")
        least, _, most = (codec and codec.crf) or (0, 0, 51)
        if self.crf is not None and not least <= self.crf <= most:
            raise UsageError(f"CRF must be between {least} and {most}, not {self.crf}")
        if self.bitrate is not None and self.bitrate < 1:
            raise UsageError(f"a bitrate of {self.bitrate} bits per second is not positive")

    def _check_preset(self, codec: Codec | None) -> None:
        if self.preset is None:
            return
        if codec is not None and codec.preset is None:
            raise UsageError(f"{self.codec} does not support presets")
        known = PRESETS if codec is None else tuple(codec.software.presets)
        if self.preset not in known:
            raise UsageError(f"preset must be one of auto, {', '.join(known)}, not {self.preset}")


def parse_bitrate(text: str) -> int:
    """Parse bits per second from what people write: "8M", "800k", "1.5M", "8000000".

    Raises:
        UsageError: It is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kM]?)", text.strip())
    if found is None:
        raise UsageError(f"{text} is not a valid bitrate", hint="write 8M or 800k")
    return round(float(found[1]) * {"": 1, "k": 1_000, "M": 1_000_000}[found[2]])


# FFmpeg's numbers (AVFieldOrder): both fields in one frame, the top or the bottom one first.
_FIELD_ORDERS = {"tff": 2, "bff": 3}


@dataclass(frozen=True)
class Picture:
    """Input of the encoder: the pixel format and colour of the written track."""

    pixel_format: PixelFormat
    colour: Colour


@dataclass(frozen=True)
class Encoding:
    """Encoding of one clip's video.

    Attributes:
        codec: A key of `CODECS`.
        encoder: The row that writes it.
        picture: Input of the encoder.
        options: Options that it is opened with.
        warnings: Losses, a line each; not those that show in what is written, see `Losses`.
        fields: Order of the fields that frames are flagged and coded with; None for progressive.
    """

    codec: str
    encoder: Encoder
    picture: Picture
    options: dict[str, str]
    warnings: tuple[str, ...]
    fields: FieldOrder | None = None

    @property
    def identity(self) -> dict[str, str]:
        """Everything of it that the written frames depend on."""
        form = self.picture.pixel_format.name
        facts = {**self.options, "encoder": self.encoder.name, "pixel_format": form}
        return facts if self.fields is None else facts | {"fields": self.fields}


def choose(video: VideoInfo, settings: EncodeSettings, muxer: str) -> Encoding:
    """Decide how a clip's video is written; nothing is opened but hardware, to try it.

    Args:
        video: The source as it is read: without fields where it is deinterlaced.
        settings: Encoding as the user chose it.
        muxer: FFmpeg's name of the container.

    Raises:
        OutputError: The container does not support the codec, or the codec not this video.
        DeviceError: The encoder that was asked for does not work here.
    """
    name = settings.codec
    if name == "auto":
        name = _auto_codec(video.pixel_format, muxer)
    codec = CODECS[name]
    _check_container(name, muxer)
    if video.width < codec.least_size[0] or video.height < codec.least_size[1]:
        raise OutputError(
            f"{name} does not support frames below {'x'.join(map(str, codec.least_size))}, "
            f"and this clip has {video.width}x{video.height}",
            hint="use another --codec",
        )
    encoder = _choose_encoder(name, video, settings)
    picture = encoded_picture(video, codec, encoder, settings.profile)
    lost: tuple[str, ...] = ()
    options = _options(codec, encoder, settings, video, picture.pixel_format)
    if video.fields is None or encoder.interlaced is None:
        if video.interlaced:
            lost += (f"flagged as progressive: {name} by {encoder.name} is not interlaced",)
        return Encoding(name, encoder, picture, options, lost)
    return Encoding(name, encoder, picture, {**options, **encoder.interlaced}, lost, video.fields)


def _auto_codec(source: PixelFormat, muxer: str) -> str:
    if muxer == "webm":
        return "vp9" if source.depth == 8 else "av1"
    if source.alpha and muxer in ("mov", "matroska"):
        return "prores" if muxer == "mov" else "ffv1"
    return "h264" if source.depth == 8 and source.family != "rgb" else "hevc"


def _check_container(name: str, muxer: str) -> None:
    holders = CODECS[name].containers
    if _SUFFIXES.get(muxer, muxer) not in holders:
        raise OutputError(
            f"{_SUFFIXES.get(muxer, muxer)} does not support {name} video",
            hint=container_hint(holders),
        )


def _choose_encoder(name: str, video: VideoInfo, settings: EncodeSettings) -> Encoder:
    software = CODECS[name].software
    if settings.encoder == "software":
        return software
    rows = HARDWARE.get(name, ())
    if settings.encoder == "auto":
        return next((row for row in rows if _is_as_good(row, name, video, settings)), software)
    row = next((row for row in rows if row.kind == settings.encoder), None)
    reason = f"there is no {name} in it" if row is None else _obstacle(row, name, video, settings)
    if row is None or reason is not None:
        raise DeviceError(
            f"the encoder {row.name if row else settings.encoder} does not work: {reason}",
            hint="--encoder auto chooses one that works",
        )
    return row


def _is_as_good(row: Encoder, name: str, video: VideoInfo, settings: EncodeSettings) -> bool:
    """Return whether a hardware encoder works and loses nothing against software."""
    codec = CODECS[name]
    wanted = encoded_picture(video, codec, codec.software, settings.profile)
    if wanted.pixel_format.name not in row.pixel_formats or loses_mastering(row, video):
        return False
    return _obstacle(row, name, video, settings) is None


def _obstacle(row: Encoder, name: str, video: VideoInfo, settings: EncodeSettings) -> str | None:
    if settings.preset is not None and settings.preset not in row.presets:
        return f"it has no preset {settings.preset}"
    codec = CODECS[name]
    form = encoded_picture(video, codec, row, settings.profile).pixel_format
    options = _options(codec, row, settings, video, form)
    return why_not(row, form.name, (video.width, video.height), tuple(options.items()))


def encoded_picture(
    video: VideoInfo, codec: Codec, encoder: Encoder, profile: str | None = None
) -> Picture:
    """Return the source's own format if the encoder takes it, else the one that loses least.

    Colour is never lost. The nearest keeps transparency first, then the chroma resolution (RGB
    counts as 4:4:4), then the depth; RGB becomes limited-range BT.709. H.264 and HEVC count
    cropping in chroma samples: an odd size has no 4:2:0 form in them, and is written with finer
    chroma.

    Raises:
        OutputError: The profile has no format for frames of this size.
    """
    source = video.pixel_format
    names = encoder.pixel_formats if profile is None else codec.profiles[profile].pixel_formats
    offered = [PIXEL_FORMATS[name] for name in names if name in encoder.pixel_formats]
    if codec.crops_in_chroma:
        offered = [form for form in offered if _divides(form, video)]
    offered = [form for form in offered if form.colour_plane_count >= source.colour_plane_count]
    if not offered:
        raise OutputError(
            f"{encoder.name} has no pixel format for {video.width}x{video.height} in "
            f"{f'profile {profile}' if profile else '4:2:0'}",
            hint="leave --profile, --delivery and --encoder out",
        )
    form = source if source in offered else min(offered, key=lambda offer: _loss(source, offer))
    # PyAV can't tag where chroma sits, so it is put where every decoder expects it.
    colour = replace(_colour_in(video, form), chroma_location=ChromaLocation.LEFT)
    return Picture(form, colour)


def _divides(form: PixelFormat, video: VideoInfo) -> bool:
    across, down = form.chroma_shift
    return video.width % (1 << across) == 0 and video.height % (1 << down) == 0


def _loss(source: PixelFormat, offer: PixelFormat) -> tuple[float, ...]:
    """Return the sort key of a pixel format: what a source loses in it, then what it wastes."""
    no_alpha = int(source.alpha and not offer.alpha)
    other_family = int((source.family == "rgb") != (offer.family == "rgb"))
    # Grey has no chroma to lose.
    coarser = 0 if source.family == "gray" else _coarser(source, offer)
    shallower = max(0, source.depth - offer.depth)
    samples = 1 + (offer.colour_plane_count - 1) / 2 ** sum(offer.chroma_shift) + offer.alpha
    return no_alpha, other_family, coarser, shallower, offer.depth * samples


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


def _options(
    codec: Codec, encoder: Encoder, settings: EncodeSettings, video: VideoInfo, form: PixelFormat
) -> dict[str, str]:
    options = dict(encoder.options)
    usual = encoder.usual_preset or codec.preset or ""
    preset = encoder.presets.get(settings.preset or usual)
    if preset is not None:
        options[encoder.preset_option] = preset
    profile = _profile_option(codec, encoder, settings.profile, form)
    if profile is not None:
        options["profile"] = profile
    at_bitrate = () if settings.bitrate is None else encoder.bitrate_params
    params = (*encoder.params, *_usual_params(encoder, settings, video))
    params += (*at_bitrate, *mastering_params(encoder, video))
    if video.width < _NARROW:
        params += encoder.params_of_narrow
    if params:
        options[encoder.params_option] = ":".join(params)
    return options | _rate(codec, encoder, settings)


def _usual_params(encoder: Encoder, settings: EncodeSettings, video: VideoInfo) -> tuple[str, ...]:
    if settings.preset is not None:
        return ()
    large = video.width * video.height > _LARGE
    return encoder.usual_params + (encoder.usual_params_of_large if large else ())


def _profile_option(
    codec: Codec, encoder: Encoder, profile: str | None, form: PixelFormat
) -> str | None:
    for name in (profile,) if profile else codec.usual_profiles:
        if form.name in codec.profiles[name].pixel_formats:
            # Hardware takes its profile from the pixel format.
            return codec.profiles[name].option if encoder.kind == "software" else None
    return None


def _rate(codec: Codec, encoder: Encoder, settings: EncodeSettings) -> dict[str, str]:
    if codec.crf is None or encoder.quality is None:
        return {}
    if settings.bitrate is not None:
        return {"b": str(settings.bitrate)}
    return encoder.quality(codec.crf[1] if settings.crf is None else settings.crf)


def add_video_stream(
    container: OutputContainer, video: VideoInfo, settings: EncodeSettings
) -> tuple[av.VideoStream, Picture]:
    """Add the output's video stream: the source's size, times, rotation and aspect ratio.

    Raises:
        OutputError: The container does not support the codec, or the codec not this video.
        DeviceError: The encoder that was asked for does not work here.
    """
    encoding = choose(video, settings, container.format.name)
    return add_encoded_stream(container, video, encoding), encoding.picture


def add_encoded_stream(
    container: OutputContainer, video: VideoInfo, encoding: Encoding
) -> av.VideoStream:
    """Add a video stream whose encoding is decided, see `add_video_stream`."""
    encoder = encoding.encoder
    # SVT-AV1 prints its settings on stderr unless it is set to print errors only.
    os.environ.setdefault("SVT_LOG", "1")
    stream = container.add_stream(
        encoder.name,
        rate=video.frame_rate or 25,
        options=encoding.options,
        hwaccel=HWAccel(encoder.hwaccel) if encoder.hwaccel else None,
        time_base=video.time_base,
        width=video.width,
        height=video.height,
    )
    assert isinstance(stream, av.VideoStream)
    feed(stream.codec_context, encoder, encoding.picture.pixel_format.name)
    _describe(stream, video, encoding)
    stream.disposition = Disposition(video.disposition)
    return stream


def start_encoding(container: OutputContainer) -> None:
    """Open the encoders and write the container's head, at the priority that the process has.

    Root's SVT-AV1 puts itself and whoever opens it under the real-time scheduler: everything else
    on the machine would wait for it, the network first of all.

    Raises:
        av.error.FFmpegError, ValueError: The container or an encoder refuses.
    """
    before = None
    with suppress(AttributeError, OSError):  # not Linux, or a Linux that does not tell
        before = os.sched_getscheduler(0), os.sched_getparam(0)
    container.start_encoding()
    if before is not None and before[0] != os.SCHED_FIFO:
        _leave_real_time(*before)


def _leave_real_time(policy: int, priority: os.sched_param) -> None:
    tasks = Path("/proc/self/task")
    for task in tasks.iterdir() if tasks.exists() else ():
        # One may have ended meanwhile.
        with suppress(OSError):
            if os.sched_getscheduler(int(task.name)) == os.SCHED_FIFO:
                os.sched_setscheduler(int(task.name), policy, priority)


def _describe(stream: av.VideoStream, video: VideoInfo, encoding: Encoding) -> None:
    context, colour = stream.codec_context, encoding.picture.colour
    if encoding.fields is not None:
        # Also stated by the container.
        context.field_order = _FIELD_ORDERS[encoding.fields]
    context.colorspace = colour.matrix
    context.color_range = colour.range
    context.color_primaries = colour.primaries
    context.color_trc = colour.transfer
    if video.sample_aspect_ratio:
        context.sample_aspect_ratio = video.sample_aspect_ratio
    if not video.constant_rate and stream.container.format.name not in MATROSKA:
        # MP4 keeps how long frames last in decoding order: only without reordering does the last
        # frame keep its own duration.
        context.max_b_frames = 0
    if video.display_matrix:
        stream.set_display_matrix(video.display_matrix)
    if encoding.codec == "hevc" and stream.container.format.name not in MATROSKA:
        # The tag under which QuickTime and Resolve recognise HEVC; Matroska has none.
        context.codec_tag = "hvc1"
