"""Events of `brushreel live`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar


@dataclass(frozen=True)
class _LiveEvent:
    """Event of `brushreel live`.

    Attributes:
        input: Where frames come from, as it was given; without a password.
        output: Where they go.
    """

    input: str
    output: str


@dataclass(frozen=True)
class LiveStarted(_LiveEvent):
    """Start of live work: the input gives frames, and the output takes them.

    Attributes:
        width: Pixels.
        height: Pixels.
        frame_rate: Frames a second that the input states; None if it states none.
        audio_tracks: Audio streams that are passed on.
        warnings: Losses, a line each.
    """

    name: ClassVar[str] = "live_started"
    width: int
    height: int
    frame_rate: Fraction | None
    audio_tracks: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _LiveFigures(_LiveEvent):
    """Figures of live work.

    Attributes:
        seconds: Time since the start.
        frames: Frames given to the output.
        left_out: Frames left out.
        repeated: Frames repeated, for a constant rate.
        fps: Frames a second.
        latency: Median seconds from capture to output; None without a frame.
    """

    seconds: float
    frames: int
    left_out: int
    repeated: int
    fps: float
    latency: float | None


@dataclass(frozen=True)
class LiveStatus(_LiveFigures):
    """State of live work; comes every second, with `fps` and `latency` since the last one."""

    name: ClassVar[str] = "live_status"


@dataclass(frozen=True)
class LiveLost(_LiveEvent):
    """Loss of the input, which is tried again.

    Attributes:
        what: Description of what happened.
    """

    name: ClassVar[str] = "live_lost"
    what: str


@dataclass(frozen=True)
class LiveBack(_LiveEvent):
    """The input again, after so many seconds."""

    name: ClassVar[str] = "live_back"
    seconds: float


@dataclass(frozen=True)
class LiveDone(_LiveFigures):
    """End of live work, whose figures are those of all of it; a file has its name."""

    name: ClassVar[str] = "live_done"
