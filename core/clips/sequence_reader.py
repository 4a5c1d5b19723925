"""A sequence of pictures, read as a clip is."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from ..errors import MediaError
from ..frames.frame import Frame
from ..pictures.metadata import Picture
from ..pictures.picture import as_display, kind_of, read_picture
from ..pictures.picture_header import stated
from .clip_info import ClipInfo, VideoInfo
from .media import ClipReader
from .range import FrameRange, TimeRange, frames_of
from .sequence import Pattern, PictureSequence

USUAL_RATE = Fraction(24)
_SAMPLED_BYTES = 1 << 12


class SequenceReader(ClipReader):
    """One pass over a sequence; iterate to get `Frame`s.

    Attributes:
        sequence: Which pictures they are; of an excerpt, those of its frames.
        first: The first picture.
        rate: Pictures a second.
        warnings: What has to be said before the first frame.

    Args:
        pattern: The names of the pictures.
        rate: Pictures a second; None for what they say themselves, else 24.
        part: The part that is read; None is all of it.
        linear: Hand out linear light as it is, instead of as a display shows it.

    Raises:
        MediaError: There are none, one is missing, or the first one can't be read.
    """

    def __init__(
        self,
        pattern: Pattern,
        *,
        rate: Fraction | None = None,
        part: FrameRange | TimeRange | None = None,
        linear: bool = False,
    ):
        self.path = pattern.path
        self.damaged_frames = self.interlaced_frames = 0
        self.sequence = PictureSequence.find(pattern)
        self._linear = linear
        _check_headers(self.sequence)
        self.first = read_picture(self.sequence.files()[0])
        self.rate = rate or self.first.frame_rate or USUAL_RATE
        self.warnings = tuple(self._said(stated=rate is not None))
        self.info = self._described()
        if part is not None:
            excerpt = frames_of(part, range(len(self.sequence.numbers)), self)
            numbers = self.sequence.numbers[excerpt.first : excerpt.end]
            self.sequence = PictureSequence(pattern, numbers)
            self.first = read_picture(self.sequence.files()[0])
            self.info = self._described()
        self.container = _nothing_beside(self.first.timecode)

    def pictures(self, skip: frozenset[int] = frozenset()) -> Iterator[tuple[int, Picture]]:
        """Every picture with its number, but those that are to be skipped.

        Raises:
            MediaError: One can't be read, or is of another size or form than the first.
        """
        for index, number in enumerate(self.sequence.numbers):
            if number in skip:
                continue
            path = self.sequence.pattern.name(number)
            picture = read_picture(path)
            self._check_form(picture, path)
            frame = replace(picture.frame, pts=index, duration=1, time_base=1 / self.rate)
            yield number, replace(picture, frame=frame)

    def __iter__(self) -> Iterator[Frame]:
        for _, picture in self.pictures():
            yield self.frame_of(picture)

    def frame_of(self, picture: Picture) -> Frame:
        """A picture as it is handed out."""
        return picture.frame if self._linear else as_display(picture)

    @property
    def identity(self) -> str:
        """What tells these pictures and their rate from others: a hash of every file's identity."""
        files = [file_identity(path) for path in self.sequence.files()]
        about = json.dumps([str(self.path), str(self.rate), self._linear, files])
        return hashlib.blake2b(os.fsencode(about), digest_size=16).hexdigest()

    def close(self) -> None:
        """Nothing stays open."""
        self.container.close()

    def _said(self, *, stated: bool) -> Iterator[str]:
        unsaid = not stated and self.first.frame_rate is None
        if unsaid and self.sequence.pattern.numbered:
            yield f"{self.rate} pictures a second; --fps takes another rate"
        if not self._linear and self.first.frame.pixel_format.floating:
            yield "linear light becomes a display's signal: highlights are rolled off"

    def _described(self) -> ClipInfo:
        frame = self.frame_of(self.first)
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
            interlaced=False,
            has_alpha=frame.pixel_format.alpha,
        )
        files = self.sequence.files()
        return ClipInfo(files[0], f"{self.first.codec} pictures", Fraction(0), video, ())

    def _check_form(self, picture: Picture, path: Path) -> None:
        wanted, found = _form(self.first), _form(picture)
        if found != wanted:
            first = self.sequence.files()[0].name
            raise MediaError(
                f"is {found}, and {first} is {wanted}",
                path=path,
                hint="pictures of one size and kind make a sequence",
            )


def _check_headers(sequence: PictureSequence) -> None:
    """Find out before the first frame that pictures don't go together.

    Raises:
        MediaError: One is of another size or kind than the first, or can't be read.
    """
    first, *others = sequence.files()
    kind = kind_of(first)
    wanted = stated(first, kind)
    for path in others:
        if (found := stated(path, kind)) != wanted:
            raise MediaError(
                f"is {found}, and {first.name} is {wanted}",
                path=path,
                hint="pictures of one size and kind make a sequence",
            )


def _form(picture: Picture) -> str:
    """In words: what all pictures of a sequence have in common."""
    form = picture.frame.pixel_format
    _, _, height, width = picture.shown
    colours = "grey" if form.family == "gray" or picture.grey else "RGB"
    alpha = " with alpha" if form.alpha else ""
    kind = "bit floats" if form.floating else "bit"
    return f"{width}x{height} of {form.depth} {kind}, {colours}{alpha}"


def file_identity(path: Path) -> list[Any]:
    """A file's name, size, time of change, and a hash over its start and its end."""
    about = path.stat()
    with path.open("rb") as file:
        head = file.read(_SAMPLED_BYTES)
        file.seek(max(0, about.st_size - _SAMPLED_BYTES))
        ends = hashlib.blake2b(head + file.read(_SAMPLED_BYTES), digest_size=16)
    return [path.name, about.st_size, about.st_mtime_ns, ends.hexdigest()]


def _nothing_beside(timecode: str | None) -> InputContainer:
    """What a clip would have beside its picture, in a container: a timecode at most."""
    content = io.BytesIO()
    with av.open(content, "w", format="nut") as container:
        stream = container.add_stream("rawvideo", rate=24)
        stream.width, stream.height, stream.pix_fmt = 2, 2, "gray"
        if timecode is not None:
            stream.metadata["timecode"] = timecode
        container.mux(stream.encode(av.VideoFrame(2, 2, "gray")))
        container.mux(stream.encode(None))
    content.seek(0)
    return av.open(content, "r")
