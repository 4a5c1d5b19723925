"""The values that a user can choose between, by option.

Command lines, settings and dialogs share these tables. Nothing here imports torch, so that
`--help` and a wrong flag answer at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal, get_args

Codec = Literal["auto", "h264", "hevc", "vp9", "av1", "prores", "dnxhr", "ffv1"]
CODECS: tuple[str, ...] = get_args(Codec)

LiveCodec = Literal["auto", "h264", "hevc"]
"""A codec that gives each frame as soon as it has it."""
LIVE_CODECS: tuple[str, ...] = get_args(LiveCodec)

EditCodec = Literal["prores", "dnxhr"]
"""A codec for files that an editing program reads back."""
EDIT_CODECS: tuple[str, ...] = get_args(EditCodec)

Container = Literal["mp4", "mov", "mkv", "webm"]
CONTAINERS: tuple[str, ...] = get_args(Container)

HardwareEncoder = Literal["nvenc", "qsv", "videotoolbox", "amf", "vaapi"]
ENCODERS = ("software", "auto", *get_args(HardwareEncoder))
"""Encoders; "auto" is hardware where it works, else software."""

Decoder = Literal["software", "auto"]
DECODERS: tuple[str, ...] = get_args(Decoder)

Interlaced = Literal["deinterlace", "keep", "refuse"]
INTERLACED: tuple[str, ...] = get_args(Interlaced)
"""Treatments of interlaced frames; "keep" stylizes each as one, and leaves it interlaced."""

Timestamps = Literal["repair", "refuse"]
TIMESTAMPS: tuple[str, ...] = get_args(Timestamps)
"""Treatments of frames whose stated times do not rise."""

BarsMode = Literal["keep", "style"]
"""What happens to burnt-in black bars."""
BARS: tuple[str, ...] = get_args(BarsMode)

AudioCodec = Literal["copy", "aac", "flac", "opus"]
"""What audio becomes that the container does not support; "copy" converts none."""
AUDIO_CODECS: tuple[str, ...] = get_args(AudioCodec)

VerifyLevel = Literal["standard", "full"]
VERIFY_LEVELS: tuple[str, ...] = get_args(VerifyLevel)

Layout = Literal["wipe", "side", "stack"]
"""An arrangement of two clips that are compared."""
LAYOUTS: tuple[str, ...] = get_args(Layout)

RuntimeName = Literal["auto", "amx", "avx512", "torch", "openvino", "onnxruntime"]
RUNTIMES: tuple[str, ...] = get_args(RuntimeName)

Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)

TrainingPrecision = Literal["auto", "fp32", "bf16"]
TRAINING_PRECISIONS: tuple[str, ...] = get_args(TrainingPrecision)

DEVICE_TYPES = ("cpu", "cuda", "mps")
"""Types of device; "auto" takes the fastest of them, and "cuda:1" is the second GPU."""

PixelLayout = Literal["float", "rgb8", "nv12"]
"""The samples that an exported model takes and gives."""
PIXEL_LAYOUTS: tuple[str, ...] = get_args(PixelLayout)

SHELLS = ("bash", "zsh", "fish")
"""Shells whose completion can be printed."""

TrainingRecipe = Literal["house", "calm", "paper"]
TRAINING_RECIPES: tuple[str, ...] = get_args(TrainingRecipe)

_OTHER_NAMES = {
    **dict.fromkeys(("avc", "h.264", "x264", "libx264"), "h264"),
    **dict.fromkeys(("h265", "h.265", "x265", "libx265"), "hevc"),
    **dict.fromkeys(("av01", "svt-av1", "svtav1", "libsvtav1", "aom"), "av1"),
    **dict.fromkeys(("prores_ks", "apple-prores", "422", "4444"), "prores"),
    **dict.fromkeys(("dnxhd", "dnx"), "dnxhr"),
    **dict.fromkeys(("m4v", "mpeg4"), "mp4"),
    **dict.fromkeys(("quicktime", "qt"), "mov"),
    **dict.fromkeys(("matroska",), "mkv"),
    **dict.fromkeys(("gpu", "nvidia"), "cuda"),
    **dict.fromkeys(("half", "float16"), "fp16"),
    **dict.fromkeys(("float", "float32"), "fp32"),
    "stylise": "stylize",
}
"""What other programs and countries call a choice."""


def nearest(text: str, choices: Iterable[str]) -> str | None:
    """Return the choice that was probably meant by a text that is none; None where none is near."""
    choices, text = list(choices), text.lower()
    if text in choices:
        return text
    if (other := _OTHER_NAMES.get(text)) in choices:
        return other
    near = difflib.get_close_matches(text, choices, n=1)
    # "--fps" for "--sequence-fps"
    holding = [choice for choice in choices if text.strip("-") in choice.split("-")]
    return next(iter([*holding, *near]), None)
