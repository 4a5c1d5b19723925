"""Report on a clip that is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ClipReport:
    """Result of one clip.

    Attributes:
        input: The source.
        output: The written file.
        frames: Frames in and out.
        audio_tracks: Audio tracks copied packet for packet.
        seconds: Wall time, verification included.
        warnings: What could not be kept, a line each.
        stages: Seconds of work: "decode", "stylize", "encode" and "verify", which overlap, "mux".
        segments: In how many segments it was done.
        segments_reused: How many of them an earlier run had left.
        is_written: False if some segments were made, and the output was not.
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
    is_written: bool = True

    @property
    def fps(self) -> float:
        """Frames a second of wall time."""
        return self.frames / max(self.seconds, 1e-9)
