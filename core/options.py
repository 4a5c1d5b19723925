"""The values that a user can choose between, by option.

Command lines, settings and dialogs share these tables. Nothing here imports torch, so that
`--help` and a wrong flag answer at once.
"""

from __future__ import annotations

from typing import Literal, get_args

Codec = Literal["auto", "h264", "hevc", "av1", "prores", "dnxhr", "ffv1"]
CODECS: tuple[str, ...] = get_args(Codec)

EditCodec = Literal["prores", "dnxhr"]
"""A codec for files that an editing program reads back."""
EDIT_CODECS: tuple[str, ...] = get_args(EditCodec)

Container = Literal["mp4", "mov", "mkv"]
CONTAINERS: tuple[str, ...] = get_args(Container)

HardwareEncoder = Literal["nvenc", "qsv", "videotoolbox", "amf", "vaapi"]
ENCODERS = ("software", "auto", *get_args(HardwareEncoder))
"""Encoders; "auto" is hardware where it works, else software."""

Decoder = Literal["software", "auto"]
DECODERS: tuple[str, ...] = get_args(Decoder)

Interlaced = Literal["deinterlace", "keep", "refuse"]
INTERLACED: tuple[str, ...] = get_args(Interlaced)
"""Treatments of interlaced frames; "keep" treats them as progressive."""

BarsMode = Literal["keep", "style"]
"""What happens to burnt-in black bars."""
BARS: tuple[str, ...] = get_args(BarsMode)

VerifyLevel = Literal["standard", "full"]
VERIFY_LEVELS: tuple[str, ...] = get_args(VerifyLevel)

Layout = Literal["wipe", "side", "stack"]
"""An arrangement of two clips that are compared."""
LAYOUTS: tuple[str, ...] = get_args(Layout)

RuntimeName = Literal["auto", "amx", "torch", "openvino", "onnxruntime"]
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

TrainingRecipe = Literal["house", "calm", "paper"]
TRAINING_RECIPES: tuple[str, ...] = get_args(TrainingRecipe)
