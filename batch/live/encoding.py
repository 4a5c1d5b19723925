"""Encoding without delay: each frame's packet is there before the next frame comes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from ...core.clips.clip_info import VideoInfo
from ...core.errors import UsageError
from ..encoding.encode import EncodeSettings, Encoding, choose
from .settings import OutputSettings

KEYFRAME_SECONDS = 2
"""Seconds between keyframes: what servers and HLS ask for, and what a viewer waits at most."""

_USUAL_CRF = 18
_USUAL_PRESETS = {"h264": "superfast", "hevc": "ultrafast"}
# Bits for each pixel of each frame of a stream.
_BITS = 0.15
_USUAL_RATE = Fraction(30)
# Added to the options of the software encoders, which else hold frames back to look ahead.
_NO_DELAY = {
    "libx264": {"tune": "zerolatency", "forced-idr": "1", "threads": "4"},
    "libx265": {"tune": "zerolatency", "forced-idr": "1"},
}
_NO_DELAY_PARAMS = {"libx265": "frame-threads=1:bframes=0:rc-lookahead=0"}


def live_encoding(
    video: VideoInfo, settings: OutputSettings, muxer: str, *, streamed: bool
) -> Encoding:
    """Decide how live video is encoded: in 4:2:0, which every player takes.

    Args:
        video: The input.
        settings: Encoding as the user chose it.
        muxer: FFmpeg's name of the container.
        streamed: Whether a bitrate is kept to, rather than a quality.

    Raises:
        UsageError: The container does not support the codec.
        OutputError: The codec does not support this video.
        DeviceError: The encoder that was asked for does not work here.
    """
    codec = settings.codec
    if codec == "auto":
        codec = "hevc" if video.hdr and muxer != "flv" else "h264"
    if codec == "hevc" and muxer == "flv":
        raise UsageError("RTMP does not support hevc video", hint="leave --codec out")
    profile = "main10" if codec == "hevc" and video.pixel_format.depth > 8 else "main"
    bitrate = settings.bitrate
    if bitrate is None and settings.crf is None and streamed:
        bitrate = usual_bitrate(video, settings.rate)
    wanted = EncodeSettings(
        codec=codec,
        profile=profile,
        crf=(_USUAL_CRF if settings.crf is None else settings.crf) if bitrate is None else None,
        bitrate=bitrate,
        preset=settings.preset or _USUAL_PRESETS[codec],
        encoder=settings.encoder,
    )
    # A file that takes every codec: the table knows no containers of streams.
    chosen = choose(video, wanted, "matroska")
    options = {**chosen.options, **_NO_DELAY.get(chosen.encoder.name, {})}
    if params := _NO_DELAY_PARAMS.get(chosen.encoder.name):
        options[chosen.encoder.params_option] += f":{params}"
    if bitrate is not None:
        # No second has more than the line takes.
        options |= {"maxrate": str(bitrate), "bufsize": str(bitrate)}
    return replace(chosen, options=options)


def usual_bitrate(video: VideoInfo, rate: Fraction | None) -> int:
    """Return the bits a second of a stream where none are given: 4 Mbit/s at 720p and 30."""
    rate = rate or video.frame_rate or _USUAL_RATE
    bits = _BITS * video.width * video.height * min(rate, 60)
    return max(500_000, 100_000 * round(bits / 100_000))
