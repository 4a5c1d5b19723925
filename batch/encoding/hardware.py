"""Encoders of graphics hardware: what each is asked for, and whether it works here.

That FFmpeg knows an encoder says nothing about the machine: driver, chip, size and depth decide.
So an encoder counts as there only after it has encoded a few frames of the format and size that
are wanted.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

import av
import av.error
import av.logging
from av.codec.codec import UnknownCodecError
from av.codec.hwaccel import HWAccel

from ...core.reasons import reason_of
from .codecs import PRESETS, Encoder

_log = logging.getLogger(__name__)

_NV12 = {"yuv420p": "nv12", "yuv420p10le": "p010le"}
_NVENC_H264 = {**_NV12, "yuv444p": "yuv444p"}
_NVENC_HEVC = {
    **_NVENC_H264,
    **{"yuv422p": "nv16", "yuv422p10le": "p210le", "yuv444p10le": "yuv444p16le"},
}
_NVENC_PRESETS = {name: f"p{min(max(place, 1), 7)}" for place, name in enumerate(PRESETS)}
_QSV_PRESETS = {name: name if place > 2 else "veryfast" for place, name in enumerate(PRESETS)}
_AMF_PRESETS = dict(zip(PRESETS, ["speed"] * 4 + ["balanced"] * 2 + ["quality"] * 3, strict=True))
# What FFmpeg says when an encoder does not open, and what that means.
_MEANINGS = {
    r"cannot load \S*|error loading|not found: lib|dll \S+ failed to open": "there is no driver",
    r"driver does not support|minimum required .*driver": "the driver is too old",
    r"no capable devices|no device|no va display|cannot open .*display|mfx session|device creation"
    r"|failed to create .*device|no supported": "there is no such hardware",
    r"at least (\d+x\d+)": r"it takes frames of at least \1",
    r"(?:width|height|dimensions|resolution|size) .*(?:not|invalid|exceeds|supported|too)"
    r"|(?:invalid|unsupported) .*(?:width|height|dimensions|resolution|size)": "it does not take "
    "frames of that size",
    r"pixel format|bit depth|10 ?bit": "it does not take that pixel format",
    r"out of memory": "there is not enough memory on the device",
}
_LAMBDA_PER_QP = 118  # FFmpeg's FF_QP2LAMBDA


def _nvenc_quality(crf: int) -> dict[str, str]:
    return {"rc": "vbr", "cq": str(crf), "b": "0"}


def _qsv_quality(crf: int) -> dict[str, str]:
    return {"global_quality": str(max(1, crf))}


def _amf_quality(crf: int) -> dict[str, str]:
    return {"rc": "cqp", "qp_i": str(crf), "qp_p": str(crf)}


def _amf_av1_quality(crf: int) -> dict[str, str]:
    return _amf_quality(crf * 4)  # AV1's quantiser has 256 steps


def _vaapi_quality(crf: int) -> dict[str, str]:
    return {"rc_mode": "CQP", "global_quality": str(max(1, crf))}


def _vaapi_av1_quality(crf: int) -> dict[str, str]:
    return _vaapi_quality(crf * 4)


def _videotoolbox_quality(crf: int) -> dict[str, str]:
    # VideoToolbox counts from 1 (worst) to 100.
    quality = max(1, round(100 * (1 - crf / 51)))
    return {"flags": "+qscale", "global_quality": str(quality * _LAMBDA_PER_QP)}


def _nvenc(codec: str, formats: Mapping[str, str]) -> Encoder:
    return Encoder(f"{codec}_nvenc", "nvenc", formats, _nvenc_quality, _NVENC_PRESETS)


def _qsv(codec: str, formats: Mapping[str, str]) -> Encoder:
    return Encoder(f"{codec}_qsv", "qsv", formats, _qsv_quality, _QSV_PRESETS)


def _videotoolbox(codec: str, formats: Mapping[str, str]) -> Encoder:
    # Without "allow_sw" Apple's framework opens its hardware or nothing.
    return Encoder(f"{codec}_videotoolbox", "videotoolbox", formats, _videotoolbox_quality)


def _amf(codec: str, formats: Mapping[str, str], quality: Callable = _amf_quality) -> Encoder:
    return Encoder(f"{codec}_amf", "amf", formats, quality, _AMF_PRESETS, "quality")


def _vaapi(codec: str, formats: Mapping[str, str], quality: Callable = _vaapi_quality) -> Encoder:
    return Encoder(f"{codec}_vaapi", "vaapi", formats, quality, hwaccel="vaapi")


HARDWARE: dict[str, tuple[Encoder, ...]] = {
    "h264": (
        _nvenc("h264", _NVENC_H264),
        _qsv("h264", {"yuv420p": "nv12"}),
        _videotoolbox("h264", {"yuv420p": "nv12"}),
        _amf("h264", {"yuv420p": "nv12"}),
        _vaapi("h264", {"yuv420p": "nv12"}),
    ),
    "hevc": (
        _nvenc("hevc", _NVENC_HEVC),
        _qsv("hevc", _NV12),
        _videotoolbox("hevc", _NV12),
        _amf("hevc", _NV12),
        _vaapi("hevc", _NV12),
    ),
    "av1": (
        _nvenc("av1", _NV12),
        _qsv("av1", _NV12),
        _amf("av1", _NV12, _amf_av1_quality),
        _vaapi("av1", _NV12, _vaapi_av1_quality),
    ),
}
"""The hardware encoders of each codec, in the order in which they are tried."""


@functools.cache
def why_not(
    encoder: Encoder, pixel_format: str, size: tuple[int, int], options: tuple[tuple[str, str], ...]
) -> str | None:
    """Encode a few frames for nothing; the answer is kept as long as the process runs.

    Args:
        encoder: A row of the table.
        pixel_format: Format of the frames; one of the encoder's.
        size: Width and height in pixels.
        options: Options that it would be opened with.

    Returns:
        None if it works, else the reason.
    """
    level, log = av.logging.get_level(), []
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as log:
            written = _try_out(encoder, pixel_format, size, dict(options))
    except UnknownCodecError:
        return "this build of FFmpeg does not have it"
    except (av.error.FFmpegError, OSError, ValueError, NotImplementedError) as error:
        # The first message names the cause, the error only its consequence.
        said = log[0][2].strip() if log else ""
        _log.debug("%s: %s (%s)", encoder.name, said, error)
        return _meaning(said) or reason_of(error, otherwise="it does not open").words
    finally:
        av.logging.set_level(level)
    return None if written == _TRIED_FRAMES else f"it gave {written} of {_TRIED_FRAMES} frames"


_TRIED_FRAMES = 5


def _meaning(said: str) -> str | None:
    """Return what a message of FFmpeg's means; None where it is not known."""
    for pattern, meaning in _MEANINGS.items():
        if match := re.search(pattern, said, re.IGNORECASE):
            return match.expand(meaning)
    return None


def _try_out(
    encoder: Encoder, pixel_format: str, size: tuple[int, int], options: dict[str, str]
) -> int:
    context = av.CodecContext.create(
        encoder.name, "w", HWAccel(encoder.hwaccel) if encoder.hwaccel else None
    )
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = size
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = options
    feed(context, encoder, pixel_format)
    written = 0
    for number in range(_TRIED_FRAMES):
        frame = av.VideoFrame(*size, pixel_format)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts = number
        written += len(context.encode(frame))
    return written + len(context.encode(None))


def feed(context: av.VideoCodecContext, encoder: Encoder, pixel_format: str) -> None:
    """Tell an encoder that is not yet open what its frames look like.

    Args:
        context: The encoder's, with its size set.
        encoder: Its row of the table.
        pixel_format: Format of the frames; PyAV repacks them on the way in.
    """
    fed = encoder.pixel_formats[pixel_format]
    if encoder.hwaccel is None:
        context.pix_fmt = fed
    else:
        context.pix_fmt, context.sw_format = encoder.hwaccel, fed
