"""Addresses of inputs and outputs: cameras, streams of the network, files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...core.errors import UsageError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_CAMERA = re.compile(r"camera(?::(.+))?")
_SECRET = re.compile(r"(?<=://)[^/@]+@")

INPUT_SCHEMES = (*("rtsp", "rtsps", "srt", "udp", "rtp", "tcp", "rtmp", "rtmps", "http", "https"),)
"""Kinds of stream that are read."""
OUTPUT_SCHEMES = {
    **dict.fromkeys(("rtmp", "rtmps"), "flv"),
    **dict.fromkeys(("srt", "udp", "tcp"), "mpegts"),
    "rtp": "rtp_mpegts",
    **dict.fromkeys(("rtsp", "rtsps"), "rtsp"),
}
"""Kinds of stream that are written, each with FFmpeg's name of its container."""
OUTPUT_SUFFIXES = {
    **{".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".ts": "mpegts"},
    ".m3u8": "hls",
}
"""Suffixes of files that are written, each with FFmpeg's name of its container."""


@dataclass(frozen=True)
class Address:
    """An input or output.

    Attributes:
        kind: Camera, stream of the network, or file.
        text: It as FFmpeg takes it: a device, a URL, a path; empty for any camera.
        scheme: What precedes "://" in a URL, in small letters; else empty.
    """

    kind: Literal["camera", "stream", "file"]
    text: str
    scheme: str = ""

    @property
    def path(self) -> Path:
        """The path of a file."""
        return Path(self.text)

    @property
    def shown(self) -> str:
        """Text that may be shown: without name and password."""
        if self.kind == "camera":
            return f"camera:{self.text}" if self.text else "camera"
        return _SECRET.sub("…@", self.text)


def input_address(text: str) -> Address:
    """Parse the name of an input.

    Raises:
        UsageError: Nothing is read from there.
    """
    if re.fullmatch(r"/dev/video\d+", text):
        return Address("camera", text)
    return _address(text, INPUT_SCHEMES)


def output_address(text: str) -> Address:
    """Parse the name of an output.

    Raises:
        UsageError: Nothing is written there.
    """
    address = _address(text, tuple(OUTPUT_SCHEMES))
    suffix = address.path.suffix.lower()
    if address.kind == "file" and suffix not in OUTPUT_SUFFIXES:
        raise UsageError(
            f"can't write a {suffix or 'file without a suffix'}",
            path=text,
            hint=f"use {', '.join(OUTPUT_SUFFIXES)}, a URL such as rtmp://..., or camera",
        )
    return address


def muxer_of(address: Address) -> str:
    """Return FFmpeg's name of an output's container."""
    if address.kind == "stream":
        return OUTPUT_SCHEMES[address.scheme]
    return OUTPUT_SUFFIXES[address.path.suffix.lower()]


def _address(text: str, schemes: tuple[str, ...]) -> Address:
    if camera := _CAMERA.fullmatch(text):
        return Address("camera", camera[1] or "")
    if found := _SCHEME.fullmatch(text):
        scheme = found[1].lower()
        if scheme not in schemes or not found[2]:
            raise UsageError(
                f"{_SECRET.sub('…@', text)} is no address of a stream",
                hint=f"use {', '.join(f'{name}://' for name in schemes)}",
            )
        return Address("stream", text, scheme)
    return Address("file", text)
