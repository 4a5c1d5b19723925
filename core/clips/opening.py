"""Opened clips: the container, its video stream, and a decoder of that."""

from __future__ import annotations

from pathlib import Path

import av
import av.error
from av.codec.context import Flags
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.stream import Disposition

from ..errors import MediaError

# FFmpeg's own decoders of these leave out the alpha that WebM stores next to the video.
_DECODERS_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def open_clip(path: Path, device: str | None = None) -> InputContainer:
    """Open a clip with PyAV.

    Args:
        path: The clip.
        device: A kind of hardware that is to decode it.

    Raises:
        MediaError: Missing, empty, or not a clip.
        RuntimeError: The device does not decode it.
    """
    try:
        if not path.exists():
            raise MediaError("no such file", path=path)
        if not path.is_file():
            raise MediaError("is not a file", path=path)
        if path.stat().st_size == 0:
            raise MediaError("is empty (0 bytes)", path=path)
        # "file:" keeps names with a colon or a percent sign from being read as something else.
        hardware = HWAccel(device, allow_software_fallback=False) if device else None
        return av.open(f"file:{path}", metadata_errors="replace", hwaccel=hardware)
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError.because(
            error,
            "can't be opened as a clip",
            path=path,
            hint="it is damaged, truncated, or not a video",
        ) from error


def video_stream(container: InputContainer, path: Path) -> av.VideoStream:
    """Return the first video stream that is not a cover image.

    Raises:
        MediaError: There is none.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            return stream
    raise MediaError("has no video stream", path=path)


def video_decoder(stream: av.VideoStream) -> av.VideoCodecContext:
    """Return a decoder of the whole frame: with alpha, and cropped to the very pixel."""
    decoder = stream.codec_context
    with_alpha = _DECODERS_WITH_ALPHA.get(decoder.name)
    tags = {name.lower(): value for name, value in stream.metadata.items()}
    if tags.get("alpha_mode") == "1" and with_alpha in av.codecs_available:
        decoder = av.CodecContext.create(with_alpha, "r")
        assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_type = "AUTO"
    # Else H.264 and HEVC leave pixels that are to be cropped, to keep rows aligned in memory.
    decoder.flags |= Flags.unaligned
    return decoder
