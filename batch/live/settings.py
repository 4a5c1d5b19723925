"""Settings of live work: where frames come from, where they go, and how."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ...core.errors import UsageError
from ...core.options import LIVE_CODECS


@dataclass(frozen=True)
class InputSettings:
    """Settings of an input.

    Attributes:
        loop: Whether a file begins again at its end.
        camera_size: Width and height in pixels that a camera is asked for; None for its own.
        camera_rate: Frames a second that a camera is asked for; None for its own.
        camera_format: Format that a camera is asked for, such as "mjpeg"; None for its own.
        timeout: Seconds that a stream may take to answer.
        reconnect: Seconds for which a stream that is lost is tried again.
    """

    loop: bool = False
    camera_size: tuple[int, int] | None = None
    camera_rate: Fraction | None = None
    camera_format: str | None = None
    timeout: float = 10.0
    reconnect: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.timeout < float("inf"):
            raise UsageError(f"--timeout must be more than 0 seconds, not {self.timeout:g}")
        if not 0 <= self.reconnect < float("inf"):
            raise UsageError(f"--reconnect must be 0 seconds or more, not {self.reconnect:g}")


@dataclass(frozen=True)
class OutputSettings:
    """Settings of an output.

    Attributes:
        rate: Frames a second of an output at a constant rate; None for every frame at its own
            time.
        codec: One of `LIVE_CODECS`; "auto" is h264, and hevc for HDR.
        crf: Constant rate factor; None for a bitrate, or for the usual one of files.
        bitrate: Bits per second; None for a value by size and rate.
        preset: Effort of the encoder; None for the usual one.
        encoder: One of `ENCODERS`.
        overwrite: Whether a file that exists is replaced.
    """

    rate: Fraction | None = None
    codec: str = "auto"
    crf: int | None = None
    bitrate: int | None = None
    preset: str | None = None
    encoder: str = "software"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.codec not in LIVE_CODECS:
            raise UsageError(f"codec must be one of {', '.join(LIVE_CODECS)}, not {self.codec}")
        if self.crf is not None and self.bitrate is not None:
            raise UsageError("choose a CRF or a bitrate, not both")
