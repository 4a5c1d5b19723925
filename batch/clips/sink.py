"""Sink of a conversion, as a protocol: a clip file, or image files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ...core.clips.reader import NumberedFrame
from ...core.frames.frame import Colour, PixelFormat
from .piece import Made, Met, Piece, PieceMaker


@dataclass(frozen=True)
class Written:
    """Result of a conversion.

    Attributes:
        frames: Frames of the output.
        audio_tracks: Audio streams copied packet for packet.
        segments: Pieces that were written one by one: segments of a file, or images.
        segments_reused: Those of them that an earlier run had left.
        warnings: What was found while writing, a line each.
        stages: Seconds of work by stage.
    """

    frames: int
    audio_tracks: int
    segments: int
    segments_reused: int
    warnings: tuple[str, ...] = ()
    stages: Mapping[str, float] = field(default_factory=dict)


class Writer(Protocol):
    """A work folder that belongs to this process, and what is written with it."""

    @property
    def done(self) -> int:
        """Frames that an earlier run has done; known once `look` was called."""
        ...

    def look(self) -> Written | None:
        """Find out what an earlier run has left.

        Returns:
            The result, if the run had finished but for tidying up.

        Raises:
            OutputError: Something exists that may not be replaced.
        """
        ...

    def missing(self) -> Iterator[NumberedFrame]:
        """Read the source, and yield the frames that are still to be stylized."""
        ...

    def form(self, item: NumberedFrame) -> tuple[PixelFormat, Colour]:
        """Return pixel format and colour in which a frame is stylized."""
        ...

    def write(self, frames: Iterator[NumberedFrame]) -> None:
        """Write stylized frames, in their order.

        Raises:
            OutputError: They can't be written.
        """
        ...

    def finish(self) -> Written:
        """Verify what is written, and give it its final name if it has none yet.

        Raises:
            OutputError: It is not what it should be.
        """
        ...

    def kept(self) -> tuple[Path, int] | None:
        """Return folder and number of the frames that the next run can use; None for none."""
        ...


@runtime_checkable
class CollectingWriter(Writer, Protocol):
    """A `Writer` whose pieces may be made elsewhere."""

    @property
    def maker(self) -> PieceMaker:
        """Maker of the pieces, as plain values for another process."""
        ...

    def pieces(self) -> list[Piece]:
        """Return the pieces that are missing, in their order; in place of `missing`.

        Raises:
            MediaError: The source can't be read.
        """
        ...

    def take(self, made: Made) -> None:
        """Keep what was made elsewhere; in place of `write`.

        Raises:
            OutputError: It is not what was made, or can't be written.
        """
        ...

    def note(self, met: Met) -> None:
        """Note what was met on the way through a piece."""
        ...


class Sink(Protocol):
    """Destination of stylized frames, as it is described before anything is written."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings that are known before the first frame, a line each."""
        ...

    def key(self) -> dict[str, Any]:
        """Return the facts, besides the stylizer's, that decide what is written."""
        ...

    def check_existing(self) -> None:
        """Refuse what exists, may not be replaced, and was not left by an earlier run.

        Raises:
            OutputError: There is something.
        """
        ...

    def opened(self, key: Mapping[str, Any]) -> AbstractContextManager[Writer]:
        """Take the work folder, which nobody else gets meanwhile.

        Args:
            key: Facts in which work that an earlier run has left must agree to be used.

        Raises:
            OutputError: It can't be made, or another process has it.
        """
        ...
