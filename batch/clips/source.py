"""Readers by source: a clip or an image sequence, whole or a range of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...core.clips.constant_rate import ConstantRateReader
from ...core.clips.hardware_decoder import working_device
from ...core.clips.media import ClipReader
from ...core.clips.range import TimeRange, parse_position
from ...core.clips.range_reader import RangeReader
from ...core.clips.reader import Reader
from ...core.clips.sampling import sampled_frames
from ...core.clips.sequence import Pattern, has_place
from ...core.clips.sequence_reader import SequenceReader
from ...core.errors import MediaError
from ...core.frames.bars import Bars, find_bars
from ...core.frames.frame import Frame
from ...core.pictures.picture import as_display, kind_of, read_picture
from ...core.source_stylizer import SourceStylizer
from ...core.stylizer import Stylizer
from .mux import BOXED, MUXERS
from .settings import ReadSettings

_SAMPLED_IMAGES = 12


def span(start: float | str | None, end: float | str | None) -> TimeRange | None:
    """Return the range that `stylize_clip` or the command is given; None for the whole clip.

    Raises:
        UsageError: A text is not a valid time.
    """
    moments = [None if at is None else parse_position(str(at)) for at in (start, end)]
    return None if moments == [None, None] else TimeRange(*moments)


def open_reader(source: Path, settings: ReadSettings, output: Path | None = None) -> Reader:
    """Open the reader of a clip or an image sequence.

    Args:
        source: A clip, an image, or the pattern of numbered images.
        settings: How it is read.
        output: The file that is written of it; linear light stays so in OpenEXR alone.

    Raises:
        MediaError: As `ClipReader`, `RangeReader` and `SequenceReader`; or it is an image in an
            unsupported format.
    """
    if (pattern := Pattern.of_source(source)) is not None:
        linear = output is not None and kind_of(output) == "exr"
        return SequenceReader(pattern, rate=settings.frame_rate, part=settings.range, linear=linear)
    if has_place(source) and not source.exists():
        raise MediaError(
            f"names numbered images in an unsupported format ({source.suffix or 'no suffix'})",
            path=source,
            hint="use PNG, TIFF, JPEG or OpenEXR",
        )
    # MP4 and MOV state themselves what of a frame is shown.
    cropped = output is None or MUXERS.get(output.suffix.lower()) not in BOXED
    reader = _clip_reader(source, settings, cropped=cropped)
    # FFmpeg reads JPEG by one demuxer and has another one for each other kind of image.
    if reader.info.container == "image2" or reader.info.container.endswith("_pipe"):
        reader.close()
        raise MediaError(
            "is an image in an unsupported format",
            path=source,
            hint="use PNG, TIFF, JPEG or OpenEXR",
        )
    return reader


def _clip_reader(source: Path, settings: ReadSettings, *, cropped: bool) -> Reader:
    how, times = settings.interlaced, settings.timestamps
    if settings.for_timeline:
        return ConstantRateReader(source, settings.range or TimeRange(), interlaced=how)
    if settings.range is not None:
        return RangeReader(
            source, settings.range, interlaced=how, cropped=cropped, timestamps=times
        )
    device = working_device(source, interlaced=how) if settings.decoder == "auto" else None
    return ClipReader(source, interlaced=how, device=device, cropped=cropped, timestamps=times)


def source_stylizer(stylizer: Stylizer, reader: Reader, settings: ReadSettings) -> SourceStylizer:
    """Return a stylizer for the frames of a source, with its bars found.

    Raises:
        UsageError: The stroke size is too small for this source.
    """
    bars = kept_bars(reader, settings, stylizer.strength)
    return SourceStylizer(stylizer, reader.info.video, bars)


def kept_bars(reader: Reader, settings: ReadSettings, strength: float) -> Bars:
    """Return the burnt-in bars of a source that pass through untouched."""
    return bars_of(reader) if settings.bars == "keep" and strength > 0 else Bars()


def bars_of(reader: Reader) -> Bars:
    """Return the burnt-in bars of a source, found in frames from all over it."""
    return find_bars(_sampled(reader))


def _sampled(reader: Reader) -> Iterable[Frame]:
    """Return some frames from all over what is read."""
    if reader.images:
        step = -(-len(reader.images) // _SAMPLED_IMAGES)
        return [as_display(read_picture(path)) for path in list(reader.images.values())[::step]]
    video, part = reader.info.video, reader.range
    if part is None or video.frame_rate is None:
        return sampled_frames(reader.path, video)
    return sampled_frames(
        reader.path, video, start=part.first / video.frame_rate, end=part.end / video.frame_rate
    )
