"""How a clip is done, who hears how it goes on, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from ...core.clips.media import ClipInfo
from ...core.clips.range import FrameRange, TimeRange
from ...core.errors import UsageError
from ...core.options import DECODERS, INTERLACED, VERIFY_LEVELS, Decoder, Interlaced, VerifyLevel

# Of a clip that does not say how many frames a second it has.
_USUAL_RATE = Fraction(25)


@dataclass(frozen=True)
class ClipReport:
    """What became of one clip.

    Attributes:
        input: The source.
        output: The written file.
        frames: Frames in and out.
        audio_tracks: Sound tracks copied packet for packet.
        seconds: Wall time, verification included.
        warnings: What could not be kept, a line each.
        stages: Seconds of work: "decode", "stylize" and "encode", which overlap, "mux", "verify".
        segments: In how many segments it was done.
        segments_reused: How many of them an earlier run had left.
    """

    input: Path
    output: Path
    frames: int
    audio_tracks: int
    seconds: float
    warnings: tuple[str, ...]
    stages: Mapping[str, float] = field(default_factory=dict)
    segments: int = 1
    segments_reused: int = 0

    @property
    def fps(self) -> float:
        """Frames a second of wall time."""
        return self.frames / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Observer:
    """Who wants to hear how a clip goes on.

    Attributes:
        on_start: Called with the probed clip and the warnings before the first frame.
        on_frame: Called after each stylized frame with the number of frames so far.
        on_resume: Called before the first frame with the number that an earlier run had done.
        on_kept: Called when the clip ends before its time with the folder that holds what is
            done, and the number of frames; the same call goes on from there.
    """

    on_start: Callable[[ClipInfo, tuple[str, ...]], None] = lambda _info, _warnings: None
    on_frame: Callable[[int], None] = lambda _count: None
    on_resume: Callable[[int], None] = lambda _count: None
    on_kept: Callable[[Path, int], None] = lambda _folder, _count: None


@dataclass(frozen=True)
class Handling:
    """How a clip is done.

    Attributes:
        segment: Seconds of the clip that are done in one piece: what a crash can cost.
        resume: Go on with what an earlier run of the same clip and settings has left.
        verify: "full" compares the packets of every copied track, not those of sound alone.
        drop_unsupported: Leave out sound and subtitles that the container can't hold, instead
            of refusing the clip.
        interlaced: What becomes of interlaced frames, see `ClipReader`.
        decoder: "software", or "auto" for hardware that gives the same frames.
        excerpt: The part of the clip that is done; None is all of it.
        for_timeline: For editing programs, which count frames: evenly spaced to the tick, and
            the picture alone; clips whose frames come at odd times are refused.
        frame_rate: Of sequences, pictures a second; None is what they say themselves, else 24.

    Raises:
        UsageError: Something is out of range.
    """

    segment: float = 10.0
    resume: bool = True
    verify: VerifyLevel = "standard"
    drop_unsupported: bool = False
    interlaced: Interlaced = "deinterlace"
    decoder: Decoder = "software"
    excerpt: FrameRange | TimeRange | None = None
    for_timeline: bool = False
    frame_rate: Fraction | None = None

    def __post_init__(self) -> None:
        if not 0 < self.segment < float("inf"):
            raise UsageError(f"a segment must last more than 0 seconds, not {self.segment}")
        if self.verify not in VERIFY_LEVELS:
            raise UsageError(f"verify must be one of {', '.join(VERIFY_LEVELS)}")
        if self.decoder not in DECODERS:
            raise UsageError(f"decoder must be one of {', '.join(DECODERS)}")
        if self.interlaced not in INTERLACED:
            raise UsageError(f"interlaced must be one of {', '.join(INTERLACED)}")

    def frames_per_segment(self, rate: Fraction | None) -> int:
        """Of a clip with so many frames a second."""
        return max(1, round(self.segment * (rate or _USUAL_RATE)))


DEFAULT_HANDLING = Handling()
