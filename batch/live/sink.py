"""The protocol of outputs."""

from __future__ import annotations

from typing import Protocol

from ...core.frames.frame import Colour, Frame, PixelFormat
from .connection import Sound


class LiveSink(Protocol):
    """Output of frames as they come.

    Attributes:
        pixel_format: Format in which frames are wanted.
        colour: Colour in which frames are wanted.
        warnings: Losses, a line each.
    """

    pixel_format: PixelFormat
    colour: Colour
    warnings: tuple[str, ...]

    @property
    def audio_tracks(self) -> int:
        """Number of audio streams that it takes."""
        ...

    @property
    def repeated(self) -> int:
        """Frames repeated so far."""
        ...

    @property
    def left_out(self) -> int:
        """Frames so far that had no place at a constant rate."""
        ...

    def write(self, frame: Frame) -> None:
        """Give a frame to the output.

        Raises:
            OutputError: It does not take it.
        """
        ...

    def sound(self, sound: Sound) -> None:
        """Give a packet of audio to the output.

        Raises:
            OutputError: It does not take it.
        """
        ...

    def idle(self, time: float) -> None:
        """Note that nothing comes for now.

        Args:
            time: Seconds of the output's time, up to which no frame will come any more.

        Raises:
            OutputError: It does not take what is repeated.
        """
        ...

    def finish(self) -> None:
        """End the output.

        Raises:
            OutputError: It can't be ended.
        """
        ...

    def abandon(self) -> str | None:
        """Close an output that failed; return what is left of it, in words."""
        ...
