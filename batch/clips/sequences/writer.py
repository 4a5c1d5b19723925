"""A clip or a sequence to a sequence of pictures: each written, checked, and only then named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import numpy as np

from ....core.clips.media import ClipInfo, ClipReader
from ....core.clips.range import FrameRange, RangeReader, TimeRange
from ....core.clips.sequence import Pattern
from ....core.clips.sequence_reader import SequenceReader, file_identity
from ....core.clips.timecode import Timecode, has_timecode, nominal_rate
from ....core.errors import BrushreelError, OutputError, UsageError
from ....core.frames.frame import Colour, Frame, Matrix, PixelFormat, Range
from ....core.frames.orientation import turned
from ....core.options import Interlaced
from ....core.pictures.metadata import ImageMetadata, Picture
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
from ..not_kept import INTERLACED, met_on_the_way
from ..pipeline import in_order, overlap
from ..report import ClipReport, Observer
from ..resume import run_key
from ..settings import ReadSettings, WriteSettings
from .journal import PictureWork, foreign_numbers, owned_pictures

# Of pictures that are made of a clip.
_FIRST_NUMBER = 1
_MOST_FRAMES = 30
# Pictures that are encoded at a time: more than anything else it is compression that takes time.
_WRITERS = max(1, min(4, (os.cpu_count() or 1) - 1))
# Frames whose durations differ by more than a rounding of times.
_UNEVEN = 1.5


class _Item(NamedTuple):
    """A frame on its way, with the picture that it was read from, if any."""

    number: int
    frame: Frame
    picture: Picture | None


def convert_to_pictures(
    reader: ClipReader,
    output: Pattern,
    stylizer: Stylizer,
    observer: Observer,
    read: ReadSettings,
    write: WriteSettings,
) -> ClipReport:
    """Stylize what a reader reads to numbered pictures, see `check_pictures`.

    Raises:
        BrushreelError: Every picture that has its name is whole; none that was there before was
            replaced unless `overwrite` says so.
    """
    since = monotonic()
    run = _Run(reader, output, stylizer, observer, read)
    with owned_pictures(output, run.key(), resume=write.resume) as work, run.failures(work):
        work.look(run.sources)
        _check_free(output, work.foreign(), overwrite=write.overwrite)
        run.stylize(work, overwrite=write.overwrite)
        run.verify(work)
    return run.report(monotonic() - since)


def inspect_pictures(
    reader: ClipReader, output: Pattern, read: ReadSettings, *, overwrite: bool
) -> tuple[ClipInfo, tuple[str, ...]]:
    """What `convert_to_pictures` finds out before the first frame; nothing is written.

    Raises:
        BrushreelError: As `convert_to_pictures`.
    """
    _check_free(output, foreign_numbers(output), overwrite=overwrite)
    return reader.info, tuple(_warnings(reader, kind_of(output.path), read.interlaced))


def check_pictures(reader: ClipReader, output: Pattern, settings: EncodeSettings) -> None:
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
    pictures = isinstance(reader, SequenceReader)
    single = pictures and len(reader.sequence.numbers) == 1
    if not output.numbered and not single:
        raise UsageError(
            "many pictures need a number in their names",
            path=output.path,
            hint=f"such as {output.path.stem}.%06d{output.path.suffix}",
        )
    if pictures:
        sources = {path.name for path in reader.sequence.files()}
        same_names = any(output.name(n).name in sources for n in reader.sequence.numbers)
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
        reader: ClipReader,
        output: Pattern,
        stylizer: Stylizer,
        observer: Observer,
        read: ReadSettings,
    ):
        self._reader = reader
        self._output = output
        self._kind = kind_of(output.path)
        self._stylizer = stylizer
        self._observer = observer
        self._read = read
        self._sequence = reader.sequence if isinstance(reader, SequenceReader) else None
        self.sources = self._sources()
        self._warnings = tuple(_warnings(reader, self._kind, read.interlaced))
        self._stages: dict[str, float] = {}
        self._count = self._reused = 0
        self._shortest = self._longest = 0
        self.numbers = range(0) if self._sequence is None else self._sequence.numbers

    def _sources(self) -> Mapping[int, Any]:
        """What each picture is made of; of a clip, `key` says it for all."""
        if self._sequence is None:
            return {}
        pairs = zip(self._sequence.numbers, self._sequence.files(), strict=True)
        return {number: file_identity(path) for number, path in pairs}

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
        if self._sequence is not None:
            # Each picture is noted with what it was made of.
            del key["input"]
            return key
        part = self._read.range
        return key | {"excerpt": _range_key(part), "interlaced": self._read.interlaced}

    def stylize(self, work: PictureWork, *, overwrite: bool) -> None:
        """Make the pictures that are missing."""
        self._count = self._reused = len(work.done)
        self._observer.on_start(self._reader.info, self._warnings)
        if self._reused:
            self._observer.on_resume(self._reused)
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

    def _missing(self, done: frozenset[int]) -> Iterator[_Item]:
        if isinstance(self._reader, SequenceReader):
            for number, picture in self._reader.pictures(skip=done):
                yield _Item(number, self._reader.frame_of(picture), picture)
            return
        number = _FIRST_NUMBER
        for item in self._reader:
            if isinstance(item, Frame):
                self._note_length(item)
                if number not in done:
                    yield _Item(number, item, None)
                number += 1
        self.numbers = range(_FIRST_NUMBER, number)

    def _note_length(self, frame: Frame) -> None:
        self._shortest = min(self._shortest or frame.duration, frame.duration)
        self._longest = max(self._longest, frame.duration)

    def _paint(self, item: _Item) -> _Item:
        form, colour = _target(item, self._kind)
        painted = self._stylizer.stylize(item.frame, pixel_format=form, colour=colour)
        return item._replace(frame=painted)

    def _count_one(self) -> None:
        self._count += 1
        self._observer.on_frame(self._count)

    def _write(self, items: Iterator[_Item], work: PictureWork, *, overwrite: bool) -> None:
        """Encode several at a time, each checked; they get their names in order."""
        with closing(in_order(items, lambda item: self._prepared(item, work), _WRITERS)) as ready:
            for number, digest in ready:
                # Hours may have passed since it was free.
                foreign = [number] if work.is_foreign(number) else []
                _check_free(self._output, foreign, overwrite=overwrite)
                work.add(number, self.sources.get(number), digest)

    def _prepared(self, item: _Item, work: PictureWork) -> tuple[int, str]:
        number, painted, picture = item
        frame = _upright(painted, self._reader.info.video.display_matrix)
        frame = as_grey(frame) if picture is not None and picture.grey else frame
        frame = as_linear(frame) if self._kind == "exr" else frame
        try:
            content = encode_picture(frame, self._kind, picture, self._beside(number))
            check = partial(check_written, kind=self._kind, frame=frame, like=picture)
            return number, work.prepare(number, content, check)
        except OutputError as error:
            error.path = self._output.name(number)
            raise

    def _beside(self, number: int) -> ImageMetadata:
        video = self._reader.info.video
        aspect = video.sample_aspect_ratio
        if aspect is not None and video.rotation % 180:
            aspect = 1 / aspect
        return ImageMetadata(aspect, video.frame_rate, self._timecode(number))

    def _timecode(self, number: int) -> Timecode | None:
        """Of a picture that is made of a clip which has a timecode."""
        rate, told = self._reader.info.video.frame_rate, _start_timecode(self._reader)
        if self._sequence is not None or told is None or not has_timecode(rate):
            return None
        assert rate is not None
        # OpenEXR has no place for more frames a second.
        skipped = self._reader.excerpt.first if isinstance(self._reader, RangeReader) else 0
        later = told.later(skipped + number - _FIRST_NUMBER, rate)
        return later if nominal_rate(rate) <= _MOST_FRAMES else None

    def verify(self, work: PictureWork) -> None:
        """Read every picture once more: each must be there, as it was checked and noted.

        Raises:
            OutputError: One is not.
        """
        since = monotonic()
        for number in self.numbers:
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
            frames=len(self.numbers),
            audio_tracks=0,
            seconds=seconds,
            warnings=(*self._warnings, *self._met_on_the_way()),
            stages=self._stages,
            segments=len(self.numbers),
            segments_reused=self._reused,
        )

    def _met_on_the_way(self) -> Iterator[str]:
        if self._longest > _UNEVEN * self._shortest:
            yield "its frames last differently long, which pictures can't say"
        yield from met_on_the_way(self._reader, self._read.interlaced)
        others = set(self._output.numbers()) - set(self.numbers)
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
                self._observer.on_kept(self._output.path.parent, len(work.done))
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


def _target(item: _Item, kind: str) -> tuple[PixelFormat, Colour]:
    """In which form a frame is painted; display signals become linear light after that."""
    frame = item.frame
    if frame.pixel_format.floating:
        return frame.pixel_format, frame.colour
    form = written_format(frame.pixel_format, "png")
    if kind == "exr" and form.depth == 8:
        form = written_format(replace(form, depth=16), "png")
    if item.picture is not None and form == frame.pixel_format:
        return form, frame.colour
    matrix = frame.colour.matrix if form.family == "gray" else Matrix.RGB
    return form, Colour(matrix, Range.FULL, frame.colour.primaries, frame.colour.transfer)


def _start_timecode(reader: ClipReader) -> Timecode | None:
    tags = [reader.container.metadata, *(stream.metadata for stream in reader.container.streams)]
    told = next((tag["timecode"] for tag in tags if "timecode" in tag), None)
    return None if told is None else Timecode.parse(told)


def _upright(frame: Frame, matrix: tuple[int, ...] | None) -> Frame:
    """As it is to be shown: pictures can't say that they lie on their side."""
    if matrix is None:
        return frame
    planes = tuple(np.ascontiguousarray(turned(plane, matrix)) for plane in frame.planes)
    height, width = planes[0].shape
    return replace(frame, planes=planes, width=width, height=height)


def _warnings(reader: ClipReader, kind: str, interlaced: Interlaced) -> Iterator[str]:
    """What has to be said before the first frame."""
    info, video = reader.info, reader.info.video
    if isinstance(reader, SequenceReader):
        yield from reader.warnings
        yield from reader.first.warnings if kind == reader.first.codec else ()
        return
    for track in (track for track in info.others if track.type != "data"):
        yield f"track {track.index} ({track.type}, {track.codec}) is left out: pictures hold none"
    if video.interlaced:
        yield f"is interlaced: {INTERLACED[interlaced]}"
    if kind == "exr":
        yield "becomes linear light, 1.0 for white"
    elif kind == "tiff" and video.hdr:
        yield f"is {video.hdr}, which TIFF can't say"
