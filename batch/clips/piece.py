"""Pieces of a conversion that are made elsewhere, and what comes back of them: plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from ...core.clips.range import FrameRange
from ...core.clips.reader import NumberedFrame, Reader
from ...core.errors import OutputError
from ...core.frames.frame import Colour, PixelFormat
from ..encoding.encode import Picture
from .segment import Segment, fingerprint
from .segment_check import SegmentStream


@dataclass(frozen=True)
class Piece:
    """Piece of a conversion, made in one go: a segment, or some images.

    Attributes:
        number: Number of the segment; for images, of the first frame.
        frames: Its frames, counted from the first that is read of the source.
    """

    number: int
    frames: FrameRange

    def __len__(self) -> int:
        return self.frames.end - self.frames.first


@dataclass(frozen=True)
class Made:
    """File that was made of frames: a segment, or an image.

    Attributes:
        number: Its number.
        content: Content of the file.
        digest: Fingerprint of the content.
        segment: Facts of the segment; None for an image.
    """

    number: int
    content: bytes
    digest: str
    segment: Segment | None = None

    def check(self) -> None:
        """Refuse content that is not what was made.

        Raises:
            OutputError: It has changed on its way.
        """
        if fingerprint(self.content).hexdigest() != self.digest:
            raise OutputError(
                f"piece {self.number} arrived damaged", hint="the same command makes it again"
            )


@dataclass(frozen=True)
class Met:
    """Counts of what a reader has met on its way, see `Reader`."""

    damaged_frames: int = 0
    interlaced_frames: int = 0
    recoloured_frames: int = 0
    repaired_frames: int = 0
    beside: frozenset[str] = frozenset()

    @classmethod
    def of(cls, reader: Reader) -> Self:
        """Return the counts of a reader so far."""
        return cls(
            reader.damaged_frames,
            reader.interlaced_frames,
            reader.recoloured_frames,
            reader.repaired_frames,
            frozenset(reader.beside),
        )

    def __add__(self, other: Met) -> Met:
        return Met(
            self.damaged_frames + other.damaged_frames,
            self.interlaced_frames + other.interlaced_frames,
            self.recoloured_frames + other.recoloured_frames,
            self.repaired_frames + other.repaired_frames,
            self.beside | other.beside,
        )


class PieceMaker(Protocol):
    """Maker of pieces of one clip: plain values that can be sent to another process."""

    def form(self, item: NumberedFrame) -> tuple[PixelFormat, Colour]:
        """Return pixel format and colour in which a frame is stylized."""
        ...

    def make(self, folder: Path, piece: Piece, frames: Iterator[NumberedFrame]) -> Iterator[Made]:
        """Yield the files of a piece, each checked; nothing of them is left in the folder.

        Args:
            folder: Folder for temporary files.
            piece: The piece.
            frames: Its stylized frames, numbered from the first that is read of the source.

        Raises:
            OutputError, OSError: They can't be written.
        """
        ...


@dataclass(frozen=True)
class SegmentMaker:
    """`PieceMaker` of segments.

    Attributes:
        stream: The video stream.
        picture: What the encoder is fed.
    """

    stream: SegmentStream
    picture: Picture

    def form(self, item: NumberedFrame) -> tuple[PixelFormat, Colour]:
        """Return what the encoder is fed."""
        del item
        return self.picture.pixel_format, self.picture.colour

    def make(self, folder: Path, piece: Piece, frames: Iterator[NumberedFrame]) -> Iterator[Made]:
        """Yield the segment, encoded by a fresh encoder, see `PieceMaker`."""
        segment, _ = self.stream.make(folder, piece.number, (item.frame for item in frames))
        path = folder / segment.name
        try:
            yield Made(segment.number, path.read_bytes(), segment.digest, segment)
        finally:
            path.unlink()
