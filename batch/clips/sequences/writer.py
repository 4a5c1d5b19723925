"""A clip or a sequence to a sequence of pictures: each written, checked, and only then named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from ....core.clips.clip_info import ClipInfo
from ....core.clips.range import FrameRange, TimeRange
from ....core.clips.reader import FIRST_NUMBER, NumberedFrame, Reader
from ....core.clips.sequence import Pattern
from ....core.clips.timecode import Timecode, nominal_rate
from ....core.errors import BrushreelError, OutputError, UsageError
from ....core.file_identity import image_identity
from ....core.frames.frame import Colour, Frame, Matrix, PixelFormat, Range
from ....core.frames.orientation import turned
from ....core.options import Interlaced
from ....core.pictures.metadata import ImageMetadata
from ....core.pictures.picture import (
    as_grey,
    as_linear,
    check_written,
    encode_picture,
    kind_of,
    written_format,
)
from ....core.stylizer import Stylizer
from ...encoding.encode import EncodeSettings
from ...reporting.events import Clip, ClipKept, ClipProgress, ClipResumed, ClipStarted, Handler
from ..not_kept import INTERLACED, met_on_the_way
from ..pipeline import in_order, overlap
from ..report import ClipReport
from ..resume import run_key
from ..settings import ReadSettings, WriteSettings
from .journal import PictureWork, foreign_numbers, owned_pictures

# OpenEXR has no place for timecode of more frames a second.
_MOST_FRAMES = 30
# Pictures that are encoded at a time: more than anything else it is compression that takes time.
_WRITERS = max(1, min(4, (os.cpu_count() or 1) - 1))
# Frames whose durations differ by more than a rounding of times.
_UNEVEN = 1.5


def convert_to_pictures(
    reader: Reader,
    output: Pattern,
    stylizer: Stylizer,
    handle: Handler,
    read: ReadSettings,
    write: WriteSettings,
) -> ClipReport:
    """Stylize what a reader reads to numbered pictures, see `check_pictures`.

    Raises:
        BrushreelError: Every picture that has its name is whole; none that was there before was
            replaced unless `overwrite` says so.
    """
    since = monotonic()
    run = _Run(reader, output, stylizer, handle, read)
    with owned_pictures(output, run.key(), resume=write.resume) as work, run.failures(work):
        work.look(run.sources)
        _check_free(output, work.foreign(), overwrite=write.overwrite)
        run.stylize(work, overwrite=write.overwrite)
        run.verify(work)
    return run.report(monotonic() - since)


def inspect_pictures(
    reader: Reader, output: Pattern, read: ReadSettings, *, overwrite: bool
) -> tuple[ClipInfo, tuple[str, ...]]:
    """What `convert_to_pictures` finds out before the first frame; nothing is written.

    Raises:
        BrushreelError: As `convert_to_pictures`.
    """
    _check_free(output, foreign_numbers(output), overwrite=overwrite)
    return reader.info, tuple(_warnings(reader, kind_of(output.path), read.interlaced))


def check_pictures(reader: Reader, output: Pattern, settings: EncodeSettings) -> None:
    """Refuse what can't be written as pictures.

    Raises:
        UsageError: A codec is asked for, a number is missing in the name, or input and output
            are the same.
        OutputError: It is a folder.
    """
    if settings.codec != "auto":
        raise UsageError(
            "pictures have no codec", path=output.path, hint="leave --codec out, or name a clip"
        )
    if not output.numbered and len(reader.images) != 1:
        raise UsageError(
            "many pictures need a number in their names",
            path=output.path,
            hint=f"such as {output.path.stem}.%06d{output.path.suffix}",
        )
    sources = {path.name for path in reader.images.values()}
    same_names = any(output.name(number).name in sources for number in reader.images)
    if same_names and output.path.parent.resolve() == reader.path.parent.resolve():
        raise UsageError(
            "input and output are the same file", path=output.path, hint="choose another"
        )


def _check_free(output: Pattern, foreign: list[int], *, overwrite: bool) -> None:
    if overwrite or not foreign:
        return
    name = output.name(foreign[0]).name
    what = f"{len(foreign)} of its pictures exist already, {name} first"
    raise OutputError(
        what if output.numbered else "exists already",
        path=output.path,
        hint="use --overwrite to replace them" if output.numbered else "use --overwrite",
    )


class _Run:
    """One sequence's way through the stages."""

    def __init__(
        self,
        reader: Reader,
        output: Pattern,
        stylizer: Stylizer,
        handle: Handler,
        read: ReadSettings,
    ):
        self._reader = reader
        self._output = output
        self._kind = kind_of(output.path)
        self._stylizer = stylizer
        self._handle = handle
        self._clip: Clip = (reader.path, output.path)
        self._read = read
        # What each image is made of; of a clip, `key` says it for all.
        self.sources = {number: image_identity(path) for number, path in reader.images.items()}
        self._warnings = tuple(_warnings(reader, self._kind, read.interlaced))
        self._stages: dict[str, float] = {}
        self._count = self._reused = 0
        self._shortest = self._longest = 0
        self._numbers: set[int] = set()

    def key(self) -> dict[str, Any]:
        """What all pictures must agree in to be used."""
        video = self._reader.info.video
        key = run_key(
            self._reader.info,
            self._stylizer,
            {
                "source": str(self._reader.path.absolute()),
                "kind": self._kind,
                "rate": str(video.frame_rate),
                "aspect": str(video.sample_aspect_ratio),
            },
        )
        if self.sources:
            # Each image is noted with what it was made of.
            return key
        return key | {
            "input": self._reader.identity["input"],
            "excerpt": _range_key(self._read.range),
            "interlaced": self._read.interlaced,
        }

    def stylize(self, work: PictureWork, *, overwrite: bool) -> None:
        """Make the pictures that are missing."""
        self._count = self._reused = len(work.done)
        self._handle(ClipStarted.of(self._clip, self._reader.info, self._warnings))
        if self._reused:
            self._handle(ClipResumed(*self._clip, self._reused))
        work.start()
        done = frozenset(work.done)
        video = self._reader.info.video
        busy = overlap(
            self._missing(done),
            self._paint,
            lambda items: self._write(items, work, overwrite=overwrite),
            parallel=self._stylizer.parallel(video.height, video.width),
            on_result=self._count_one,
        )
        self._stages |= {"decode": busy.read, "stylize": busy.transform, "encode": busy.write}

    def _missing(self, done: frozenset[int]) -> Iterator[NumberedFrame]:
        self._numbers |= done
        for item in self._reader.numbered(skip=done):
            self._numbers.add(item.number)
            self._note_length(item.frame)
            if item.number not in done:
                yield item

    def _note_length(self, frame: Frame) -> None:
        self._shortest = min(self._shortest or frame.duration, frame.duration)
        self._longest = max(self._longest, frame.duration)

    def _paint(self, item: NumberedFrame) -> NumberedFrame:
        form, colour = _target(item, self._kind)
        painted = self._stylizer.stylize(item.frame, pixel_format=form, colour=colour)
        return item._replace(frame=painted)

    def _count_one(self) -> None:
        self._count += 1
        self._handle(ClipProgress(*self._clip, self._count))

    def _write(self, items: Iterator[NumberedFrame], work: PictureWork, *, overwrite: bool) -> None:
        """Encode several at a time, each checked; they get their names in order."""
        with closing(in_order(items, lambda item: self._prepared(item, work), _WRITERS)) as ready:
            for number, digest in ready:
                # Hours may have passed since it was free.
                foreign = [number] if work.is_foreign(number) else []
                _check_free(self._output, foreign, overwrite=overwrite)
                work.add(number, self.sources.get(number), digest)

    def _prepared(self, item: NumberedFrame, work: PictureWork) -> tuple[int, str]:
        number, painted, picture = item
        frame = _upright(painted, self._reader.info.video.display_matrix)
        frame = as_grey(frame) if picture is not None and picture.grey else frame
        frame = as_linear(frame) if self._kind == "exr" else frame
        try:
            content = encode_picture(frame, self._kind, picture, self._metadata(item))
            check = partial(check_written, kind=self._kind, frame=frame, like=picture)
            return number, work.prepare(number, content, check)
        except OutputError as error:
            error.path = self._output.name(number)
            raise

    def _metadata(self, item: NumberedFrame) -> ImageMetadata:
        video = self._reader.info.video
        aspect = video.sample_aspect_ratio
        if aspect is not None and video.rotation % 180:
            aspect = 1 / aspect
        return ImageMetadata(aspect, video.frame_rate, self._timecode(item))

    def _timecode(self, item: NumberedFrame) -> Timecode | None:
        """Return the timecode of a clip's frame; an image keeps its own with its other metadata."""
        rate, start = self._reader.info.video.frame_rate, self._reader.timecode
        if item.image is not None or start is None or rate is None:
            return None
        if nominal_rate(rate) > _MOST_FRAMES:
            return None
        return start.later(item.number - FIRST_NUMBER, rate)

    def verify(self, work: PictureWork) -> None:
        """Read every picture once more: each must be there, as it was checked and noted.

        Raises:
            OutputError: One is not.
        """
        since = monotonic()
        for number in sorted(self._numbers):
            if not work.is_whole(number):
                raise OutputError(
                    "is not as it was written",
                    path=self._output.name(number),
                    hint="the same command writes it again",
                )
        self._stages["verify"] = monotonic() - since

    def report(self, seconds: float) -> ClipReport:
        """What became of it."""
        return ClipReport(
            input=self._reader.path,
            output=self._output.path,
            frames=len(self._numbers),
            audio_tracks=0,
            seconds=seconds,
            warnings=(*self._warnings, *self._met_on_the_way()),
            stages=self._stages,
            segments=len(self._numbers),
            segments_reused=self._reused,
        )

    def _met_on_the_way(self) -> Iterator[str]:
        if self._longest > _UNEVEN * self._shortest:
            yield "its frames last differently long, which pictures can't say"
        yield from met_on_the_way(self._reader, self._read.interlaced)
        others = set(self._output.numbers()) - set(self._numbers)
        if self._output.numbered and others:
            yield (
                f"{len(others)} more pictures of such names were there before, from "
                f"{self._output.name(min(others)).name} on"
            )

    @contextmanager
    def failures(self, work: PictureWork) -> Iterator[None]:
        """Failures become the package's own, and whoever listens hears what is kept."""
        try:
            with _own_errors(self._output.path):
                yield
        except BaseException:
            if work.done:
                self._handle(ClipKept(*self._clip, self._output.path.parent, len(work.done)))
            raise


def _range_key(part: FrameRange | TimeRange | None) -> str:
    """Return a range as journals have always written it; work under way stays usable."""
    match part:
        case FrameRange(first, end):
            return f"Excerpt(first={first}, end={end})"
        case TimeRange(start, end):
            return f"Span(start={start!r}, end={end!r})"
        case None:
            return "None"


@contextmanager
def _own_errors(output: Path) -> Iterator[None]:
    try:
        yield
    except BrushreelError as error:
        error.path = error.path or output
        raise
    except OSError as error:
        raise OutputError(
            f"can't be written: {error.strerror or error}",
            path=output,
            hint="the same command goes on from there",
        ) from error


def _target(item: NumberedFrame, kind: str) -> tuple[PixelFormat, Colour]:
    """In which form a frame is painted; display signals become linear light after that."""
    frame = item.frame
    if frame.pixel_format.floating:
        return frame.pixel_format, frame.colour
    form = written_format(frame.pixel_format, "png")
    if kind == "exr" and form.depth == 8:
        form = written_format(replace(form, depth=16), "png")
    if item.image is not None and form == frame.pixel_format:
        return form, frame.colour
    matrix = frame.colour.matrix if form.family == "gray" else Matrix.RGB
    return form, Colour(matrix, Range.FULL, frame.colour.primaries, frame.colour.transfer)


def _upright(frame: Frame, matrix: tuple[int, ...] | None) -> Frame:
    """As it is to be shown: pictures can't say that they lie on their side."""
    if matrix is None:
        return frame
    planes = tuple(np.ascontiguousarray(turned(plane, matrix)) for plane in frame.planes)
    height, width = planes[0].shape
    return replace(frame, planes=planes, width=width, height=height)


def _warnings(reader: Reader, kind: str, interlaced: Interlaced) -> Iterator[str]:
    """What has to be said before the first frame."""
    info, video = reader.info, reader.info.video
    yield from reader.warnings(kind)
    for track in (track for track in info.others if track.type != "data"):
        yield f"track {track.index} ({track.type}, {track.codec}) is left out: pictures hold none"
    if video.interlaced:
        yield f"is interlaced: {INTERLACED[interlaced]}"
    if kind == "exr" and not reader.images:
        yield "becomes linear light, 1.0 for white"
    elif kind == "tiff" and video.hdr:
        yield f"is {video.hdr}, which TIFF can't say"
