"""`Reader` of an image sequence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import MediaError
from ..file_identity import clip_identity, image_identity
from ..frames.frame import Frame
from ..keys import key_digest
from ..pictures.metadata import Picture
from ..pictures.picture import as_display, kind_of, read_picture
from ..pictures.picture_header import stated
from .clip_info import ClipInfo, VideoInfo
from .range import FrameRange, TimeRange, frames_of
from .reader import ClosedAtExit, NumberedFrame
from .sequence import ImageSequence, Pattern
from .timecode import Timecode

if TYPE_CHECKING:
    import av
    from av.container.core import Chapter
    from av.stream import Stream

USUAL_RATE = Fraction(24)
"""Frames a second of images that state no rate."""


class SequenceReader(ClosedAtExit):
    """`Reader` of an image sequence.

    Attributes:
        path: Names of the images, as a pattern.
        sequence: The images; those of the range where only a range is read.
        first: The first image.
        rate: Images a second.
        info: Facts of the sequence, or of the range that is read.
        range: Frames that are read; None for all of them.

    Args:
        pattern: Names of the images.
        rate: Images a second; None for what they state, else 24.
        part: The range that is read; None for all of it.
        linear: Yield linear light as it is, instead of as a display shows it.

    Raises:
        MediaError: There are none, one is missing, or the first one can't be read.
    """

    damaged_frames = interlaced_frames = repaired_frames = recoloured_frames = 0
    streams: Sequence[Stream] = ()
    foreseen: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()
    metadata: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        pattern: Pattern,
        *,
        rate: Fraction | None = None,
        part: FrameRange | TimeRange | None = None,
        linear: bool = False,
    ):
        self.path = pattern.path
        self.range: FrameRange | None = None
        self.sequence = ImageSequence.find(pattern)
        self._linear = linear
        self._images_passed_over = _check_headers(self.sequence)
        self.first = read_picture(self.sequence.files()[0])
        self.rate = rate or self.first.frame_rate or USUAL_RATE
        self._rate_is_stated = rate is not None or self.first.frame_rate is not None
        self.info = self._described()
        if part is not None:
            self._trim(part)

    def _trim(self, part: FrameRange | TimeRange) -> None:
        numbers = self.sequence.numbers
        self.range = frames_of(part, range(len(numbers)), self.info.video, self.path)
        numbers = numbers[self.range.first : self.range.end]
        self.sequence = ImageSequence(self.sequence.pattern, numbers)
        self.first = read_picture(self.sequence.files()[0])
        self.info = self._described()

    @property
    def images(self) -> Mapping[int, Path]:
        """Image files that are read, by number."""
        return dict(zip(self.sequence.numbers, self.sequence.files(), strict=True))

    @property
    def identity(self) -> dict[str, Any]:
        """Plain values that differ where an image, their number or their rate differs."""
        files = self.sequence.files()
        images = [image_identity(path) for path in files]
        facts = [str(self.path), str(self.rate), self._linear, images]
        return {
            "input": clip_identity(files[0]),
            "excerpt": None,
            "pictures": key_digest(facts, size=16, sort=False),
        }

    def warnings(self, kind: str | None = None) -> Iterator[str]:
        """Yield what has to be reported before the first frame, see `Reader`."""
        if not self._rate_is_stated and self.sequence.pattern.numbered:
            yield f"{self.rate} images a second; --sequence-fps takes another rate"
        if not self._linear and self.first.frame.pixel_format.floating:
            yield "linear light becomes a display's signal: highlights are rolled off"
        if more := self._images_passed_over:
            path = next(iter(more))
            files = f" and {len(more) - 1} other files" if len(more) > 1 else ""
            yield f"only the first of {more[path] + 1} images in {path.name}{files} is read"
        if kind == self.first.codec:
            yield from self.first.warnings
        elif self.first.alone:
            yield f"not kept of the images: {', '.join(self.first.alone)}"

    @property
    def video_metadata(self) -> Mapping[str, str]:
        """Timecode of the first image, where it states one."""
        timecode = self.first.timecode
        return {} if timecode is None else {"timecode": timecode}

    @property
    def chapters(self) -> list[Chapter]:
        """Empty: images have no chapters."""
        return []

    @property
    def timecode(self) -> Timecode | None:
        """Timecode of the first image; None where it states none."""
        timecode = self.first.timecode
        return None if timecode is None else Timecode.parse(timecode)

    def packets(self) -> Iterator[av.Packet]:
        """Yield nothing: images have no streams."""
        yield from ()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in the order of their numbers."""
        return (item.frame for item in self.numbered())

    def numbered(self, skip: frozenset[int] = frozenset()) -> Iterator[NumberedFrame]:
        """Yield every frame with its number and its image, but those that are to be skipped.

        Raises:
            MediaError: An image can't be read, or is of another size or format than the first.
        """
        for index, number in enumerate(self.sequence.numbers):
            if number in skip:
                continue
            path = self.sequence.pattern.name(number)
            image = read_picture(path)
            self._check_form(image, path)
            frame = replace(image.frame, pts=index, duration=1, time_base=1 / self.rate)
            image = replace(image, frame=frame)
            yield NumberedFrame(number, self._frame_of(image), image)

    def _frame_of(self, image: Picture) -> Frame:
        return image.frame if self._linear else as_display(image)

    def _described(self) -> ClipInfo:
        frame = self._frame_of(self.first)
        count = len(self.sequence.numbers)
        video = VideoInfo(
            index=0,
            codec=self.first.codec,
            width=frame.width,
            height=frame.height,
            native_format=frame.pixel_format.name,
            pixel_format=frame.pixel_format,
            colour=frame.colour,
            frame_rate=self.rate,
            constant_rate=True,
            time_base=1 / self.rate,
            duration=count / self.rate,
            frames=count,
            sample_aspect_ratio=self.first.sample_aspect_ratio,
            display_matrix=None,
            rotation=0,
            fields=None,
            has_alpha=frame.pixel_format.alpha,
        )
        files = self.sequence.files()
        return ClipInfo(files[0], f"{self.first.codec} images", Fraction(0), video, ())

    def _check_form(self, image: Picture, path: Path) -> None:
        wanted, found = _form(self.first), _form(image)
        if found != wanted:
            raise _mixed(path, found, self.sequence.files()[0], wanted)


def _check_headers(sequence: ImageSequence) -> dict[Path, int]:
    """Find out before the first frame that images don't go together.

    Returns:
        The files that hold more than the one image that is read, and how many more.

    Raises:
        MediaError: One is of another size or kind than the first, or can't be read.
    """
    first, *others = sequence.files()
    kind = kind_of(first)
    wanted = stated(first, kind)
    more = {first: wanted.images - 1}
    for path in others:
        found = stated(path, kind)
        if found != wanted:
            raise _mixed(path, found, first, wanted)
        more[path] = found.images - 1
    return {path: count for path, count in more.items() if count}


def _mixed(path: Path, found: object, first: Path, wanted: object) -> MediaError:
    return MediaError(
        f"is {found}, and {first.name} is {wanted}",
        path=path,
        hint="the images of a sequence must have one size and one format",
    )


def _form(image: Picture) -> str:
    """Describe in words what all images of a sequence have in common."""
    form = image.frame.pixel_format
    _, _, height, width = image.shown
    colours = "grey" if form.family == "gray" or image.grey else "RGB"
    alpha = " with alpha" if form.alpha else ""
    kind = "bit floats" if form.floating else "bit"
    return f"{width}x{height} of {form.depth} {kind}, {colours}{alpha}"
