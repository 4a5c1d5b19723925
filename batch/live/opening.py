"""Inputs opened with PyAV: the options that each kind needs, and failures in words."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import av.error
from av.container import InputContainer

from ...core.clips.opening import open_clip
from ...core.errors import BrushreelError, MediaError
from .address import Address
from .relay import InputRelay, needs_relay
from .settings import InputSettings

# Microseconds in which the streams of an input are found; FFmpeg's own five seconds are long.
_LOOK_MICROSECONDS = "2000000"
_CAMERA_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
# FFmpeg's option for what a camera gives.
_PIXEL_OPTIONS = {"linux": "input_format", "darwin": "pixel_format", "win32": "vcodec"}
# Most cameras of a Mac have no other, and FFmpeg asks for 29.97.
_MAC_RATE = "30"


def open_input(address: Address, settings: InputSettings) -> InputContainer | InputRelay:
    """Open an input.

    Raises:
        MediaError: There is none, it does not answer, or it is no video.
    """
    if address.kind == "file":
        return open_clip(address.path)
    try:
        if address.kind == "camera":
            return _camera(address, settings)
        if needs_relay(address):
            return InputRelay(address, settings.timeout)
        options = {"analyzeduration": _LOOK_MICROSECONDS}
        if address.scheme.startswith("rtsp"):
            # A camera behind a network that loses datagrams shows smears by UDP.
            options["rtsp_flags"] = "prefer_tcp"
        if address.scheme in ("udp", "rtp"):
            options["overrun_nonfatal"] = "1"
        return av.open(
            address.text,
            metadata_errors="replace",
            container_options=options,
            timeout=settings.timeout,
        )
    except (av.error.FFmpegError, OSError) as error:
        raise failure(error, address, settings.timeout, "can't be opened") from error


def _camera(address: Address, settings: InputSettings) -> InputContainer:
    system = "linux" if sys.platform.startswith("linux") else sys.platform
    form = _CAMERA_FORMATS.get(system)
    if form is None:
        raise MediaError(f"{address.shown}: cameras of this system are not read")
    options = {}
    if settings.camera_size is not None:
        options["video_size"] = "x".join(map(str, settings.camera_size))
    if settings.camera_rate is not None:
        options["framerate"] = str(settings.camera_rate)
    elif system == "darwin":
        options["framerate"] = _MAC_RATE
    if settings.camera_format is not None:
        options[_PIXEL_OPTIONS[system]] = settings.camera_format
    device = camera_device(address.text, system)
    if system == "linux" and not Path(device).exists():
        there = ", ".join(sorted(str(path) for path in Path("/dev").glob("video*")))
        raise MediaError(
            f"{address.shown}: there is no such camera",
            hint=f"there are {there}" if there else "this machine shows none: check its connection",
        )
    return av.open(device, format=form, container_options=options, timeout=settings.timeout)


def camera_device(name: str, system: str) -> str:
    """Return a camera as FFmpeg names it on a system.

    Args:
        name: Number, name or device; empty for any.
        system: "linux", "darwin" or "win32".
    """
    if system == "win32":
        return f"video={name or '0'}"
    if system == "linux":
        name = name or "0"
        return f"/dev/video{name}" if name.isdecimal() else name
    return name or "0"


def failure(error: BaseException, address: Address, timeout: float, what: str) -> BrushreelError:
    """Return what an error of an input means.

    Args:
        error: Of FFmpeg or of the system.
        address: The input.
        timeout: Seconds that it was waited for.
        what: What was not possible.
    """
    # PyAV's word for its own timeout.
    if isinstance(error, av.error.ExitError):
        return MediaError(
            f"{address.shown}: nothing comes within {timeout:g} s",
            hint="check the address and whether it is sending; --timeout waits longer",
        )
    if isinstance(error, av.error.ProtocolNotFoundError):
        return MediaError(f"{address.shown}: FFmpeg as PyAV brings it has no {address.scheme}")
    return MediaError.because(error, f"{address.shown}: {what}")
