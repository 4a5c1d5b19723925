"""A contact sheet: frames of clips and images in every style, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, sqrt
from pathlib import Path

import ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..core.atomic import atomic_write
from ..core.clips.clip_info import ClipInfo
from ..core.clips.media import ClipReader
from ..core.clips.sampling import sampled_frames
from ..core.clips.sequence import Pattern
from ..core.clips.sequence_reader import SequenceReader
from ..core.errors import OutputError, UsageError
from ..core.frames.bars import Bars, find_bars
from ..core.frames.colour import to_rgb
from ..core.frames.frame import Frame
from ..core.frames.hdr import to_sdr
from ..core.frames.orientation import oriented
from ..core.frames.stroke_size import DETAIL, NATURAL, StrokeSize, believable_aspect
from ..core.library import list_styles
from ..core.moving import each, moving
from ..core.source_stylizer import SourceStylizer
from ..core.stylizer import Stylizer
from .ffmpeg_process import run_graph

# Of the sheet, pixels.
WIDEST, WIDEST_PICTURE = 3840, 640
GAP, STRIP, TEXT = 12, 32, 20
BACKGROUND, INK = (32, 32, 32), (235, 235, 235)
# Where seeking is exact; elsewhere a clip is read from its start.
_SEEKABLE = ("mp4", "matroska")

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Still:
    """One frame of a clip or image.

    Attributes:
        info: Properties of the clip.
        frame: The decoded frame.
    """

    info: ClipInfo
    frame: Frame

    @property
    def is_image(self) -> bool:
        """True if it came from an image file."""
        return _is_image(self.info)

    @cached_property
    def bars(self) -> Bars:
        """The clip's burnt-in bars; none for an image."""
        if self.is_image:
            return Bars()
        return find_bars(sampled_frames(self.info.path, self.info.video))

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height as a player shows it: square pixels, upright."""
        video = self.info.video
        width = round(video.width * believable_aspect(video.sample_aspect_ratio))
        return (video.height, width) if video.rotation % 180 else (width, video.height)


def preview(
    inputs: Sequence[Path],
    output: Path,
    *,
    at: Sequence[float] = (),
    styles: Sequence[str] = (),
    strength: float = 1.0,
    keep_colors: bool = False,
    stroke_size: StrokeSize = NATURAL,
    detail: float = DETAIL,
    device: str = "auto",
    overwrite: bool = False,
) -> None:
    """Draw a labelled contact sheet: the source first, then each style.

    A single frame gives a sheet that is about square; several give a row each. Frames are
    stylized at their full size, then scaled down to fit (never up) and shown as players do:
    upright, with square pixels.

    Args:
        inputs: Clips and images.
        output: A .png; appears only when it is whole.
        at: Seconds into each clip; the middle by default. Images have one frame.
        styles: Names, files or blends; the whole library by default.
        strength: See `Stylizer`.
        keep_colors: See `Stylizer`.
        stroke_size: See `Stylizer`.
        detail: See `Stylizer`.
        device: See `Stylizer`.
        overwrite: Replace a sheet that exists.

    Raises:
        UsageError: A time that the clip does not have, or not a .png.
        OutputError: The sheet exists or can't be written.
        MediaError: A clip or image that can't be read.
        StyleError: An unknown or damaged style.
        DeviceError: This machine does not have the device.
    """
    _check_sheet(output, inputs, overwrite=overwrite)
    with moving("reading frames and styles"):
        stills = [still for path in inputs for still in _stills(path, at)]
        stylizers = [
            Stylizer(
                style,
                device=device,
                strength=strength,
                keep_colors=keep_colors,
                stroke_size=stroke_size,
                detail=detail,
            )
            for style in styles or list_styles()
        ]
    cells = len(stylizers) + 1
    columns = ceil(sqrt(cells)) if len(stills) == 1 else cells
    drawing = _Drawing(stills, columns, [stylizer.style.name for stylizer in stylizers])
    drawn = (
        drawing.cell(label, rgb, still)
        for still, caption in zip(stills, _captions(stills), strict=True)
        for label, rgb in _cells(still, caption, stylizers)
    )
    count = cells * len(stills)
    content = b"".join(each(drawn, "drawing", "image", total=count))
    _write(output, tile(content, drawing.cell_size, columns, ceil(count / columns)))


def _check_sheet(output: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    if output.suffix.lower() != ".png":
        raise UsageError("unsupported extension for a contact sheet", path=output, hint="use .png")
    if output.is_dir():
        raise OutputError("is a folder", path=output)
    if not output.exists():
        return
    if any(path.exists() and output.samefile(path) for path in inputs):
        raise UsageError("input and output are the same file", path=output, hint="choose another")
    if not overwrite:
        raise OutputError("exists already", path=output, hint="use --overwrite to replace it")


def _stills(path: Path, at: Sequence[float]) -> Iterator[Still]:
    first = still_at(path, None if not at else at[0])
    yield first
    if not first.is_image:
        yield from (still_at(path, seconds) for seconds in at[1:])


def still_at(path: Path, seconds: float | None) -> Still:
    """Read the frame that a player shows at a time; None is the middle, as far as it is known.

    Before the first frame it is the first one. An image has one only.

    Raises:
        UsageError: The clip has no such time.
        MediaError: The clip can't be read.
    """
    if (pattern := Pattern.of_source(path)) is not None:
        with SequenceReader(pattern, linear=True) as reader:
            return Still(reader.info, next(iter(reader)))
    with ClipReader(path) as reader:
        still = _sought(reader, seconds)
    if still is None:
        with ClipReader(path) as reader:
            still = _read_to(reader, seconds)
    return still


def _sought(reader: ClipReader, seconds: float | None) -> Still | None:
    """Read a frame from the last keyframe before it on; None where that does not lead there."""
    moment, video = _moment(reader.info, seconds), reader.info.video
    if not any(name in reader.info.container for name in _SEEKABLE):
        return None
    stream = reader.container.streams[video.index]
    reader.container.seek(int(moment / video.time_base), stream=stream)
    frame = _shown(reader, moment)
    return None if frame is None or frame.time > moment else Still(reader.info, frame)


def _read_to(reader: ClipReader, seconds: float | None) -> Still:
    moment = _moment(reader.info, seconds)
    frame = _shown(reader, moment)
    if frame is None:
        length = reader.info.video.duration
        lasts = "" if length is None else f"lasts {float(length):g} s and "
        raise UsageError(f"{lasts}has no frame at {float(moment):g} s", path=reader.path)
    return Still(reader.info, frame)


def _is_image(info: ClipInfo) -> bool:
    # FFmpeg reads JPEG by one demuxer and has another one for each other kind of image.
    return info.container == "image2" or info.container.endswith(("_pipe", " images"))


def _moment(info: ClipInfo, seconds: float | None) -> Fraction:
    if _is_image(info):
        return Fraction(0)
    if seconds is not None:
        return Fraction(seconds)
    video = info.video
    guess = Fraction(video.frames or 0) / (video.frame_rate or 25)
    return (video.duration or guess) / 2


def _shown(reader: ClipReader, moment: Fraction) -> Frame | None:
    for item in reader:
        if isinstance(item, Frame) and item.time + item.duration * item.time_base > moment:
            return item
    return None


def _captions(stills: Sequence[Still]) -> list[str]:
    """Return what tells the stills apart: nothing, the time, or the name and the time."""
    several = len({still.info.path for still in stills}) > 1
    return [_caption(still, several=several) if len(stills) > 1 else "source" for still in stills]


def _caption(still: Still, *, several: bool) -> str:
    minutes, seconds = divmod(float(still.frame.time), 60)
    time = "" if still.is_image else f"{minutes:.0f}:{seconds:05.2f}"
    name = still.info.path.name if several or not time else ""
    return f"{name} {time}".strip()


def _cells(
    still: Still, caption: str, stylizers: Sequence[Stylizer]
) -> Iterator[tuple[str, Tensor]]:
    yield caption, shown_rgb(still.frame)
    for stylizer in stylizers:
        yield stylizer.style.name, stylized_rgb(still, stylizer)


def stylized_rgb(still: Still, stylizer: Stylizer) -> Tensor:
    """Stylize a frame between its bars, with its sample aspect ratio.

    Returns:
        (1, 3, H, W) RGB in [0, 1], as an SDR display would show it.

    Raises:
        UsageError: The stroke size is too small for this source.
    """
    video, frame = still.info.video, still.frame
    if frame.colour.hdr:
        return shown_rgb(SourceStylizer(stylizer, video, still.bars)(frame))
    rgb, aspect = to_rgb(frame), believable_aspect(video.sample_aspect_ratio)
    rows, columns = still.bars.between(frame.width, frame.height)
    rgb[..., rows, columns] = stylizer(rgb[..., rows, columns], sample_aspect_ratio=aspect)
    return rgb


def shown_rgb(frame: Frame) -> Tensor:
    """Return (1, 3, H, W) RGB in [0, 1], as an SDR display would show it."""
    rgb = to_rgb(frame)
    return to_sdr(rgb, frame.colour)[0] if frame.colour.hdr else rgb


class _Drawing:
    """Cells of one size: an image below its label.

    Attributes:
        cell_size: Width and height in pixels.
    """

    def __init__(self, stills: Sequence[Still], columns: int, names: Sequence[str]):
        # Pillow's own font: there on every machine.
        self._font = ImageFont.load_default(TEXT)
        self._side = min(WIDEST_PICTURE, WIDEST // columns - GAP)
        sizes = [self._scaled(still) for still in stills]
        labels = [ceil(self._font.getlength(name)) for name in names]
        width = max([*(width for width, _ in sizes), *(min(x, self._side) for x in labels)])
        self.cell_size = (width, STRIP + max(height for _, height in sizes))

    def _scaled(self, still: Still) -> tuple[int, int]:
        width, height = still.shown_size
        scale = min(1.0, self._side / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def cell(self, label: str, rgb: Tensor, still: Still) -> bytes:
        """Return the raw rgb24 of an image, (1, 3, H, W) RGB in [0, 1], with its label."""
        codes = (rgb[0].float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        upright = oriented(codes, still.info.video.display_matrix)
        picture = Image.fromarray(np.ascontiguousarray(upright))
        picture = picture.resize(self._scaled(still), Image.Resampling.LANCZOS)
        cell = Image.new("RGB", self.cell_size, BACKGROUND)
        cell.paste(picture, ((cell.width - picture.width) // 2, STRIP))
        baseline = (0, STRIP - 9)
        ImageDraw.Draw(cell).text(baseline, self._fitting(label), INK, self._font, anchor="ls")
        return cell.tobytes()

    def _fitting(self, label: str) -> str:
        # File names may contain bytes that are not text; the font has a box for what it lacks.
        label = text = "".join(letter if letter.isprintable() else "?" for letter in label)
        while text and self._font.getlength(text) > self.cell_size[0]:
            label = label[:-1]
            text = f"{label}…"
        return text


def tile(content: bytes, size: tuple[int, int], columns: int, rows: int) -> bytes:
    """Join raw rgb24 images of one size, row by row, to one PNG with gaps between them."""
    colour = "0x{:02x}{:02x}{:02x}".format(*BACKGROUND)
    cells = ffmpeg.input(
        "pipe:", format="rawvideo", pixel_format="rgb24", s=f"{size[0]}x{size[1]}", framerate=1
    )
    sheet = ffmpeg.filter(
        cells, "tile", layout=f"{columns}x{rows}", margin=GAP, padding=GAP, color=colour
    )
    return run_graph(
        ffmpeg.output(sheet, "pipe:", format="image2pipe", vcodec="png", **{"frames:v": 1}), content
    )


def _write(output: Path, sheet: bytes) -> None:
    try:
        with atomic_write(output) as file:
            file.write(sheet)
    except OSError as error:
        raise OutputError.because(error, "can't be written", path=output) from error
