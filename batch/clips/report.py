"""Report on a clip: its progress while it is converted, and its figures at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...core.clips.media import ClipInfo


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
