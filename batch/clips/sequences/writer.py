"""Image files as the sink: each is written, checked, and only then given its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import groupby, pairwise
from pathlib import Path
from time import monotonic
from typing import Any

from ....core.clips.range import FrameRange, TimeRange
from ....core.clips.reader import NumberedFrame, Reader
from ....core.clips.timecode import nominal_rate
from ....core.errors import OutputError
from ....core.file_identity import image_identity
from ....core.frames.frame import Colour, Frame, PixelFormat
from ....core.human import counted
from ....core.pictures.picture import kind_of
from ..destination import ImageDestination
from ..frame_times import frame_times
from ..not_kept import IMAGES, INTERLACED, Losses, met_on_the_way
from ..piece import Made, Met, Piece
from ..pipeline import in_order
from ..settings import ReadSettings, WriteSettings
from ..sink import Written
from .journal import Journal, owned_journal
from .maker import WRITERS, ImageMaker

# OpenEXR has no place for timecode of more frames a second.
_MOST_FRAMES = 30
# Images that are made elsewhere in one go.
_IMAGES_A_PIECE = 24
# Frames whose durations differ by more than a rounding of times.
_UNEVEN = 1.5


class ImageSink:
    """`Sink` of image files.

    Attributes:
        reader: The source.
        destination: The images.
        read, write: The settings.
        kind: "png", "tiff" or "exr".
        sources: Identity of the image that each is made of; empty where the source is a clip.
        warnings: What can't be kept.

    Raises:
        UsageError: The images can't be written.
    """

    def __init__(
        self,
        reader: Reader,
        destination: ImageDestination,
        read: ReadSettings,
        write: WriteSettings,
    ):
        self.reader, self.destination = reader, destination
        self.read, self.write = read, write
        destination.check(reader, write.encode)
        self.kind = kind_of(destination.path)
        self.warnings = tuple(self._warnings())

    def _warnings(self) -> Iterator[str]:
        video = self.reader.info.video
        yield from self.reader.warnings(self.kind)
        if video.interlaced:
            yield f"is interlaced: {INTERLACED[self.read.interlaced]}"
        if not self.reader.images:
            losses = Losses.of(self.reader, IMAGES)
            stated = ["timecode"] if self.kind == "exr" and self.states_timecode else []
            yield from losses.lines(losses.found_in(losses.as_shown(*stated), ()))
        if self.kind == "exr" and not self.reader.images:
            yield "becomes linear light, 1.0 for white"
        elif self.kind == "tiff" and video.hdr:
            yield f"is {video.hdr}, which TIFF can't state"

    @property
    def states_timecode(self) -> bool:
        """True if images of this rate can have timecode."""
        rate = self.reader.info.video.frame_rate
        return rate is not None and nominal_rate(rate) <= _MOST_FRAMES

    def key(self) -> dict[str, Any]:
        """Return the facts, besides the stylizer's, that decide all images.

        The journal stores with each image which image it was made of.
        """
        video = self.reader.info.video
        key = {
            "source": str(self.reader.path.absolute()),
            "kind": self.kind,
            "rate": str(video.frame_rate),
            "aspect": str(video.sample_aspect_ratio),
        }
        if self.reader.images:
            return key
        return key | {
            "input": self.reader.identity["input"],
            "excerpt": _range_key(self.read.range),
            "interlaced": self.read.interlaced,
        }

    def check_existing(self) -> None:
        """Refuse images that exist, may not be replaced, and were not left by an earlier run."""
        self.destination.check_existing()

    @contextmanager
    def opened(self, key: Mapping[str, Any]) -> Iterator[ImageWriter]:
        """Take the work folder, see `Sink`."""
        pattern = self.destination.pattern
        with owned_journal(pattern, key, resume=self.write.resume) as journal:
            yield ImageWriter(self, journal)


class ImageWriter:
    """`CollectingWriter` of image files.

    Attributes:
        maker: Maker of the images.
    """

    def __init__(self, sink: ImageSink, journal: Journal):
        self._sink, self._reader, self._journal = sink, sink.reader, journal
        images = self._reader.images
        self._sources = {number: image_identity(path) for number, path in images.items()}
        self._reused: frozenset[int] = frozenset()
        self._numbers: set[int] = set()
        self._shortest = self._longest = 0
        self._elsewhere, self._started = Met(), False
        self.maker = ImageMaker(
            sink.kind,
            sink.reader.info.video,
            sink.reader.timecode if sink.states_timecode else None,
            tuple(images),
        )

    @property
    def done(self) -> int:
        """Images that an earlier run has done."""
        return len(self._reused)

    def look(self) -> Written | None:
        """Find out which images are done, see `Writer`; never the result: all are verified."""
        self._journal.look(self._sources)
        self._sink.destination.check_free(self._journal.foreign())
        self._reused = frozenset(self._journal.done)
        return None

    def missing(self) -> Iterator[NumberedFrame]:
        """Yield the frames whose images are missing, see `Writer`."""
        self._numbers |= self._reused
        for item in self._reader.numbered(skip=self._reused):
            self._numbers.add(item.number)
            self._note_duration(item.frame)
            if item.number not in self._reused:
                yield item

    def _note_duration(self, frame: Frame) -> None:
        self._shortest = min(self._shortest or frame.duration, frame.duration)
        self._longest = max(self._longest, frame.duration)

    def form(self, item: NumberedFrame) -> tuple[PixelFormat, Colour]:
        """Return the form of the image; display signals become linear light after that."""
        return self.maker.form(item)

    def write(self, frames: Iterator[NumberedFrame]) -> None:
        """Encode several images at a time, each checked; they get their names in order."""
        journal = self._journal
        journal.start()
        with closing(in_order(frames, self._prepared, WRITERS)) as ready:
            for number, digest in ready:
                # Hours may have passed since it was free.
                self._sink.destination.check_free([number] if journal.is_foreign(number) else [])
                journal.add(number, self._sources.get(number), digest)

    def _prepared(self, item: NumberedFrame) -> tuple[int, str]:
        try:
            content, check = self.maker.encoded(item)
            return item.number, self._journal.prepare(item.number, content, check)
        except OutputError as error:
            error.path = self._sink.destination.pattern.name(item.number)
            raise

    def pieces(self) -> list[Piece]:
        """Return runs of images that are missing, see `CollectingWriter`."""
        reader, maker = self._reader, self.maker
        times = frame_times(reader, self._sink.read)
        steps = {after - before for before, after in pairwise(times)}
        self._shortest, self._longest = min(steps, default=0), max(steps, default=0)
        numbers = [maker.number(index) for index in range(len(times))]
        self._numbers.update(numbers)
        missing = [index for index, number in enumerate(numbers) if number not in self._reused]
        return [Piece(run[0], FrameRange(run[0], run[-1] + 1)) for run in _runs(missing)]

    def take(self, made: Made) -> None:
        """Keep an image that was made elsewhere, see `CollectingWriter`."""
        if not self._started:
            self._journal.start()
            self._started = True
        self._sink.destination.check_free(
            [made.number] if self._journal.is_foreign(made.number) else []
        )
        digest = self._journal.prepare(made.number, made.content, lambda path: None)
        self._journal.add(made.number, self._sources.get(made.number), digest)

    def note(self, met: Met) -> None:
        """Note what was met on the way elsewhere, see `CollectingWriter`."""
        self._elsewhere += met

    def finish(self) -> Written:
        """Read every image once more: each must be as it was checked and noted, see `Writer`."""
        since = monotonic()
        for number in sorted(self._numbers):
            if not self._journal.is_whole(number):
                raise OutputError(
                    "is not as it was written",
                    path=self._sink.destination.pattern.name(number),
                    hint="the same command writes it again",
                )
        count = len(self._numbers)
        return Written(
            frames=count,
            audio_tracks=0,
            segments=count,
            segments_reused=len(self._reused),
            warnings=tuple(self._found()),
            stages={"verify": monotonic() - since},
        )

    def _found(self) -> Iterator[str]:
        if self._longest > _UNEVEN * self._shortest:
            yield "its frames differ in duration, which images can't state"
        met = Met.of(self._reader) + self._elsewhere
        yield from met_on_the_way(self._reader, met, self._sink.read.interlaced)
        pattern = self._sink.destination.pattern
        others = set(pattern.numbers()) - self._numbers
        if pattern.numbered and others:
            first = pattern.name(min(others)).name
            more = counted(len(others), "more image")
            yield f"had {more} of such names before, from {first} on"

    def kept(self) -> tuple[Path, int] | None:
        """Return the images' folder and the number of those done; None where none is."""
        done = len(self._journal.done)
        return (self._sink.destination.path.parent, done) if done else None


def _range_key(part: FrameRange | TimeRange | None) -> str:
    """Return a range as journals have always written it; work under way stays usable."""
    match part:
        case FrameRange(first, end):
            return f"Excerpt(first={first}, end={end})"
        case TimeRange(start, end):
            return f"Span(start={start!r}, end={end!r})"
        case None:
            return "None"


def _runs(indices: Sequence[int]) -> Iterator[list[int]]:
    """Yield indices in runs without a gap, of a bounded length."""
    for _, group in groupby(enumerate(indices), key=lambda item: item[1] - item[0]):
        run = [index for _, index in group]
        for start in range(0, len(run), _IMAGES_A_PIECE):
            yield run[start : start + _IMAGES_A_PIECE]
