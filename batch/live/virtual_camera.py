"""A virtual camera, which other programs see as a webcam: by pyvirtualcam."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.clips.clip_info import VideoInfo
from ...core.errors import OutputError, extra
from ...core.frames.frame import PIXEL_FORMATS, Colour, Frame
from .address import Address
from .connection import Sound
from .settings import OutputSettings

_USUAL_RATE = 30.0
# Matrix of RGB, FFmpeg's full range, BT.709's primaries, sRGB's transfer (H.273).
_SRGB = (0, 2, 1, 13)


class VirtualCamera:
    """`LiveSink` of a virtual camera, which shows the latest frame until the next one.

    Args:
        address: The device; without a name the first one that is there.
        settings: How it is written: the rate that it states.
        video: Facts of the input's video.

    Raises:
        ExtraError: pyvirtualcam is not installed.
        OutputError: This machine has no virtual camera, or another program has it.
    """

    audio_tracks = 0
    repeated = 0
    left_out = 0

    def __init__(self, address: Address, settings: OutputSettings, video: VideoInfo):
        with extra("live"):
            import pyvirtualcam  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
        self.pixel_format = PIXEL_FORMATS["gbrp"]
        self.colour = Colour.resolve(
            matrix=_SRGB[0],
            range=_SRGB[1],
            primaries=_SRGB[2],
            transfer=_SRGB[3],
            pixel_format=self.pixel_format,
            width=video.width,
            height=video.height,
        )
        self.warnings: tuple[str, ...] = ("has no audio: a virtual camera takes none",)
        self._shown = address.shown
        rate = settings.rate or video.frame_rate or _USUAL_RATE
        try:
            self._camera: Any = pyvirtualcam.Camera(
                width=video.width,
                height=video.height,
                fps=float(rate),
                fmt=pyvirtualcam.PixelFormat.RGB,
                device=address.text or None,
            )
        except (RuntimeError, OSError, ValueError) as error:
            raise OutputError(
                f"{self._shown}: there is no virtual camera that takes the frames",
                hint="docs/live.md says how to set one up; another program may have it",
            ) from error

    def write(self, frame: Frame) -> None:
        """Show a frame, see `LiveSink`."""
        green, blue, red = frame.planes[:3]
        try:
            self._camera.send(np.stack([red, green, blue], axis=-1))
        except (RuntimeError, OSError, ValueError) as error:
            raise OutputError(f"{self._shown}: the virtual camera takes no frame") from error

    def sound(self, sound: Sound) -> None:
        """Do nothing: there is no audio."""

    def idle(self, time: float) -> None:
        """Do nothing: it shows the latest frame by itself."""

    def finish(self) -> None:
        """Close the camera."""
        self._camera.close()

    def abandon(self) -> str | None:
        """Close the camera."""
        self._camera.close()
        return None
