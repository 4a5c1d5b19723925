"""Messages between the driver and the workers of a cluster: plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

from ...core.clips.clip_info import VideoInfo
from ...core.clips.reader import Reader
from ...core.errors import BrushreelError
from ...core.file_identity import FileIdentity, file_identity
from ...core.frames.bars import Bars
from ..clips.piece import PieceMaker
from ..clips.settings import ReadSettings

# Bytes at both ends of a file by which a worker recognises it.
_SAMPLE = 1 << 16


@dataclass(frozen=True)
class Source:
    """Source of a clip, by which a worker finds it and knows how to stylize it.

    Attributes:
        path: Absolute path on the driver, or the pattern of numbered images.
        files: Some of its files, as names next to `path`, each with its identity.
        video: Its video stream, as it is read.
        bars: Its burnt-in bars.
    """

    path: Path
    files: Mapping[str, FileIdentity]
    video: VideoInfo
    bars: Bars

    @classmethod
    def of(cls, reader: Reader, bars: Bars) -> Self:
        """Return the source that a reader reads.

        Raises:
            OSError: It can't be read.
        """
        path = reader.path.absolute()
        images = list(reader.images.values())
        paths = [images[0], images[-1]] if images else [path]
        files = {own.name: file_identity(own, sample=_SAMPLE) for own in paths}
        return cls(path, files, reader.info.video, bars)

    def is_at(self, path: Path) -> bool:
        """Return whether a path leads to the same files."""
        try:
            return all(
                file_identity(path.with_name(name), sample=_SAMPLE) == found
                for name, found in self.files.items()
            )
        except OSError:
            return False


@dataclass(frozen=True)
class Order:
    """All that a worker must know of a clip to make pieces of it.

    Attributes:
        clip: Number of the clip in its batch.
        source: The source.
        read: How it is read.
        output: The file that is written.
        first: First frame of the range that is read.
        rate: Images a second of an image sequence; None for clips.
        times: Times of all frames that are read, see `frame_times`.
        maker: Whoever makes the pieces.
        arithmetic: Facts that a worker's own must equal, see `arithmetic`.
    """

    clip: int
    source: Source
    read: ReadSettings
    output: Path
    first: int
    rate: Fraction | None
    times: Sequence[int]
    maker: PieceMaker
    arithmetic: Mapping[str, Any]


@dataclass(frozen=True)
class StyleFile:
    """Style file that travels to the workers; they recognise it by its digest."""

    name: str
    digest: str
    content: bytes


@dataclass(frozen=True)
class Abilities:
    """Abilities of a worker.

    Attributes:
        device: Type of its device.
        precision: Number format that it computes in.
        torch: Version of PyTorch.
    """

    device: str
    precision: str
    torch: str


@dataclass(frozen=True)
class Ready:
    """Readiness of a worker to make pieces of a clip.

    Attributes:
        sees: Whether it sees the source itself.
    """

    sees: bool


@dataclass(frozen=True)
class Unfit:
    """Unfitness of a worker that would give other frames than the others."""

    reason: str


@dataclass(frozen=True)
class Progress:
    """Frames of a piece that are stylized."""

    frames: int


@dataclass(frozen=True)
class Failed:
    """Failure of what a worker was asked for."""

    error: BrushreelError
