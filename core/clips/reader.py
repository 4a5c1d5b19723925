"""Protocol of everything that yields a source's frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from ..frames.frame import Frame
from ..pictures.metadata import Picture
from .clip_info import ClipInfo
from .range import FrameRange
from .timecode import Timecode

if TYPE_CHECKING:
    import av
    from av.container.core import Chapter
    from av.stream import Stream

FIRST_NUMBER = 1
"""Number of a clip's first frame as an image."""


class NumberedFrame(NamedTuple):
    """A frame with its number in an image sequence.

    Attributes:
        number: The source image's, or counted from `FIRST_NUMBER` where the source is a clip.
        frame: The frame.
        image: The image that it was read from; None where the source is a clip.
    """

    number: int
    frame: Frame
    image: Picture | None


class Reader(Protocol):
    """One pass over the frames of a clip, of a range of a clip, or of an image sequence.

    It also passes through what a container stores next to its video. A source without a container
    has none of that: no streams, no packets, no chapters, no metadata but a timecode.
    """

    @property
    def path(self) -> Path:
        """Source as the user named it: a file, or the pattern of numbered images."""
        ...

    @property
    def info(self) -> ClipInfo:
        """Facts of the source, or of the range that is read."""
        ...

    @property
    def range(self) -> FrameRange | None:
        """Frames of the source that are read; None for all of them."""
        ...

    @property
    def images(self) -> Mapping[int, Path]:
        """Image files that are read, by number; empty where the source is a clip."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """Plain values that differ where the source, or what is read of it, differs."""
        ...

    def warnings(self, kind: str | None = None) -> Iterator[str]:
        """Yield what has to be reported before the first frame.

        Args:
            kind: Kind of image that the frames are written to: "png", "tiff" or "exr"; None for a
                clip.
        """
        ...

    @property
    def damaged_frames(self) -> int:
        """Frames so far in which the decoder had to conceal errors."""
        ...

    @property
    def interlaced_frames(self) -> int:
        """Interlaced frames so far."""
        ...

    @property
    def recoloured_frames(self) -> int:
        """Frames so far that state other colours than the first, and were converted."""
        ...

    @property
    def repaired_frames(self) -> int:
        """Frames so far whose times did not rise."""
        ...

    @property
    def foreseen(self) -> Set[str]:
        """Names of the counts above that `warnings` has announced."""
        ...

    @property
    def beside(self) -> Set[str]:
        """Names of what frames so far carry beside their pixels.

        Without what the first one carries, or `warnings` has announced.
        """
        ...

    @property
    def streams(self) -> Sequence[Stream]:
        """Streams next to the video, in the order of `info.others`."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """Metadata of the container."""
        ...

    @property
    def video_metadata(self) -> Mapping[str, str]:
        """Metadata of the video stream, with the timecode of the first frame that is read."""
        ...

    @property
    def chapters(self) -> list[Chapter]:
        """Chapters, in the time of the frames that are read."""
        ...

    @property
    def timecode(self) -> Timecode | None:
        """Timecode of the first frame that is read; None where the source has none."""
        ...

    def packets(self) -> Iterator[av.Packet]:
        """Yield the packets of `streams`, in the time of the frames; reads the source again.

        Raises:
            MediaError: The source can't be read.
        """
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in presentation order."""
        ...

    def numbered(self, skip: frozenset[int] = frozenset()) -> Iterator[NumberedFrame]:
        """Yield the frames with their numbers.

        Args:
            skip: Numbers of frames that need not be read; they are left out where reading each
                takes time of its own.
        """
        ...

    def close(self) -> None:
        """Close the source."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class ClosedAtExit:
    """Base of readers, which are context managers that close themselves."""

    def close(self) -> None:
        """Close the source."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
