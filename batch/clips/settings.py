"""Settings of a conversion: how a source is read, how its output is written, and the style."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import torch

from ...core.clips.range import FrameRange, TimeRange
from ...core.errors import UsageError
from ...core.frames.stroke_size import DETAIL, NATURAL, StrokeSize
from ...core.library import load_style
from ...core.options import (
    AUDIO_CODECS,
    BARS,
    DECODERS,
    INTERLACED,
    TIMESTAMPS,
    VERIFY_LEVELS,
    AudioCodec,
    BarsMode,
    Decoder,
    Interlaced,
    Precision,
    RuntimeName,
    Timestamps,
    VerifyLevel,
)
from ...core.running_network import Tile
from ...core.style import Style
from ...core.stylizer import Stylizer
from ..encoding.encode import EncodeSettings

# Assumed for a clip whose container does not state its frame rate.
_DEFAULT_RATE = Fraction(25)
# Most that a second of a segment may hold: 24 frames of HD.
_PIXELS_A_SECOND = 24 * 1920 * 1080


@dataclass(frozen=True)
class ReadSettings:
    """Settings for reading a source.

    Attributes:
        interlaced: How interlaced frames are handled, see `ClipReader`.
        decoder: "software", or "auto" for a hardware decoder that gives the same frames.
        timestamps: How frames whose times do not rise are handled, see `ClipReader`.
        range: The frames that are converted; None for all of them.
        for_timeline: Read as editing programs count frames: at a constant frame rate, exact to
            the tick, and the video stream alone. A clip with a variable frame rate is refused.
        frame_rate: Images a second of an image sequence; None for what the images state, else 24.
        bars: "keep" passes burnt-in black bars through and stylizes what is between them; "style"
            takes them for a part of the picture.

    Raises:
        UsageError: A value is out of range.
    """

    interlaced: Interlaced = "deinterlace"
    decoder: Decoder = "software"
    range: FrameRange | TimeRange | None = None
    for_timeline: bool = False
    frame_rate: Fraction | None = None
    bars: BarsMode = "keep"
    timestamps: Timestamps = "repair"

    def __post_init__(self) -> None:
        _check_choice("decoder", self.decoder, DECODERS)
        _check_choice("interlaced", self.interlaced, INTERLACED)
        _check_choice("timestamps", self.timestamps, TIMESTAMPS)
        _check_choice("bars", self.bars, BARS)


@dataclass(frozen=True)
class WriteSettings:
    """Settings for writing an output.

    Attributes:
        encode: Codec and quality of the video stream.
        segment: Seconds of the clip that are encoded as one piece, fewer where they hold more than
            24 frames of HD a second: what a crash can cost.
        resume: Continue from what an earlier run of the same clip and settings has left.
        verify: "standard" reads back frames, times and audio packets; "full" compares the packets
            of every copied stream.
        audio: Codec to which audio is converted that the container does not support; "copy"
            converts none.
        drop_unsupported: Leave out audio and subtitles that the container does not support,
            instead of refusing the clip.
        overwrite: Replace an output that exists.
        skip_existing: Leave a clip of a batch alone whose output exists.
        segments: The segments that are made, by number from 0; the work folder is left with them,
            and the output is not written. None for all, and the output.

    Raises:
        UsageError: A value is out of range, or two contradict each other.
    """

    encode: EncodeSettings = field(default_factory=EncodeSettings)
    segment: float = 10.0
    resume: bool = True
    verify: VerifyLevel = "standard"
    audio: AudioCodec = "copy"
    drop_unsupported: bool = False
    overwrite: bool = False
    skip_existing: bool = False
    segments: range | None = None

    def __post_init__(self) -> None:
        if not 0 < self.segment < float("inf"):
            raise UsageError(f"a segment must last more than 0 seconds, not {self.segment}")
        _check_choice("verify", self.verify, VERIFY_LEVELS)
        _check_choice("audio", self.audio, AUDIO_CODECS)
        if self.overwrite and self.skip_existing:
            raise UsageError("outputs that exist are either replaced or skipped, not both")
        if self.segments is not None and not self.resume:
            raise UsageError("segments are made to continue from, and that is switched off")

    def frames_per_segment(self, rate: Fraction | None, pixels: int) -> int:
        """Return the number of frames in a segment of a clip.

        Frames beyond HD take longer: their segments are shorter, so that an interruption costs
        about as much work. Time itself does not count, since an interrupted run must end as one
        that was not.

        Args:
            rate: Frames a second; None where it is not known.
            pixels: Of a frame.
        """
        by_time = self.segment * (rate or _DEFAULT_RATE)
        by_work = self.segment * _PIXELS_A_SECOND / pixels
        return max(1, round(min(by_time, by_work)))


@dataclass(frozen=True)
class JobSettings:
    """Settings of a conversion: plain values that can be sent to another process.

    Attributes:
        style: A `Style`, a name in the library, a style file or a blend.
        strength: 0 (the source) to 1 (the full style).
        keep_colors: Keep the source's chroma.
        stroke_size: Size of strokes as a share of the frame, see `Stylizer`.
        detail: Share of the source's fine luma that comes back, see `Stylizer`.
        device: Where the network runs, see `Stylizer`.
        precision: What the network computes in, see `Stylizer`.
        runtime: What runs the network, see `Stylizer`.
        tile: Side in pixels of the tiles in which a frame is stylized, see `Stylizer`.
        read: How the source is read.
        write: How the output is written.
    """

    style: Style | str | Path
    strength: float = 1.0
    keep_colors: bool = False
    stroke_size: StrokeSize = NATURAL
    detail: float = DETAIL
    device: str = "auto"
    precision: Precision = "auto"
    runtime: RuntimeName = "auto"
    tile: Tile = "auto"
    read: ReadSettings = field(default_factory=ReadSettings)
    write: WriteSettings = field(default_factory=WriteSettings)

    def load_style(self) -> Style:
        """Return the style.

        Raises:
            StyleError: There is no such style, or its file is damaged.
        """
        return self.style if isinstance(self.style, Style) else load_style(self.style)

    def stylizer(self, device: str | None = None) -> Stylizer:
        """Return a stylizer that is ready to run; raises what `Stylizer` raises.

        Args:
            device: Where it runs, if not on `device` of the settings.
        """
        return Stylizer(
            self.style,
            device=device or self.device,
            precision=self.precision,
            runtime=self.runtime,
            tile=self.tile,
            strength=self.strength,
            keep_colors=self.keep_colors,
            stroke_size=self.stroke_size,
            detail=self.detail,
            # PyTorch's number is the machine's cores, or this process's share of them.
            parallel=torch.get_num_threads(),
        )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} must be one of {', '.join(choices)}")


DEFAULT_READ = ReadSettings()
DEFAULT_WRITE = WriteSettings()
